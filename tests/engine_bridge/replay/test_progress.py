"""Long replays say how far they are; short ones say nothing."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from engine_bridge.format import count
from engine_bridge.replay.model import Outcome
from engine_bridge.replay.progress import left_words, words
from engine_bridge.replay.protocol import Progress
from engine_bridge.replay.runners.loop import PROGRESS_S
from tests.engine_bridge.replay.driving import project, recorded, run, written

SLOW = """
import time

def flow(step):
    for number in range(12):
        step('a')
        end = time.perf_counter() + 0.1
        while time.perf_counter() < end:
            pass
"""


def test_a_long_replay_tells_how_far_it_is_and_how_long_it_will_take(tmp_path: Path) -> None:
    item = msgspec.structs.replace(recorded("r1", [("a", n) for n in range(12)]), steps=13)
    began = time.monotonic()
    heard = run(project(written(tmp_path, SLOW)), [item])
    assert heard.end.outcome is Outcome.SAME
    told = heard.all(Progress)
    assert 1 <= len(told) <= (time.monotonic() - began) / PROGRESS_S
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert all(one.total == 13 and one.left_s is not None and one.left_s > 0 for one in told)


def test_one_of_unknown_length_tells_none(tmp_path: Path) -> None:
    item = msgspec.structs.replace(recorded("r1", [("a", n) for n in range(12)]), steps=0)
    heard = run(project(written(tmp_path, SLOW)), [item])
    assert not heard.all(Progress)


def test_progress_in_words() -> None:
    assert left_words(None) == "" and left_words(0.2) == "about 1 s left"
    assert left_words(89) == "about 89 s left" and left_words(200) == "about 3 min left"
    assert (
        words(Progress("r", 12_000, 51_200, 14.2)) == f"{count(12_000)} of {count(51_200)}, about 14 s left"
    )
