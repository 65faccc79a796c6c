"""Makes the past of the demo's worlds, all at the same time: child processes execute it."""

from __future__ import annotations

import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from app.demo_child import Child, Event
from app.demo_workspace import Workspace
from app.demo_world import World
from engine_bridge.errors import CancelledError, PlayheadError

Progress = Callable[[int, int, str], None]
Report = Callable[[int, str], None]
DEADLINE_SECONDS = 300.0
_SEND_LOG = "Look at the logs in the demo's folder; --reset builds the demo anew."


class Builder(ABC):
    """Builds one world's database. ``run`` blocks and belongs in a worker thread; ``cancel`` may come from any.

    ``report(percent, text)`` is called in the thread of ``run``.
    """

    pace = 1.0
    stages = 1
    """How many workers make the past; what is known of those to come is nothing."""

    def __init__(self, world: World, workspace: Workspace, report: Report, size: int | None = None) -> None:
        self.world = world
        self.size = world.size if size is None else size
        self.report = report
        self.database = workspace.file(world)
        self.done: dict[Child, tuple[int, int]] = {}
        self._logs = workspace.logs
        self._events: queue.SimpleQueue[tuple[Child, Event]] = queue.SimpleQueue()
        self._children: list[Child] = []
        self._cancelled = False
        self._ends_at = time.monotonic() + DEADLINE_SECONDS

    def cancel(self) -> None:
        """Makes ``run`` raise CancelledError soon."""
        self._cancelled = True

    def run(self) -> None:
        """Executes the past and finishes it; leaves no process behind, however it ends."""
        try:
            self.execute()
        finally:
            for child in self._children:
                child.stop()
        self.finish()

    @abstractmethod
    def execute(self) -> None:
        """Has the world's workers execute the past."""

    @abstractmethod
    def finish(self) -> None:
        """What is done when no worker runs any more."""

    @abstractmethod
    def told(self, done: int) -> str:
        """What the user reads after so much has been done."""

    def spawn(self, mode: str, log: str, pace: float, *arguments: str) -> Child:
        """Starts a worker of the world."""
        path = self._logs / f"{self.world.name}-{log}.log"
        child = Child(self.world.module, self.database, path, mode, arguments, pace)
        self._children.append(child)
        child.start(lambda who, event: self._events.put((who, event)))
        return child

    def until(self, reached: Callable[[], bool]) -> None:
        """Handles events until something is so."""
        while not reached():
            self.pump(0.1)
        self.pump(0.0)

    def pump(self, seconds: float) -> None:
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
            self.done[child] = (event["done"], event["total"])
            share = sum(done / total for done, total in self.done.values()) / self.stages
            self.report(round(95 * share), self.told(sum(done for done, _ in self.done.values())))
        elif event["event"] == "exit" and event["code"] != (-9 if child.mode == "crash" else 0):
            raise PlayheadError(
                f"A worker of the demo ended with code {event['code']}.", _SEND_LOG, detail=_tail(child)
            )


class Builders:
    """Builds several worlds at the same time, each in a thread. ``run`` blocks; ``cancel`` may come from any thread."""

    def __init__(self, worlds: Sequence[World], workspace: Workspace, progress: Progress) -> None:
        self._news: queue.SimpleQueue[tuple[World, int, str] | BaseException | None] = queue.SimpleQueue()
        self._progress = progress
        self._builders = [world.builder(world, workspace, self._reporter(world)) for world in worlds]
        self._percent = dict.fromkeys(worlds, 0)
        self._text = {world: f"Starting the {world.name}'s engine" for world in worlds}
        self._finished = threading.Event()

    def _reporter(self, world: World) -> Report:
        return lambda percent, text: self._news.put((world, percent, text))

    def cancel(self) -> None:
        """Makes ``run`` raise CancelledError soon."""
        for builder in self._builders:
            builder.cancel()

    def wait(self, seconds: float) -> None:
        """Waits, in another thread, until ``run`` has returned or raised."""
        self._finished.wait(seconds)

    def run(self) -> None:
        """Builds all; ``progress`` is called in this thread. The first error stops the others and is raised."""
        threads = [
            threading.Thread(target=self._build, args=(builder,), name=f"demo {builder.world.name}")
            for builder in self._builders
        ]
        self._show(self._builders[0].world, 0, "")
        try:
            for thread in threads:
                thread.start()
            failed = self._follow(len(threads))
            for thread in threads:
                thread.join()
        finally:
            self._finished.set()
        if failed is not None:
            raise failed

    def _build(self, builder: Builder) -> None:
        try:
            builder.run()
        except BaseException as error:  # noqa: BLE001  whatever it was is raised in the thread of run
            self._news.put(error)
        else:
            self._news.put((builder.world, 100, ""))
            self._news.put(None)

    def _follow(self, running: int) -> BaseException | None:
        failed: BaseException | None = None
        while running:
            news = self._news.get()
            if isinstance(news, tuple):
                self._show(*news)
                continue
            running -= 1
            if news is not None:
                failed = failed or news
                self.cancel()
        return failed

    def _show(self, world: World, percent: int, text: str) -> None:
        self._percent[world] = percent
        self._text[world] = text or self._text[world]
        whole = sum(each.weight for each in self._percent)
        share = sum(each.weight * done for each, done in self._percent.items()) / whole
        # What is told is of one world at a time: of the one that takes longest.
        longest = max(self._percent, key=lambda each: (self._percent[each] < 100, each.weight))
        self._progress(int(share), 100, self._text[longest])


def _tail(child: Child) -> str:
    try:
        return child.log.read_text(encoding="utf-8", errors="replace")[-2000:]
    except OSError:
        return ""
