"""``playhead replay``: what a source recorded against code that would have to make it again.

What "code" is depends on the source: :data:`KINDS` names, by capability, who replays it. Another kind of replay is
another line there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final

import click

from app.cli.options import filter_option, json_option, source_argument
from app.cli.session import opened
from app.opening import Opened
from engine_bridge.bridge import Capability
from engine_bridge.errors import UnsupportedError

KINDS: Final = {Capability.CONFIG: "app.cli.replay_moves:replay_moves"}
"""Who replays what a source with a capability recorded: a function of (Opened, Asked) that answers the exit code."""


@dataclass(frozen=True)
class Asked:
    """What the command line said. ``runs`` and ``filter_text`` choose runs, all where both are empty."""

    runs: tuple[str, ...]
    filter_text: str
    code: tuple[str, ...]
    as_json: bool


@click.command()
@source_argument
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@filter_option
@click.option(
    "--code",
    multiple=True,
    metavar="PLACE",
    help="What to replay against: a path, or REV:path in git. May be given several times.",
)
@json_option
def replay(
    source: str, runs: tuple[str, ...], filter_text: str, code: tuple[str, ...], as_json: bool
) -> None:
    """Replay recorded RUNs of SOURCE (all without RUN and --filter) against a version of its code.

    The moves of entities are replayed against configs; without --code, against the source's own of today. Exit code 0:
    no divergence, 1: divergences.
    """
    with opened(source) as place:
        code_ = _kind(place)(place, Asked(runs, filter_text, code, as_json))
    sys.exit(code_)


def _kind(place: Opened) -> Callable[[Opened, Asked], int]:
    for capability, target in KINDS.items():
        if capability in place.info.capabilities:
            module, name = target.split(":")
            found: Callable[[Opened, Asked], int] = getattr(import_module(module), name)
            return found
    raise UnsupportedError("Nothing of this source can be replayed.", "It declares no configs.")
