"""How long a replay may take and be silent, and what it may use."""

from __future__ import annotations

import time

import msgspec

from engine_bridge.replay.process import KEPT_OUTPUT
from engine_bridge.replay.protocol import LONGEST, AnyMessage, Begin, Busy, Ended, Hello, Loaded, Step

_START, _LOAD, _WORK = "start", "load", "work"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When a replay is ended from outside. Seconds; 0: never.

    ``silence_s`` without any message while user code runs means that it holds the interpreter; ``busy_s`` is how long
    it may run between two steps; ``start_s`` covers the import of the engine's library, ``load_s`` that of the user's
    modules; ``total_s`` everything.
    """

    memory_mb: int = 4096
    start_s: float = 60.0
    load_s: float = 120.0
    silence_s: float = 5.0
    busy_s: float = 30.0
    total_s: float = 0.0
    output_bytes: int = KEPT_OUTPUT
    message_bytes: int = LONGEST

    def patient(self) -> Limits:
        """The same without any limit of time, for code that somebody steps through."""
        return msgspec.structs.replace(self, load_s=0.0, silence_s=0.0, busy_s=0.0, total_s=0.0)


class Clock:
    """Watches one process by what it says. One thread."""

    def __init__(self, limits: Limits, began: float) -> None:
        self._limits = limits
        self._began = began
        self._heard = self._entered = time.monotonic()
        self._phase = _START
        self.busy: Busy | None = None

    def hear(self, message: AnyMessage) -> None:
        """Takes notice of a message."""
        self._heard = time.monotonic()
        if isinstance(message, Busy):
            self.busy = message
        elif isinstance(message, Hello):
            self._enter(_LOAD)
        elif isinstance(message, Loaded):
            self._enter(_WORK)
        if isinstance(message, Step | Loaded | Begin | Ended):
            self.busy = None

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._entered = self._heard

    def overdue(self) -> str:
        """Why the process must be ended now, in words without the place; "" while all is well."""
        now, limits, phase = time.monotonic(), self._limits, self._phase
        if limits.total_s and now - self._began > limits.total_s:
            return f"The replay took longer than {limits.total_s:g} seconds"
        if phase == _START:
            late = limits.start_s and now - self._entered > limits.start_s
            return f"The runner did not come up in {limits.start_s:g} seconds" if late else ""
        if phase == _LOAD:
            late = limits.load_s and now - self._entered > limits.load_s
            return f"The code was not imported in {limits.load_s:g} seconds" if late else ""
        silent = now - self._heard
        if limits.silence_s and silent > limits.silence_s:
            return f"The code holds the interpreter and has let nothing through for {silent:.0f} seconds"
        if self.busy is not None and limits.busy_s and self.busy.seconds > limits.busy_s:
            return f"The code has not come back for {self.busy.seconds:.0f} seconds"
        return ""
