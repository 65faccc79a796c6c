"""``playhead replay`` where the code is run: which project, which runs, who agreed, and the gate itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.output import json_line, note
from app.cli.replay_consent import Agreed, agree
from app.cli.replay_print import print_report
from app.cli.session import call, find_run
from app.cli.working import work
from app.opening import Opened, source_id
from app.replay_state import projects_file
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import UsageError
from engine_bridge.replay import gate_runs, junit
from engine_bridge.replay.gate import GateJob, run_gate
from engine_bridge.replay.gate_report import GateReport, to_json
from engine_bridge.replay.gate_runs import Chosen
from engine_bridge.replay.model import Project, RunnerSpec
from engine_bridge.replay.project import (
    check_python,
    chosen,
    last_project,
    load_project,
    new_project,
    save_project,
)

if TYPE_CHECKING:
    from app.cli.replay import Asked

_STOPPING = "Stopping. What was replayed so far is told."


def replay_runs(place: Opened, what: Asked) -> int:
    """Replays, prints, and answers 1 where a deploy would break runs or it could not be found out."""
    spec: RunnerSpec = call(place, "replayer")
    source = source_id(place.target.url)
    project = project_of(what, source, spec)
    runs = _runs(place, what)
    agreed = agree(place, project, source, runs, what.running.yes)
    if not what.running.yes:
        save_project(projects_file(), source, project)
    report = _gate(place, what, spec, project, runs, agreed)
    strict = what.running.strict_drift
    if what.as_json:
        json_line(to_json(report, strict))
    else:
        print_report(report, strict)
    if what.running.junit is not None:
        junit.write(report, what.running.junit, strict)
        note(f"Wrote {what.running.junit}.")
    return int(not report.passed(strict))


def _gate(
    place: Opened, what: Asked, spec: RunnerSpec, project: Project, runs: list[Chosen], agreed: Agreed
) -> GateReport:
    job = GateJob(spec=spec, project=project, parallel=what.running.jobs, total=len(runs))

    def task(token: CancelToken) -> GateReport:
        read = agreed.only(gate_runs.inputs(place.session, runs, token))
        return run_gate(job, read, token)

    return work(task, _STOPPING)


def _runs(place: Opened, what: Asked) -> list[Chosen]:
    """The runs named, else those of the filter, else the open ones."""
    filter_text = what.filter_text or ("" if what.runs else gate_runs.open_filter(place.fields))
    if what.runs:
        if what.filter_text:
            raise UsageError("Name runs, or give a --filter.")
        found = [gate_runs.chosen(find_run(place, run)) for run in dict.fromkeys(what.runs)]
        return list(dict.fromkeys(found))
    return work(
        lambda token: gate_runs.choose(place.session, place.fields, filter_text, what.running.sample, token),
        "Stopping.",
    )


def project_of(what: Asked, source: str, spec: RunnerSpec) -> Project:
    """The code to run: as asked, else as saved for the source, else as found. Raises UsageError."""
    code = _code(what, source)
    saved = load_project(projects_file(), source, code)
    python, names = _absolute(what.running.python), what.running.modules
    if saved is not None and not names:
        project = saved
    else:
        project = _new(code, spec, python or (saved.python if saved is not None else ""), names)
    checked = check_python(python or project.python, str(code.parent if code.is_file() else code))
    return Project(
        code=project.code, python=checked.python, modules=project.modules, paths=project.paths, cwd=project.cwd,
        options=project.options,
    )  # fmt: skip


def _code(what: Asked, source: str) -> Path:
    if len(what.code) > 1:
        raise UsageError("Runs are replayed against one version of the code.", "Give --code once.")
    if what.code:
        return Path(what.code[0]).expanduser()
    last = last_project(projects_file(), source)
    if last is None:
        raise UsageError("Name the code to replay against.", "--code PATH: the workflows' file or folder.")
    return Path(last.code)


def _new(code: Path, spec: RunnerSpec, python: str, names: tuple[str, ...]) -> Project:
    project, found, modules = new_project(code, spec.library, python)
    if found is not None:
        note(f"Interpreter: {found.python} ({found.how}).")
    if names:
        own = chosen(code, names)
        return Project(
            code=project.code, python=project.python, modules=own.modules, paths=own.paths, cwd=own.cwd
        )
    if not project.modules:
        some = " ".join(f"--module {_short(name, code)}" for name in modules.choices[:8])
        raise UsageError(f"It is not clear what to import: {modules.how}.", f"Choose some of: {some}")
    return project


def _absolute(python: str) -> str:
    """A path means the same from every folder; a bare name is looked up on the PATH. Links are kept: they matter."""
    path = Path(python).expanduser()
    return str(path.absolute()) if len(path.parts) > 1 else python


def _short(name: str, code: Path) -> str:
    path = Path(name)
    base = code.resolve()
    return str(code / path.relative_to(base)) if path.is_absolute() and path.is_relative_to(base) else name
