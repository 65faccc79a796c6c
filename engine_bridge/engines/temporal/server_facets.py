"""Counts for chips and charts: small lists are read whole, of large ones the server counts, a few at a time."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Final

from engine_bridge.bridge import Bucket, DurationPoint, Facets
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.client import pages
from engine_bridge.engines.temporal.payloads import json_value
from engine_bridge.engines.temporal.server_merge import CLOSED
from engine_bridge.engines.temporal.server_places import MOST, listing
from engine_bridge.engines.temporal.server_runs import Lister, Where
from engine_bridge.engines.temporal.visibility import joined
from engine_bridge.engines.temporal.visibility_leaves import moment
from engine_bridge.errors import PlayheadError
from engine_bridge.model import Run, Status
from engine_bridge.query.ast import Node

_WHOLE: Final = 2_000
"""Up to so many runs are read rather than counted."""
_POINTS: Final = 1_000
_BUCKETS: Final = 30
_FEWEST: Final = 10
_PATIENCE_S: Final = 1.5
"""Buckets get fewer where counting the whole was slow, so that they take about so long together."""
_AT_ONCE: Final = 4
"""So few, that a page of runs does not wait long behind them: small servers answer one after the other."""
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
    """The facets of a filter. Buckets are by creation; types are told of lists that are read whole."""
    where = lister.where(query)
    if where.residual is not None:
        return _scanned(lister, where, buckets, cancel)
    began = time.monotonic()
    by_status = _statuses(lister, where, cancel)
    affordable = int(_PATIENCE_S / max(time.monotonic() - began, 1e-3))
    total = sum(by_status.values())
    if buckets <= 0:
        return Facets(by_status=by_status, total=total)
    if total <= _WHOLE:
        return _summed(_whole(lister, where, cancel), buckets, True, "")
    return _counted(lister, where, by_status, min(buckets, _BUCKETS, max(_FEWEST, affordable)), cancel)


def _scanned(lister: Lister, where: Where, buckets: int, cancel: CancelToken) -> Facets:
    """Facets of runs that are all looked at, for ``_SCAN_S`` at most."""
    found: list[Run] = []
    deadline, whole = time.monotonic() + _SCAN_S, True
    for part in lister.all(where, cancel):
        found += part
        cancel.progress(len(found), None, "counting runs")
        if time.monotonic() > deadline:
            whole = False
            break
    note = "" if whole else f"of the newest runs among {lister.total(where.clause, cancel):,}"
    return _summed(found, buckets, whole, note)


def _whole(lister: Lister, where: Where, cancel: CancelToken) -> list[Run]:
    """All runs, in no order; one that closes meanwhile may stand in two of the server's pages."""
    request = listing(lister.client, where.clause, MOST)
    answers = pages(lister.client, "list_workflow_executions", request, cancel)
    found = {run.ref: run for answer in answers for run in lister.runs(answer.executions, cancel)}
    return list(found.values())


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


def _counted(
    lister: Lister, where: Where, by_status: dict[str, int], buckets: int, cancel: CancelToken
) -> Facets:
    last = lister.matching(joined((CLOSED, where.clause)), _POINTS, cancel)
    first = lister.matching(where.clause, 1, cancel)
    newest = max((run.created_ns or 0 for run in (*first, *last)), default=lister.client.now_ns())
    oldest = _extent(lister, where, newest, cancel)
    width = width_of(oldest, newest, buckets)
    edges = range(oldest // width, newest // width + 1)
    spans = [_between(at * width, (at + 1) * width if at < edges[-1] else None) for at in edges]
    cells = [_by_status(one) for one in _grouped(lister, [joined((s, where.clause)) for s in spans], cancel)]
    return Facets(
        by_status=by_status,
        buckets=tuple(
            Bucket(start_ns=at * width, counts=dict(cell))
            for at, cell in zip(edges, cells, strict=True)
            if cell
        ),
        bucket_ns=width,
        durations=tuple(_points(last)),
        total=sum(by_status.values()),
        note=f"durations of the {len(last):,} runs that closed last",
    )


def _statuses(lister: Lister, where: Where, cancel: CancelToken) -> dict[str, int]:
    """Counts by status."""
    whole = f"{where.clause} GROUP BY ExecutionStatus".strip()
    running, late = _answers(lister, [whole, joined((_delayed(lister), where.clause))], cancel)
    found, delayed = _by_status(running), min(int(late.count), _by_status(running)[Status.RUNNING.value])
    found[Status.RUNNING.value] -= delayed
    found[Status.DELAYED.value] += delayed
    return {name: number for name, number in found.items() if number}


def _extent(lister: Lister, where: Where, newest: int, cancel: CancelToken) -> int:
    """About when the oldest run was created: not after it, and before it by a sixteenth of the span at most."""
    step, floor = _S, lister.floor
    early = max(newest - step, floor)
    while early > floor and _any_up_to(lister, where, early, cancel):
        step *= 8
        early = max(newest - step, floor)
    late = newest - step // 8
    while late - early > (newest - late) // 16:
        middle = (early + late) // 2
        if _any_up_to(lister, where, middle, cancel):
            late = middle
        else:
            early = middle
    if not where.clause:
        lister.floor = early
    return early


def _any_up_to(lister: Lister, where: Where, at: int, cancel: CancelToken) -> bool:
    clause = joined((f"StartTime <= {moment(at)}", where.clause))
    return bool(lister.matching(clause, 1, cancel))


def _delayed(lister: Lister) -> str:
    return f"ExecutionStatus = 'Running' and ExecutionTime > {moment(lister.client.now_ns())}"


def _between(low: int, high: int | None) -> str:
    return joined((f"StartTime >= {moment(low)}", "" if high is None else f"StartTime < {moment(high)}"))


def _grouped(lister: Lister, clauses: list[str], cancel: CancelToken) -> list[Any]:
    return _answers(lister, [f"{clause} GROUP BY ExecutionStatus" for clause in clauses], cancel)


def _answers(lister: Lister, queries: list[str], cancel: CancelToken) -> list[Any]:
    """The server's counts, a few at once."""
    from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest

    namespace = lister.client.source.namespace
    requests = [CountWorkflowExecutionsRequest(namespace=namespace, query=query) for query in queries]
    found: list[Any] = []
    for at in range(0, len(requests), _AT_ONCE):
        cancel.progress(at, len(requests), "counting runs")
        found += lister.client.call_all("count_workflow_executions", requests[at : at + _AT_ONCE], cancel)
    for answer in found:
        if isinstance(answer, PlayheadError):
            raise answer
    return found


def _by_status(answer: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    for group in answer.groups:
        word = str(json_value(values.stored(group.group_values[0])))
        found[values.WORDS.get(word, Status.UNKNOWN).value] += group.count
    return found
