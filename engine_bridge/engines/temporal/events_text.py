"""Words in the records of events, which are looked for without decoding events."""

from __future__ import annotations

import binascii
import functools
import json
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.events_read import Foreign, event_of
from engine_bridge.engines.temporal.payloads import bytes_of

_DATA: Final = re.compile(rb'"data":\s*"([^"\\]*)"')
_ANY_DATA: Final = re.compile(rb'ata":\s*"([^"\\]*)"')
_LISTED: Final = re.compile(rb'"[dD]ata":\s*[\[{]')
_RUN: Final = re.compile(r"[a-zA-Z0-9 _.,:;@#$%()=+*!?|~{}\[\]-]+", re.ASCII)
"""Characters that no writer of JSON escapes."""
_AS_IT_CAME: Final = {msgspec.Raw, bytes}
_ESCAPED: Final = re.compile(r'(?:\\u[0-9a-fA-F]{4})+|\\["\\/]')


class _Wanted(msgspec.Struct, frozen=True):
    """Words to look for. ``runs``, lower case, stand as they are in every record that holds the words; ``folded`` are
    the words themselves where JSON may write them otherwise, and ``strange`` says that only escapes and bytes beyond
    ASCII can spell one."""

    runs: tuple[bytes, ...]
    folded: tuple[str, ...]
    strange: bool


class RecordLooker:
    """Looks for words in the records of a history; see ``History.holding``. Keeps where base64 stands in each block."""

    def __init__(self) -> None:
        self._base64: dict[int, tuple[int, array[int]]] = {}

    def prepare(self, block: int, records: Sequence[Any]) -> None:
        written = _written(records)
        if not _all_bytes(written):
            self._edges(block, b"\n".join(_texts(written)))

    def holding(self, block: int, records: Sequence[Any], words: Sequence[str]) -> list[int]:
        wanted, written = _wanted(tuple(words)), _written(records)
        if not _listed(written) and not _may_hold(self._layers(block, written), wanted):
            return []
        return [at for at, one in enumerate(written) if _holds(one, wanted)]

    def _layers(self, block: int, written: list[Any]) -> Iterator[bytes]:
        """What is written, and what is written in base64, in lower case."""
        text = b"\n".join(_texts(written))
        yield text.lower()
        if not _all_bytes(written):
            edges = iter(self._edges(block, text))
            yield _decoded_all([text[begin:end] for begin, end in zip(edges, edges, strict=True)]).lower()

    def _edges(self, block: int, text: bytes) -> array[int]:
        """Begin and end of each base64 text in a block, in turns."""
        size, edges = self._base64.get(block, (0, array("I")))
        if size != len(text):
            edges = array("I", [edge for one in _ANY_DATA.finditer(text) for edge in one.span(1)])
            self._base64[block] = len(text), edges
        return edges


def _written(records: Sequence[Any]) -> list[Any]:
    return [one[0] if isinstance(one, tuple) else one for one in records]


def _all_bytes(written: list[Any]) -> bool:
    """Whether events are in protobuf, where payloads stand as they are."""
    return set(map(type, written)) == {bytes}


def _texts(written: list[Any]) -> list[Any]:
    """What is written of each event: as it came, or as JSON."""
    return written if set(map(type, written)) <= _AS_IT_CAME else [_text(one) for one in written]


def _listed(written: list[Any]) -> bool:
    """Whether payloads stand there as lists of numbers, which no text shows."""
    if Foreign not in set(map(type, written)):
        return False
    return any(isinstance(one, Foreign) and _LISTED.search(one.data) is not None for one in written)


@functools.lru_cache(maxsize=8)
def _wanted(words: tuple[str, ...]) -> _Wanted:
    folded = tuple(word.casefold() for word in words)
    return _Wanted(
        runs=tuple(run.lower().encode() for word in words for run in _RUN.findall(word)),
        folded=() if all(map(_RUN.fullmatch, words)) else folded,
        strange=not all(map(str.isascii, folded)),
    )


def _may_hold(layers: Iterable[bytes], wanted: _Wanted) -> bool:
    """Whether one of some records may hold the words; never wrong when it says no."""
    missing, strange = wanted.runs, wanted.strange
    for text in layers:
        missing = tuple(run for run in missing if run not in text)
        strange = strange and text.isascii() and b"\\u" not in text
        if not missing and not strange:
            return True
    return False


def _holds(one: Any, wanted: _Wanted) -> bool:
    if isinstance(one, Foreign):
        if not _listed([one]) and not _may_hold(_layers_of(bytes(one.data)), wanted):
            return False
        one = event_of(one)
    if isinstance(one, RawEvent):
        one = msgspec.Raw(msgspec.json.encode(one))
    text = clear(bytes(one)) if isinstance(one, msgspec.Raw) else one
    if not wanted.folded:
        text = text.lower()
        return all(run in text for run in wanted.runs)
    said = text.decode("utf-8", "replace")
    said = f"{said}\n{_ESCAPED.sub(_unescaped, said)}".casefold()
    return all(word in said for word in wanted.folded)


def _layers_of(data: bytes) -> Iterator[bytes]:
    yield data.lower()
    yield _decoded_all(_ANY_DATA.findall(data)).lower()


def _unescaped(found: re.Match[str]) -> str:
    text: str = json.loads(f'"{found[0]}"')
    return text


def _text(one: Any) -> Any:
    if isinstance(one, Foreign):
        return one.data
    return msgspec.json.encode(one) if isinstance(one, RawEvent) else one


def clear(data: bytes) -> bytes:
    """An event's JSON with its payloads in clear; no JSON any more, but text to look through."""
    pieces = _DATA.split(data)
    for i in range(1, len(pieces), 2):
        pieces[i] = _decoded(pieces[i])
    return data if len(pieces) == 1 else b"\n".join(pieces)


def _decoded(data: bytes) -> bytes:
    found = bytes_of(data.decode("ascii", "replace"))
    return data if found is None else found


def _decoded_all(found: list[bytes]) -> bytes:
    """What some base64 texts say, one behind the other."""
    if not any(size % 4 for size in set(map(len, found))):
        # At once: padding becomes NULs. What is not in the alphabet is passed over, and shows in the length.
        joined = b"".join(found).replace(b"=", b"A")
        decoded = binascii.a2b_base64(joined)
        if 4 * len(decoded) == 3 * len(joined):
            return decoded
    return b"\n".join(map(_decoded, found))
