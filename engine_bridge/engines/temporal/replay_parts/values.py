"""Runner part, and ours: values that a user gives an edit, as payloads of the default converter, and back."""

from __future__ import annotations

import json
from typing import Any

from engine_bridge.engines.temporal.replay_parts.script import UnfitError

_NULL = b"binary/null"


def json_value(value: str, what: str) -> Any:
    """A JSON text as a value; "" is None. Raises UnfitError."""
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise UnfitError(
            f"What is given for {what} is not JSON: {error}.", 'A text needs quotes: "yes".'
        ) from None


def given_arguments(value: str) -> list[Any]:
    """The arguments that a text stands for: a JSON array of all, any other value as the only one, "" for none."""
    if not value.strip():
        return []
    found = json_value(value, "the arguments")
    return found if isinstance(found, list) else [found]


def json_payload(value: Any) -> Any:
    """One value as a payload that every SDK's default converter reads."""
    from temporalio.api.common.v1 import Payload

    if value is None:
        return Payload(metadata={"encoding": _NULL})
    return Payload(metadata={"encoding": b"json/plain"}, data=_compact(value).encode())


def json_payloads(value: str) -> Any:
    """Arguments as payloads. Raises UnfitError."""
    from temporalio.api.common.v1 import Payload, Payloads

    plain = {"encoding": b"json/plain"}
    values = (_compact(one).encode() for one in given_arguments(value))
    return Payloads(payloads=[Payload(metadata=plain, data=data) for data in values])


def json_texts(payloads: Any, *, one: bool = False) -> str:
    """Payloads as the JSON text that stands for them; "" when one of them is no JSON."""
    found: list[Any] = []
    for payload in payloads:
        encoding = payload.metadata.get("encoding", b"")
        try:
            found.append(None if encoding == _NULL else json.loads(payload.data))
        except ValueError:
            return ""
        if encoding not in (b"json/plain", b"json/protobuf", _NULL):
            return ""
    if not found:
        return ""
    return _compact(found[0] if len(found) == 1 and (one or not isinstance(found[0], list)) else found)


def plain_text(value: str) -> str:
    """A text, which may be written as JSON."""
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return found if isinstance(found, str) else value


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
