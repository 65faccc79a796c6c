"""Lists, facets and failures of runs that are all in memory."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from engine_bridge.bridge import Bucket, Cost, DurationPoint, Facets, FailureRow, Field, FieldType, Page, Sort
from engine_bridge.errors import UsageError
from engine_bridge.model import Failure, Run, Status, Step
from engine_bridge.payloads import root

_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)?")
"""A path that a filter can write without quotes."""
_PATHS: Final = 200
_SORTABLE: Final = {
    "created": "created_ns",
    "started": "started_ns",
    "ended": "ended_ns",
    "updated": "updated_ns",
    "duration": "duration_ns",
    "steps": "steps_done",
    "type": "type",
    "id": "id",
}


def fields(runs: Sequence[Run]) -> list[Field]:
    """What such runs can be filtered and sorted by, with the values that they have."""

    def values(name: str) -> tuple[str, ...]:
        return tuple(sorted({str(value) for run in runs if (value := getattr(run, name)) is not None}))

    texts = ("id", "type", "queue", "version", "worker", "schedule", "error")
    times = ("created", "started", "ended", "updated")
    listed = ("type", "queue", "version", "worker", "schedule")
    return [
        Field(name="status", type=FieldType.STATUS, values=tuple(Status), cost=Cost.INDEXED),
        *(
            Field(
                name=n,
                type=FieldType.TEXT,
                values=values(n) if n in listed else (),
                cost=Cost.INDEXED,
                sortable=n in _SORTABLE,
            )
            for n in texts
        ),
        *(Field(name=n, type=FieldType.TIME, cost=Cost.INDEXED, sortable=True) for n in times),
        Field(name="duration", type=FieldType.DURATION, cost=Cost.INDEXED, sortable=True),
        Field(name="steps", type=FieldType.INTEGER, cost=Cost.INDEXED, sortable=True),
        Field(name="attributes", type=FieldType.JSON, values=_paths(runs), cost=Cost.INDEXED),
    ]


def ordered(runs: Sequence[Run], sort: Sort) -> list[Run]:
    """Runs in an order; what has no such value comes last. Raises UsageError for an unknown field."""
    attribute = _SORTABLE.get(sort.field)
    if attribute is None:
        raise UsageError(
            f"These runs cannot be sorted by {sort.field!r}.", f"Sortable: {', '.join(_SORTABLE)}."
        )
    known = [run for run in runs if getattr(run, attribute) is not None]
    known.sort(key=lambda run: (getattr(run, attribute), run.id), reverse=sort.descending)
    return known + [run for run in runs if getattr(run, attribute) is None]


def page(rows: Sequence[Any], cursor: bytes | None, forward: bool, limit: int) -> Page:
    """A page of rows that never change, so that a cursor is a place in them."""
    at = int(cursor) if cursor is not None else 0 if forward else len(rows)
    start, end = (at, min(at + limit, len(rows))) if forward else (max(0, at - limit), at)
    return Page(
        items=tuple(rows[start:end]),
        before=str(start).encode() if start > 0 else None,
        after=str(end).encode() if end < len(rows) else None,
    )


def _paths(runs: Sequence[Run]) -> tuple[str, ...]:
    """The attributes that runs have, and the keys of those that hold some."""
    found = set()
    for run in runs:
        for name, value in run.attributes.items():
            keys = value if isinstance(value, dict) else {}
            found |= {f"{name}.{key}" for key in keys} if keys else {name}
    return tuple(sorted(path for path in found if _PATH.fullmatch(path))[:_PATHS])


def facets(runs: Sequence[Run], buckets: int) -> Facets:
    """Counts by status, type and time of creation; every duration."""
    times = [run.created_ns for run in runs if run.created_ns is not None]
    first = min(times, default=0)
    width = max(1, -(-(max(times, default=0) - first + 1) // max(1, buckets - 1)))
    cells: dict[int, Counter[str]] = {}
    for run in runs:
        at = run.created_ns if run.created_ns is not None else first
        cells.setdefault(first + (at - first) // width * width, Counter())[run.status.value] += 1
    return Facets(
        by_status=dict(Counter(run.status.value for run in runs)),
        by_type=dict(Counter(run.type for run in runs)),
        buckets=tuple(Bucket(start_ns=start, counts=dict(counts)) for start, counts in sorted(cells.items())),
        bucket_ns=width,
        durations=tuple(
            DurationPoint(
                ref=run.ref,
                start_ns=run.started_ns or 0,
                duration_ns=run.duration_ns,
                status=run.status.value,
            )
            for run in runs
            if run.duration_ns is not None
        ),
        total=len(runs),
    )


def failure_rows(run: Run, steps: Sequence[Step]) -> list[FailureRow]:
    """The failed run, with the step whose failure it passes on; and those of its steps that failed otherwise."""
    bad = [(step, step.failure) for step in steps if step.status.bad and step.failure is not None]
    if run.failure is None:
        return [_row(run, failure, step.end_ns, step) for step, failure in bad]
    own = _what(run.failure)
    passed = next(
        (step for step, failure in reversed(bad) if run.failure.wraps and _what(failure) == own), None
    )
    others = [(step, failure) for step, failure in bad if _what(failure) != own]
    return [
        _row(run, run.failure, run.ended_ns, passed),
        *(_row(run, failure, step.end_ns, step) for step, failure in others),
    ]


def _what(failure: Failure) -> tuple[str, str, str | None]:
    last, _ = root(failure)
    return last.type, last.message, last.stack


def _row(run: Run, failure: Any, time_ns: int | None, step: Step | None = None) -> FailureRow:
    return FailureRow(
        ref=run.ref,
        run_type=run.type,
        time_ns=time_ns,
        failure=failure,
        step_id=step.id if step else None,
        step_name=step.name if step else None,
        run_status=run.status.value,
    )


def says(row: FailureRow, text: str) -> bool:
    """Whether a failure's type or message, or that of a cause, contains ``text`` (case folded)."""
    pending = [row.failure]
    while pending:
        failure = pending.pop()
        if text in f"{failure.type}: {failure.message}".casefold():
            return True
        pending += failure.causes
    return False
