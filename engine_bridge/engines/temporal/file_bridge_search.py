"""Text in the decoded payloads, failures and names of histories.

The events of a history are laid out as one text (JSON with payloads in clear, lower case), made on the first search and
kept while it is small enough; a search is then one scan, and only events that hold the text are decoded.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from engine_bridge.bridge import Hit
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.events_text import clear
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
_A_TURN: Final = 2_048
_KEPT: Final = 4
_SAFE: Final = re.compile(r"[a-z0-9 _.,:;@#$%()=+*!?|~{}\[\]-]+", re.ASCII)
"""Texts that stand in JSON as they are: no writer of JSON escapes these characters."""
_OF_RUN: Final = {"WorkflowExecutionStarted": "inputs", "WorkflowExecutionCompleted": "outputs"}


@dataclass(slots=True)
class Blob:
    """The events of a history as one text; ``starts`` are the places where they begin."""

    text: bytes
    starts: list[int]

    def rows(self, wanted: bytes) -> Iterator[int]:
        """Rows of the events that hold a text, each once."""
        at_ = self.text.find(wanted)
        while at_ >= 0:
            row = bisect_right(self.starts, at_) - 1
            yield row
            if row + 1 >= len(self.starts):
                return
            at_ = self.text.find(wanted, self.starts[row + 1])


def blob_of(one: Loaded, cancel: CancelToken) -> Blob | None:
    """The searchable text of a history; None when its records are not JSON."""
    parts: list[bytes] = []
    starts: list[int] = []
    size = 0
    for row, record in enumerate(one.heads.record):
        if row % _A_TURN == 0:
            cancel.progress(row, len(one.heads), "Preparing the search")
        if not isinstance(record, msgspec.Raw):
            return None
        text = clear(bytes(record))
        parts.append(text)
        starts.append(size)
        size += len(text) + 1
    return Blob(b"\n".join(parts).lower(), starts)


class Search:
    """Searches of one source; keeps the texts of the histories that were searched last."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._blobs: dict[int, tuple[Loaded, Blob | None]] = {}

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
        for row in self._rows(one, wanted, cancel):
            cancel.raise_if_cancelled()
            yield from in_event(run, records[row], wanted, scope)

    def _rows(self, one: Loaded, wanted: str, cancel: CancelToken) -> Iterator[int]:
        blob = self._blob(one, cancel) if _SAFE.fullmatch(wanted) else None
        return iter(range(len(one.heads))) if blob is None else blob.rows(wanted.encode())

    def _blob(self, one: Loaded, cancel: CancelToken) -> Blob | None:
        kept = self._blobs.pop(id(one), None)
        if kept is None or kept[0] is not one:
            kept = (one, blob_of(one, cancel))
        self._blobs[id(one)] = kept
        while len(self._blobs) > _KEPT:
            del self._blobs[next(iter(self._blobs))]
        return kept[1]


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
