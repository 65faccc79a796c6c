"""Runs a bulk job: canary, rate, items in flight, error share, pause, cancel; goes on after a crash where it stopped.

One loop writes outcomes and the next intents in one durable transaction of the journal, and only then sends: an intent
is always on disk before its item is sent. Worker thread; ``pause`` and ``cancel`` may be called from any.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Final

import msgspec

from engine_bridge.actions.bulk_model import ERRORS, ItemState, Job, JobState, Progress, state_of
from engine_bridge.actions.bulk_pace import Pace
from engine_bridge.actions.bulk_settle import reconcile
from engine_bridge.actions.bulk_store import BulkStore, Ended, request_id
from engine_bridge.actions.child import PATIENCE_S, Child
from engine_bridge.actions.execute import LATER, SETTLE_S, after
from engine_bridge.actions.journal import Journal, Why
from engine_bridge.actions.journal_rows import who
from engine_bridge.actions.model import Actor, Intent, Outcome, PlanItem, Receipt, Signature, Verdict
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError
from engine_bridge.session import Call

_AHEAD: Final = 500
_TELL_S: Final = 0.1
_TICK_S: Final = 0.05
_OUTCOME_S: Final = 0.25
OnProgress = Callable[[Progress], None]


@dataclass(slots=True)
class _Flight:
    """One item that was sent."""

    number: int
    intent: Intent
    started_ns: int
    call: Call | None = None
    place: int = 0


@dataclass(slots=True)
class _Tally:
    """What this run did so far."""

    done: int = 0
    errors: int = 0
    sent: int = 0
    counts: dict[str, int] = field(default_factory=dict)


class BulkRun:
    """One job under way. Use as a context manager: its child process lives as long as it.

    ``factory`` makes an unopened actor and must be picklable.
    """

    def __init__(self, factory: Callable[[], Actor], journal: Journal, store: BulkStore, job_id: str) -> None:
        self._child = Child(factory, journal.owner)
        self._journal = journal
        self._store = store
        self._job_id = job_id
        self._pausing = False
        self._cancelling = False

    def __enter__(self) -> BulkRun:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.drop()

    def pause(self) -> None:
        """The run under way sends nothing more, and returns when its items have ended."""
        self._pausing = True

    def cancel(self) -> None:
        """As ``pause``, but for good, and what does not end within 1.5 s is killed and read back."""
        self._cancelling = True

    def run(self, cancel: CancelToken, on_progress: OnProgress = lambda _: None) -> Job:
        """Runs until the job is done, stops or asks: the answer's state says which. Run it again to go on.

        First settles what an ended Playhead left open. A cancelled token stops it within 2 s, resumably. Raises
        PlayheadError when the job cannot be taken up.
        """
        self._pausing = self._cancelling = False
        self._journal.owner.acquire()
        job = self._store.claim(self._job_id, self._journal.owner.id)
        try:
            state, why = self._run(job, cancel, on_progress)
        except PlayheadError as error:
            state, why = JobState.PAUSED if cancel.cancelled else JobState.STOPPED, str(error)
        except BaseException:
            self._store.leave(job.id, JobState.STOPPED, "An error in Playhead.")
            raise
        ended = self._store.leave(job.id, state, why)
        on_progress(Progress(job=ended, in_flight=0, rate=0.0))
        return ended

    def _run(self, job: Job, cancel: CancelToken, on_progress: OnProgress) -> tuple[JobState, str]:
        self._child.signature = Signature(who=who(), reason=job.reason)
        self._child.ready(cancel)
        reconcile(self._child, self._journal, self._store, job, cancel)
        self._child.ready(cancel)
        together: int = self._child.call("together", (job.action,), cancel, SETTLE_S)
        loop = _Loop(self, self._store.job(job.id), together, on_progress)
        try:
            state, why = loop.run(cancel)
        finally:
            loop.abandon()
            self._journal.seal()
        unknown = self._store.job(job.id).count(ItemState.OPEN)
        if state is JobState.DONE and unknown:
            return JobState.STOPPED, f"What became of {unknown} could not be read back yet."
        return state, why


class _Loop:
    """One pass over the items that are left."""

    def __init__(self, owner: BulkRun, job: Job, together: int, on_progress: OnProgress) -> None:
        self._owner = owner
        self._child, self._journal, self._store = owner._child, owner._journal, owner._store
        self._job = job
        self._settings = job.settings
        # Half of what may be under way at once: the source works on it while the journal takes the other half.
        self._together = max(1, min(together, job.settings.in_flight // 2))
        self._why = Why(environment=job.environment, reason=job.reason, job=job.id)
        self._on_progress = on_progress
        self._told = 0.0
        self._began = time.monotonic()
        self._pace = Pace(job.settings.rate, self._began)
        self._queue: SimpleQueue[list[_Flight]] = SimpleQueue()
        self._flying: dict[int, _Flight] = {}
        self._ended: list[tuple[_Flight, Receipt]] = []
        self._tally = _Tally(counts=dict(job.counts))
        self._next: list[tuple[int, int, PlanItem]] = []
        self._last = -1
        self._ended_since = 0.0
        self._lost = False
        self._exhausted = False
        self._failed = ""
        tested = job.done - job.count(ItemState.REFUSED)
        canary = not job.canary_passed and 0 < self._settings.canary < job.total - job.count(
            ItemState.REFUSED
        )
        self._canary_left = max(0, self._settings.canary - tested) if canary else -1

    def run(self, cancel: CancelToken) -> tuple[JobState, str]:
        """The state in which the job is left, and why."""
        given_up: float | None = None
        while True:
            stop = self._stop(cancel)
            if self._worth_a_commit():
                self._commit([] if stop else self._due())
            self._tell()
            if not self._flying and not self._ended and (stop or not self._more()):
                return stop or (JobState.DONE, "")
            if stop and stop[0] is not JobState.CANARY and self._hurry(cancel):
                given_up = given_up or self._cancel_calls()
                if time.monotonic() > given_up and self._flying and self._child.alive:
                    self._child.drop(kill=True)
            self._collect(self._wait_s(stopping=stop is not None))

    def abandon(self) -> None:
        """Whatever is still under way after an error of programming is settled by whoever comes next."""
        for flight in self._flying.values():
            self._journal.unsettled(flight.intent)

    def _hurry(self, cancel: CancelToken) -> bool:
        return cancel.cancelled or self._owner._cancelling

    def _cancel_calls(self) -> float:
        for flight in self._flying.values():
            if flight.call is not None:
                flight.call.cancel()
        return time.monotonic() + PATIENCE_S

    def _stop(self, cancel: CancelToken) -> tuple[JobState, str] | None:
        """Why nothing more may be sent."""
        if self._failed:
            return JobState.STOPPED, self._failed
        if self._owner._cancelling:
            return JobState.CANCELLED, "cancelled"
        if cancel.cancelled or self._owner._pausing:
            return JobState.PAUSED, "paused"
        tally, settings = self._tally, self._settings
        if tally.errors and tally.done >= settings.stop_minimum and settings.stop_share < 1:
            share = tally.errors / tally.done
            if share >= settings.stop_share:
                return JobState.STOPPED, f"{tally.errors} of {tally.done} failed ({share:.0%})"
        if self._canary_left == 0 and self._more():
            return JobState.CANARY, ""
        return None

    def _more(self) -> bool:
        if not self._next and not self._exhausted:
            self._next = self._store.left(self._job.id, self._last, _AHEAD)
            self._exhausted = not self._next
            if self._next:
                self._last = self._next[-1][0]
        return bool(self._next)

    def _worth_a_commit(self) -> bool:
        """Whether to write now: a durable transaction costs as much as an action, so it waits for company.

        Meanwhile the source has half of the items under way to work on; an outcome waits for a quarter of a second.
        """
        now = time.monotonic()
        if not self._flying or (self._ended and now - self._ended_since > _OUTCOME_S):
            return True
        if self._settings.rate > 0 and self._room() > 0:
            return self._pace.allowed(now) > 0
        return len(self._flying) <= self._settings.in_flight // 2

    def _due(self) -> list[tuple[int, int, PlanItem]]:
        """The items that may be sent now."""
        room = self._room()
        if room <= 0 or not self._more():
            return []
        count = min(room, self._pace.allowed(time.monotonic()))
        due, self._next = self._next[:count], self._next[count:]
        return due

    def _room(self) -> int:
        room = self._settings.in_flight - len(self._flying)
        return room if self._canary_left < 0 else min(room, self._canary_left)

    def _wait_s(self, *, stopping: bool) -> float:
        """How long to wait for an ended call: until the next item may be sent, but 50 ms at most."""
        paced = self._settings.rate > 0 and self._room() > 0 and self._more()
        if paced and not stopping:
            return min(_TICK_S, max(self._pace.wait_s(), 0.001))
        return _TICK_S if self._flying else 0.0

    def _collect(self, timeout: float) -> None:
        """Takes what has ended, after at most ``timeout`` seconds."""
        try:
            while True:
                flights = self._queue.get(timeout=timeout) if timeout else self._queue.get_nowait()
                timeout = 0.0
                if not self._ended:
                    self._ended_since = time.monotonic()
                for flight in flights:
                    del self._flying[flight.number]
                    self._ended.append((flight, self._receipt(flight)))
        except Empty:
            return

    def _receipt(self, flight: _Flight) -> Receipt:
        took = time.monotonic_ns() - flight.started_ns
        ended = _answer(flight)
        if isinstance(ended, Receipt):
            found = ended
        elif isinstance(ended, PlayheadError):
            found = self._read_back(flight.intent, ended.message)
        else:
            found = self._read_back(flight.intent, f"It failed: {type(ended).__name__}")
        return msgspec.structs.replace(found, took_ns=took)

    def _read_back(self, intent: Intent, why: str) -> Receipt:
        if self._lost:
            # One wait for a source that does not answer is enough.
            outcome = Outcome(verdict=Verdict.UNKNOWN, evidence=(why,), pending=LATER)
            return Receipt(request_id=intent.request_id, outcome=outcome)
        receipt = after(self._child, intent, f"The engine's client said: {why}", CancelToken())
        self._lost = receipt.outcome.pending == LATER
        return receipt

    def _commit(self, due: list[tuple[int, int, PlanItem]]) -> None:
        """Journals what ended and what comes next in one transaction, then sends the latter."""
        if not due and not self._ended:
            return
        ended, self._ended = self._ended, []
        flights = [self._flight(*one) for one in due]
        known = [(f.intent, r) for f, r in ended if r.outcome.pending != LATER]
        try:
            if flights:
                self._child.ready(CancelToken(), SETTLE_S)
            self._journal.group([flight.intent for flight in flights], self._why, known, anchor=False)
        except PlayheadError as error:
            # Nothing of ``due`` was sent; the journal writes the outcomes with its next row.
            self._failed, flights = str(error), []
        self._note(ended)
        for at in range(0, len(flights), self._together):
            self._start(flights[at : at + self._together])
        self._pace.sent(len(flights))
        self._tally.sent += len(flights)
        if self._canary_left > 0:
            self._canary_left -= len(flights)

    def _flight(self, number: int, attempt: int, item: PlanItem) -> _Flight:
        name = request_id(self._job.id, number, attempt)
        intent = Intent(request_id=name, source=self._job.source, item=item)
        return _Flight(number, intent, time.monotonic_ns())

    def _start(self, flights: list[_Flight]) -> None:
        self._flying |= {flight.number: flight for flight in flights}
        asked = tuple((flight.intent.item, flight.intent.request_id) for flight in flights)
        if len(flights) > 1:
            call = self._child.start("execute_many", (asked,), CancelToken())
        else:
            call = self._child.start("execute", asked[0], CancelToken())
        for place, flight in enumerate(flights):
            flight.call, flight.place = call, place
        call.when_done(lambda _: self._queue.put(flights))

    def _note(self, ended: list[tuple[_Flight, Receipt]]) -> None:
        rows: list[Ended] = []
        for flight, receipt in ended:
            outcome = receipt.outcome
            later = outcome.pending == LATER
            if later:
                self._journal.unsettled(flight.intent)
            state = state_of(outcome, later)
            self._tally.done += 1
            self._tally.errors += state in ERRORS
            for name, change in ((ItemState.WAITING.value, -1), (state.value, 1)):
                self._tally.counts[name] = self._tally.counts.get(name, 0) + change
            why = "; ".join(outcome.evidence) if state is not ItemState.APPLIED else outcome.pending
            rows.append((flight.number, state, why, str(outcome.new_ref or ""), receipt.took_ns))
        if rows:
            self._store.finish(self._job.id, rows)

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told > _TELL_S:
            self._told = now
            job = msgspec.structs.replace(self._job, counts=dict(self._tally.counts))
            rate = self._tally.sent / max(now - self._began, 1e-3)
            self._on_progress(Progress(job=job, in_flight=len(self._flying), rate=rate))


def _answer(flight: _Flight) -> Receipt | BaseException | None:
    """What the call said of one item that it carried, or why it said nothing."""
    call = flight.call
    if call is None or call.error is not None:
        return None if call is None else call.error
    result: Receipt | list[Receipt | PlayheadError] = call.result(0)
    return result[flight.place] if isinstance(result, list) else result
