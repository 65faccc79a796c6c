"""Runner part: whether the project can read what a history holds: what its workers encrypted takes their codec."""

from __future__ import annotations

from typing import Any

_READ = {
    "WorkflowExecutionStarted": "input", "WorkflowExecutionSignaled": "input", "ActivityTaskCompleted": "result",
    "ChildWorkflowExecutionCompleted": "result", "NexusOperationCompleted": "result",
}  # fmt: skip
"""Events whose payloads the code is given, and where; those of its own commands it only writes."""
_converters: list[tuple[Any, frozenset[bytes]]] = []
_NAME = (
    "Name the data converter that the workers have: option data_converter=module:attribute, or take it from their "
    "entry point: worker_script=FILE."
)


async def unreadable(events: list[Any], settings: dict[str, Any]) -> dict[str, Any] | None:
    """Why a history cannot be replayed with these settings, None when nothing speaks against it."""
    converter = settings.get("data_converter")
    if converter is None and settings.get("plugins"):
        return None  # a plugin may bring one
    codec, known = getattr(converter, "payload_codec", None), _encodings(converter)
    hidden = next((one for one in _given(events) if _encoding(one) not in known), None) if known else None
    if hidden is None:
        return None
    what = f"The payloads of this run are encoded ({_encoding(hidden).decode(errors='replace')[:80]})"
    if codec is None:
        return _failed(f"{what}, and no codec that can decode them is named.", _NAME)
    try:
        decoded = list(await codec.decode([hidden]))
    except Exception as error:  # noqa: BLE001 - the user's codec
        said = f"{type(error).__name__}: {error}".rstrip(": ")[:300]
        return _failed(
            f"{what}, and the project's codec cannot decode them: {said}.", "Its key may be another."
        )
    if len(decoded) != 1 or _encoding(decoded[0]) not in known:
        return _failed(
            f"{what}, and the project's codec leaves them so.", "It may be the codec of other workers."
        )
    return None


def _failed(error: str, hint: str) -> dict[str, Any]:
    return {"outcome": "failed", "error": error, "hint": hint}


def _encodings(converter: Any) -> frozenset[bytes]:
    """The encodings that a converter reads; none for one that does not tell."""
    if converter is None:
        import temporalio.converter

        converter = temporalio.converter.default()
    make = getattr(converter, "payload_converter_class", None)
    known = next((names for one, names in _converters if one is make), None)
    if known is None:
        found = getattr(make(), "converters", None) if callable(make) else None
        known = frozenset(name for name in found or () if isinstance(name, bytes))
        _converters[:] = [(make, known)]
    return known


def _given(events: list[Any]) -> Any:
    """Payloads that the code is given, in order."""
    for event in events:
        field = _READ.get(event.type)
        if field is not None:
            value = getattr(event.about, field)
            yield from getattr(value, "payloads", (value,))


def _encoding(payload: Any) -> bytes:
    found: bytes = payload.metadata.get("encoding", b"")
    return found
