"""Counts for chips and charts: small lists are read whole, of large ones the server counts."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Final

from engine_bridge.bridge import Bucket, DurationPoint, Facets
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.payloads import json_value
from engine_bridge.engines.temporal.server_runs import Lister, Where
from engine_bridge.engines.temporal.visibility import joined
from engine_bridge.engines.temporal.visibility_leaves import moment, none_of, one_of, sendable
from engine_bridge.errors import PlayheadError
from engine_bridge.model import Run, Status
from engine_bridge.query.ast import Node

_WHOLE: Final = 5_000
"""Up to so many runs are read rather than counted."""
_POINTS: Final = 2_000
_TYPES: Final = 50
_BUCKETS: Final = 30
_SCAN_S: Final = 8.0
_S: Final = 1_000_000_000
_WIDTHS: Final = (
    *(n * 1_000_000 for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)), *(n * _S for n in (1, 2, 5, 10, 15, 30)),
    *(n * 60 * _S for n in (1, 2, 5, 10, 15, 30)), *(n * 3_600 * _S for n in (1, 2, 3, 6, 12)),
    *(n * 86_400 * _S for n in (1, 2, 7, 14, 28, 91, 182, 364)),
)  # fmt: skip


def width_of(low: int, high: int, buckets: int) -> int:
    """The narrowest of the usual bucket widths, in ns, that needs no more than ``buckets``."""
    for width in _WIDTHS:
        if high // width - low // width < max(1, buckets):
            return width
    return _WIDTHS[-1] * (1 + (high - low) // (_WIDTHS[-1] * max(1, buckets)))


def count(lister: Lister, query: Node | None, cancel: CancelToken) -> int:
    """How many runs match, exactly."""
    where = lister.where(query)
    if where.residual is None:
        return lister.total(where.clause, cancel)
    return sum(len(part) for part in lister.all(where, cancel))


def read(lister: Lister, query: Node | None, buckets: int, cancel: CancelToken) -> Facets:
    """The facets of a filter. Buckets are by creation."""
    where = lister.where(query)
    total = lister.total(where.clause, cancel)
    if total <= _WHOLE or where.residual is not None:
        return _read(lister, where, total, buckets, cancel)
    return _counted(lister, where, min(buckets, _BUCKETS), cancel)


def _read(lister: Lister, where: Where, total: int, buckets: int, cancel: CancelToken) -> Facets:
    """Facets of runs that are all read, for ``_SCAN_S`` at most."""
    found: list[Run] = []
    deadline, whole = time.monotonic() + _SCAN_S, True
    for part in lister.all(where, cancel):
        found += part
        cancel.progress(len(found), None, "counting runs")
        if time.monotonic() > deadline:
            whole = False
            break
    note = "" if whole else f"of the newest runs among {total:,}"
    return _summed(found, buckets, whole, note)


def _summed(runs: list[Run], buckets: int, exact: bool, note: str) -> Facets:
    times = [run.created_ns for run in runs if run.created_ns is not None]
    width = width_of(min(times), max(times), buckets) if times else 0
    cells: dict[int, Counter[str]] = {}
    for run in runs:
        if run.created_ns is not None:
            cells.setdefault(run.created_ns // width, Counter())[run.status.value] += 1
    return Facets(
        by_status=dict(Counter(run.status.value for run in runs)),
        by_type=dict(Counter(run.type for run in runs)),
        buckets=tuple(Bucket(start_ns=at * width, counts=dict(cell)) for at, cell in sorted(cells.items())),
        bucket_ns=width,
        durations=tuple(_points(runs)),
        total=len(runs),
        exact=exact,
        note=note,
    )


def _points(runs: list[Run]) -> list[DurationPoint]:
    closed = [(run, run.duration_ns) for run in runs if run.duration_ns is not None]
    return [
        DurationPoint(ref=run.ref, start_ns=run.started_ns or 0, duration_ns=span, status=run.status.value)
        for run, span in closed
    ]


def _counted(lister: Lister, where: Where, buckets: int, cancel: CancelToken) -> Facets:
    sample = [run for part in lister.all(where, cancel, newest=_POINTS) for run in part][:_POINTS]
    newest = max((run.created_ns or 0 for run in sample), default=lister.client.now_ns())
    oldest = _extent(lister, where, newest, cancel)
    width = width_of(oldest, newest, buckets)
    edges = range(oldest // width, newest // width + 1)
    delayed = lister.total(joined((_delayed(lister), where.clause)), cancel)
    asked = [joined((_between(at * width, (at + 1) * width), where.clause)) for at in edges]
    cells = [_by_status(answer) for answer in _grouped(lister, [where.clause, *asked], cancel)]
    by_status = dict(cells[0])
    if delayed:
        by_status[Status.RUNNING.value] = by_status.get(Status.RUNNING.value, 0) - delayed
        by_status[Status.DELAYED.value] = delayed
    by_status = {name: number for name, number in by_status.items() if number}
    return Facets(
        by_status=by_status,
        by_type=_types(lister, where, sample, cancel),
        buckets=tuple(
            Bucket(start_ns=at * width, counts=dict(cell))
            for at, cell in zip(edges, cells[1:], strict=True)
            if cell
        ),
        bucket_ns=width,
        durations=tuple(_points(sample)),
        total=sum(by_status.values()),
        note=f"durations of the newest {len(sample):,} runs",
    )


def _extent(lister: Lister, where: Where, newest: int, cancel: CancelToken) -> int:
    """About when the oldest run was created: not after it, and before it by a fiftieth of the runs' span at most."""
    step, early = _S, newest - _S
    while early > _S and _any_up_to(lister, where, early, cancel):
        step *= 8
        early = max(newest - step, _S)
    late = newest - step // 8
    while late - early > (newest - late) // 50:
        middle = (early + late) // 2
        if _any_up_to(lister, where, middle, cancel):
            late = middle
        else:
            early = middle
    return early


def _any_up_to(lister: Lister, where: Where, at: int, cancel: CancelToken) -> bool:
    clause = joined((f"StartTime <= {moment(at)}", where.clause))
    return bool(lister.matching(clause, 1, cancel))


def _delayed(lister: Lister) -> str:
    return f"ExecutionStatus = 'Running' and ExecutionTime > {moment(lister.client.now_ns())}"


def _between(low: int, high: int) -> str:
    return f"StartTime >= {moment(low)} and StartTime < {moment(high)}"


def _grouped(lister: Lister, clauses: list[str], cancel: CancelToken) -> list[Any]:
    return _answers(lister, [f"{clause} GROUP BY ExecutionStatus".strip() for clause in clauses], cancel)


def _answers(lister: Lister, queries: list[str], cancel: CancelToken) -> list[Any]:
    """The server's counts, several at once."""
    from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest

    namespace = lister.client.source.namespace
    requests = [CountWorkflowExecutionsRequest(namespace=namespace, query=query) for query in queries]
    answers = lister.client.call_all("count_workflow_executions", requests, cancel)
    for answer in answers:
        if isinstance(answer, PlayheadError):
            raise answer
    return answers


def _by_status(answer: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    for group in answer.groups:
        word = str(json_value(values.stored(group.group_values[0])))
        found[values.WORDS.get(word, Status.UNKNOWN).value] += group.count
    return found


def _types(lister: Lister, where: Where, sample: list[Run], cancel: CancelToken) -> dict[str, int]:
    """Counts by type: those of the sample, and whatever the server finds beside them."""
    names = [name for name in dict.fromkeys(run.type for run in sample) if sendable(name)][:_TYPES]
    while len(names) < _TYPES:
        more = lister.matching(joined((none_of("WorkflowType", names), where.clause)), 50, cancel)
        if not any(sendable(run.type) for run in more):
            break
        names += [
            name for name in dict.fromkeys(run.type for run in more) if name not in names and sendable(name)
        ]
    asked = [joined((one_of("WorkflowType", [name]), where.clause)) for name in names[:_TYPES]]
    counts = [int(answer.count) for answer in _answers(lister, asked, cancel)]
    return {name: number for name, number in zip(names, counts, strict=False) if number}
