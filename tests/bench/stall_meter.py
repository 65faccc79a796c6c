"""How long the event loop of the GUI thread pauses, on whose account, and in which call."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final

from PySide6.QtCore import QObject, Qt, QTimer

ROOT: Final = str(Path(__file__).resolve().parent.parent.parent)
BUDGET_MS: Final = 16.7
_PERIOD_MS: Final = 1
_WATCH_S: Final = 0.002
_LATE_S: Final = 0.004  # a pause from which on it is worth knowing what runs


@dataclass(slots=True)
class Pause:
    """A turn of the event loop, ms: wall, CPU of the GUI thread; calls seen there, and beside."""

    wall: float = 0.0
    cpu: float = 0.0
    calls: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)


class StallMeter(QObject):
    """Ticks every millisecond in the GUI thread; a watcher thread notes where a late tick is being waited for.

    The CPU time of the GUI thread is what the program itself is to blame for: the machine may be busy otherwise.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._seen = (time.perf_counter(), time.thread_time())
        self._calls: list[str] = []
        self._beside: list[str] = []
        self._gui = threading.get_ident()
        self._end = threading.Event()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._watcher = threading.Thread(target=self._watch, name="stall-watch", daemon=True)
        self.pauses: list[Pause] = []

    def start(self) -> None:
        self._watcher.start()
        self.reset()
        self._timer.start(_PERIOD_MS)

    def stop(self) -> None:
        self._timer.stop()
        self._end.set()
        self._watcher.join()

    def reset(self) -> None:
        """Forgets what was measured; a new scenario starts."""
        self.pauses = []
        self._seen = (time.perf_counter(), time.thread_time())

    def _tick(self) -> None:
        before, self._seen = self._seen, (time.perf_counter(), time.thread_time())
        calls, self._calls = self._calls, []
        beside, self._beside = self._beside, []
        wall, cpu = ((b - a) * 1e3 for a, b in zip(before, self._seen, strict=True))
        self.pauses.append(Pause(wall, cpu, calls, beside))

    def _watch(self) -> None:
        while not self._end.wait(_WATCH_S):
            if time.perf_counter() - self._seen[0] > _LATE_S:
                frames = sys._current_frames()
                self._calls.append(_where(frames.pop(self._gui, None)))
                self._beside += filter(None, map(_where, frames.values()))

    def longest(self, calls: int = 1) -> dict[str, float | int | str]:
        """The longest pauses by CPU and by wall, how many were over budget, and what ran: ``in`` the GUI thread in the
        longest by CPU, ``beside`` it, where the interpreter may have been held, in the longest by wall."""
        if not self.pauses:
            return {}
        worst = max(self.pauses, key=lambda pause: pause.cpu)
        slowest = max(self.pauses, key=lambda pause: pause.wall)
        late = [pause for pause in self.pauses if pause.cpu > BUDGET_MS]
        return {
            "cpu_ms": round(worst.cpu, 1),
            "wall_ms": round(slowest.wall, 1),
            "over_budget": len(late),
            "ratio_to_budget": round(worst.cpu / BUDGET_MS, 2),
            "in": _commonest(worst.calls, calls),
            "beside": _commonest(slowest.beside, calls),
        }


def _where(frame: FrameType | None) -> str:
    """The innermost calls of the project, outermost first, and what they call outside of it."""
    found: list[str] = []
    outside = ""
    while frame is not None and len(found) < 5:
        name = frame.f_code.co_filename
        if name.startswith(ROOT) and "/.venv/" not in name and "/bench/" not in name:
            found.append(f"{name.removeprefix(ROOT + '/')}:{frame.f_lineno} {frame.f_code.co_name}")
        elif not found and not outside and not name.startswith("<frozen"):
            outside = f"{Path(name).parent.name}/{Path(name).name} {frame.f_code.co_name}"
        frame = frame.f_back
    return " > ".join([*reversed(found), *([outside] if outside and found else [])])


def _commonest(calls: list[str], most: int) -> str:
    return " | ".join(f"{share}x {call}" for call, share in Counter(calls).most_common(most))


def fail(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A figure of something that went wrong is worth nothing."""
    traceback.print_exception(kind, error, trace)
    os._exit(1)
