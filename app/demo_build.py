"""Makes the demo's past: real workers of both releases execute it, then it is moved into the last days."""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

from app.demo_child import Child, Event
from app.demo_shift import DAYS, RELEASE_DAYS, shift
from app.demo_workspace import Workspace
from engine_bridge.errors import CancelledError, PlayheadError

Progress = Callable[[int, int, str], None]
PAST_PACE = 0.2
CRASH_PACE = 0.3
CRASHES = 3
DEADLINE_SECONDS = 300.0
_SEND_LOG = "Look at the logs in the demo's folder; --reset builds the demo anew."


class Builder:
    """Builds one workspace's database. ``run`` blocks and belongs in a worker thread; ``cancel`` may come from any."""

    def __init__(self, workspace: Workspace, runs: int, progress: Progress, pace: float = PAST_PACE) -> None:
        self._workspace = workspace
        self._runs = runs
        self._progress = progress
        self._pace = pace
        self._events: queue.SimpleQueue[tuple[Child, Event]] = queue.SimpleQueue()
        self._children: list[Child] = []
        self._done: dict[Child, tuple[int, int]] = {}
        self._cancelled = False
        self._finished = threading.Event()
        self._ends_at = time.monotonic() + DEADLINE_SECONDS

    def cancel(self) -> None:
        """Makes ``run`` raise CancelledError soon."""
        self._cancelled = True

    def wait(self, seconds: float) -> None:
        """Waits, in another thread, until ``run`` has returned or raised."""
        self._finished.wait(seconds)

    def run(self) -> None:
        """Executes the past and moves it."""
        try:
            self.execute()
            self._progress(96, 100, "Moving the past into the last two weeks")
            shift(self._workspace.database, datetime.now().astimezone())
        finally:
            self._finished.set()

    def execute(self) -> None:
        """Has the workers execute the past, now; leaves no process behind, however it ends."""
        try:
            self._progress(0, 100, "Starting the demo's engine")
            old = self._spawn(
                "past", "v1", "shop-1", self._pace, "--nights", str(DAYS), str(RELEASE_DAYS - 1)
            )
            self._until(lambda: old in self._done)
            self._crash_workers()
            new = self._spawn("past", "v2", "shop-1", self._pace, "--nights", str(RELEASE_DAYS - 1), "0")
            self._until(lambda: not old.alive and not new.alive)
        finally:
            for child in self._children:
                child.stop()

    def _spawn(self, mode: str, release: str, executor: str, pace: float, *more: str) -> Child:
        arguments = ["--release", release, "--executor", executor, "--runs", str(self._runs), *more]
        child = Child(
            self._workspace.database, self._workspace.logs / f"{mode}-{release}.log", mode, arguments, pace
        )
        self._children.append(child)
        child.start(lambda who, event: self._events.put((who, event)))
        return child

    def _crash_workers(self) -> None:
        """Two lives end by a poison pill, the third by us, in the middle of a step."""
        for life in range(1, CRASHES + 1):
            child = self._spawn("crash", "v2", "shop-2", CRASH_PACE, "--life", str(life))
            if life == CRASHES:
                self._until(self._victim_is_parsing)
                self._pump(0.4)
                child.kill()
            while child.alive:
                self._pump(0.05)

    def _victim_is_parsing(self) -> bool:
        with closing(sqlite3.connect(self._workspace.database, timeout=10)) as connection:
            found = connection.execute(
                "SELECT 1 FROM operation_outputs"
                " WHERE workflow_uuid LIKE 'import-brandt-%' AND function_name = 'fetch_feed'"
            ).fetchone()
        return found is not None

    def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self._pump(0.1)
        self._pump(0.0)

    def _pump(self, seconds: float) -> None:
        """Handles events for some seconds; raises when cancelled, failed or far too late."""
        end = time.monotonic() + seconds
        while True:
            if self._cancelled:
                raise CancelledError
            if time.monotonic() > self._ends_at:
                raise PlayheadError(
                    f"The demo was not ready after {DEADLINE_SECONDS:.0f} seconds.", _SEND_LOG
                )
            try:
                child, event = self._events.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return
            self._handle(child, event)

    def _handle(self, child: Child, event: Event) -> None:
        if event["event"] == "progress":
            self._done[child] = (event["done"], event["total"])
            # Two releases; what is known of the second so far is nothing.
            share = sum(done / total for done, total in self._done.values()) / 2
            done = sum(done for done, _ in self._done.values())
            self._progress(
                round(95 * share), 100, f"The shop's past is being executed: {done} orders and other runs"
            )
        elif event["event"] == "exit" and event["code"] != (-9 if child.mode == "crash" else 0):
            raise PlayheadError(
                f"A worker of the demo ended with code {event['code']}.", _SEND_LOG, detail=_tail(child)
            )


def _tail(child: Child) -> str:
    try:
        return child.log.read_text(encoding="utf-8", errors="replace")[-2000:]
    except OSError:
        return ""
