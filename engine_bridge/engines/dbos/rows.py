"""Rows of ``workflow_status`` as ``Run`` values: what is recorded, what is rebuilt, and why.

Stored times are epoch milliseconds; a value of an impossible type makes the row ``bad`` and never the page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.engines.dbos.errors import error_line
from engine_bridge.engines.dbos.history_rows import INTERNAL_QUEUE
from engine_bridge.engines.dbos.tables import COLUMNS, Expression, Tables
from engine_bridge.format import duration
from engine_bridge.model import Evidence, Failure, Provenance, Run, RunRef, Status
from engine_bridge.payloads import reason

MS: Final = 1_000_000
LIMIT_MS: Final = (1 << 63) // MS
"""Beyond this a time does not fit nanoseconds in 64 bits (the year 2262)."""
STATUSES: Final[dict[str, Status]] = {
    "PENDING": Status.RUNNING,
    "ENQUEUED": Status.QUEUED,
    "DELAYED": Status.DELAYED,
    "SUCCESS": Status.COMPLETED,
    "ERROR": Status.FAILED,
    "CANCELLED": Status.CANCELLED,
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": Status.FAILED,
}
EXHAUSTED: Final = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"

_HEAVY: Final = frozenset({"inputs", "output", "error", "request"})
_LISTED: Final = tuple(name for name in COLUMNS["workflow_status"] if name not in _HEAVY)
_RENAMED: Final = {"authenticated_user": "user"}
_FIRST_EXTRA: Final = _LISTED.index("serialization")
_STARTED: Final = (
    Evidence(
        rule="started directly, not through a queue: it began when it was created",
        facts=("started_at_epoch_ms is empty",),
    ),
)
_RESTARTED: Final = (
    Evidence(rule="the start is that of the latest dispatch: earlier ones are not recorded", facts=()),
)
_RECOVERED: Final = (
    Evidence(
        rule="started directly, then recovered: it began when it was created",
        facts=("started_at_epoch_ms is that of the latest recovery",),
    ),
)
_ENDED: Final = (
    Evidence(
        rule="closed at its last update", facts=("this schema version has no completed_at, or it is empty",)
    ),
)
_NO_EVIDENCE: Final[tuple[Evidence, ...]] = ()
_PLAIN: Final[dict[str, Provenance]] = {}
_DIRECT: Final = {"started_ns": Provenance.REBUILT}
_CLOSED: Final = {"ended_ns": Provenance.REBUILT}
_PLAIN_PAIRS: Final[dict[str, Any]] = {}
_STATES: Final = {state: (status, status.closed) for state, status in STATUSES.items()}
_UNKNOWN: Final = (Status.UNKNOWN, False)
_WAITING: Final = frozenset({"ENQUEUED", "DELAYED"})
_TIMES_OF: Final = itemgetter(3, 4, 5, 6, 13, 14)


def ref(run_id: str) -> RunRef:
    """The reference of a workflow id."""
    return RunRef("workflow", run_id, run_id)


def listed(tables: Tables) -> list[Expression]:
    """The columns that ``build`` reads, in its order, then those that this bridge does not know."""
    known = [_listed(tables, name) for name in _LISTED]
    return known + [_unknown_text(tables, name) for name in tables.unknown]


def _listed(tables: Tables, name: str) -> Expression:
    # PostgreSQL's driver would parse JSON by itself.
    return (
        tables.text("workflow_status", name) if name == "attributes" else tables.col("workflow_status", name)
    )


def _unknown_text(tables: Tables, name: str) -> Expression:
    return sa.cast(tables["workflow_status"].c[name], sa.Text()).label(name)


class Builder:
    """Turns rows of ``listed`` into runs. Remembers which type signatures were found sound; any thread."""

    def __init__(self, tables: Tables) -> None:
        self._unknown = tables.unknown
        self._names = (*_LISTED, *self._unknown)
        # Sound signatures, with the extras that rows of it have.
        self._sound: dict[tuple[type, ...], list[tuple[str, int]]] = {}
        self.width: Final = len(_LISTED) + len(self._unknown)

    def build(
        self,
        rows: Sequence[Sequence[Any]],
        now_ns: int,
        steps_done: Mapping[str, int] | None,
        failures: Mapping[str, Failure],
        bad_texts: Set[str] = frozenset(),
    ) -> list[Run]:
        """The runs of rows. ``steps_done`` None: not counted; ``bad_texts`` were not valid UTF-8."""
        sound, built = self._sound, []
        careful = bool(bad_texts) or not _plausible(rows)
        for row in rows:
            bad = None
            extras = None if careful else sound.get(tuple(map(type, row)))
            if extras is None:
                row, extras, bad = self._checked(row, bad_texts)
            run_id = row[0]
            done = None if steps_done is None else steps_done.get(run_id, 0)
            built.append(self._run(row, extras, now_ns, done, failures.get(run_id), bad))
        return built

    def _checked(
        self, row: Sequence[Any], bad_texts: Set[str]
    ) -> tuple[Sequence[Any], list[tuple[str, int]], str | None]:
        """The row with what is unreadable mended, its extras, and what was unreadable."""
        pairs = list(zip(self._names, row[: self.width], strict=True))
        wrong = [name for name, value in pairs if not _fits(name, value) or value in bad_texts]
        bad = f"unreadable: {', '.join(wrong)}" if wrong else None
        mended = [_mend(name, value) for name, value in pairs] if wrong else row
        extras = [
            (_RENAMED.get(name, name), at)
            for at, name in enumerate(self._names)
            if at >= _FIRST_EXTRA and mended[at] is not None
        ]
        if not wrong:
            self._sound[tuple(map(type, row))] = extras
        return mended, extras, bad

    def _run(
        self,
        row: Sequence[Any],
        extras: list[tuple[str, int]],
        now_ns: int,
        steps_done: int | None,
        failure: Failure | None,
        bad: str | None,
    ) -> Run:
        (
            uuid, state, name, created, updated, started, completed, dispatches, executor, version,
            queue, partition, priority, deadline, delay_until, parent, forked, schedule, attributes,
        ) = row[:19]  # fmt: skip
        status, closed = _STATES.get(state, _UNKNOWN)
        started, provenance, evidence = _start(state, status, queue, created, started, dispatches)
        if not closed:
            completed = None
        elif completed is None:
            completed, provenance, evidence = updated, provenance | _CLOSED, evidence + _ENDED
        if state == EXHAUSTED and failure is None:
            failure = Failure(type=EXHAUSTED, message=f"given up after {dispatches} dispatches")
            provenance = provenance | {"failure": Provenance.REBUILT}
        pairs = _PLAIN_PAIRS
        if attributes is not None and attributes != "null":
            pairs, broken = _attributes(attributes)
            bad = bad or broken
        return Run(
            ref=RunRef("workflow", uuid, uuid),
            id=uuid,
            type=name or "",
            status=status,
            engine_status=state or "",
            engine="dbos",
            created_ns=None if created is None else created * MS,
            started_ns=None if started is None else started * MS,
            ended_ns=None if completed is None else completed * MS,
            updated_ns=None if updated is None else updated * MS,
            deadline_ns=None if deadline is None else deadline * MS,
            delay_until_ns=None if delay_until is None else delay_until * MS,
            parent=None if parent is None else RunRef("workflow", parent, parent),
            forked_from=None if forked is None else RunRef("workflow", forked, forked),
            queue=queue,
            partition=partition,
            priority=priority,
            worker=executor,
            version=version,
            schedule=schedule,
            dispatches=dispatches,
            steps_done=steps_done,
            now=_why(status, failure, queue, completed, deadline, delay_until, now_ns),
            error=None if failure is None or state == EXHAUSTED else error_line(failure),
            failure=failure,
            attributes=pairs,
            # What is empty or false is left out.
            extra={name: row[at] for name, at in extras if row[at]},
            provenance=provenance,
            evidence=evidence,
            bad=bad,
        )


def _start(
    state: Any, status: Status, queue: Any, created: Any, started: Any, dispatches: Any
) -> tuple[Any, dict[str, Provenance], tuple[Evidence, ...]]:
    """When a run began (ms), and how we know; ``keyset.started`` says the same in SQL."""
    if started is None:
        # Cancelling wipes started_at; a run that was never handed out never began.
        if state not in _WAITING and not (dispatches == 0 and status is Status.CANCELLED):
            return created, _DIRECT, _STARTED
    elif dispatches is not None and dispatches > 1:
        if queue == INTERNAL_QUEUE:
            return created, _DIRECT, _RECOVERED
        return started, _PLAIN, _RESTARTED
    return started, _PLAIN, _NO_EVIDENCE


def _plausible(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether all times of some rows fit nanoseconds; a column of mixed types is not plausible."""
    try:
        for column in zip(*map(_TIMES_OF, rows), strict=True):
            known = [value for value in column if value is not None] if None in column else column
            if known and (max(known) >= LIMIT_MS or min(known) <= -LIMIT_MS):
                return False
    except TypeError:
        return False
    return True


def _why(
    status: Status,
    failure: Failure | None,
    queue: str | None,
    ended: int | None,
    deadline: int | None,
    delay_until: int | None,
    now_ns: int,
) -> str:
    if status is Status.FAILED:
        if failure is None:
            return ""
        return failure.message if failure.type == EXHAUSTED else reason(failure)
    if status is Status.CANCELLED:
        return "cancelled: its deadline had passed" if _late(ended, deadline) else "cancelled"
    if status is Status.DELAYED and delay_until is not None:
        gap = delay_until * MS - now_ns
        return f"delayed, due in {duration(gap)}" if gap > 0 else f"delayed, due {duration(-gap)} ago"
    if status is Status.QUEUED:
        return f"queued on {queue}" if queue else "queued"
    return ""


def _late(ended: int | None, deadline: int | None) -> bool:
    if ended is None or deadline is None:
        return False
    # Old SQLite writes ends in whole seconds, deadlines always have milliseconds.
    return ended + (999 if ended % 1000 == 0 else 0) >= deadline


def _attributes(text: Any) -> tuple[dict[str, Any], str | None]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}, "unreadable: attributes are not JSON"
    if isinstance(found, Mapping):
        return dict(found), None
    return {}, None if found is None else "unreadable: attributes are not an object"


def _fits(name: str, value: Any) -> bool:
    if value is None:
        return name != "workflow_uuid"
    if name in INTEGERS:
        return type(value) in (int, bool) and -LIMIT_MS < value < LIMIT_MS
    return type(value) is str


def _mend(name: str, value: Any) -> Any:
    if _fits(name, value):
        return value
    if name in INTEGERS:
        return None
    if isinstance(value, bytes):
        return value[:200].decode(errors="backslashreplace")
    return "" if value is None else str(value)


INTEGERS: Final = frozenset(
    {
        "created_at", "updated_at", "started_at_epoch_ms", "completed_at", "recovery_attempts", "priority",
        "workflow_deadline_epoch_ms", "delay_until_epoch_ms", "workflow_timeout_ms", "rate_limited",
        "was_forked_from", "is_debounced", "debounce_deadline_epoch_ms",
    }
)  # fmt: skip
