"""Before a bulk job goes on: what was left open is settled, and the report catches up with the journal."""

from __future__ import annotations

import time
from typing import Final

from engine_bridge.actions.bulk_model import ItemState, Job, state_of
from engine_bridge.actions.bulk_store import BulkStore, Ended
from engine_bridge.actions.child import Child
from engine_bridge.actions.execute import read_back
from engine_bridge.actions.journal import Journal, Kind, Row
from engine_bridge.actions.model import Outcome, Verdict
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import BusyError, PlayheadError

_ORPHANS_S: Final = 10.0


def reconcile(child: Child, journal: Journal, store: BulkStore, job: Job, cancel: CancelToken) -> None:
    """Settles the job's open intents and brings its items up to what the journal says.

    Raises PlayheadError when the source cannot be read now, or a child of the ended Playhead still works.
    """
    deadline = time.monotonic() + _ORPHANS_S
    while True:
        _settle(child, journal, job.source, cancel)
        items = store.report(job.id, (ItemState.WAITING, ItemState.OPEN))
        known = journal.of_requests([item.request_id for item in items])
        sent = [(item.number, rows) for item in items if (rows := known.get(item.request_id)) is not None]
        over = [(number, rows) for number, rows in sent if rows[-1].kind is Kind.OUTCOME]
        interrupted = [number for number, rows in over if _interrupted(rows)]
        store.finish(job.id, [_ended(number, rows[-1]) for number, rows in over if not _interrupted(rows)])
        store.again(job.id, interrupted)
        if len(over) == len(sent):
            return
        if time.monotonic() > deadline:
            raise BusyError(
                "A process of the ended Playhead is still at work on this job.", "Try again shortly."
            )
        cancel.wait(0.1)
        cancel.raise_if_cancelled()


def catch_up(journal: Journal, store: BulkStore, job_id: str) -> None:
    """Items whose effect was awaited say what the journal has heard of it since."""
    waiting = [one for one in store.report(job_id, (ItemState.APPLIED, ItemState.UNKNOWN)) if one.why]
    known = journal.of_requests([one.request_id for one in waiting])
    moved: list[Ended] = []
    for one in waiting:
        last = known[one.request_id][-1] if one.request_id in known else None
        if last is None or last.kind is not Kind.OUTCOME or last.pending:
            continue
        _, state, why, new, _ = _ended(one.number, last)
        if (state, why) != (one.state, one.why):
            moved.append((one.number, state, why, new or one.new_ref, one.took_ns))
    if moved:
        store.finish(job_id, moved)


def _settle(child: Child, journal: Journal, source: str, cancel: CancelToken) -> None:
    taken = journal.take_over(source)
    for number, intent in enumerate(taken):
        cancel.progress_through(number, len(taken), "Settling what was left open")
        try:
            journal.settled(intent, read_back(child, intent, cancel))
        except PlayheadError:
            for left in taken[number:]:
                journal.unsettled(left)
            raise


def _interrupted(rows: list[Row]) -> bool:
    """Whether an item was settled as not applied after the run that sent it had ended: nothing refused it.

    Should its effect come about yet, the precondition of the next attempt no longer holds.
    """
    last = rows[-1]
    return last.verdict == Verdict.NOT_APPLIED.value and not last.stale and last.took_ns is None


def _ended(number: int, row: Row) -> Ended:
    outcome = Outcome(verdict=Verdict(row.verdict), stale=row.stale)
    state = state_of(outcome, later=False)
    why = "; ".join(row.evidence) if state is not ItemState.APPLIED else row.pending
    return number, state, why, row.new_ref, row.took_ns
