"""How far a replay is, in words. Pure."""

from __future__ import annotations

from typing import Final

from engine_bridge.format import count
from engine_bridge.replay.protocol import Progress

_SECONDS: Final = 90.0


def left_words(seconds: float | None) -> str:
    """About how long something still takes: ``about 40 s left``; "" when nobody knows."""
    if seconds is None:
        return ""
    if seconds < _SECONDS:
        return f"about {max(1, round(seconds))} s left"
    return f"about {round(seconds / 60)} min left"


def words(progress: Progress) -> str:
    """One line: ``12,000 of 51,200, about 14 s left``."""
    left = left_words(progress.left_s)
    return f"{count(progress.done)} of {count(progress.total)}{f', {left}' if left else ''}"
