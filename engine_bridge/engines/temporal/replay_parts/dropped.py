"""Runner part: signals that the code never sees: dropped by the SDK, or kept for want of a handler."""

from __future__ import annotations

import logging
from typing import Any

from engine_bridge.replay.runners.channel import Channel

SDK_LOG = "temporalio.worker._workflow_instance"
DROPPED = "dropping the signal"


class Dropped(logging.Handler):
    """Tells which signals the SDK drops since their arguments do not fit; the rest of its log is told otherwise."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(logging.ERROR)
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if DROPPED not in text:
            return
        name = text.partition(" for ")[2].partition(" on workflow ")[0]
        error = record.exc_info[1] if record.exc_info else None
        while error is not None and error.__cause__ is not None:
            error = error.__cause__
        why = f": {type(error).__name__}: {error}" if error is not None else "."
        words = f"Signal {name} is dropped, since its arguments do not fit the handler{' '.join(why.split())[:400]}"
        self._channel.send("log", text=words, level="warning")

    def install(self) -> None:
        """The SDK's instances log to it alone."""
        logger = logging.getLogger(SDK_LOG)
        logger.setLevel(logging.ERROR)
        logger.propagate = False
        logger.handlers = [self]


def without_handler(instance: Any) -> str:
    """Words on signals that the code has no handler for; "" when it has."""
    names = getattr(instance, "_buffered_signals", None)
    if not isinstance(names, dict) or not names:
        return ""
    listed = ", ".join(str(name)[:100] for name in list(names)[:4])
    return f"The code has no handler for signal {listed}: the SDK keeps it until there is one."
