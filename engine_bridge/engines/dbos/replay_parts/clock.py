"""Runner part: the event loop's time while a run is replayed, which is that of the record.

A time-out of the user's own is in no record. It goes off where its time has come between the recorded ones, not when
the replay has taken that long; nor at all where the run was over before.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

TIMER = -(1 << 20)  # below the keys of all other operations


class Timer(NamedTuple):
    """``key`` stands for it among steps."""

    handle: asyncio.TimerHandle
    key: int


class Clock:
    """``began_ms`` is when the record begins. On the loop, but for ``first``, which only reads."""

    def __init__(self, began_ms: int) -> None:
        self._loop: Any = None
        self._zero = time.monotonic()
        self._began_ms = began_ms
        self._now_ms = float(began_ms)
        self._timers: list[Timer] = []
        self._made = 0

    def begin(self, loop: Any) -> None:
        """From now on the loop goes by it, where it lets itself be told (uvloop's does not)."""
        self._loop = loop
        with suppress(AttributeError):
            loop.time, loop.call_at = self.time, self.call_at

    def end(self) -> None:
        """The loop goes by its own time again; timers that are left do not go off."""
        with suppress(AttributeError):
            del self._loop.time, self._loop.call_at

    @property
    def now_ms(self) -> int:
        """The record's time."""
        return int(self._now_ms)

    def time(self) -> float:
        """Seconds, as ``loop.time``."""
        return self._zero + (self._now_ms - self._began_ms) / 1000

    def call_at(
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """As ``loop.call_at``; it goes off by ``fire`` alone."""
        handle = asyncio.TimerHandle(when, callback, args, self._loop, context)
        self._made += 1
        self._timers = [timer for timer in self._timers if not timer.handle.cancelled()]
        self._timers.append(Timer(handle, TIMER - self._made))
        return handle

    def first(self) -> Timer | None:
        """The next that goes off."""
        left = [timer for timer in self._timers if not timer.handle.cancelled()]
        return min(left, key=lambda timer: timer.handle.when(), default=None)

    def due_ms(self, timer: Timer) -> int:
        """When, in the record's time."""
        return self._began_ms + int((timer.handle.when() - self._zero) * 1000)

    def reach(self, ms: float) -> None:
        """The record has come to that time."""
        self._now_ms = max(self._now_ms, ms)

    def fire(self, timer: Timer) -> None:
        """It goes off in the next turn of the loop, unless it is cancelled until then."""
        self._timers.remove(timer)
        self.reach(self._began_ms + (timer.handle.when() - self._zero) * 1000)
        self._loop.call_soon(_run, timer.handle)


def _run(handle: asyncio.TimerHandle) -> None:
    if not handle.cancelled():
        handle._run()
