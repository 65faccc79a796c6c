"""Runner part: where workflow code stands: at a command, and parked at the end of a workflow task."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

from engine_bridge.replay.runners.frames import STACK, awaited_frames, frame_record, user_frame
from engine_bridge.replay.runners.loop import Recorder
from engine_bridge.replay.runners.pictures import STEP_NODES, Painter, picture

ORIGINS = 6
TASKS = 40
_WHERE = ("file", "line", "function")


class Sites:
    """Places of one workflow instance. ``born`` are the lines that made tasks of which no line is the user's."""

    def __init__(self, recorder: Recorder, loop: Any) -> None:
        self._recorder = recorder
        self._loop = loop
        self._last: tuple[Any, int, list[dict[str, Any]]] | None = None
        self._born: weakref.WeakKeyDictionary[Any, tuple[list[dict[str, Any]], Any]] = (
            weakref.WeakKeyDictionary()
        )

    def at(self, frame: Any) -> dict[str, Any]:
        """The user's stack at a command, else the lines that made its task (``asyncio.gather``)."""
        stack = self._stack(frame)
        if stack:
            return {"stack": stack, "via": "stack"}
        task = self._current()
        while task is not None:
            lines, parent = self._born.get(task, ([], None))
            if lines:
                return {"stack": lines, "via": "origin"}
            task = parent
        return {"stack": [], "via": "stack"}

    def made(self, task: Any, coroutine: Any, frame: Any) -> None:
        """A task was made for a coroutine."""
        origin = getattr(coroutine, "cr_origin", None) or ()
        kind = self._recorder.files.kind
        lines = [
            {"file": file, "line": line, "function": name, "kind": "user"}
            for file, line, name in origin
            if kind(file) == "user"
        ]
        self._born[task] = lines or self._lines(frame), self._current()

    def _current(self) -> Any:
        try:
            return asyncio.current_task(self._loop)
        except RuntimeError:
            return None

    def _stack(self, frame: Any) -> list[dict[str, Any]]:
        recorder = self._recorder
        if recorder.record != "full":
            return self._lines(frame)
        paint, found = Painter(STEP_NODES), list[dict[str, Any]]()
        frame = first = user_frame(frame, recorder.files)
        while frame is not None and len(found) < STACK:
            found.append(frame_record(frame, "user", True, paint))
            frame = self._outer(frame.f_back)
        self._last = (first, first.f_lineno or 0, found) if first is not None else None
        return found

    def forget(self) -> None:
        """The code goes on: what was seen at its last command is no more."""
        self._last = None

    def _lines(self, frame: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        frame = user_frame(frame, self._recorder.files)
        while frame is not None and len(found) < STACK:
            found.append(frame_record(frame, "user", False, picture))
            frame = self._outer(frame.f_back)
        return found

    def _outer(self, frame: Any) -> Any:
        """The next frame of the user's outwards, within the task: asyncio runs each from an Handle."""
        kind = self._recorder.files.kind
        while frame is not None and frame.f_code.co_name != "_run":
            if kind(frame.f_code.co_filename) == "user":
                return frame
            frame = frame.f_back
        return None

    @property
    def last_stack(self) -> list[dict[str, Any]]:
        """What was seen at the last command."""
        return self._last[2] if self._last is not None else []

    def stands_at_last(self, awaited: list[Any]) -> bool:
        """Whether a task that awaits some frames stands at the command that was seen last."""
        last, kind = self._last, self._recorder.files.kind
        inner = next((f for f in reversed(awaited) if kind(f.f_code.co_filename) == "user"), None)
        return last is not None and inner is last[0] and inner.f_lineno == last[1]

    def parked(self, task: Any, paint: Any = None) -> list[dict[str, Any]]:
        """The user's frames of a task that waits, innermost first, or the lines that made it; locals with ``paint``."""
        return self.painted(task, awaited_frames(task.get_coro()), paint) if task is not None else []

    def painted(self, task: Any, awaited: list[Any], paint: Any = None) -> list[dict[str, Any]]:
        """The same of the frames that a task awaits, outermost first."""
        kind = self._recorder.files.kind
        frames = [f for f in awaited if kind(f.f_code.co_filename) == "user"]
        if self._last is not None and self.stands_at_last(frames):
            return self._last[2]  # as it was a moment ago
        found = [frame_record(frame, "user", paint is not None, paint) for frame in reversed(frames)]
        return found or self._born.get(task, ([], None))[0]


def where(stack: list[dict[str, Any]]) -> dict[str, Any]:
    """The innermost line of a stack; {} without one."""
    return {key: stack[0][key] for key in _WHERE} if stack else {}
