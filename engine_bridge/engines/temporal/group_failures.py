"""Temporal's ``Failure`` messages as failure chains: outermost first, with stack traces. Pure."""

from __future__ import annotations

from typing import Any, Final

from engine_bridge.engines.temporal.events_values import mapping, text
from engine_bridge.engines.temporal.group_payloads import inline
from engine_bridge.engines.temporal.payloads import json_value, payload
from engine_bridge.model import Failure, PayloadRef
from engine_bridge.payloads import root

_DEEPEST: Final = 30
_LONGEST: Final = 8_000
_INFOS: Final = {
    "applicationFailureInfo": "ApplicationError",
    "timeoutFailureInfo": "TimeoutError",
    "canceledFailureInfo": "CancelledError",
    "terminatedFailureInfo": "TerminatedError",
    "serverFailureInfo": "ServerError",
    "resetWorkflowFailureInfo": "WorkflowReset",
    "activityFailureInfo": "ActivityError",
    "childWorkflowExecutionFailureInfo": "ChildWorkflowError",
    "nexusOperationExecutionFailureInfo": "NexusOperationError",
    "nexusHandlerFailureInfo": "NexusHandlerError",
}

_WRAPPERS: Final = frozenset({"ActivityError", "ChildWorkflowError", "NexusOperationError"})


def failure(
    value: Any, *, attempt: int | None = None, time_ns: int | None = None, depth: int = 0
) -> Failure | None:
    """A ``Failure`` (protobuf JSON) with its causes, None when there is none.

    What a data converter moved into ``encodedAttributes`` is read if it is readable, and else named by ``raw``.
    """
    if not isinstance(value, dict) or not value:
        return None
    kind, info = next(
        ((name, mapping(value.get(key))) for key, name in _INFOS.items() if key in value), ("", {})
    )
    message, stack, raw = _said(value)
    cause = failure(value.get("cause"), depth=depth + 1) if depth < _DEEPEST else None
    return Failure(
        type=_type(kind, info),
        message=_message(message, kind, info),
        stack=stack or None,
        code=_code(info),
        attempt=attempt,
        time_ns=time_ns,
        causes=(cause,) if cause else (),
        raw=raw,
        wraps=(_name(info) or kind) if cause and kind in _WRAPPERS else "",
    )


def _said(value: dict[str, Any]) -> tuple[str, str, PayloadRef | None]:
    """Message and stack, and the payload that hides them where one does."""
    message, stack, raw = text(value.get("message")), text(value.get("stackTrace")), None
    if value.get("encodedAttributes"):
        hidden = payload(value["encodedAttributes"])
        inside = mapping(json_value(hidden))
        message = text(inside.get("message")) or message
        stack = text(inside.get("stack_trace")) or text(inside.get("stackTrace")) or stack
        if hidden.opaque and not inside:
            message = f"{message} ({hidden.opaque})".strip()
            raw = inline(value["encodedAttributes"], "failure")
    return message[:_LONGEST], stack, raw


def _type(kind: str, info: dict[str, Any]) -> str:
    if kind == "TimeoutError":
        return f"TimeoutError ({words(info.get('timeoutType'), 'TIMEOUT_TYPE_')})"
    return text(info.get("type")) or kind


def _message(message: str, kind: str, info: dict[str, Any]) -> str:
    name = _name(info)
    if name and name not in message:
        return f"{message} ({name})" if message else name
    return message


def _name(info: dict[str, Any]) -> str:
    inner = mapping(info.get("activityType") or info.get("workflowType"))
    return text(inner.get("name")) or text(info.get("operation"))


def _code(info: dict[str, Any]) -> str | None:
    state = words(info.get("retryState"), "RETRY_STATE_")
    if info.get("nonRetryable"):
        return "not retryable"
    return state or None


def said(found: Failure) -> str:
    """A failure in one line: what failed inside an activity, a child or a Nexus operation, not that it did."""
    found = root(found)[0]
    return f"{found.type}: {found.message}" if found.type and found.message else found.type or found.message


def words(value: Any, prefix: str) -> str:
    """An enum's name in words: ``RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED`` as "maximum attempts reached"."""
    name = text(value).removeprefix(prefix)
    if "_" not in name and not name.isupper():  # the old PascalCase
        name = "".join(f" {c}" if c.isupper() and i else c for i, c in enumerate(name))
    plain = name.replace("_", " ").lower().strip()
    return "" if plain == "unspecified" else plain
