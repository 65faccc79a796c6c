"""Histories in protobuf: a ``History``, a server's answer with one, or Temporal Cloud's export of many."""

from __future__ import annotations

from typing import Final

from engine_bridge.engines.temporal import protobuf
from engine_bridge.engines.temporal.events import UNKNOWN
from engine_bridge.engines.temporal.load_json import Found

_INSIDE: Final = 0x0A
"""The tag of what a message wraps first: events, or a message that holds them."""
_TOKEN: Final = 3
"""The field of a server's answer that says how to ask for more."""


def binary(data: bytes) -> list[Found]:
    """Histories in a message; [] when it is none of those."""
    cut = None
    try:
        places = protobuf.slices(data)
    except protobuf.WireError as error:
        cut, places = error.at, error.found
    wraps = data[places[0][0] : places[0][0] + 1] if places else data[_first(data) : _first(data) + 1]
    if wraps == bytes((_INSIDE,)):
        return _wrapped(data)
    heads = protobuf.heads_of_messages([data[start:end] for start, end in places])
    if not (heads.id > 0).any() or heads.type[0] == UNKNOWN:
        return []
    notes = []
    if cut is not None:
        left = len(data) - cut
        notes.append(
            f"The file breaks off after event {int(heads.id[-1])}: {left:,} bytes of the next one are left."
        )
    return [Found(heads, "binary protobuf", notes, whole=cut is None)]


def _first(data: bytes) -> int:
    """Where the content of a message's first field begins, which may break off; 0 where it is no message."""
    return 0 if data[:1] != bytes((_INSIDE,)) else _content(data, 0)


def _content(data: bytes, at: int) -> int:
    at += 1
    while at < len(data) and data[at] >= 0x80:
        at += 1
    return at + 1


def _wrapped(data: bytes) -> list[Found]:
    """Histories in what holds them; of one that breaks off, what is there of it."""
    found: list[Found] = []
    unread, rest = 0, len(data)
    try:
        for number, _, start, end in protobuf.fields(data):
            inside = binary(data[start:end]) if number == 1 else []
            found += inside
            unread += number == 1 and not inside
            if number == _TOKEN and found and end > start:
                found[-1].notes.append(
                    "This is one page of a longer history: what follows it is not in this file."
                )
                found[-1].whole = False
    except protobuf.WireError as error:
        rest = error.at
    if rest < len(data):
        inside = binary(data[_content(data, rest) :]) if data[rest] == _INSIDE else []
        found += inside
        if found and not inside:
            found[-1].notes.append(
                f"The file breaks off behind this history: {len(data) - rest:,} bytes are left."
            )
        for one in found[-1:]:
            one.whole = False
    if unread and found:
        found[-1].notes.append(f"{unread:,} more in this file cannot be read as a history.")
    return found
