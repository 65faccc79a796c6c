"""Runner part: where workflow code stands: at a command, and parked at the end of a workflow task."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterator
from typing import Any

from engine_bridge.replay.runners.frames import (
    STACK,
    awaited_chain,
    frame_record,
    frames_outwards,
    user_frame,
)
from engine_bridge.replay.runners.loop import Recorder
from engine_bridge.replay.runners.pictures import STEP_NODES, Painter

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
        if not lines:
            lines = self._outwards(user_frame(frame, self._recorder.files), False)
        self._born[task] = lines, self._current()

    def _current(self) -> Any:
        try:
            return asyncio.current_task(self._loop)
        except RuntimeError:
            return None

    def _stack(self, frame: Any) -> list[dict[str, Any]]:
        first = user_frame(frame, self._recorder.files)
        found = self._outwards(first, self._recorder.record == "full")
        self._last = (first, first.f_lineno or 0, found) if first is not None else None
        return found

    def _outwards(self, frame: Any, locals_: bool) -> list[dict[str, Any]]:
        """The user's frames of a task, from one of them."""
        paint, found = Painter(STEP_NODES), list[dict[str, Any]]()
        while frame is not None and len(found) < STACK:
            found.append(frame_record(frame, "user", locals_, paint))
            frame = self._outer(frame.f_back)
        return found

    def forget(self) -> None:
        """The code goes on: what was seen at its last command is no more."""
        self._last = None

    def _outer(self, frame: Any) -> Any:
        """The next frame of the user's outwards, within the task: asyncio runs each from an Handle."""
        kinds = self._recorder.files.kinds
        while frame is not None:
            code = frame.f_code
            if code.co_name == "_run":
                return None
            if kinds[code.co_filename] == "user":
                return frame
            frame = frame.f_back
        return None

    @property
    def last_stack(self) -> list[dict[str, Any]]:
        """What was seen at the last command."""
        return self._last[2] if self._last is not None else []

    def stands_at_last(self, awaited: list[Any]) -> bool:
        """Whether a task that awaits a chain stands at the command that was seen last."""
        inner = next(self._of_user(awaited), None) if self._last is not None else None
        return inner is not None and self._is_last(inner)

    def _is_last(self, frame: Any) -> bool:
        last = self._last
        return last is not None and frame is last[0] and frame.f_lineno == last[1]

    def _of_user(self, awaited: list[Any]) -> Iterator[Any]:
        """The user's frames of a chain, innermost first."""
        kinds = self._recorder.files.kinds
        for frame in frames_outwards(awaited):
            if kinds[frame.f_code.co_filename] == "user":
                yield frame

    def parked(self, task: Any, paint: Any = None) -> list[dict[str, Any]]:
        """The user's frames of a task that waits, innermost first, or the lines that made it; locals with ``paint``."""
        return self.painted(task, awaited_chain(task.get_coro()), paint) if task is not None else []

    def painted(self, task: Any, awaited: list[Any], paint: Any = None) -> list[dict[str, Any]]:
        """The same of the chain that a task awaits."""
        found: list[dict[str, Any]] = []
        for frame in self._of_user(awaited):
            if not found and self._is_last(frame):
                return self.last_stack  # as it was a moment ago
            found.append(frame_record(frame, "user", paint is not None, paint))
        return found or self._born.get(task, ([], None))[0]


def where(stack: list[dict[str, Any]]) -> dict[str, Any]:
    """The innermost line of a stack; {} without one."""
    return {key: stack[0][key] for key in _WHERE} if stack else {}
