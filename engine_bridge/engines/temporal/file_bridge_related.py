"""Relations of a run, by what its history and the other histories at hand say of each other."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from engine_bridge.bridge import Relation
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.file_bridge_index import Index
from engine_bridge.engines.temporal.group_event import KIND
from engine_bridge.engines.temporal.group_nexus import Link, callers, linked
from engine_bridge.engines.temporal.group_step import decode_step
from engine_bridge.errors import PlayheadError
from engine_bridge.model import Run, RunRef, StepKind

_ELSEWHERE = "not in these files"


def related(index: Index, ref: RunRef) -> list[Relation]:
    """Parent, children, the chain of continued and reset runs, schedule. Raises NotFoundError."""
    run = index.story(ref).run
    runs = index.runs
    found = [*_parent(run, runs), *_nexus(index, run, runs), *_children(index, run, runs), *_chain(run, runs)]
    if run.schedule:
        found.append(Relation(role="schedule", run=None, ref=RunRef("schedule", run.schedule, run.schedule)))
    return _once(found)


def _once(found: list[Relation]) -> list[Relation]:
    kept: dict[tuple[str, RunRef], Relation] = {}
    for one in found:
        kept.setdefault((one.role, one.ref), one)
    return list(kept.values())


def _relation(role: str, ref: RunRef, runs: dict[RunRef, Run], step_id: str | None = None) -> Relation:
    run = runs.get(ref)
    return Relation(role=role, run=run, ref=ref, step_id=step_id, note="" if run is not None else _ELSEWHERE)


def _parent(run: Run, runs: dict[RunRef, Run]) -> Iterator[Relation]:
    if run.parent is not None:
        yield _relation("parent", run.parent, runs)


def _children(index: Index, run: Run, runs: dict[RunRef, Run]) -> Iterator[Relation]:
    for other in runs.values():
        if other.parent == run.ref:
            yield _relation("child", other.ref, runs)
    try:
        grouper = index.grouper(run.ref)
    except PlayheadError:
        return
    for row in grouper.rows_of(StepKind.CHILD):
        step = decode_step(grouper.record(row))
        if step.child is not None and step.child.run:
            yield _relation("child", step.child, runs, step.id)


def _nexus(index: Index, run: Run, runs: dict[RunRef, Run]) -> Iterator[Relation]:
    """Whose operation started this run, and the runs that its own operations started."""
    try:
        heads = index.loaded(run.ref).heads
    except PlayheadError:
        return
    firsts = (event_of(heads.record[0]),) if len(heads) else ()
    for step_id, link in (*((None, one) for one in callers(firsts)), *linked(heads)):
        role, said = ("caller", link.asked) if step_id is None else ("nexus run", "")
        found = _linked(role, link, runs, said, index.source.namespace)
        yield msgspec.structs.replace(found, step_id=step_id)


def _linked(role: str, link: Link, runs: dict[RunRef, Run], said: str, namespace: str) -> Relation:
    run = runs.get(link.ref)
    away = f"in namespace {link.namespace}" if link.place(namespace or "?") and link.namespace else ""
    where = "" if run is not None else ", ".join(filter(None, (_ELSEWHERE, away)))
    return Relation(role=role, run=run, ref=link.ref, note="; ".join(filter(None, (said, where))))


def _chain(run: Run, runs: dict[RunRef, Run]) -> Iterator[Relation]:
    """Runs of one workflow id: what this one continues, is continued as, was reset from or into."""
    group = run.ref.group
    before, after = str(run.extra.get("continues run") or ""), str(run.extra.get("continued as run") or "")
    if before:
        yield _relation("continues", RunRef(KIND, group, before), runs)
    if after:
        yield _relation("continued", RunRef(KIND, group, after), runs)
    if run.forked_from is not None:
        yield _relation("reset from", run.forked_from, runs)
    for other in runs.values():
        if other.forked_from == run.ref:
            yield _relation("reset", other.ref, runs)
        if other.ref.group == group and other.extra.get("continues run") == run.ref.run:
            yield _relation("continued", other.ref, runs)
