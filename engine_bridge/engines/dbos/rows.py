"""Rows of ``workflow_status`` as ``Run`` values: what is recorded, what is rebuilt, and why.

Stored times are epoch milliseconds; a value of an impossible type makes the row ``bad`` and never the page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.engines.dbos.errors import error_line, why
from engine_bridge.engines.dbos.tables import COLUMNS, Expression, Tables
from engine_bridge.format import duration
from engine_bridge.model import Evidence, Failure, Provenance, Run, RunRef, Status

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
_EXTRAS: Final = (
    "class_name",
    "config_name",
    "application_name",
    "application_id",
    "deduplication_id",
    "workflow_timeout_ms",
    "rate_limited",
    "was_forked_from",
    "is_debounced",
    "debounce_deadline_epoch_ms",
    "user",
    "assumed_role",
    "authenticated_roles",
    "owner_xid",
    "creator_xid",
)
_FIRST_EXTRA: Final = _LISTED.index("class_name")
_FLAGS: Final = frozenset({"rate_limited", "was_forked_from", "is_debounced"})

_STARTED: Final = Evidence(
    rule="started directly, not through a queue: it began when it was created",
    facts=("started_at_epoch_ms is empty",),
)
_RESTARTED: Final = Evidence(
    rule="the start is that of the latest dispatch: earlier ones are not recorded", facts=()
)
_ENDED: Final = Evidence(
    rule="closed at its last update", facts=("this schema version has no completed_at, or it is empty",)
)


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
    """Turns rows of ``listed`` into runs. Remembers which type signatures were found sound; one per thread."""

    width: Final = len(_LISTED)

    def __init__(self, tables: Tables) -> None:
        self._unknown = tables.unknown
        self._sound: set[tuple[type, ...]] = set()

    def build(
        self,
        row: Sequence[Any],
        now_ns: int,
        steps_done: int | None = None,
        failure: Failure | None = None,
        bad_texts: Set[str] = frozenset(),
    ) -> Run:
        """A run of one row. ``failure`` is its decoded error; ``bad_texts`` were not valid UTF-8."""
        signature = tuple(map(type, row))
        bad = None
        if signature not in self._sound or bad_texts or not _plausible(row):
            row, bad = self._checked(row, signature, bad_texts)
        return self._run(row, now_ns, steps_done, failure, bad)

    def _checked(
        self, row: Sequence[Any], signature: tuple[type, ...], bad_texts: Set[str]
    ) -> tuple[Sequence[Any], str | None]:
        names = (*_LISTED, *self._unknown)
        pairs = list(zip(names, row, strict=True))
        wrong = [name for name, value in pairs if not _fits(name, value) or value in bad_texts]
        if not wrong:
            self._sound.add(signature)
            return row, None
        mended = [_mend(name, value) for name, value in pairs]
        return mended, f"unreadable: {', '.join(wrong)}"

    def _run(
        self,
        row: Sequence[Any],
        now_ns: int,
        steps_done: int | None,
        failure: Failure | None,
        bad: str | None,
    ) -> Run:
        (
            uuid, state, name, created, updated, started, completed, dispatches, executor, version,
            queue, partition, priority, deadline, delay_until, parent, forked, schedule, attributes,
        ) = row[:19]  # fmt: skip
        status = STATUSES.get(state, Status.UNKNOWN)
        provenance: dict[str, Provenance] = {}
        evidence: tuple[Evidence, ...] = ()
        if started is None and _began(status, dispatches):
            started = created
            provenance["started_ns"] = Provenance.REBUILT
            evidence = (_STARTED,)
        elif started is not None and dispatches is not None and dispatches > 1:
            evidence = (_RESTARTED,)
        if not status.closed:
            completed = None
        elif completed is None:
            completed = updated
            provenance["ended_ns"] = Provenance.REBUILT
            evidence += (_ENDED,)
        if state == EXHAUSTED and failure is None:
            failure = Failure(type=EXHAUSTED, message=f"given up after {dispatches} dispatches")
            provenance["failure"] = Provenance.REBUILT
        pairs, broken = _attributes(attributes)
        ended_ns = None if completed is None else completed * MS
        deadline_ns = None if deadline is None else deadline * MS
        return Run(
            ref=RunRef("workflow", uuid, uuid),
            id=uuid,
            type=name or "",
            status=status,
            engine_status=state or "",
            engine="dbos",
            created_ns=None if created is None else created * MS,
            started_ns=None if started is None else started * MS,
            ended_ns=ended_ns,
            updated_ns=None if updated is None else updated * MS,
            deadline_ns=deadline_ns,
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
            now=_why(status, failure, queue, ended_ns, deadline_ns, delay_until, now_ns),
            error=error_line(failure) if failure is not None and state != EXHAUSTED else None,
            failure=failure,
            attributes=pairs,
            extra=self._extra(row),
            provenance=provenance,
            evidence=evidence,
            bad=bad or broken,
        )

    def _extra(self, row: Sequence[Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if row[19] is not None:
            found["serialization"] = row[19]
        for name, value in zip(_EXTRAS, row[_FIRST_EXTRA:], strict=False):
            if value is not None and value != "":
                found[name] = bool(value) if name in _FLAGS else value
        for name, value in zip(self._unknown, row[len(_LISTED) :], strict=True):
            if value is not None:
                found[name] = value
        return found


def _plausible(row: Sequence[Any]) -> bool:
    return all(value is None or -LIMIT_MS < value < LIMIT_MS for value in (*row[3:7], *row[13:15]))


def _began(status: Status, dispatches: int | None) -> bool:
    if status in (Status.QUEUED, Status.DELAYED):
        return False
    # Cancelling wipes started_at; a run that was never handed out never began.
    return not (status is Status.CANCELLED and dispatches == 0)


def _why(
    status: Status,
    failure: Failure | None,
    queue: str | None,
    ended_ns: int | None,
    deadline_ns: int | None,
    delay_until: int | None,
    now_ns: int,
) -> str:
    if status is Status.COMPLETED:
        return ""
    if status is Status.FAILED:
        if failure is None:
            return ""
        return failure.message if failure.type == EXHAUSTED else why(failure)
    if status is Status.CANCELLED:
        return "cancelled: its deadline had passed" if _late(ended_ns, deadline_ns) else "cancelled"
    if status is Status.DELAYED and delay_until is not None:
        gap = delay_until * MS - now_ns
        return f"delayed, due in {duration(gap)}" if gap > 0 else f"delayed, due {duration(-gap)} ago"
    if status is Status.QUEUED:
        return f"queued on {queue}" if queue else "queued"
    return ""


def _late(ended_ns: int | None, deadline_ns: int | None) -> bool:
    if ended_ns is None or deadline_ns is None:
        return False
    # Old SQLite writes ends in whole seconds, deadlines always have milliseconds.
    whole = ended_ns % 1_000_000_000 == 0
    return ended_ns + (999_999_999 if whole else 0) >= deadline_ns


def _attributes(text: Any) -> tuple[dict[str, Any], str | None]:
    if text is None or text == "null":
        return {}, None
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
