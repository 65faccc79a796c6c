"""What an interpreter's runner is, and what it denies, before it knows any user code: asked before consent."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable

from engine_bridge.errors import UsageError
from engine_bridge.replay.model import RunnerSpec
from engine_bridge.replay.process import RunnerProcess
from engine_bridge.replay.protocol import Bye, Hello

_LOOK_S = 0.1


def greet(
    spec: RunnerSpec, python: str, wanted: Callable[[], bool] = lambda: True, timeout: float = 60.0
) -> Hello:
    """Starts a runner, hears its first word and lets it go. Blocks for a second or two; ends early when not ``wanted``.

    Raises UsageError with the reason when it does not come up.
    """
    process = RunnerProcess(spec, python)
    try:
        process.start()
        return _first_word(process, wanted, time.monotonic() + timeout)
    except queue.Empty:
        raise UsageError(f"{python} did not answer.", _hint(spec)) from None
    finally:
        process.close()


def _first_word(process: RunnerProcess, wanted: Callable[[], bool], deadline: float) -> Hello:
    reason = ""
    while time.monotonic() < deadline and wanted():
        try:
            message = process.inbox.get(timeout=_LOOK_S)
        except queue.Empty:
            if process.alive:
                continue
            why = reason or "it ended at once"
            raise UsageError(f"{process.python} cannot replay: {why}.", _hint(process.spec)) from None
        if isinstance(message, Hello):
            return message
        if isinstance(message, Bye):
            reason = message.error
    raise queue.Empty


def _hint(spec: RunnerSpec) -> str:
    return f"Choose the project's own interpreter, in which {spec.library} {spec.supported} is installed."
