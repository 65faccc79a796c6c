"""The embedded demo: a workspace with real engines' databases, and workers that keep them alive.

Knows neither Qt nor an engine's library: all work is done in child processes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from app.demo_build import Builders, Progress
from app.demo_keeper import Keeper
from app.demo_workspace import Workspace, busy, default_workspace
from app.demo_world import DemoSource, World
from app.demo_worlds import WORLDS

BUILD_END_SECONDS = 20.0
Report = Callable[[str], None]


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
        pace: float = 1.0,
        worlds: Sequence[World] = WORLDS,
    ) -> None:
        self.report = report
        self.worlds = tuple(worlds)
        self._folder = workspace
        self._reset = reset
        self._pace = pace
        self._workspace: Workspace | None = None
        self._builders: Builders | None = None
        self._keepers: list[Keeper] = []
        self._owner = False
        self._stopping = threading.Event()
        self._lock = threading.Lock()

    @property
    def sources(self) -> tuple[DemoSource, ...]:
        """The sources to open, the one to show in front; valid after ``prepare``."""
        space = self._space
        return tuple(DemoSource(world.name, world.address(space.file(world))) for world in self.worlds)

    @property
    def worker_pids(self) -> dict[str, int]:
        """The live workers' process ids by the name of their world."""
        return {keeper.world.name: keeper.pid for keeper in self._keepers if keeper.pid is not None}

    def prepare(
        self,
        workspace: Path | None = None,
        progress: Progress = lambda *_: None,
        *,
        reset: bool | None = None,
    ) -> tuple[DemoSource, ...]:
        """Makes the demo's past, or takes the one that is there; blocks for half a minute at first.

        ``workspace`` and ``reset`` override those of the constructor; the default is the user's data folder.
        ``progress(done, total, text)`` is called in the calling thread. Returns the sources. Raises PlayheadError when
        the workspace cannot be used and CancelledError after ``stop``.
        """
        folder = workspace or self._folder or default_workspace()
        self._workspace = space = Workspace(folder, self.worlds)
        self._owner = space.acquire()
        if not self._owner and not space.healthy():
            raise busy(space.folder)
        anew = self._reset if reset is None else reset
        if self._owner and (anew or not space.healthy()):
            space.clear()
            self._builders = Builders(self.worlds, space, progress)
            if self._stopping.is_set():
                self._builders.cancel()
            self._builders.run()
            space.complete()
        if self._owner:
            space.hold()
        progress(100, 100, "The demo is ready")
        return self.sources

    def start(self) -> None:
        """Starts the live workers; does nothing when another Playhead drives this workspace, or when they run."""
        with self._lock:
            if not self._owner:
                self.report("Another Playhead keeps this demo's workers.")
                return
            if not self._keepers and not self._stopping.is_set():
                # The report may be given another receiver later.
                self._keepers = [
                    Keeper(world, self._space, self._pace, lambda text: self.report(text))
                    for world in self.worlds
                ]
            for keeper in self._keepers:
                keeper.start()

    def kill_worker(self) -> bool:
        """Kills the live workers in the middle of what they do; they are restarted soon. False when none runs."""
        killed = [keeper.kill() for keeper in self._keepers]
        return any(killed)

    def stop(self) -> None:
        """Ends every child process and returns when they are gone."""
        self._stopping.set()
        if self._builders is not None:
            self._builders.cancel()
            self._builders.wait(BUILD_END_SECONDS)
        with self._lock:
            for keeper in self._keepers:
                keeper.cease()
            for keeper in self._keepers:
                keeper.stop()
        if self._workspace is not None and self._owner:
            self._workspace.release()
            self._owner = False

    @property
    def _space(self) -> Workspace:
        if self._workspace is None:
            raise RuntimeError("prepare the demo first")
        return self._workspace
