"""``playhead replay``: what a source recorded against code that would have to make it again.

What "code" is depends on the source: :data:`KINDS` names, by capability, who replays it. Another kind of replay is
another line there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from app.cli.options import filter_option, json_option, source_argument
from app.cli.session import opened
from app.opening import Opened
from engine_bridge.bridge import Capability
from engine_bridge.errors import UnsupportedError

KINDS: Final = {
    Capability.CONFIG: "app.cli.replay_moves:replay_moves",
    Capability.REPLAY: "app.cli.replay_runs:replay_runs",
}
"""Who replays what a source with a capability recorded: a function of (Opened, Asked) that answers the exit code."""


@dataclass(frozen=True)
class Running:
    """How the code is run, where it is run. ``sample`` None: all that match; ``jobs`` 0: as many as cores."""

    python: str = ""
    modules: tuple[str, ...] = ()
    sample: int | None = None
    jobs: int = 0
    yes: bool = False
    junit: Path | None = None
    strict_drift: bool = False
    what_if: tuple[str, ...] = ()
    then: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    debug: int = 0
    options: tuple[str, ...] = ()

    def given(self) -> list[str]:
        """The options that were given, as they are typed."""
        names = {
            "modules": "--module",
            "strict_drift": "--strict-drift",
            "what_if": "--what-if",
            "options": "--option",
        }
        return [names.get(key, f"--{key}") for key, value in vars(self).items() if value]


@dataclass(frozen=True)
class Asked:
    """What the command line said. ``runs`` and ``filter_text`` choose runs, all where both are empty."""

    runs: tuple[str, ...]
    filter_text: str
    code: tuple[str, ...]
    as_json: bool
    running: Running = Running()


def _running_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of sources whose code is run."""
    options = (
        click.option(
            "--python", default="", metavar="PATH", help="The interpreter. Default: the project's own."
        ),
        click.option(
            "--module",
            "modules",
            multiple=True,
            metavar="M",
            help="A module to import, or a .py file. May be repeated.",
        ),
        click.option(
            "--option",
            "options",
            multiple=True,
            metavar="NAME=VALUE",
            help="An option of the project, such as data_converter=MODULE:ATTRIBUTE (docs/replay.md). May be repeated.",
        ),
        click.option(
            "--sample", type=click.IntRange(1), metavar="N", help="The newest N runs of each workflow type."
        ),
        click.option(
            "--jobs", type=click.IntRange(0), default=0, metavar="N", help="Processes. Default: one per core."
        ),
        click.option(
            "--yes", is_flag=True, help="Run the code without asking: you trust it and the source's payloads."
        ),
        click.option("--strict-drift", is_flag=True, help="Exit code 1 for drift too."),
        click.option(
            "--junit",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Write JUnit XML to FILE.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _one_run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that look at one run in detail."""
    options = (
        click.option(
            "--what-if",
            multiple=True,
            metavar="EDIT",
            help="Of one RUN: what would the code do if …? signal:NAME=JSON, result:EVENT=JSON, failure:EVENT=TEXT, "
            "fired:EVENT, input:EVENT=JSON, cancel … (the engine's page lists all). Nothing is sent or written.",
        ),
        click.option(
            "--then",
            multiple=True,
            metavar="EDIT",
            help="Behind --what-if: what if it then went on so? result:STEP=JSON, fired:timer, failure:STEP:TYPE=TEXT "
            "… by the name of what the code has commanded, STEP#2 for the second of that name. Each is a workflow task "
            "of its own; with + before it, it comes with the one before.",
        ),
        click.option(
            "--query",
            multiple=True,
            metavar="NAME[=JSON]",
            help="Of one RUN: what does the code's query answer at every event?",
        ),
        click.option(
            "--debug",
            is_flag=False,
            flag_value=-1,
            type=click.IntRange(-1, 65535),
            default=0,
            metavar="[PORT]",
            help="Of one RUN: wait for a debugger (DAP, such as VS Code's) on this port of 127.0.0.1, or any free one.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@source_argument
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@filter_option
@click.option(
    "--code",
    multiple=True,
    metavar="PLACE",
    help="What to replay against: a file or folder; for configs also REV:path in git, and several times.",
)
@_running_options
@_one_run_options
@json_option
def replay(
    source: str, runs: tuple[str, ...], filter_text: str, code: tuple[str, ...], as_json: bool, **running: Any
) -> None:
    """Replay recorded RUNs of SOURCE against a version of its code: what would break if it were deployed?

    Where the code is Python, it is run in a process that can neither write nor reach the network, up to where each run
    stands; without RUN and --filter, all open runs. The moves of entities are replayed against configs, of all
    entities; without --code, against the source's own of today. Exit code 0: no divergence, 1: divergences, or runs
    that could not be replayed.
    """
    with opened(source) as place:
        code_ = _kind(place)(place, Asked(runs, filter_text, code, as_json, Running(**running)))
    sys.exit(code_)


def _kind(place: Opened) -> Callable[[Opened, Asked], int]:
    for capability, target in KINDS.items():
        if capability in place.info.capabilities:
            module, name = target.split(":")
            found: Callable[[Opened, Asked], int] = getattr(import_module(module), name)
            return found
    why = place.info.missing.get(Capability.REPLAY) or "neither code nor configs make what it records"
    raise UnsupportedError(f"Nothing of this source can be replayed: {why}.")
