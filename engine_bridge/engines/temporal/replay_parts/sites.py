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
        frame = user_frame(frame, recorder.files)
        while frame is not None and len(found) < STACK:
            found.append(frame_record(frame, "user", True, paint))
            frame = user_frame(frame.f_back, recorder.files)
        return found

    def _lines(self, frame: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        frame = user_frame(frame, self._recorder.files)
        while frame is not None and len(found) < STACK:
            found.append(frame_record(frame, "user", False, picture))
            frame = user_frame(frame.f_back, self._recorder.files)
        return found

    def parked(self, task: Any, paint: Any = None) -> list[dict[str, Any]]:
        """The user's frames of a task that waits, innermost first, or the lines that made it; locals with ``paint``."""
        if task is None:
            return []
        kind = self._recorder.files.kind
        frames = [f for f in awaited_frames(task.get_coro()) if kind(f.f_code.co_filename) == "user"]
        found = [frame_record(frame, "user", paint is not None, paint) for frame in reversed(frames)]
        return found or self._born.get(task, ([], None))[0]


def where(stack: list[dict[str, Any]]) -> dict[str, Any]:
    """The innermost line of a stack; {} without one."""
    return {key: stack[0][key] for key in _WHERE} if stack else {}
