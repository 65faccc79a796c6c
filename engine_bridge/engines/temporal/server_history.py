"""Whole histories and their tails, as protobuf bytes.

Positions are event ids: the server numbers a run's events from 1 without gaps, and appends only. Pages hold write
batches, at most 256 of them. A poll for new events answers at once when there is one, and empty after 20 s.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np

from engine_bridge import memory
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import server_describe as describe
from engine_bridge.engines.temporal.client import Client
from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.group import Grouper
from engine_bridge.engines.temporal.group_payloads import gone, inlined, parse_key, raw_at
from engine_bridge.engines.temporal.protobuf import event_of_message, scan, slices
from engine_bridge.engines.temporal.server_pages import Pages
from engine_bridge.history import Batch, Restart
from engine_bridge.model import RunRef

if TYPE_CHECKING:
    from engine_bridge.engines.temporal.events import Heads

ORDER: Final = (
    "Positions are event ids: the server numbers the events of a run from 1, in the order in which it wrote them. "
    "Times are the server's clock; those of local activities are the worker's."
)
_RPC: Final = "get_workflow_execution_history"
_POLL_S: Final = 40.0
_PAGE: Final = 1_000
_FIRST: Final = 20  # write batches; there is something to look at while the others are read
_SHELVED: Final = 16
_PAGE_S: Final = 30.0
_GONE_S: Final = 10.0


def bytes_of(answer: Any) -> bytes:
    """The events of an answer as one serialized ``History``; raw blobs are histories too, and join end to end."""
    parts = [blob.data for blob in answer.raw_history]
    if answer.history.events:
        parts.append(answer.history.SerializeToString())
    return b"".join(parts)


def last_id_of(answer: Any) -> int:
    """The id of the last event of an answer; 0 when it cannot be read."""
    from google.protobuf.message import DecodeError
    from temporalio.api.history.v1 import History

    try:
        events = (
            History.FromString(answer.raw_history[-1].data).events
            if answer.raw_history
            else answer.history.events
        )
    except DecodeError:
        return 0
    return events[-1].event_id if events else 0


def events_of(answer: Any) -> list[RawEvent]:
    """The events of an answer in normal form."""
    data = bytes_of(answer)
    return [event_of_message(data[start:end]) for start, end in slices(data)]


class Reading:
    """One history as far as it was read: its steps, and the token to go on by."""

    def __init__(self, client: Client, ref: RunRef) -> None:
        self.pages = Pages()
        self.grouper = Grouper(ref, self.pages.recall, client.source.namespace)
        self.ended = False
        self._client = client
        self._ref = ref
        self._token = b""
        self._next: Callable[[CancelToken], Any] | None = None
        self._last_id, self._dry = 0, False

    def reached(self, event_id: int) -> bool:
        """Whether all up to an event was read, as far as it will come: the poll after a hole's last event is empty."""
        return self._last_id >= event_id or self.ended or self._dry

    def page(self, cancel: CancelToken, *, until: int = 0) -> Heads:
        """The next page, not yet grouped.

        Where it does not reach event ``until`` the page after it is asked for at once. Raises NotFoundError and
        ConnectError.
        """
        begun, self._next = self._next, None
        if begun is not None:
            return self._read(begun(cancel), until)
        request = self._request()
        return self._read(self._client.call(_RPC, request, cancel, what=self._what, timeout_s=_PAGE_S), until)

    def poll(self, cancel: CancelToken, every_s: float) -> Iterator[Heads | None]:
        """The next page as soon as there is one, after 20 s an empty one; None every so often until then."""
        begun, self._next = self._next, None
        if begun is not None:
            yield self._read(begun(cancel))
            return
        waits = self._client.waiting(
            _RPC, self._request(), cancel, what=self._what, timeout_s=_POLL_S, every_s=every_s
        )
        for answer in waits:
            yield None if answer is None else self._read(answer)

    def _read(self, answer: Any, until: int = 0) -> Heads:
        self._token = answer.next_page_token
        self.ended = not self._token
        if not self.ended and last_id_of(answer) < until:
            self._next = self._client.ahead(_RPC, self._request(), what=self._what, timeout_s=_PAGE_S)
        data = bytes_of(answer)
        heads = scan(data, answer.history.events)
        self.pages.add(data, heads)
        self._dry = not len(heads)
        if len(heads):
            self._last_id = max(self._last_id, int(heads.id.max()))
        return heads

    def more(self, cancel: CancelToken, until: int = 0) -> None:
        """Reads and groups the next page."""
        self.grouper.add(self.page(cancel, until=until))

    @property
    def _what(self) -> str:
        return f"the run {self._ref.group} ({self._ref.run})"

    def _request(self) -> Any:
        from temporalio.api.common.v1 import WorkflowExecution
        from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest

        return GetWorkflowExecutionHistoryRequest(
            namespace=self._client.source.namespace,
            execution=WorkflowExecution(workflow_id=self._ref.group, run_id=self._ref.run),
            maximum_page_size=_PAGE if self._token else _FIRST,
            next_page_token=self._token,
            wait_new_event=True,
        )


class Shelf:
    """Readings that may be gone on with, and the events of all that were read lately. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readings: OrderedDict[tuple[RunRef, int], Reading] = OrderedDict()
        self._pages: OrderedDict[RunRef, Pages] = OrderedDict()

    def put(self, ref: RunRef, reading: Reading) -> None:
        # Nobody who waits for the last events should wait for this too.
        threading.Thread(target=_put_away, args=(reading.pages,), name="temporal-pages", daemon=True).start()
        with self._lock:
            self._readings[ref, reading.grouper.last_id] = reading
            self._pages[ref] = reading.pages
            for shelf in (self._readings, self._pages):
                while len(shelf) > _SHELVED:
                    shelf.popitem(last=False)

    def find(self, ref: RunRef, event_id: int) -> bytes | None:
        """The bytes of an event of a history that was read, None when it was not."""
        with self._lock:
            pages = self._pages.get(ref)
        return None if pages is None else pages.find(event_id)

    def take(self, ref: RunRef, after: int) -> Reading | None:
        with self._lock:
            return self._readings.pop((ref, after), None)


def _put_away(pages: Pages) -> None:
    pages.pack()
    memory.trim()


def read(client: Client, shelf: Shelf, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
    """The whole history, a page a batch. What is pending comes with the last one."""
    found = describe.read(client, ref, cancel)
    from engine_bridge.engines.temporal.server_header import with_pollers

    found = with_pollers(client, found, cancel)
    ref, reading = found.ref, Reading(client, found.ref)
    expected = max(found.length, 1)
    first = True
    while not reading.reached(expected):
        reading.more(cancel, expected)
        done = reading.reached(expected)
        if done:
            reading.grouper.set_pending(found.pending.activities, found.pending.nexus)
        header = found.run(reading.grouper, client) if first or done else None
        first = False
        yield reading.grouper.batch(
            header, total=expected, engine_now_ns=client.now_ns(), notes=_notes(reading, found)
        )
        cancel.progress(reading.grouper.last_id, expected, "reading events")
    shelf.put(ref, reading)


def records(client: Client, ref: RunRef, cancel: CancelToken) -> list[Any]:
    """The events of a run as they are now, each as the server sent it."""
    found = describe.read(client, ref, cancel)
    reading, kept = Reading(client, found.ref), list[Any]()
    while not reading.reached(found.length):
        kept += reading.page(cancel, until=found.length).record
        cancel.progress(len(kept), found.length, "reading events")
    return kept


def _notes(reading: Reading, found: describe.Described) -> tuple[str, ...]:
    unknown = reading.grouper.unknown
    notes = [
        f"{count} events of a type that this version does not know: {name}" for name, count in unknown.items()
    ]
    taken, last = reading.grouper.taken, reading.grouper.last_id
    if reading.reached(found.length) and taken < found.length:
        notes.append(f"The server gave {taken:,} of {found.length:,} events.")
    elif last > taken:
        notes.append(
            f"The numbers of its events leave gaps: {taken:,} events were read, and the last is number {last:,}."
        )
    return tuple(notes)


def follow(
    client: Client, shelf: Shelf, ref: RunRef, after: int, cancel: CancelToken
) -> Iterator[Batch | Restart]:
    """New batches until the run has closed and all is told, or until cancelled. Raises ConnectError when the server is
    away: the next call goes on where this one ended, in another process too."""
    reading = shelf.take(ref, after) or _caught_up(client, ref, after, cancel)
    if reading is None:
        yield Restart("The server's history of this run does not continue what was read.")
        return
    try:
        yield from _follow(client, reading, ref, cancel)
    finally:
        shelf.put(ref, reading)


def _caught_up(client: Client, ref: RunRef, after: int, cancel: CancelToken) -> Reading | None:
    """A reading that told all up to a position: the history is read again, which groups into the same rows."""
    reading = Reading(client, ref)
    while not reading.reached(after):
        heads = reading.page(cancel)
        reading.grouper.add(heads.pick(np.flatnonzero(heads.id <= after)))
        if reading.grouper.last_id == after:
            reading.grouper.batch()
            reading.grouper.add(heads.pick(np.flatnonzero(heads.id > after)))
    return reading if reading.grouper.last_id >= after else None


def _follow(client: Client, reading: Reading, ref: RunRef, cancel: CancelToken) -> Iterator[Batch | Restart]:
    watch = describe.Watch(client, ref)
    told_id = None
    while True:
        moved = told_id is not None and reading.grouper.last_id > told_id
        told_id = reading.grouper.last_id
        yield _told(client, reading, watch.look(cancel, moved=moved))
        if reading.ended:
            _until_gone(client, ref, cancel)
        for heads in reading.poll(cancel, describe.AGAIN_S):
            if heads is not None:
                reading.grouper.add(heads)
            elif (found := watch.look(cancel, moved=False)) is not None:
                yield _told(client, reading, found)
        if reading.grouper.last_id > told_id and reading.grouper.last_ns is not None:
            client.observed(reading.grouper.last_ns)


def _told(client: Client, reading: Reading, found: describe.Described | None) -> Batch:
    """What was read since the last batch, with the run as it was found, None for unchanged."""
    if found is not None:
        reading.grouper.set_pending(found.pending.activities, found.pending.nexus)
    header = None if found is None else found.run(reading.grouper, client)
    return reading.grouper.batch(header, engine_now_ns=client.now_ns())


def _until_gone(client: Client, ref: RunRef, cancel: CancelToken) -> NoReturn:
    """Nothing is appended to a closed run; whoever looks at it ends the call, or its deletion does (NotFoundError)."""
    while True:
        cancel.wait(_GONE_S)
        cancel.raise_if_cancelled()
        describe.read(client, ref, cancel)


def raw_payloads(client: Client, shelf: Shelf, key: str, cancel: CancelToken) -> list[Any]:
    """The payloads of a key as they are written, of a history at hand, or read as far as their event.

    Raises NotFoundError.
    """
    inside = inlined(key)
    if inside is not None:
        return [inside]
    ref, event_id, path = parse_key(key)
    record = shelf.find(ref, event_id)
    if record is None:
        reading = Reading(client, ref)
        length = describe.read(client, ref, cancel).length
        while record is None and not reading.reached(min(event_id, length)):
            reading.more(cancel)
            record = reading.pages.find(event_id)
    found = raw_at(event_of_message(record), path) if record is not None else []
    if not found:
        raise gone()
    return found
