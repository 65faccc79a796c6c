"""The structured log: one JSON line per step, move, claim and failure, through stdlib logging. Never payloads."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

LOGGER: Final = logging.getLogger("entity_state")
FIELDS: Final = (
    "workflow", "step", "entity", "from", "to", "outcome", "duration_ms", "requester", "correlation_id", "tenant",
    "error_type", "count",
)  # fmt: skip
"""Everything a line may hold besides ``when``, ``level`` and ``event``."""


class JsonLines(logging.Formatter):
    """Formats records of this library as JSON lines; anything else that reaches it as its plain message."""

    def format(self, record: logging.LogRecord) -> str:
        """One line without line breaks; keys in a fixed order, absent ones left out."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        line = {"when": when, "level": record.levelname, "event": record.getMessage()}
        line |= {
            name: value for name, value in getattr(record, "entity_state", {}).items() if value is not None
        }
        return json.dumps(line, ensure_ascii=False, default=str)


def log(event: str, level: int = logging.INFO, **fields: Any) -> None:
    """Writes one line. ``from_`` stands for ``from``; fields outside FIELDS raise, so that no payload slips in."""
    if not LOGGER.isEnabledFor(level):
        return
    line = {name.rstrip("_"): value for name, value in fields.items()}
    foreign = line.keys() - set(FIELDS)
    if foreign:
        raise ValueError(f"not a field of the log: {', '.join(sorted(foreign))}")
    LOGGER.log(level, event, extra={"entity_state": line})
