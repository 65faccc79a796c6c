"""Work in a thread of its own, its result in the GUI thread: journal files, actors, exports."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine_bridge.errors import PlayheadError

if TYPE_CHECKING:
    from app.window import MainWindow


class Work:
    """Runs functions off the GUI thread; ``MainWindow.closeEvent`` waits for them. GUI thread, but for the work itself."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._newest: dict[str, int] = {}

    def run(
        self,
        slot: str,
        work: Callable[[], Any],
        then: Callable[[Any], None] = lambda _: None,
        failed: Callable[[PlayheadError], None] | None = None,
    ) -> None:
        """Starts work; of several in one slot only the newest one's result arrives. Errors are reported by default."""
        number = self._newest[slot] = self._newest.get(slot, 0) + 1
        report = failed or self._window.report

        def deliver(value: Any, error: PlayheadError | None) -> None:
            if self._newest.get(slot) != number:
                return
            if error is None:
                then(value)
            else:
                report(error)

        def run() -> None:
            value, error = None, None
            try:
                value = work()
            except BaseException as caught:  # noqa: BLE001  whatever it was is shown in the window
                from engine_bridge.session import describe_error

                error = describe_error(caught)
            self._window.deliver(lambda: deliver(value, error))

        self._window.sources.in_thread(f"playhead-{slot}", run)

    def forget(self, slot: str) -> None:
        """Whatever the slot still does, nobody waits for it."""
        self._newest[slot] = self._newest.get(slot, 0) + 1
