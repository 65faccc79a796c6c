"""The one limit of all waits in tests: it says that nothing came to pass, and never how fast it should have."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import psutil

LIMIT_S: Final = 120.0
"""Far more than anything takes on a slow machine that is busy with something else."""


def until(true: Callable[[], Any], seconds: float = LIMIT_S) -> Any:
    """Asks again and again, where there is nothing to be notified by; what was found at last."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)
    return found


def hosts() -> list[psutil.Process]:
    """The child processes that host a bridge or an actor, the newest last; but for those that end just now."""
    found = []
    for process in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(process.cmdline()):
                found.append((process.create_time(), process.pid, process))
    return [process for *_, process in sorted(found)]
