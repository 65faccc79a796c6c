"""The demo inside the window: prepared in a thread with progress, opened, and ended with the window. GUI thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from engine_bridge.errors import CancelledError
from engine_bridge.format import plain
from engine_bridge.session import describe_error

if TYPE_CHECKING:
    from app.demo import Demo
    from app.demo_world import DemoSource
    from app.window import MainWindow

_PROGRESS_S: Final = 0.1


class Showcase:
    """At most one demo of a window. ``progress`` is (done, total, text) while it is being prepared, else None."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._demo: Demo | None = None
        self._told_s = 0.0
        self.progress: tuple[int, int | None, str] | None = None

    def reason(self) -> str:
        """Why the demo cannot be started now."""
        if self._demo is None:
            return ""
        return "the demo is open" if self.progress is None else "the demo is being prepared"

    def start(self, demo: Demo | None = None) -> None:
        """Prepares the demo, opens it, and starts its workers."""
        if demo is None:
            from app.demo import Demo

            demo = Demo()
        window = self._window
        demo.report = lambda text: window.deliver(lambda: window.notify(plain(text)))
        self._demo = demo
        self.progress = (0, None, "Starting the demo's engine …")
        window.router.show()
        window.sources.in_thread("playhead-demo", self._prepare, demo)

    def _prepare(self, demo: Demo) -> None:
        window = self._window
        try:
            sources = demo.prepare(progress=self._progressed)
        except BaseException as error:  # noqa: BLE001  whatever it was is shown in the window
            failure = describe_error(error)
            demo.stop()
            window.deliver(lambda: self._on_failed(failure))
            return
        window.deliver(lambda: self._on_ready(sources))
        demo.start()

    def _progressed(self, done: int, total: int | None, text: str) -> None:
        now = time.monotonic()
        if now - self._told_s > _PROGRESS_S:
            self._told_s = now
            self._window.deliver(lambda: self._on_progress((done, total, text)))

    def _on_progress(self, progress: tuple[int, int | None, str]) -> None:
        if self.progress is not None:
            self.progress = progress
            self._window.router.show()

    def _on_failed(self, error: Exception) -> None:
        self._demo, self.progress = None, None
        self._window.router.show()
        if not isinstance(error, CancelledError):
            self._window.report(describe_error(error))

    def _on_ready(self, sources: tuple[DemoSource, ...]) -> None:
        self.progress = None
        self._window.open(sources[0].url, sources[0].title)
        for source in sources[1:]:
            self._window.sources.open(source.url, title=source.title)

    def no_worker(self) -> str:
        """Why the demo's workers cannot be killed now."""
        return "" if self._demo is not None and self._demo.worker_pids else "the demo's workers do not run"

    def kill_worker(self) -> None:
        """Kills the demo's workers in the middle of their work, to see what a crash leaves behind."""
        if self._demo is not None and self._demo.kill_worker():
            self._window.notify(
                "The demo's workers were killed; others start soon and take up what was left."
            )

    def cancel(self) -> None:
        """Gives up preparing it."""
        if self._demo is not None and self.progress is not None:
            self._window.sources.in_thread("playhead-demo-stop", self._demo.stop)

    def close(self) -> None:
        """Ends the demo's processes in a thread that ``Sources.close_all`` waits for."""
        if self._demo is not None:
            self._window.sources.in_thread("playhead-demo-stop", self._demo.stop)
            self._demo = None
