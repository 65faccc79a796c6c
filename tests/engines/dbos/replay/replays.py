"""Replays runs of real dbos workers with an application's file, and keeps what was said of each."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from engine_bridge.bridge import Bridge, load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.model import RunRef
from engine_bridge.replay.model import End, Frame, LineHit, Place, Project, ReplayInput, TraceStep
from engine_bridge.replay.protocol import AnyMessage, Begin, Bye, Ended, Lines, Log, Step
from engine_bridge.replay.supervisor import Limits, Replay
from tests.waiting import LIMIT_S

APPS = Path(__file__).with_name("apps")
LIMITS = Limits(silence_s=LIMIT_S, busy_s=LIMIT_S, memory_mb=2048)


@dataclass
class Told:
    """What one replay of a run told."""

    steps: list[TraceStep] = field(default_factory=list)
    lines: dict[int, tuple[LineHit, ...]] = field(default_factory=dict)
    end: End = field(default_factory=lambda: End(outcome="failed"))  # type: ignore[arg-type]  # replaced by the end

    @property
    def drift(self) -> list[str]:
        return [drift.what for drift in self.end.drift]

    @property
    def asked(self) -> list[str]:
        return [step.name for step in self.steps]

    @property
    def at(self) -> str:
        """The text of the line where it ended: that of the divergence, else where the run stands."""
        found = (
            self.end.divergence.at if self.end.divergence else self.end.now.at if self.end.now else Place()
        )
        return text_at(found)


@dataclass
class All:
    """Every run of one replay, with what was printed."""

    runs: dict[str, Told] = field(default_factory=dict)
    printed: str = ""
    bye: Bye | None = None

    def __getitem__(self, run: str) -> Told:
        return self.runs[run]

    def hear(self, message: AnyMessage) -> None:
        if isinstance(message, Begin):
            # Begun anew, what was told before counts no more.
            self.runs[message.run_id] = Told()
        elif isinstance(message, Step):
            self.runs.setdefault(message.run_id, Told()).steps.append(message.step)
        elif isinstance(message, Lines):
            self.runs.setdefault(message.run_id, Told()).lines[message.n] = message.hits
        elif isinstance(message, Ended):
            self.runs.setdefault(message.run_id, Told()).end = message.end
        elif isinstance(message, Log):
            self.printed += message.text
        elif isinstance(message, Bye):
            self.bye = message


def text_at(place: Place | Frame) -> str:
    """The line of code at a place, "" when there is none."""
    return Path(place.file).read_text("utf-8").splitlines()[place.line - 1].strip() if place.line else ""


def execute(app: Path, *arguments: str, code: int = 0, seconds: float = LIMIT_S) -> None:
    """Has a real worker make histories."""
    command = [sys.executable, str(app), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == code, done.stdout + done.stderr


def opened(url: str | Path) -> Bridge:
    """The bridge of a database; the caller closes it."""
    bridge = load_engine("dbos").bridge(f"dbos+sqlite:///{url}" if isinstance(url, Path) else url, None)
    bridge.open(CancelToken())
    return bridge


def inputs_of(url: str | Path, runs: Iterable[str]) -> list[ReplayInput]:
    """What a replay of these runs needs."""
    bridge = opened(url)
    try:
        return [bridge.replay_input(RunRef("workflow", "", run), CancelToken()) for run in runs]
    finally:
        bridge.close()


def replay(inputs: Sequence[ReplayInput], app: Path, **more: Any) -> All:
    """Replays runs in one process, to their end."""
    options, seconds = more.pop("options", {}), more.pop("seconds", LIMIT_S)
    project = Project(
        code=str(app), python=more.pop("python", sys.executable), modules=more.pop("modules", (str(app),)),
        paths=more.pop("paths", (str(app.parent), str(APPS))), options=options,
    )  # fmt: skip
    told = All()
    from engine_bridge.engines.dbos.replay_input import SPEC

    replay = Replay(SPEC, project, inputs, told.hear, limits=LIMITS, **more)
    replay.start()
    assert replay.wait(seconds)
    return told


def edited(app: Path, folder: Path, *changes: tuple[str, str]) -> Path:
    """A copy of an application in which texts are replaced; each must be there once."""
    text = app.read_text("utf-8")
    for old, new in changes:
        assert text.count(old) == 1, f"{text.count(old)} times: {old}"
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    changed = folder / app.name
    changed.write_text(text, "utf-8")
    return changed


def posing(item: ReplayInput, run: str, name: str) -> ReplayInput:
    """The same record under another id and as of another workflow: many edits of one function in one process."""
    record = msgspec.json.decode(item.data)
    old = item.run_id

    def changed(value: Any) -> Any:
        if value == old:
            return run
        return run + value[len(old) :] if isinstance(value, str) and value.startswith(f"{old}-") else value

    for rows in record["tables"].values():
        for row in rows:
            if row.get("workflow_uuid", row.get("destination_uuid")) == old and "name" in row:
                row["name"] = name
            for column in ("workflow_uuid", "destination_uuid", "child_workflow_id", "parent_workflow_id"):
                if column in row:
                    row[column] = changed(row[column])
    record["run"] = run
    return msgspec.structs.replace(item, run_id=run, type=name, data=msgspec.json.encode(record))


class Edits:
    """Edited copies of workflows, side by side in one module, and the records to replay them with.

    ``add`` names the run that ``replay`` answers for; ``old`` must be once in the workflow's text.
    """

    def __init__(self, app: Path, inputs: Sequence[ReplayInput]) -> None:
        self._app = app
        self._inputs = {item.run_id: item for item in inputs}
        self._texts: list[str] = []
        self._posing: list[ReplayInput] = []

    def add(self, run: str, history: str, *changes: tuple[str, str], workflow: str = "") -> None:
        item = self._inputs[history]
        name = workflow or item.type
        text = self._function(name)
        for old, new in changes:
            assert text.count(old) == 1, f"{run}: {text.count(old)} times: {old}"
            text = text.replace(old, new)
        copy = f"{name}_{run.replace('-', '_')}"
        self._texts.append(text.replace(f"def {name}(", f"def {copy}("))
        self._posing.append(posing(item, run, copy))

    def _function(self, name: str) -> str:
        text = self._app.read_text("utf-8")
        node = next(n for n in ast.parse(text).body if getattr(n, "name", "") == name)
        lines = text.splitlines()
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        return "\n".join(lines[first - 1 : node.end_lineno])

    def replay(self, folder: Path, **more: Any) -> All:
        """All of them, in one process."""
        head, _, tail = self._app.read_text("utf-8").partition("def main()")
        app = folder / "edited.py"
        app.write_text("\n\n\n".join([head, *self._texts, f"def main(){tail}"]), "utf-8")
        return replay(self._posing, app, **more)
