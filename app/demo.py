"""The embedded demo: a workspace with a real engine's database, and workers that keep it alive.

Knows neither Qt nor the engine's library: all work is done in child processes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.demo_build import Builder, Progress
from app.demo_child import Child, Event
from app.demo_workspace import Workspace, busy, default_workspace

RUNS = 350
BACK_OFF_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
HEALTHY_SECONDS = 60.0
KILLED_SECONDS = 5.0
"""How long a worker that the user killed stays dead: time to look at what it left behind."""
BUILD_END_SECONDS = 20.0
Report = Callable[[str], None]


def prepare_demo(workspace: Path | None = None, progress: Progress = lambda *_: None) -> str:
    """Makes the demo's past if it is not there yet, starts nothing, and returns the source's URL."""
    demo = Demo()
    try:
        return demo.prepare(workspace, progress)
    finally:
        demo.stop()


class Demo:
    """One demo: ``prepare``, then ``start``; ``stop`` ends every child process and may be called at any time.

    ``report`` is called from other threads with one line for the user when a worker dies or is restarted.
    """

    def __init__(
        self,
        report: Report = lambda _: None,
        *,
        workspace: Path | None = None,
        reset: bool = False,
        runs: int = RUNS,
        pace: float = 1.0,
    ) -> None:
        self.report = report
        self._folder = workspace
        self._reset = reset
        self._runs = runs
        self._pace = pace
        self._workspace: Workspace | None = None
        self._builder: Builder | None = None
        self._worker: Child | None = None
        self._started_at = time.monotonic()
        self._failures = 0
        self._killed = False
        self._owner = False
        self._stopping = threading.Event()
        self._restarter: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The source to open; valid after ``prepare``."""
        return f"dbos+sqlite:///{self._space.database}"

    @property
    def worker_pid(self) -> int | None:
        """The live worker's process id, None while there is none."""
        worker = self._worker
        return worker.pid if worker is not None and worker.alive else None

    def prepare(
        self,
        workspace: Path | None = None,
        progress: Progress = lambda *_: None,
        *,
        reset: bool | None = None,
    ) -> str:
        """Makes the demo's past, or takes the one that is there; blocks for half a minute at first.

        ``workspace`` and ``reset`` override those of the constructor; the default is the user's data folder.
        ``progress(done, total, text)`` is called in the calling thread. Returns the URL. Raises PlayheadError when
        the workspace cannot be used and CancelledError after ``stop``.
        """
        self._workspace = space = Workspace(workspace or self._folder or default_workspace())
        self._owner = space.acquire()
        if not self._owner and not space.healthy():
            raise busy(space.folder)
        anew = self._reset if reset is None else reset
        if self._owner and (anew or not space.healthy()):
            space.clear()
            self._builder = Builder(space, self._runs, progress)
            if self._stopping.is_set():
                self._builder.cancel()
            self._builder.run()
            space.complete()
        if self._owner:
            space.hold()
        progress(100, 100, "The demo is ready")
        return self.url

    def start(self) -> None:
        """Starts the live worker; does nothing when another Playhead drives this workspace, or when it runs."""
        with self._lock:
            if not self._owner:
                self.report("Another Playhead keeps this demo's workers.")
            elif self._worker is None and not self._stopping.is_set():
                self._spawn()

    def kill_worker(self) -> bool:
        """Kills the live worker in the middle of what it does; it is restarted soon. False when none runs."""
        worker = self._worker
        if worker is None or not worker.alive:
            return False
        self._killed = True
        worker.kill()
        return True

    def stop(self) -> None:
        """Ends every child process and returns when they are gone."""
        self._stopping.set()
        if self._builder is not None:
            self._builder.cancel()
            self._builder.wait(BUILD_END_SECONDS)
        with self._lock:
            if self._worker is not None:
                self._worker.stop()
        if self._restarter is not None:
            self._restarter.join()
        if self._workspace is not None and self._owner:
            self._workspace.release()
            self._owner = False

    @property
    def _space(self) -> Workspace:
        if self._workspace is None:
            raise RuntimeError("prepare the demo first")
        return self._workspace

    def _spawn(self) -> None:
        log = self._space.logs / "live.log"
        self._worker = Child(self._space.database, log, "live", [], self._pace)
        self._started_at = time.monotonic()
        self._worker.start(self._on_event)

    def _on_event(self, _child: Child, event: Event) -> None:
        if event["event"] != "exit" or self._stopping.is_set():
            return
        delay = self._back_off()
        self.report(f"The demo's worker died ({_cause(event['code'])}); a new one starts in {delay:.0f} s.")
        self._restarter = threading.Thread(target=self._restart, args=(delay,), name="demo restart")
        self._restarter.start()

    def _back_off(self) -> float:
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
            if not self._stopping.is_set():
                self._spawn()
        self.report("The demo's worker has been restarted; it takes up the runs that were left.")


def _cause(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
