"""Histories of DBOS runs: reads the rows of a run, tells them, hands them over in batches.

What was handed over is remembered, so that ``tail.follow`` continues exactly there.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import runs
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.history_order import ORDER_DOC, Draft
from engine_bridge.engines.dbos.history_read import read_story
from engine_bridge.engines.dbos.history_rows import Story
from engine_bridge.engines.dbos.history_tale import Tale, tell
from engine_bridge.engines.dbos.infer_read import read_context
from engine_bridge.history import Batch, BatchBuilder
from engine_bridge.model import (
    Event,
    Evidence,
    Provenance,
    Run,
    RunRef,
    Status,
    Step,
    StepKind,
    StepStatus,
)

_EVENTS_A_BATCH: Final = 8_000
_REMEMBERED: Final = 8
_READS: Final = 3


class Teller:
    """Hands a run over in batches and knows what it has handed over. Belongs to one thread at a time."""

    def __init__(self) -> None:
        self.position = 0
        self.run: Run | None = None
        self.steps: dict[str, Step] = {}
        self.told: dict[str, tuple[int | None, StepStatus | None]] = {}
        self._builder = BatchBuilder()

    def batches(self, tale: Tale, now_ns: int, cancel: CancelToken) -> Iterator[Batch]:
        """Batches of all that a tale has beyond what was handed over; none when there is nothing."""
        fresh = [draft for draft in tale.drafts if draft.key not in self.told]
        changed = {step.id: step for step in tale.steps if self.steps.get(step.id) != step}
        every = {step.id: step for step in tale.steps}
        for id_, step in self.steps.items():
            if id_ not in every:
                every[id_] = left_over(step, tale.run)
                if every[id_] != step:
                    changed[id_] = every[id_]
        total = len(self.told) + len(fresh)
        if not fresh and not changed and tale.run == self.run:
            return
        for at in range(0, max(len(fresh), 1), _EVENTS_A_BATCH):
            cancel.progress(at, len(fresh), "Building the history")
            some = fresh[at : at + _EVENTS_A_BATCH]
            last = at + _EVENTS_A_BATCH >= len(fresh)
            named = {draft.step_id for draft in some if draft.step_id is not None}
            steps = {id_: every[id_] for id_ in sorted(named, key=int)}
            for id_ in named:
                changed.pop(id_, None)
            if last:
                steps |= changed
            yield self._batch(tale, some, steps, total, now_ns, last)
        self.steps = every

    def _batch(
        self, tale: Tale, drafts: list[Draft], steps: dict[str, Step], total: int, now_ns: int, last: bool
    ) -> Batch:
        # The header goes first, so that a view has it at once; its word on what is open is the last one's.
        self.run = tale.run
        ordered = sorted(steps.values(), key=lambda step: int(step.id))
        events = [(self._event(draft), draft.run_code) for draft in drafts]
        notes = tale.notes if last else ()
        return self._builder.build(tale.run, events, ordered, total=total, engine_now_ns=now_ns, notes=notes)

    def _event(self, draft: Draft) -> Event:
        self.position += 1
        self.told[draft.key] = (draft.time_ns, draft.status)
        evidence = (Evidence(rule=draft.kind.value, facts=draft.facts),) if draft.facts else ()
        attributes = {} if draft.failed_step is None else {"failed_step": draft.failed_step}
        return Event(
            position=self.position,
            kind=draft.kind,
            name=draft.name,
            time_ns=draft.time_ns,
            step_id=draft.step_id,
            step_name=draft.step_name,
            status=draft.status,
            detail=draft.detail,
            payloads=draft.payloads,
            failure=draft.failure,
            ref=draft.ref,
            provenance=draft.provenance,
            evidence=evidence,
            attributes=attributes,
        )


def left_over(step: Step, run: Run) -> Step:
    """What a step that was inferred while the run was followed, and then did not come, was: workflow code.

    A history has no way to take a row back, and starting over at the end of every run would disturb its reader.
    """
    ended = run.ended_ns if run.status.closed else step.start_ns
    known = {Status.COMPLETED: StepStatus.COMPLETED, Status.CANCELLED: StepStatus.CANCELLED}
    return Step(
        id=step.id,
        name="workflow code",
        kind=StepKind.OTHER,
        status=known.get(run.status, StepStatus.UNKNOWN),
        start_ns=step.start_ns,
        end_ns=ended,
        detail="no step was recorded here",
        provenance=Provenance.INFERRED,
        fields={"start_ns": Provenance.INFERRED, "end_ns": Provenance.INFERRED},
        evidence=step.evidence,
    )


class _Shelf:
    """Tellers by database, run and last position, so that a tail continues where a history ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: weakref.WeakKeyDictionary[Database, OrderedDict[tuple[RunRef, int], Teller]]
        self._kept = weakref.WeakKeyDictionary()

    def put(self, db: Database, ref: RunRef, teller: Teller) -> None:
        with self._lock:
            kept = self._kept.setdefault(db, OrderedDict())
            kept[ref, teller.position] = teller
            while len(kept) > _REMEMBERED:
                kept.popitem(last=False)

    def take(self, db: Database, ref: RunRef, position: int) -> Teller | None:
        with self._lock:
            return self._kept.get(db, OrderedDict()).pop((ref, position), None)


SHELF: Final = _Shelf()


def read_history(db: Database, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
    """The whole history of a run. Raises NotFoundError. The first batch comes with the header."""
    teller = Teller()
    tale, now_ns = read_tale(db, ref, cancel)
    yield from teller.batches(tale, now_ns, cancel)
    SHELF.put(db, ref, teller)


def read_tale(db: Database, ref: RunRef, cancel: CancelToken) -> tuple[Tale, int]:
    """Reads and tells a run as of now; also the engine's clock."""
    story, header = _read_same(db, ref, cancel)
    with db.reader(cancel) as read:
        context = read_context(db.tables, read, story)
    tale = Tale(header)
    for piece in tell(story, header, context):
        if isinstance(piece, Tale):
            tale = piece
        else:
            cancel.progress(piece, len(story.steps), "Building the history")
    return tale, story.now_ms * 1_000_000


def _read_same(db: Database, ref: RunRef, cancel: CancelToken) -> tuple[Story, Run]:
    """Rows and header of one moment: both are read again when the run moved in between."""
    for _ in range(_READS):
        story = read_story(db, ref.run, cancel)
        header = runs.read_run(db, ref, cancel)
        updated = None if header.updated_ns is None else header.updated_ns // 1_000_000
        if (header.engine_status, updated) == (story.run.status, story.run.updated_ms):
            break
    return story, header


__all__ = ["ORDER_DOC", "SHELF", "Teller", "read_history", "read_tale"]
