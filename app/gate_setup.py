"""What a gate needs before it starts: the project, the runs, what their payloads name, who agreed. Qt-free; blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from app.replay_state import consents, projects_file
from engine_bridge.bridge import Field, SourceInfo
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import UsageError
from engine_bridge.format import plain
from engine_bridge.replay.gate_report import GateReport, Result
from engine_bridge.replay.model import Outcome, Project, ReplayInput, RunnerSpec
from engine_bridge.session import Session

if TYPE_CHECKING:
    from engine_bridge.replay.gate_runs import Chosen

_SHOWN: Final = 40


@dataclass(frozen=True)
class Place:
    """An open source: ``url`` names it in what is remembered (``app.replay_state.source_key``)."""

    session: Session
    info: SourceInfo
    fields: Sequence[Field]
    url: str


@dataclass(frozen=True)
class Wanted:
    """The code that the user asked for; "" and () stand for what is saved or found."""

    code: str = ""
    python: str = ""
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """A project with how it was found; ``choices`` are modules to choose from where it is unclear which are meant."""

    project: Project
    how: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ready:
    """All that was found out before the code is run. ``names`` are what payloads would import.

    ``unseen`` are those of them that the user did not see when agreeing; ``given`` whether they agreed at all.
    """

    place: Place
    spec: RunnerSpec
    project: Project
    runs: tuple[Chosen, ...]
    names: frozenset[str] = frozenset()
    unseen: tuple[str, ...] = ()
    given: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def agreed(self) -> bool:
        """Whether it may start without a question."""
        return self.given and not self.unseen

    def agree(self) -> None:
        """Remembers the user's yes, and the project for next time. Raises PlayheadError."""
        from engine_bridge.replay.project import save_project

        consents().give(self.project, self.place.url, sorted(self.names))
        save_project(projects_file(), self.place.url, self.project)


def last_code(url: str) -> Project | None:
    """The project that was used last with a source; the demo's own for the demo."""
    from app.demo_code import project_for
    from engine_bridge.replay.project import last_project

    return last_project(projects_file(), url) or project_for(url)


def find(place: Place, wanted: Wanted, spec: RunnerSpec) -> Found:
    """The code to run: as asked, else as saved for the source, else as found. Raises UsageError. Runs nothing."""
    from app.demo_code import HOW, project_for
    from engine_bridge.replay.project import chosen, load_project, new_project

    code = Path(wanted.code).expanduser() if wanted.code else None
    if code is None:
        last = last_code(place.url)
        if last is None:
            raise UsageError(
                "Name the code to replay against.", "--code PATH: the workflows' file or folder."
            )
        code = Path(last.code)
        if not wanted.modules:
            return Found(_with_python(last, wanted.python), "as used last with this source")
    demo = project_for(place.url)
    if demo is not None and not wanted.modules and code.resolve() == Path(demo.code):
        return Found(_with_python(demo, wanted.python), HOW)
    saved = load_project(projects_file(), place.url, code)
    if saved is not None and not wanted.modules:
        return Found(_with_python(saved, wanted.python), "as used before")
    python = wanted.python or (saved.python if saved is not None else "")
    project, interpreter, modules = new_project(code, spec.library, _absolute(python))
    how = interpreter.how if interpreter is not None else "as named"
    if wanted.modules:
        picked = chosen(code, wanted.modules)
        found = {"modules": picked.modules, "paths": picked.paths, "cwd": picked.cwd}
        return Found(msgspec.structs.replace(project, **found), how, modules.choices)
    return Found(project, how, modules.choices)


def _with_python(project: Project, python: str) -> Project:
    return msgspec.structs.replace(project, python=_absolute(python)) if python else project


def _absolute(python: str) -> str:
    """A path means the same from every folder; a bare name is looked up on the PATH. Links are kept: they matter."""
    path = Path(python).expanduser()
    return str(path.absolute()) if len(path.parts) > 1 else python


def checked(project: Project) -> Project:
    """The project with an interpreter that answers. Starts it. Raises UsageError."""
    from engine_bridge.replay.project import check_python

    code = Path(project.code)
    answer = check_python(project.python, str(code.parent if code.is_file() else code))
    return msgspec.structs.replace(project, python=answer.python)


def named(place: Place, runs: Sequence[Chosen], cancel: CancelToken) -> frozenset[str]:
    """Every name that the payloads of runs would import. Nothing is unpickled."""
    from engine_bridge.replay.gate_runs import inputs

    found: set[str] = set()
    for number, value in enumerate(inputs(place.session, runs, cancel)):
        cancel.progress(number, len(runs), "reading what payloads name")
        if isinstance(value, ReplayInput):
            found.update(value.globals)
    cancel.raise_if_cancelled()
    return frozenset(found)


def ask(ready: Ready, cancel: CancelToken) -> Ready:
    """The same with what payloads name, and what of it the user has agreed to."""
    names = named(ready.place, ready.runs, cancel)
    kept = consents()
    unseen = kept.unseen(ready.project, ready.place.url, sorted(names))
    given = kept.given(ready.project, ready.place.url)
    return Ready(ready.place, ready.spec, ready.project, ready.runs, names, unseen, given)


def prepare(
    place: Place,
    spec: RunnerSpec,
    project: Project,
    filter_text: str,
    sample: int | None,
    cancel: CancelToken,
) -> Ready:
    """The runs of a filter ("": the open ones) and all that must be known before they are replayed."""
    from engine_bridge.replay import gate_runs

    project = checked(project)
    text = filter_text or gate_runs.open_filter(place.fields)
    runs = tuple(gate_runs.choose(place.session, place.fields, text, sample, cancel))
    return ask(Ready(place, spec, project, runs), cancel)


def run(ready: Ready, cancel: CancelToken, *, jobs: int = 0, trusted: bool = False) -> GateReport:
    """The gate itself. Runs whose payloads came to name something new are held back, unless all are ``trusted``."""
    from engine_bridge.replay import gate_runs
    from engine_bridge.replay.gate import GateJob, run_gate

    job = GateJob(spec=ready.spec, project=ready.project, parallel=jobs, total=len(ready.runs))
    read = gate_runs.inputs(ready.place.session, ready.runs, cancel)
    return run_gate(job, read if trusted else _only(read, ready.names), cancel)


def _only(inputs: Iterable[ReplayInput | Result], names: frozenset[str]) -> Iterator[ReplayInput | Result]:
    for value in inputs:
        new = sorted(set(value.globals) - names) if isinstance(value, ReplayInput) else []
        if new and isinstance(value, ReplayInput):
            yield Result(
                number=0, run_id=value.run_id, type=value.type, version=value.version, outcome=Outcome.FAILED,
                error=f"Its payloads came to name {', '.join(new)} after you had agreed.", hint="Replay it again.",
                name=value.name,
            )  # fmt: skip
        else:
            yield value


def question(ready: Ready) -> list[str]:
    """What the user is asked before code is run for the first time, in plain words, a paragraph each."""
    title, project = plain(ready.place.info.title, 80), ready.project
    if ready.given:
        asked = [f"Since you agreed, payloads of {title} came to name more."]
    else:
        asked = [
            f"A replay runs the code in {plain(project.code, 200)} by {plain(project.python, 200)}, and unpickles the"
            f" payloads of {title}, which can run whatever they name.",
            "It may not write files, reach the network or start programs, as far as this platform can deny it.",
        ]
        if entry := project.options.get(ready.spec.entry[0]):
            asked.append(
                f"{plain(str(entry), 200)} is run until it makes its workers, with nothing connected."
            )
        if _file(ready.place.info) is not None:
            asked.append(
                f"{title} is a file: whoever wrote it chose what is unpickled. Go on if your own application did."
            )
    if not ready.unseen:
        return [*asked, "Its payloads name nothing beyond plain values."]
    some = ", ".join(plain(name, 80) for name in ready.unseen[:_SHOWN])
    more = f" and {len(ready.unseen) - _SHOWN} more" if len(ready.unseen) > _SHOWN else ""
    return [*asked, f"Names in its payloads: {some}{more}."]


def _file(info: SourceInfo) -> Path | None:
    """The file that a source is, None for a server."""
    path = Path(info.location)
    try:
        return path if path.is_file() else None
    except (OSError, ValueError):
        return None
