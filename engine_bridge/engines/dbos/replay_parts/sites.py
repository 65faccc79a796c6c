"""Runner part: where the workflow's code stands when it calls an operation: its stack and its other tasks."""

from __future__ import annotations

import asyncio
from typing import Any

from engine_bridge.engines.dbos.replay_parts.walk import place_of
from engine_bridge.replay.runners.frames import awaited_frames, frame_record, user_frame
from engine_bridge.replay.runners.loop import Recorder
from engine_bridge.replay.runners.pictures import Painter, picture

TASKS = 40
FEW = 6
ORIGIN = 6
TASK_NODES = 200  # of the locals of one frame


class Sites:
    """Takes pictures of the calling thread or task. ``begin`` forgets the tasks of the run before."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._tasks: dict[Any, int] = {}
        self._seen: dict[Any, tuple[Any, list[dict[str, Any]]]] = {}

    def begin(self) -> None:
        """Another run begins."""
        self._tasks = {}
        self._seen = {}

    def here(self, frame: Any, fid: int) -> dict[str, Any]:
        """The stack, the other tasks and the line at a frame that takes a step id."""
        recorder = self._recorder
        if recorder.record == "bare":
            return {"stack": [], "place": self.line(frame), "tasks": [], "via": "stack"}
        place, via, task = recorder.place(frame), "stack", _current_task()
        stack = self._stack(frame)
        tasks: list[dict[str, Any]] = []
        if task is not None:
            if not place:
                stack, place = _origin(task, recorder)
                via = "origin"
            self._tasks.pop(task, None)
            self._tasks[task] = fid
            tasks = self._others(task, stack) if recorder.record == "full" else []
        return {"stack": stack, "place": place, "tasks": tasks, "via": via}

    def _others(self, current: Any, stack: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """This task and those beside it, where there are any; few of them when there are many."""
        known = [task for task in self._tasks if not task.done()]
        if len(known) < len(self._tasks):
            self._tasks = {task: self._tasks[task] for task in known}
            self._seen = {task: seen for task, seen in self._seen.items() if not task.done()}
        shown = known[-FEW:] if len(known) > TASKS else list(asyncio.all_tasks())[:TASKS]
        found = [self._task(task) for task in shown if task is not current]
        others = [task for task in found if task is not None]
        if not others:
            return []
        frames = [frame for frame in stack if frame["kind"] == "user"]
        return [self._named(current, frames, "running"), *others]

    def _task(self, task: Any) -> dict[str, Any] | None:
        """A task as it waits. One that still waits for the same has not moved: its picture stays."""
        waits_for = getattr(task, "_fut_waiter", None)
        seen = self._seen.get(task)
        if seen is not None and waits_for is not None and seen[0] is waits_for:
            frames = seen[1]
        else:
            frames = [
                frame_record(frame, "user", True, Painter(TASK_NODES))
                for frame in reversed(awaited_frames(task.get_coro()))
                if self._is_user(frame)
            ] or _origin(task, self._recorder)[0]
            self._seen[task] = waits_for, frames
        return self._named(task, frames, "waiting") if frames else None

    def _named(self, task: Any, frames: list[dict[str, Any]], state: str) -> dict[str, Any]:
        step = str(self._tasks.get(task) or "")
        return {"name": task.get_name(), "frames": frames, "state": state, "step_id": step}

    def _stack(self, frame: Any) -> list[dict[str, Any]]:
        """The frames from the innermost of the user's to the outermost: dbos within them, but not around them."""
        found = user_frame(frame, self._recorder.files)
        if found is None:
            return []
        stack = self._recorder.stack(found)
        while stack[-1]["kind"] != "user":
            stack.pop()
        return stack

    def line(self, frame: Any) -> dict[str, Any]:
        """The line at a frame, or the one that made its task."""
        task = _current_task()
        return self._recorder.place(frame) or (_origin(task, self._recorder)[1] if task is not None else {})

    def parked(self) -> dict[str, Any]:
        """The line that any task of the user's waits on. In the loop's thread."""
        for task in asyncio.all_tasks():
            frames = [f for f in awaited_frames(task.get_coro()) if self._is_user(f)]
            if frames:
                return place_of(frame_record(frames[-1], "user", False, picture))
        return {}

    def _is_user(self, frame: Any) -> bool:
        return self._recorder.files.kind(frame.f_code.co_filename) == "user"


def _origin(task: Any, recorder: Recorder) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Where a task without a user frame comes from: the lines that made its coroutine."""
    origin = getattr(task.get_coro(), "cr_origin", None) or ()
    stack = [
        {"file": file, "line": line, "function": name, "kind": "user"}
        for file, line, name in origin
        if recorder.files.kind(file) == "user"
    ]
    return stack, place_of(stack[0]) if stack else {}


def _current_task() -> Any:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
