"""Stack and tasks of a step as flat rows: the user's frames in front, the others folded. Pure; no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from engine_bridge.replay.model import Frame, Task, TraceStep

HERE: Final = -1
"""The number of the stack that reached the step, among those of tasks."""


@dataclass(frozen=True, slots=True)
class FrameRow:
    """A frame; ``owner`` is HERE or the number of its task."""

    frame: Frame
    owner: int

    @property
    def text(self) -> str:
        return f"{self.frame.function}  {short_place(self.frame)}"


@dataclass(frozen=True, slots=True)
class FoldRow:
    """Frames of the engine or of libraries, shown as one until opened; ``first`` is their index in the stack."""

    owner: int
    first: int
    count: int
    kinds: tuple[str, ...]

    @property
    def text(self) -> str:
        whose = " and ".join({"engine": "the engine", "library": "libraries"}.get(k, k) for k in self.kinds)
        return f"{self.count} frame{'s' if self.count != 1 else ''} of {whose}"


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A thread or task; it opens to its frames."""

    task: Task
    number: int
    opened: bool
    waits_for: str

    @property
    def text(self) -> str:
        frame = next((f for f in self.task.frames if f.kind == "user"), None)
        parts = (self.task.name, self.task.state, self.waits_for, short_place(frame) if frame else "")
        return " · ".join(part for part in parts if part)


StackRow = FrameRow | FoldRow | TaskRow


def short_place(frame: Frame) -> str:
    """ "orders.py:116"."""
    return f"{PurePath(frame.file).name}:{frame.line}"


def rows_of(step: TraceStep, opened: frozenset[tuple[int, int]], names: dict[str, str]) -> list[StackRow]:
    """Rows of a step. ``opened`` holds (owner, first) of opened folds, and (number, -1) of opened tasks; ``names`` the
    names of steps by id."""
    rows = _frames(step.stack, HERE, opened)
    for number, task in enumerate(step.tasks):
        is_open = (number, -1) in opened
        rows.append(TaskRow(task, number, is_open, names.get(task.step_id, "")))
        if is_open:
            rows += _frames(task.frames, number, opened)
    return rows


def _frames(frames: Sequence[Frame], owner: int, opened: frozenset[tuple[int, int]]) -> list[StackRow]:
    rows: list[StackRow] = []
    first = 0
    while first < len(frames):
        if frames[first].kind == "user":
            rows.append(FrameRow(frames[first], owner))
            first += 1
            continue
        end = first
        while end < len(frames) and frames[end].kind != "user":
            end += 1
        if (owner, first) in opened:
            rows += [FrameRow(frame, owner) for frame in frames[first:end]]
        else:
            kinds = tuple(dict.fromkeys(frame.kind for frame in frames[first:end]))
            rows.append(FoldRow(owner, first, end - first, kinds))
        first = end
    return rows
