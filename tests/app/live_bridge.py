"""A fake engine whose tail, relations and payloads are told what to do, from the test's thread."""

from __future__ import annotations

import queue
from collections.abc import Iterator

from engine_bridge.bridge import Relation, Relations
from engine_bridge.cancel import CancelToken
from engine_bridge.codes import NONE
from engine_bridge.errors import NotFoundError, PlayheadError
from engine_bridge.history import Batch, BatchBuilder, Restart
from engine_bridge.model import Event, EventKind, Run, RunRef, Status
from tests.fakes import NOW, FakeBridge, make_history, make_run, ref


class LiveBridge(FakeBridge):
    """``news`` items are what the tail yields: batches, restarts, or errors that it raises."""

    def __init__(self) -> None:
        super().__init__(runs=60)
        self.news: queue.Queue[Batch | Restart | PlayheadError] = queue.Queue()
        self.pages: list[Relations] = []
        self.payloads: dict[str, bytes] = {}
        self.asked: list[tuple[str, int, int]] = []
        self.histories = 0
        self.tails = 0
        self.gone = False

    def run(self, ref: RunRef, cancel: CancelToken) -> Run:
        if ref.run.endswith("-child"):
            return make_run(int(ref.run.removesuffix("-child").removeprefix("run-")))
        return super().run(ref, cancel)

    def history(self, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
        self.histories += 1
        if self.gone:
            raise NotFoundError(f"No run {ref}.", "It may have been deleted.")
        run = self.run(ref, cancel)
        events, steps = make_history(run)
        builder = BatchBuilder()
        yield builder.build(run, events[:4], steps, engine_now_ns=NOW)
        yield builder.build(None, events[4:], [], engine_now_ns=NOW)

    def tail(self, ref: RunRef, after: int, cancel: CancelToken) -> Iterator[Batch | Restart]:
        self.tails += 1
        while not cancel.cancelled:
            try:
                item = self.news.get(timeout=0.02)
            except queue.Empty:
                continue
            if isinstance(item, PlayheadError):
                raise item
            yield item
            if isinstance(item, Restart):
                return

    def related(self, ref: RunRef, cursor: bytes | None, limit: int, cancel: CancelToken) -> Relations:
        if not self.pages:
            return super().related(ref, cursor, limit, cancel)
        return self.pages[int(cursor or 0)]

    def payload(self, key: str, offset: int, length: int, cancel: CancelToken) -> bytes:
        self.asked.append((key, offset, length))
        data = self.payloads.get(key, b'{"key": "%s"}' % key.encode())
        return data[offset:] if length < 0 else data[offset : offset + length]


def event_batch(position: int, detail: str, run: Run | None = None) -> Batch:
    """One event of the run itself, with no new steps."""
    event = Event(position=position, kind=EventKind.OTHER, name="note", time_ns=NOW, detail=detail)
    return BatchBuilder().build(run, [(event, NONE)], [], engine_now_ns=NOW)


def completed(run: Run) -> Run:
    """The same run, closed."""
    return Run(
        ref=run.ref,
        id=run.id,
        type=run.type,
        status=Status.COMPLETED,
        engine_status="DONE",
        engine=run.engine,
        started_ns=run.started_ns,
        ended_ns=NOW,
    )


def two_pages() -> list[Relations]:
    """Three related runs on two pages."""
    first = tuple(Relation(role="child", run=make_run(i), ref=ref(f"run-{i:04d}")) for i in (1, 2))
    return [
        Relations(items=first, after=b"1"),
        Relations(items=(Relation(role="fork", run=make_run(3), ref=ref("run-0003")),)),
    ]
