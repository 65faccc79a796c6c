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

_LIST: Final = re.compile(r'"[Ee]vents"\s*:\s*\[')
_EVENT: Final = re.compile(r'\{\s*"(?:eventId|event_id|EventId|eventTime|eventType)"\s*:')
_BETWEEN: Final = re.compile(r"[\s,]*")
_ID: Final = re.compile(r'"(?:eventId|event_id|EventId)"\s*:\s*"?(\d{1,18})')


def histories(data: bytes) -> list[Found]:
    """The history of broken JSON; [] when no event in it is whole."""
    text = whole_characters(data)
    begin = _LIST.search(text)
    first = _EVENT.search(text)
    if first is None:
        return []
    start = begin.end() if begin is not None and begin.end() <= first.start() else first.start()
    events, notes, lost, whole = _events(text, start)
    if not events:
        return []
    return [Found(heads_of(events), "damaged JSON", notes, lost, whole=whole)]


def _events(text: str, at: int) -> tuple[list[RawEvent], list[str], int, bool]:
    decoder = json.JSONDecoder()
    events: list[RawEvent] = []
    notes: list[str] = []
    lost = 0
    while True:
        at = _between(text, at)
        if text[at : at + 1] == "]":
            return events, notes or ["The file is damaged after its last event."], lost, True
        if at >= len(text):
            notes.append(_broken_off(events, 0))
            return events, notes, lost, False
        try:
            event, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            following = _EVENT.search(text, at + 1)
            lost += 1
            if following is None:
                notes.append(_broken_off(events, len(text) - at))
                return events, notes, lost, False
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
