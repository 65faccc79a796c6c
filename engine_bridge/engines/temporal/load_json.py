"""Histories in JSON documents: one or many, bare or wrapped, in lines, in any dialect of events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from engine_bridge.engines.temporal.dialects import foreign, readable, translated
from engine_bridge.engines.temporal.events import Heads
from engine_bridge.engines.temporal.events_fast import heads_fast
from engine_bridge.engines.temporal.events_heads import heads_of
from engine_bridge.engines.temporal.events_read import Foreign, event_of_json, read
from engine_bridge.engines.temporal.load_text import EVENT

_SAMPLE: Final = 60


@dataclass(slots=True)
class Found:
    """A history as it stands in a file. ``lost`` counts entries that are no events at all."""

    heads: Heads
    dialect: str
    notes: list[str] = field(default_factory=list)
    lost: int = 0
    whole: bool = True


class _Doc(msgspec.Struct, rename="camel"):
    events: list[msgspec.Raw] | None = None
    history: _Doc | None = None
    raw_history: list[Any] | None = None
    next_page_token: str | None = None


_document = msgspec.json.Decoder(_Doc)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_lines = msgspec.json.Decoder(msgspec.Raw)

Blobs = Callable[[list[Any]], Found]


def histories(data: bytes, blobs: Blobs) -> list[Found]:
    """All histories of a JSON document, or of a document a line. Raises DecodeError of msgspec where it breaks."""
    data = data.strip()
    try:
        return _of_document(data, blobs)
    except msgspec.ValidationError:
        return []
    except msgspec.DecodeError as error:
        if "trailing characters" not in str(error):
            raise
    return _of_parts(_lines.decode_lines(data), blobs)


def _of_document(data: Any, blobs: Blobs) -> list[Found]:
    if bytes(data[:1]) == b"[":
        return _of_list(_list.decode(data), blobs)
    doc: _Doc | None = _document.decode(data)
    notes = []
    while doc is not None:
        if doc.next_page_token:
            notes.append("This is one page of a longer history: what follows it is not in this file.")
        if doc.events is not None and doc.events:
            return [_noted(of_records(doc.events), notes)]
        if doc.raw_history:
            return [_noted(blobs(doc.raw_history), notes)]
        doc = doc.history
    return (
        _of_list([msgspec.Raw(data)], blobs)
        if EVENT.match(bytes(data[:200]).decode("utf-8", "replace"))
        else []
    )


def _noted(found: Found, notes: list[str]) -> Found:
    found.notes += notes
    found.whole = found.whole and not notes
    return found


def _of_list(parts: list[msgspec.Raw], blobs: Blobs) -> list[Found]:
    if parts and _wraps(parts[0]):
        return _of_parts(parts, blobs)
    found = of_records(parts)
    return [found] if len(found.heads) else []


def _of_parts(parts: list[msgspec.Raw], blobs: Blobs) -> list[Found]:
    """Documents, or events, one after the other."""
    found: list[Found] = []
    loose = [part for part in parts if not _wraps(part)]
    for part in parts:
        if _wraps(part):
            found += _of_document(memoryview(part), blobs)
    if loose:
        rest = of_records(loose)
        if len(rest.heads):
            found.append(rest)
        elif found:
            found[-1].lost += rest.lost
            found[-1].notes += rest.notes
    return found


def _wraps(part: msgspec.Raw) -> bool:
    head = bytes(memoryview(part)[:200])
    if head[:1] == b"[":
        return True
    return head[:1] == b"{" and any(key in head for key in (b'"events"', b'"history"', b'"rawHistory"'))


def of_records(records: list[Any]) -> Found:
    """The history of a list of events, each in JSON."""
    sample = records[:_SAMPLE] + records[_SAMPLE :: max(1, len(records) // _SAMPLE)]
    shapes = [_dialect(read(one)) for one in sample]
    worst = max(shapes, key=_ORDER.index, default=_SERVER)
    if worst != _OTHER:
        try:
            heads = heads_fast(records)
        except (msgspec.ValidationError, OverflowError):
            pass  # one of them at least is unusual: each is looked at
        else:
            heads.record = records if worst == _SERVER else [Foreign(one) for one in records]
            return Found(heads, worst)
    return _one_by_one(records, worst)


_SERVER: Final = "JSON as servers write it"
_OLD: Final = "JSON of older versions"
_READABLE: Final = "JSON with readable payloads"
_OTHER: Final = "JSON of other tools"
_ORDER: Final = (_SERVER, _OLD, _READABLE, _OTHER)


def _dialect(event: Any) -> str:
    if not foreign(event):
        return _SERVER
    if not isinstance(event.get("eventTime"), str) or not isinstance(event.get("eventType"), str):
        return _OTHER
    return _READABLE if readable(event) else _OLD


def _one_by_one(records: list[Any], dialect: str) -> Found:
    events, kept, lost = [], [], 0
    for record in records:
        event = read(record)
        if not isinstance(event, dict):
            lost += 1
        elif foreign(event):
            events.append(translated(event))
            kept.append(Foreign(record))
        else:
            events.append(event_of_json(event))
            kept.append(record)
    notes = [f"{lost:,} entries are no events and are not shown."] if lost else []
    return Found(heads_of(events, kept), dialect, notes, lost)
