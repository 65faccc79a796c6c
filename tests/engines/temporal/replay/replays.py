"""Replays recorded histories with an application's file, and keeps what was said of each."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from engine_bridge.bridge import Bridge, Sort, load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.replay_input import SPEC
from engine_bridge.replay.model import Project, ReplayInput
from engine_bridge.replay.supervisor import Limits, Replay
from tests.engines.dbos.replay.replays import All
from tests.waiting import LIMIT_S

APPS = Path(__file__).with_name("apps")
DATA = Path(__file__).parents[3] / "data" / "temporal" / "replay"
LIMITS = Limits(silence_s=LIMIT_S, busy_s=LIMIT_S, memory_mb=2048)


def opened(path: Path) -> Bridge:
    """The bridge of a file or folder; the caller closes it."""
    bridge = load_engine("temporal").bridge(f"temporal+file://{path}", None)
    bridge.open(CancelToken())
    return bridge


@cache
def input_of(name: str) -> ReplayInput:
    """What a replay of a recorded run needs, under the name of its file."""
    bridge = opened(DATA / f"{name}.json.gz")
    try:
        ref = bridge.runs(None, Sort(), None, "forward", 1, CancelToken()).items[0].ref
        return msgspec.structs.replace(bridge.replay_input(ref, CancelToken()), run_id=name)
    finally:
        bridge.close()


def replay(inputs: Sequence[ReplayInput], app: Path, **more: Any) -> All:
    """Replays runs in one process, to their end."""
    project = Project(
        code=str(app), python=more.pop("python", sys.executable), modules=more.pop("modules", (str(app),)),
        paths=more.pop("paths", (str(app.parent),)), options=more.pop("options", {}),
    )  # fmt: skip
    told = All()
    replay = Replay(SPEC, project, inputs, told.hear, limits=LIMITS, **more)
    replay.start()
    assert replay.wait(LIMIT_S)
    return told


def changed(item: ReplayInput, run: str, change: Any) -> ReplayInput:
    """The same history under another name, after ``change(events)``; its header stays."""
    from temporalio.api.history.v1 import History

    header, _, data = item.data.partition(b"\n")
    history = History.FromString(data)
    change(history.events)
    return msgspec.structs.replace(item, run_id=run, data=header + b"\n" + history.SerializeToString())


def posing(item: ReplayInput, run: str, type_: str) -> ReplayInput:
    """The same history as of another workflow: many edits of one class in one process."""

    def rename(events: Any) -> None:
        events[0].workflow_execution_started_event_attributes.workflow_type.name = type_

    return msgspec.structs.replace(changed(item, run, rename), type=type_)


class Edits:
    """Edited copies of one workflow class, side by side in one module, and the histories to replay them with.

    ``add`` names the run that ``replay`` answers for; ``old`` must be once in the class' text.
    """

    def __init__(self, app: Path, name: str) -> None:
        self.text = app.read_text("utf-8")
        node = next(n for n in ast.parse(self.text).body if isinstance(n, ast.ClassDef) and n.name == name)
        lines = self.text.splitlines()
        self._class = "\n".join(lines[node.decorator_list[0].lineno - 1 : node.end_lineno])
        self._name = name
        self.texts: list[str] = []
        self.posing: list[ReplayInput] = []

    def add(self, run: str, item: ReplayInput, *changes: tuple[str, str]) -> None:
        text = self._class
        for old, new in changes:
            assert text.count(old) == 1, f"{run}: {text.count(old)} times: {old}"
            text = text.replace(old, new)
        text = text.replace(f'name="{item.type}"', f'name="{run}"', 1)
        self.texts.append(
            text.replace(f"class {self._name}:", f"class {self._name}_{run.replace('-', '_')}:", 1)
        )
        self.posing.append(posing(item, run, run))

    def replay(self, folder: Path, **more: Any) -> All:
        """All of them, in one process."""
        return replay_edits([self], folder, **more)


def replay_edits(edits: Sequence[Edits], folder: Path, **more: Any) -> All:
    """Edits of classes of one application, in one process."""
    app = folder / "edited.py"
    texts = [edits[0].text, *(text for one in edits for text in one.texts)]
    app.write_text("\n\n\n".join(texts) + "\n", "utf-8")
    return replay([item for one in edits for item in one.posing], app, **more)


def edited_order(folder: Path, *changes: tuple[str, str]) -> Path:
    """A copy of order.py in which texts are replaced; each must be there once."""
    from tests.engines.dbos.replay.replays import edited

    return edited(APPS / "order.py", folder, *changes)
