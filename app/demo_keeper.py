"""Keeps the live worker of one world alive: one that dies is started again, after longer and longer pauses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from app.demo_child import Child, Event
from app.demo_workspace import Workspace
from app.demo_world import World

BACK_OFF_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
HEALTHY_SECONDS = 60.0
KILLED_SECONDS = 5.0
"""How long a worker that the user killed stays dead: time to look at what it left behind."""
Report = Callable[[str], None]


class Keeper:
    """One worker at a time. ``report`` is called from other threads when it dies or is restarted."""

    def __init__(self, world: World, workspace: Workspace, pace: float, report: Report) -> None:
        self.world = world
        self._database = workspace.file(world)
        self._log = workspace.logs / f"{world.name}-live.log"
        self._pace = pace
        self._report = report
        self._worker: Child | None = None
        self._started_at = time.monotonic()
        self._failures = 0
        self._killed = False
        self._stopping = threading.Event()
        self._restarter: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The live worker's process id, None while there is none."""
        worker = self._worker
        return worker.pid if worker is not None and worker.alive else None

    def start(self) -> None:
        """Starts the worker; does nothing when it was started before."""
        with self._lock:
            if self._worker is None and not self._stopping.is_set():
                self._spawn()

    def kill(self) -> bool:
        """Kills the worker in the middle of what it does; it is restarted soon. False when none runs."""
        worker = self._worker
        if worker is None or not worker.alive:
            return False
        self._killed = True
        worker.kill()
        return True

    def cease(self) -> None:
        """From now on nothing is started."""
        self._stopping.set()

    def stop(self) -> None:
        """Ends the worker and returns when it is gone."""
        self.cease()
        with self._lock:
            if self._worker is not None:
                self._worker.stop()
        if self._restarter is not None:
            self._restarter.join()

    def _spawn(self) -> None:
        self._worker = Child(self.world.module, self._database, self._log, "live", (), self._pace)
        self._started_at = time.monotonic()
        self._worker.start(self._on_event)

    def _on_event(self, _child: Child, event: Event) -> None:
        if event["event"] != "exit" or self._stopping.is_set():
            return
        delay = self.back_off()
        cause = _cause(event["code"])
        self._report(f"The {self.world.name}'s worker died ({cause}); a new one starts in {delay:.0f} s.")
        self._restarter = threading.Thread(target=self._restart, args=(delay,), name="demo restart")
        self._restarter.start()

    def back_off(self) -> float:
        """Seconds until the next start, after another death."""
        if self._killed:
            self._killed = False
            return KILLED_SECONDS
        if time.monotonic() - self._started_at > HEALTHY_SECONDS:
            self._failures = 0
        self._failures += 1
        return BACK_OFF_SECONDS[min(self._failures, len(BACK_OFF_SECONDS)) - 1]

    def _restart(self, delay: float) -> None:
        if self._stopping.wait(delay):
            return
        with self._lock:
            if self._stopping.is_set():
                return
            self._spawn()
        self._report(f"The {self.world.name}'s worker has been restarted; it takes up what was left.")


def _cause(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
