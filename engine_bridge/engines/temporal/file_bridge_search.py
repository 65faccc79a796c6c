"""Text in the decoded payloads, failures and names of histories.

Records are looked through in blocks, and only events that may hold the text are decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from engine_bridge.bridge import Hit
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.events_text import holding
from engine_bridge.engines.temporal.file_bridge_index import Index
from engine_bridge.engines.temporal.group import Grouper
from engine_bridge.engines.temporal.group_event import event_from
from engine_bridge.engines.temporal.group_payloads import at, parse_key
from engine_bridge.engines.temporal.load import Loaded
from engine_bridge.errors import PlayheadError
from engine_bridge.format import plain
from engine_bridge.model import Event, Failure, PayloadRef, Run
from engine_bridge.payloads import decode

_AROUND: Final = 60
_LONGEST: Final = 240
_BLOCK: Final = 256
_SAFE: Final = re.compile(r"[a-z0-9 _.,:;@#$%()=+*!?|~{}\[\]-]+", re.ASCII)
"""Texts that stand in JSON as they are: no writer of JSON escapes these characters."""
_OF_RUN: Final = {"WorkflowExecutionStarted": "inputs", "WorkflowExecutionCompleted": "outputs"}


class Search:
    """Searches of one source."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def hits(self, text: str, scope: str, limit: int, cancel: CancelToken) -> Iterator[Hit]:
        """Hits in the order of the files; ``scope`` as in Bridge.search. Files that cannot be read are passed over."""
        wanted, found = text.casefold(), 0
        runs = list(self._index.runs.values()) if wanted else []
        for number, run in enumerate(runs):
            cancel.progress(number, len(runs), "Searching")
            for hit in self._in_run(run, wanted, scope, cancel):
                yield hit
                found += 1
                if found >= limit:
                    return

    def _in_run(self, run: Run, wanted: str, scope: str, cancel: CancelToken) -> Iterator[Hit]:
        try:
            one = self._index.loaded(run.ref)
        except PlayheadError:
            return
        grouper = Grouper(run.ref)
        grouper.add(one.heads)
        records = grouper.batch().event_records
        for row in _rows(one, wanted, cancel):
            cancel.raise_if_cancelled()
            yield from in_event(run, records[row], wanted, scope)


def _rows(one: Loaded, wanted: str, cancel: CancelToken) -> Iterator[int]:
    """Rows of the events that may hold a text: all where records do not spell it as it is shown."""
    records = one.heads.record
    if not _SAFE.fullmatch(wanted) or not all(isinstance(record, msgspec.Raw) for record in records):
        yield from range(len(records))
        return
    for begin in range(0, len(records), _BLOCK):
        cancel.raise_if_cancelled()
        yield from (begin + at_ for at_ in holding(records[begin : begin + _BLOCK], [wanted], False))


def in_event(run: Run, record: Any, wanted: str, scope: str) -> Iterator[Hit]:
    """Where the event of a record of a batch holds a text (case folded)."""
    raw, step_name, ref, *step_id = record
    source = event_of(raw)
    event = event_from(source, step_name, ref, *step_id)
    for where, said in _texts(source, event, scope):
        excerpt = excerpt_of(said, wanted)
        if excerpt is not None:
            place = f"{where} of {step_name}" if step_name else where
            yield Hit(
                ref=run.ref,
                run_type=run.type,
                where=f"event {event.position}: {place}",
                excerpt=excerpt,
                step_id=event.step_id,
            )


def _texts(source: RawEvent, event: Event, scope: str) -> Iterator[tuple[str, str]]:
    of = _OF_RUN.get(event.name, "steps")
    if scope in (of, "all"):
        for payload in event.payloads:
            yield payload.label, text_of(payload, source)
    if event.failure is not None and scope in ("errors", "steps", "all"):
        yield "error", failure_text(event.failure)
    if scope in ("steps", "all"):
        yield (
            "name",
            " ".join(filter(None, (event.step_name, event.detail, *map(str, event.attributes.values())))),
        )


def text_of(payload: PayloadRef, source: RawEvent) -> str:
    """A payload as people read it."""
    found = at(source, parse_key(payload.key)[2])
    return "" if found is None else decode(found.data, found.encoding).text


def failure_text(failure: Failure) -> str:
    """A failure chain as one text."""
    own = f"{failure.type}: {failure.message}\n{failure.stack or ''}"
    return "\n".join([own, *map(failure_text, failure.causes)])


def excerpt_of(said: str, wanted: str) -> str | None:
    """The surroundings of a text (case folded) on one line; None where it is not."""
    found = said.casefold().find(wanted)
    if found < 0:
        return None
    # Case folding may change lengths, so the place is near, and good enough for an excerpt.
    start = max(0, found - _AROUND)
    return plain(" ".join(said[start : found + len(wanted) + _AROUND].split()), _LONGEST)
