"""Runner part: executed lines of the user's code, counted for coverage and, for one opened step, with their locals."""

from __future__ import annotations

import inspect
import sys
import threading
import time
import types
from typing import Any

from engine_bridge.replay.runners.frames import LOCALS, local_values

KEPT = 20_000
_GOES_ON = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
HEAVIEST = 3_000_000  # characters of one step's lines; a message may have 16 MiB
_KEYS = 60  # characters of what each line is told by, besides its values
_pause = time.sleep  # kept here: engines and user code may replace it
_TOOLS = (4, 3, 5, 2, 1, 0)  # 4 is nobody's by convention; others have names of their own (sys.monitoring)


class LineTracer:
    """Counts lines by ``sys.monitoring`` (Python 3.12) or ``sys.settrace``; ``open`` records each with what changed."""

    def __init__(self, files: Any, paint: Any) -> None:
        self._files = files
        self._on_call = self._caller(files.kinds)
        self._paint = paint
        self.coverage: dict[str, dict[int, int]] = {}
        self.hits: list[dict[str, Any]] | None = None
        self.cut = False
        self.last: tuple[types.CodeType, int] | None = None
        """The line of the user's code that was executed last; None where lines are not counted."""
        self._before: dict[int, tuple[types.FrameType, dict[str, Any]]] = {}
        self._weight = 0
        self._file = ""
        self._monitoring = getattr(sys, "monitoring", None)
        self._tool = 0
        self._yields = False

    def start(self) -> None:
        """From now on, in every thread but (without monitoring) those that began before ``trace_threads``."""
        if self._monitoring is not None:
            monitoring = self._monitoring
            tool = self._tool = next(tool for tool in _TOOLS if monitoring.get_tool(tool) is None)
            monitoring.use_tool_id(tool, "playhead")
            monitoring.register_callback(tool, monitoring.events.LINE, self._on_line)
            monitoring.set_events(tool, monitoring.events.LINE)
        elif not self._yields:
            _Waiting.tracer = self

    def stop(self) -> None:
        """Lines are not wanted any more; ``start`` may be called again."""
        if self._monitoring is not None:
            self._monitoring.set_events(self._tool, 0)
            self._monitoring.free_tool_id(self._tool)
        else:
            _Waiting.tracer = None

    def here(self) -> None:
        """User code will run in this very thread: for engines that replay in the thread that they are called in."""
        if self._monitoring is None and _Waiting.tracer is self and sys.gettrace() is None:
            _trace(self._on_call)

    def away(self) -> None:
        """This thread leaves user code, whoever began to trace it."""
        if not self._yields and sys.gettrace() is not None:
            sys.settrace(None)

    def yield_to_debugger(self) -> None:
        """A debugger traces: without monitoring there is one tracer for each thread, and this one is not it."""
        self._yields = True

    @property
    def is_cheap(self) -> bool:
        """Whether only the user's lines cost anything."""
        return self._monitoring is not None

    def pause(self) -> None:
        """The engine's library runs in this thread from here on: without monitoring, each of its calls costs."""
        if self._monitoring is None and _Waiting.tracer is self and sys.gettrace() is not None:
            _trace(None)

    def resume(self) -> None:
        """The thread goes back to user code."""
        self.here()

    def reset(self) -> None:
        """Forgets what was counted: another run begins."""
        self.coverage = {}
        self.last = None
        self.open(False)

    def open(self, wanted: bool) -> None:
        """Begins or ends the record of single lines."""
        self.hits = [] if wanted else None
        self.cut = False
        self._weight = 0
        self._file = ""
        self._before = {}

    def _on_line(self, code: types.CodeType, line: int) -> Any:
        if self._files.kind(code.co_filename) != "user":
            return self._monitoring.DISABLE if self._monitoring is not None else None
        self._hit(code, line, sys._getframe(1))
        return None

    def _caller(self, kinds: dict[str, str]) -> Any:
        """What sees every call where lines are counted so, also those of the engine's library."""
        within, resumed = self._on_trace, self._on_resumed

        def on_call(frame: types.FrameType, event: str, argument: Any) -> Any:
            if kinds[frame.f_code.co_filename] != "user":
                return None
            return resumed(frame.f_lineno) if frame.f_code.co_flags & _GOES_ON else within

        return on_call

    def _on_resumed(self, line: int) -> Any:
        """What sees a coroutine go on: the line that it waited at is told again, and was counted."""
        within = self._on_trace

        def on_resumed(frame: types.FrameType, event: str, argument: Any) -> Any:
            if event == "line" and frame.f_lineno == line:
                self.last = frame.f_code, line
                return within
            return within(frame, event, argument)

        return on_resumed

    def _on_trace(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self._hit(frame.f_code, frame.f_lineno, frame)
        return self._on_trace

    def _hit(self, code: types.CodeType, line: int, frame: types.FrameType) -> None:
        counts = self.coverage.setdefault(code.co_filename, {})
        counts[line] = counts.get(line, 0) + 1
        self.last = code, line
        hits = self.hits
        if hits is None or self.cut:
            return
        if len(hits) >= KEPT or self._weight > HEAVIEST:
            self.cut = True
            return
        hits.append(self._record(code, line, frame))

    def _record(self, code: types.CodeType, line: int, frame: types.FrameType) -> dict[str, Any]:
        now = {name: self._paint(value) for name, value in local_values(frame)[:LOCALS]}
        # The frame is kept, lest another one gets its id.
        before = self._before.get(id(frame), (frame, {}))[1]
        self._before[id(frame)] = frame, now
        changed = [
            [name, value] for name, value in now.items() if name not in before or before[name] != value
        ]
        name = getattr(code, "co_qualname", code.co_name)
        if code.co_filename != self._file:
            self._file = code.co_filename
            self._weight += len(self._file)
        self._weight += weight(changed) + len(name) + _KEYS
        return {"file": code.co_filename, "line": line, "function": name, "changed": changed}


class _Waiting:
    """What threads are traced by that began before it was known whether lines are wanted."""

    tracer: LineTracer | None = None
    over = False


def trace_threads() -> None:
    """Before the engine's library: its pools may start threads that will run user code. Only where it is needed."""
    if getattr(sys, "monitoring", None) is None:
        threading.settrace(_wait)


def trace_nothing() -> None:
    """Lines are not wanted after all."""
    _Waiting.over = True
    threading.settrace(None)


def _wait(frame: types.FrameType, event: str, argument: Any) -> Any:
    if _Waiting.tracer is not None:
        _trace(_Waiting.tracer._on_call)
        return _Waiting.tracer._on_call(frame, event, argument)
    if _Waiting.over:
        _trace(None)
    return None


def _trace(function: Any) -> None:
    """``sys.settrace``, which fails while another thread is in it: it lets others run on the way (its audit event)."""
    for _ in range(1000):
        try:
            sys.settrace(function)
        except RuntimeError:
            _pause(0.0)
        else:
            return


def without_files(hits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The file of a line is told where it is another than before: thousands are of one, whose path may be long."""
    files = ["", *(hit["file"] for hit in hits)]
    return [
        {**hit, "file": ""} if hit["file"] == before else hit
        for before, hit in zip(files, hits, strict=False)
    ]


def weight(value: Any) -> int:
    """About how many characters a picture takes as JSON."""
    kind = type(value)
    if kind is str:
        return len(value) + 2
    if kind is dict:
        return sum(weight(inner) + 6 for inner in value.values())
    return 2 + sum(map(weight, value)) if kind is list else 8
