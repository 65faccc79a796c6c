"""What can be read of JSON that is cut off or damaged: every event that is whole, and how much is not."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from engine_bridge.engines.temporal.dialects import foreign, translated
from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.events_heads import heads_of
from engine_bridge.engines.temporal.events_read import event_of_json, whole_characters
from engine_bridge.engines.temporal.load_json import Found
from engine_bridge.engines.temporal.load_text import EVENT

_LIST: Final = re.compile(r'"[Ee]vents"\s*:\s*\[')
_DOCUMENT: Final = re.compile(r'\{\s*"(?:[Hh]istory|[Ee]vents)"\s*:')
_BETWEEN: Final = re.compile(r"[\s,]*")
_ID: Final = re.compile(r'"(?:eventId|event_id|EventId)"\s*:\s*"?(\d{1,18})')


def histories(data: bytes) -> list[Found]:
    """The histories of broken JSON, one after the other; [] when no event in it is whole."""
    text = whole_characters(data)
    found: list[Found] = []
    at, begin = 0, _begin(text, 0)
    while begin is not None:
        notes = _stray(text[at:begin], "before")
        events, lost, whole, at = _events(text, begin, notes)
        if events:
            found.append(Found(heads_of(events), "damaged JSON", notes, lost, whole=whole))
        elif found:
            found[-1].notes += notes
            found[-1].lost += lost
        begin = _begin(text, at)
    for one in found[-1:]:
        one.notes += _stray(text[at:], "after")
    for one in found:
        one.notes = one.notes or ["This is no strict JSON: its events were read one by one."]
    return found


def _begin(text: str, at: int) -> int | None:
    """Where the next list of events begins."""
    first, begin = EVENT.search(text, at), _LIST.search(text, at)
    if first is None:
        return None
    return begin.end() if begin is not None and begin.end() <= first.start() else first.start()


def _stray(between: str, where: str) -> list[str]:
    """Says how much stands beside a history that is no part of it."""
    document = _DOCUMENT.search(between)
    rest = between[: document.start() if document else len(between)].strip("}], \t\r\n")
    opens = where == "before" and rest[:1] == "{" and not document  # the other fields of its own document
    return [] if not rest or opens else [f"{len(rest):,} characters {where} this history are none of it."]


def _events(text: str, at: int, notes: list[str]) -> tuple[list[RawEvent], int, bool, int]:
    """The events of a list, how many entries are lost, whether its end is there, and where that is."""
    decoder = json.JSONDecoder()
    events: list[RawEvent] = []
    lost = 0
    while True:
        at = _between(text, at)
        if text[at : at + 1] == "]" or (events and _DOCUMENT.match(text, at)):
            return events, lost, True, at + (text[at] == "]")
        if at >= len(text):
            notes.append(_broken_off(events, 0))
            return events, lost, False, at
        try:
            event, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            following, other = EVENT.search(text, at + 1), _DOCUMENT.search(text, at + 1)
            lost += 1
            if following is None or (other is not None and other.start() < following.start()):
                end = len(text) if other is None else other.start()
                notes.append(_broken_off(events, end - at))
                return events, lost, False, end
            notes.append(_damaged(text[at : following.start()]))
            at = following.start()
            continue
        read = _read(event)
        lost += read is None
        events += [read] if read is not None else []


def _between(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return at if found is None else found.end()


def _read(event: Any) -> RawEvent | None:
    if not isinstance(event, dict):
        return None
    return translated(event) if foreign(event) else event_of_json(event)


def _damaged(piece: str) -> str:
    known = _ID.search(piece)
    which = f"Event {known[1]}" if known else "An event"
    return f"{which} is damaged and not shown ({len(piece):,} characters)."


def _broken_off(events: list[RawEvent], left: int) -> str:
    last = events[-1].id if events else 0
    inside = (
        f"inside event {last + 1}, of which {left:,} characters are there" if left else f"after event {last}"
    )
    return f"The file breaks off {inside}. What came later is not in it."
