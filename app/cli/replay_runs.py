"""``playhead replay`` where the code is run: which project, which runs, who agreed, and the gate itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from app import gate_setup
from app.cli import replay_one
from app.cli.options import query_of
from app.cli.output import json_line, note
from app.cli.replay_print import print_report
from app.cli.session import call, find_run
from app.cli.working import work
from app.gate_setup import Found, Place, Ready, Wanted
from app.opening import Opened
from app.replay_state import source_key
from engine_bridge.errors import UsageError
from engine_bridge.replay import gate_runs, junit, options
from engine_bridge.replay.gate_report import to_json
from engine_bridge.replay.gate_runs import Chosen
from engine_bridge.replay.model import Project

if TYPE_CHECKING:
    from app.cli.replay import Asked

_STOPPING = "Stopping. What was replayed so far is told."


def replay_runs(place: Opened, what: Asked) -> int:
    """Replays, prints, and answers 1 where a deploy would break runs or it could not be found out."""
    running = what.running
    in_detail = replay_one.wanted(running)
    if in_detail:
        replay_one.check(place, what)
    ready = _ready(place, what)
    if not running.yes:
        ready = work(lambda token: gate_setup.ask(ready, token), "Stopping.")
        _agree(ready)
    if in_detail:
        return replay_one.replay_one(place, what, ready)
    report = work(
        lambda token: gate_setup.run(ready, token, jobs=running.jobs, trusted=running.yes), _STOPPING
    )
    if what.as_json:
        json_line(to_json(report, running.strict_drift))
    else:
        print_report(report, running.strict_drift)
    if running.junit is not None:
        junit.write(report, running.junit, running.strict_drift)
        note(f"Wrote {running.junit}.")
    return int(not report.passed(running.strict_drift))


def _ready(place: Opened, what: Asked) -> Ready:
    if len(what.code) > 1:
        raise UsageError("Runs are replayed against one version of the code.", "Give --code once.")
    code = what.code[0] if what.code else ""
    wanted = Wanted(code, what.running.python, what.running.modules)
    source = Place(place.session, place.info, place.fields, source_key(place.target.url))
    spec = call(place, "replayer")
    project = _project(gate_setup.find(source, wanted, spec), wanted)
    if what.running.options:
        given = options.parse(what.running.options, spec, Path(project.code))
        project = msgspec.structs.replace(project, options={**project.options, **given})
    project = gate_setup.checked(project)
    return Ready(source, spec, project, tuple(_runs(place, what)))


def _project(found: Found, wanted: Wanted) -> Project:
    if not found.project.modules:
        some = " ".join(f"--module {_short(name, Path(wanted.code))}" for name in found.choices[:8])
        raise UsageError("It is not clear which modules to import.", f"Choose some of: {some}")
    if not wanted.python:
        note(f"Interpreter: {found.project.python} ({found.how}).")
    return found.project


def _runs(place: Opened, what: Asked) -> list[Chosen]:
    """The runs named, else those of the filter, else the only one there can be, else the open ones."""
    only = place.info.only is not None and not (what.runs or what.filter_text)
    if only or replay_one.wanted(what.running):
        return [gate_runs.chosen(find_run(place, next(iter(what.runs), None)))]
    if what.runs and what.filter_text:
        raise UsageError("Name runs, or give a --filter.")
    if what.runs:
        found = [gate_runs.chosen(find_run(place, run)) for run in dict.fromkeys(what.runs)]
        return list(dict.fromkeys(found))
    text = what.filter_text or gate_runs.open_filter(place.fields)
    query_of(place, text)  # told at its column, before anything is read
    sample = what.running.sample
    return work(lambda token: gate_runs.choose(place.session, place.fields, text, sample, token), "Stopping.")


def _agree(ready: Ready) -> None:
    """Asks for what was not agreed to before. Raises UsageError where nobody can be asked, Abort for a no."""
    if ready.agreed:
        return
    for text in gate_setup.question(ready):
        note(text)
    if not sys.stdin.isatty():
        raise UsageError("Nobody agreed to run this code yet.", "Run it once on a terminal, or add --yes.")
    click.confirm("Run it?", abort=True, err=True)
    ready.agree()


def _short(name: str, code: Path) -> str:
    path = Path(name)
    base = code.resolve()
    return str(code / path.relative_to(base)) if path.is_absolute() and path.is_relative_to(base) else name
