"""Cancel tokens: how a call learns that nobody waits for it any more, and tells how far it is."""

from __future__ import annotations

import threading
from collections.abc import Callable

from engine_bridge.errors import CancelledError

Progress = Callable[[int, int | None, str], None]


class CancelToken:
    """Cancels one call and carries its progress. Any thread may use it.

    ``interrupt`` hooks run in the thread that cancels, so they must be quick and thread-safe
    (``sqlite3.Connection.interrupt`` and ``psycopg.Connection.cancel_safe`` are).
    """

    def __init__(self, on_progress: Progress | None = None) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._hooks: list[Callable[[], None]] = []
        self._on_progress = on_progress

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def cancel(self) -> None:
        """Cancels the call; a second call does nothing."""
        with self._lock:
            if self._event.is_set():
                return
            self._event.set()
            hooks = list(self._hooks)
        for hook in hooks:
            hook()

    def raise_if_cancelled(self) -> None:
        """Raises CancelledError when the call has been cancelled."""
        if self._event.is_set():
            raise CancelledError

    def wait(self, seconds: float) -> bool:
        """Sleeps for at most ``seconds``; true as soon as the call is cancelled."""
        return self._event.wait(seconds)

    def add_hook(self, hook: Callable[[], None]) -> Callable[[], None]:
        """Runs ``hook`` on cancellation (at once when already cancelled); returns its remover."""
        with self._lock:
            if not self._event.is_set():
                self._hooks.append(hook)
                return lambda: self._remove(hook)
        hook()
        return lambda: None

    def _remove(self, hook: Callable[[], None]) -> None:
        with self._lock:
            if hook in self._hooks:
                self._hooks.remove(hook)

    def progress_through(self, done: int, total: int | None, text: str) -> None:
        """Passes on the progress of an inner call; unlike ``progress`` it never raises."""
        if self._on_progress is not None and not self.cancelled:
            self._on_progress(done, total, text)

    def progress(self, done: int, total: int | None = None, text: str = "") -> None:
        """Reports progress (``total`` None: unknown) and raises CancelledError when cancelled."""
        self.raise_if_cancelled()
        if self._on_progress is not None:
            self._on_progress(done, total, text)
