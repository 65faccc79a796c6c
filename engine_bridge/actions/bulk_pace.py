"""How fast a bulk job may send: a token bucket over a monotonic clock."""

from __future__ import annotations

from typing import Final

_BURST_S: Final = 0.25


class Pace:
    """At most ``rate`` sends a second (0: no limit); after a stall at most a quarter of a second is made up for."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate * _BURST_S)
        self._tokens = 1.0
        self._at = now

    def allowed(self, now: float) -> int:
        """How many may be sent now."""
        if self._rate <= 0:
            return 1 << 30
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return int(self._tokens)

    def sent(self, count: int) -> None:
        self._tokens -= count

    def wait_s(self) -> float:
        """Seconds until the next send is allowed, as of the last ``allowed``."""
        return 0.0 if self._rate <= 0 else max(0.0, (1.0 - self._tokens) / self._rate)
