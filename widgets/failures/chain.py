"""A failure with its causes and stack traces as plain text. Knows no Qt."""

from __future__ import annotations

from datetime import tzinfo

from engine_bridge.format import safe_lines, timestamp
from engine_bridge.model import Failure

_DEEPEST = 50


def chain_text(failure: Failure, zone: tzinfo | None = None) -> str:
    """The failure, then each cause, outermost first; control characters are made visible."""
    parts = [_one(failure, zone, "")]
    causes = list(failure.causes)
    for cause in causes[:_DEEPEST]:
        parts.append(_one(cause, zone, "caused by "))
        causes += cause.causes
    if len(causes) > _DEEPEST:
        parts.append(f"… and {len(causes) - _DEEPEST} more causes")
    return "\n\n".join(parts)


def _one(failure: Failure, zone: tzinfo | None, prefix: str) -> str:
    facts = [
        f"code {failure.code}" if failure.code else "",
        f"attempt {failure.attempt}" if failure.attempt is not None else "",
        timestamp(failure.time_ns, zone),
    ]
    head = f"{prefix}{failure.type}" + (f": {failure.message}" if failure.message else "")
    told = " · ".join(fact for fact in facts if fact)
    body = failure.stack or ("no stack trace was recorded" if not prefix else "")
    return "\n".join(safe_lines(part) for part in (head, told, body.rstrip()) if part)
