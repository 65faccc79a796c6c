"""What helps with an error of user code."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

import pytest

from engine_bridge.replay.runners.failures import failure
from engine_bridge.replay.runners.frames import Files


def _looks_up() -> None:
    os.environ["PLAYHEAD_NOWHERE"]


def _looks_up_in_its_own() -> None:
    dict[str, str]().__getitem__("PLAYHEAD_NOWHERE")


def _reads_arguments() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--queue", required=True)
    parser.parse_args([])


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (_looks_up, 'Variables are an option of the project: environment={"PLAYHEAD_NOWHERE": "…"}.'),
        (_looks_up_in_its_own, ""),
        (
            _reads_arguments,
            'What it wants as arguments is the option argv, such as argv=["--queue", "shop"].',
        ),
    ],
)
def test_what_the_process_lacks_is_an_option(code: Callable[[], None], hint: str) -> None:
    with pytest.raises((KeyError, SystemExit)) as caught:
        code()
    assert failure(caught.value, Files())["hint"] == hint
