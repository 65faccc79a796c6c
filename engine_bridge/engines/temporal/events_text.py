"""Words in the records of events, which are looked for without decoding events."""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from collections.abc import Iterator, Sequence
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
_ESCAPED: Final = re.compile(r'(?:\\u[0-9a-fA-F]{4})+|\\["\\/]')
_SHORTEST: Final = 4
"""Bytes of a word whose base64 is worth looking for: that of shorter ones stands everywhere by chance."""


class _Wanted(msgspec.Struct, frozen=True):
    """Words to look for. ``runs``, lower case, stand as they are in every record that holds the words; ``folded`` are
    the words themselves where JSON may write them otherwise, and ``strange`` says that only escapes and bytes beyond
    ASCII can spell one; ``quick`` are, of each long word, its bytes in clear and in base64."""

    runs: tuple[bytes, ...]
    folded: tuple[str, ...]
    strange: bool
    quick: tuple[tuple[bytes, ...], ...]


def holding(records: Sequence[Any], words: Sequence[str], quick: bool) -> list[int]:
    """Places of the records that hold every word in any case, payloads in clear, escaped characters too.

    ``quick`` takes half the time where payloads are base64, and may miss those that do not spell the words as given.
    """
    wanted = _wanted(tuple(words))
    written = [one[0] if isinstance(one, tuple) else one for one in records]
    kinds = set(map(type, written))
    texts = written if kinds <= {msgspec.Raw, bytes} else [_text(one) for one in written]
    block = b"\n".join(texts)
    if not quick or kinds == {bytes}:
        listed = Foreign in kinds and _LISTED.search(block) is not None
        maybe = listed or _may_hold(block, wanted, kinds != {bytes})
        return [at for at, one in enumerate(written) if _holds(one, wanted)] if maybe else []
    if not wanted.quick or not _spelled(block, wanted):
        return []
    return [
        at for at, text in enumerate(texts) if _spelled(bytes(text), wanted) and _holds(written[at], wanted)
    ]


@functools.lru_cache(maxsize=8)
def _wanted(words: tuple[str, ...]) -> _Wanted:
    folded = tuple(word.casefold() for word in words)
    plain = [word for word in words if _RUN.fullmatch(word)]
    return _Wanted(
        runs=tuple(run.lower().encode() for word in words for run in _RUN.findall(word)),
        folded=() if len(plain) == len(words) else folded,
        strange=not all(map(str.isascii, folded)),
        quick=tuple(_spellings(word.encode()) for word in plain if len(word) >= _SHORTEST),
    )


def _spellings(word: bytes) -> tuple[bytes, ...]:
    """A word's bytes, and what stands of them alone in base64, which depends on their place (RFC 4648, section 4)."""
    found = [word]
    for before in range(3):
        text = base64.b64encode(bytes(before) + word)
        found.append(text[(8 * before + 5) // 6 : 8 * (before + len(word)) // 6])
    return tuple(found)


def _spelled(text: bytes, wanted: _Wanted) -> bool:
    return all(any(spelling in text for spelling in one) for one in wanted.quick)


def _may_hold(block: bytes, wanted: _Wanted, in_base64: bool) -> bool:
    """Whether one of some records may hold the words; never wrong when it says no."""
    missing, strange = wanted.runs, wanted.strange
    for text in _layers(block, in_base64):
        missing = tuple(run for run in missing if run not in text)
        strange = strange and text.isascii() and b"\\u" not in text
        if not missing and not strange:
            return True
    return False


def _layers(block: bytes, in_base64: bool) -> Iterator[bytes]:
    """What is written, and what is written in base64, in lower case."""
    yield block.lower()
    if in_base64:
        yield _payloads(block).lower()


def _holds(one: Any, wanted: _Wanted) -> bool:
    if isinstance(one, Foreign):
        data = bytes(one.data)
        if not _LISTED.search(data) and not _may_hold(data, wanted, True):
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


def _unescaped(found: re.Match[str]) -> str:
    text: str = json.loads(f'"{found[0]}"')
    return text


def _text(one: Any) -> Any:
    """What is written of an event: as it came, or as JSON."""
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


def _payloads(text: bytes) -> bytes:
    """All payloads of some JSON in clear, one behind the other."""
    found = _ANY_DATA.findall(text)
    if not any(size % 4 for size in set(map(len, found))):
        # At once: padding becomes NULs. What is not in the alphabet is passed over, and shows in the length.
        joined = b"".join(found).replace(b"=", b"A")
        decoded = binascii.a2b_base64(joined)
        if 4 * len(decoded) == 3 * len(joined):
            return decoded
    return b"\n".join(map(_decoded, found))
