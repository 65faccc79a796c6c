"""Protobuf bytes without their schema: the fields that are there, by number, with every reading that fits. Pure.

Wire format: https://protobuf.dev/programming-guides/encoding. A nested message and a text cannot be told apart
from plain bytes; what reads as printable text is shown as text, else what reads as a message as that, else as bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from engine_bridge.payloads.limits import DEFAULT, Limits
from engine_bridge.payloads.tree import hidden

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_LARGEST: Final = (1 << 29) - 1


@dataclass(frozen=True, slots=True)
class ProtobufView:
    """``tree``: {"field 1": value, …}, lists where a field repeats; None with ``error`` where it is no message."""

    tree: Any
    error: str = ""
    truncated: bool = False


class _NoMessageError(ValueError):
    """The bytes are no protobuf message."""


def view(data: bytes, limits: Limits = DEFAULT) -> ProtobufView:
    """Reads a message. Never raises; depth and nodes are bounded."""
    reader = _Reader(data, limits)
    try:
        tree = reader.message(0, len(data), 0)
    except _NoMessageError:
        return ProtobufView(None, "its bytes are no protobuf message")
    return ProtobufView(tree, "", reader.truncated)


class _Reader:
    def __init__(self, data: bytes, limits: Limits) -> None:
        self._data = data
        self._limits = limits
        self._nodes = 0
        self.truncated = False

    def message(self, at: int, end: int, depth: int) -> dict[str, Any]:
        """The fields between two offsets. Raises _NoMessageError."""
        found: dict[str, list[Any]] = {}
        while at < end:
            tag, at = self._varint(at, end)
            number, wire = tag >> 3, tag & 7
            if not 0 < number <= _LARGEST:
                raise _NoMessageError
            value, at = self._value(wire, at, end, depth)
            self._nodes += 1
            if self._nodes <= self._limits.max_nodes:
                found.setdefault(f"field {number}", []).append(value)
            else:
                self.truncated = True
        return {name: several[0] if len(several) == 1 else several for name, several in found.items()}

    def _value(self, wire: int, at: int, end: int, depth: int) -> tuple[Any, int]:
        if wire == _VARINT:
            return self._varint(at, end)
        size = {_FIXED64: 8, _FIXED32: 4}.get(wire)
        if wire == _DELIMITED:
            size, at = self._varint(at, end)
        if size is None or at + size > end:
            raise _NoMessageError
        part = self._data[at : at + size]
        if wire == _DELIMITED:
            return self._delimited(part, at, depth), at + size
        return _fixed(part), at + size

    def _delimited(self, part: bytes, at: int, depth: int) -> Any:
        text = _text(part)
        if text is not None:
            return text[: self._limits.max_string]
        if depth >= self._limits.max_depth:
            self.truncated = True
            return hidden("too deep")
        before = self._nodes
        try:
            return self.message(at, at + len(part), depth + 1)
        except _NoMessageError:
            self._nodes = before
            return part[: self._limits.max_string]

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while at < end and shift < 70:
            byte = self._data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
            shift += 7
        raise _NoMessageError


def _fixed(part: bytes) -> Any:
    """A fixed number may be an integer or a float: whichever is the plainer one."""
    whole = int.from_bytes(part, "little", signed=True)
    real: float = struct.unpack("<d" if len(part) == 8 else "<f", part)[0]
    return real if 1e-9 < abs(real) < 1e15 else whole


def _text(part: bytes) -> str | None:
    try:
        text = part.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if all(c.isprintable() or c in "\n\r\t" for c in text) else None
