"""Asks on the terminal, once for a project and source, whether its code may be run and its payloads unpickled."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from app.cli.output import note
from app.cli.working import work
from app.opening import Opened
from app.replay_state import consents
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import UsageError
from engine_bridge.format import plain
from engine_bridge.replay import gate_runs
from engine_bridge.replay.gate_report import Result
from engine_bridge.replay.gate_runs import Chosen
from engine_bridge.replay.model import Outcome, Project, ReplayInput

_SHOWN = 40


@dataclass(frozen=True)
class Agreed:
    """What the user agreed to: all names, or those that payloads had when it was asked."""

    names: frozenset[str] | None

    def only(self, inputs: Iterable[ReplayInput | Result]) -> Iterator[ReplayInput | Result]:
        """The inputs, but those that came to name something new meanwhile: these are results that say so."""
        for value in inputs:
            new = self._new(value) if isinstance(value, ReplayInput) else ""
            if new and isinstance(value, ReplayInput):
                yield Result(
                    number=0, run_id=value.run_id, type=value.type, version=value.version, outcome=Outcome.FAILED,
                    error=f"Its payloads came to name {new} after you had agreed.", hint="Replay it again.",
                )  # fmt: skip
            else:
                yield value

    def _new(self, value: ReplayInput) -> str:
        return "" if self.names is None else ", ".join(sorted(set(value.globals) - self.names))


def agree(place: Opened, project: Project, source: str, runs: Sequence[Chosen], yes: bool) -> Agreed:
    """Asks for what was not agreed to before. Raises UsageError where nobody can be asked, Abort for a no."""
    if yes:
        return Agreed(None)
    names = work(lambda token: named(place, runs, token), "Stopping.")
    kept = consents()
    given = kept.given(project, source)
    unseen = kept.unseen(project, source, names)
    if given and not unseen:
        return Agreed(frozenset(names))
    for text in words(place, project, unseen, given):
        note(text)
    if not sys.stdin.isatty():
        raise UsageError("Nobody agreed to run this code yet.", "Run it once on a terminal, or add --yes.")
    click.confirm("Run it?", abort=True, err=True)
    kept.give(project, source, names)
    return Agreed(frozenset(names))


def named(place: Opened, runs: Sequence[Chosen], token: CancelToken) -> tuple[str, ...]:
    """Every name that the payloads of runs would import. Nothing is unpickled."""
    found: set[str] = set()
    for number, value in enumerate(gate_runs.inputs(place.session, runs, token)):
        token.progress(number, len(runs), "reading what payloads name")
        if isinstance(value, ReplayInput):
            found.update(value.globals)
    return tuple(sorted(found))


def words(place: Opened, project: Project, unseen: Sequence[str], given: bool) -> Iterator[str]:
    """What the user is asked, in plain words."""
    title = plain(place.info.title, 80)
    if given:
        yield f"Since you agreed, payloads of {title} came to name more (see below)."
    else:
        yield f"A replay runs the code in {project.code} by {project.python},"
        yield f"and unpickles the payloads of {title}, which can run whatever they name."
        yield "It may not write files, reach the network or start programs, as far as this platform can deny it."
    if not given and _file(place) is not None:
        yield f"{title} is a file: whoever wrote it chose what is unpickled. Go on if your own application did."
    if unseen:
        more = f" and {len(unseen) - _SHOWN} more" if len(unseen) > _SHOWN else ""
        yield f"Names in its payloads: {', '.join(plain(name, 80) for name in unseen[:_SHOWN])}{more}."
    else:
        yield "Its payloads name nothing beyond plain values."


def _file(place: Opened) -> Path | None:
    """The file that a source is, None for a server."""
    path = Path(place.info.location)
    try:
        return path if path.is_file() else None
    except (OSError, ValueError):
        return None
