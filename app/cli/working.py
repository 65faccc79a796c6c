"""Long work of a command in a thread, so that Ctrl+C asks it to stop and its outcome is still told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from app.cli.output import note
from app.cli.session import Progress
from engine_bridge.cancel import CancelToken

T = TypeVar("T")
_STOPPING: Final = "Stopping. What was sent already is read back first."


def work(task: Callable[[CancelToken], T], stopping: str = _STOPPING) -> T:
    """Runs ``task`` with progress on the terminal. Raises what it raised; Ctrl+C only cancels its token."""
    progress = Progress()
    token = CancelToken(progress)
    done: list[T] = []
    failed: list[BaseException] = []
    begun = threading.Event()
    over = threading.Event()  # a join that Ctrl+C interrupts takes the thread for ended (CPython 3.9 to 3.12)

    def run() -> None:
        begun.wait()
        try:
            done.append(task(token))
        except BaseException as error:  # noqa: BLE001  raised again in the thread that waits
            failed.append(error)
        finally:
            over.set()

    thread = threading.Thread(target=run, name="playhead-work")
    thread.start()
    while not over.is_set():
        try:
            begun.set()
            over.wait(0.2)
        except KeyboardInterrupt:
            progress.clear()
            note(stopping)
            token.cancel()
    thread.join()
    progress.clear()
    if failed:
        raise failed[0]
    return done[0]
