"""Runs related to one: parent, fork origin, neighbours of its schedule; children, awaited runs and forks, paged.

Recorded facts only. DBOS stores neither the sender nor the receiver of a message, so messages relate no runs. A related
run that was deleted stays, without a row.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Relation, Relations
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import runs
from engine_bridge.engines.dbos.connect import Database, Reader
from engine_bridge.engines.dbos.history_read import integer, text
from engine_bridge.engines.dbos.history_rows import run_ref
from engine_bridge.engines.dbos.steps_names import GET_RESULT
from engine_bridge.engines.dbos.tables import Tables
from engine_bridge.errors import NotFoundError, UsageError
from engine_bridge.model import RunRef

_IDS_A_READ: Final = 500

_Cursor = list[Any]


@dataclass(slots=True, frozen=True)
class _Found:
    role: str
    run_id: str
    step_id: str | None = None
    note: str = ""


@dataclass(slots=True, frozen=True)
class _Place:
    """Where one section reads: the run, after which key, and how many."""

    tables: Tables
    read: Reader
    run_id: str
    after: Any
    limit: int


def read(db: Database, ref: RunRef, cursor: bytes | None, limit: int, cancel: CancelToken) -> Relations:
    """A page of relations; the first one begins with parent, fork origin and schedule. Raises NotFoundError."""
    section, after = _decoded(cursor)
    found: list[_Found] = []
    following: _Cursor | None = None
    with db.reader(cancel) as reader:
        while section < len(_SECTIONS) and following is None:
            left = limit - len(found)
            if left <= 0:
                following = [section, after]
                break
            more, after = _SECTIONS[section](_Place(db.tables, reader, ref.run, after, left))
            found += more
            if after is not None:
                following = [section, after]
            else:
                section += 1
    return Relations(items=_items(db, found, cancel), after=_encoded(following))


def _items(db: Database, found: list[_Found], cancel: CancelToken) -> tuple[Relation, ...]:
    ids = list(dict.fromkeys(item.run_id for item in found))
    known = {run.id: run for run in runs.Lister(db).by_ids(ids, cancel)} if ids else {}
    return tuple(
        Relation(
            role=item.role,
            run=known.get(item.run_id),
            ref=run_ref(item.run_id),
            step_id=item.step_id,
            note=item.note if item.run_id in known else "not in the database any more",
        )
        for item in found
    )


def _decoded(cursor: bytes | None) -> tuple[int, Any]:
    if cursor is None:
        return 0, None
    try:
        section, after = json.loads(cursor)
    except ValueError:
        raise UsageError("This page of relations cannot be found.", "Read the relations again.") from None
    return int(section), after


def _encoded(cursor: _Cursor | None) -> bytes | None:
    return None if cursor is None else json.dumps(cursor).encode()


def _origins(place: _Place) -> tuple[list[_Found], Any]:
    """Parent, fork origin, and the neighbours of the same schedule."""
    names = ("parent_workflow_id", "forked_from", "schedule_name", "created_at")
    columns = [place.tables.col("workflow_status", name).label(name) for name in names]
    table = place.tables["workflow_status"]
    row = place.read.one(sa.select(*columns).where(table.c.workflow_uuid == place.run_id))
    if row is None:
        raise NotFoundError(f"There is no run {place.run_id[:200]}.", "It may have been deleted.")
    found = []
    parent = _Found("parent", text(row[0]) or "") if row[0] is not None else _parent_by_id(place)
    if parent is not None:
        found.append(parent)
    if row[1] is not None:
        found.append(_Found("forked_from", text(row[1]) or ""))
    if row[2] is not None and integer(row[3]) is not None:
        found += _schedule(place, text(row[2]) or "", row[3])
    return found, None


def _parent_by_id(place: _Place) -> _Found | None:
    """Schemas without a parent column: a child's id is ``<parent>-<step>``, and that step names it."""
    if place.tables.has("workflow_status", "parent_workflow_id"):
        return None
    parent, _, step = place.run_id.rpartition("-")
    if not parent or not step.isdecimal() or len(step) > 9:
        return None
    table = place.tables["operation_outputs"]
    named = sa.select(table.c.function_id).where(
        table.c.workflow_uuid == parent,
        table.c.function_id == int(step),
        table.c.child_workflow_id == place.run_id,
    )
    return (
        _Found("parent", parent, note=f"by its step {step}") if place.read.value(named) is not None else None
    )


def _schedule(place: _Place, schedule: str, created: int) -> list[_Found]:
    table = place.tables["workflow_status"]
    run_id, at = table.c.workflow_uuid, table.c.created_at
    same = sa.select(run_id).where(table.c.schedule_name == schedule)
    earlier = sa.or_(at < created, sa.and_(at == created, run_id < place.run_id))
    later = sa.or_(at > created, sa.and_(at == created, run_id > place.run_id))
    before = place.read.value(same.where(earlier).order_by(at.desc(), run_id.desc()).limit(1))
    after = place.read.value(same.where(later).order_by(at, run_id).limit(1))
    note = f"schedule {schedule}"
    found = [] if before is None else [_Found("previous of schedule", before, note=note)]
    return found if after is None else [*found, _Found("next of schedule", after, note=note)]


def _launched(place: _Place) -> tuple[list[_Found], Any]:
    """Children that steps started, and other runs whose result was awaited, by step id."""
    table = place.tables["operation_outputs"]
    rows = place.read.all(
        sa.select(table.c.function_id, table.c.child_workflow_id, table.c.function_name)
        .where(
            table.c.workflow_uuid == place.run_id,
            table.c.child_workflow_id.is_not(None),
            table.c.function_id > (place.after or 0),
        )
        .order_by(table.c.function_id)
        .limit(place.limit + 1)
    )
    page = rows[: place.limit]
    started = _started_here(place, [row[1] for row in page if row[2] == GET_RESULT])
    found = [
        _Found("awaited" if name == GET_RESULT else "child", text(child) or "", str(id_))
        for id_, child, name in page
        if name != GET_RESULT or child not in started
    ]
    return found, page[-1][0] if len(rows) > place.limit else None


def _started_here(place: _Place, ids: list[str]) -> set[str]:
    """Those of some runs that a step of this run launched."""
    table = place.tables["operation_outputs"]
    found: set[str] = set()
    for at in range(0, len(ids), _IDS_A_READ):
        launches = sa.select(table.c.child_workflow_id).where(
            table.c.workflow_uuid == place.run_id,
            table.c.child_workflow_id.in_(ids[at : at + _IDS_A_READ]),
            table.c.function_name != GET_RESULT,
        )
        found.update(row[0] for row in place.read.all(launches))
    return found


def _unlaunched(place: _Place) -> tuple[list[_Found], Any]:
    """Children that name this run as their parent, though no step of it recorded the launch."""
    if not place.tables.has("workflow_status", "parent_workflow_id"):
        return [], None
    where = [place.tables["workflow_status"].c.parent_workflow_id == place.run_id]
    wide = _Place(place.tables, place.read, place.run_id, place.after, max(place.limit, _IDS_A_READ))
    children, after = _by_age(wide, "child", where, "its launch is not recorded")
    started = _started_here(place, [child.run_id for child in children])
    return [child for child in children if child.run_id not in started], after


def _forks(place: _Place) -> tuple[list[_Found], Any]:
    if not place.tables.has("workflow_status", "forked_from"):
        return [], None
    return _by_age(place, "fork", [place.tables["workflow_status"].c.forked_from == place.run_id], "")


def _by_age(place: _Place, role: str, where: list[Any], note: str) -> tuple[list[_Found], Any]:
    table = place.tables["workflow_status"]
    run_id, at = table.c.workflow_uuid, table.c.created_at
    if place.after is not None:
        created, last = place.after
        where.append(sa.or_(at > created, sa.and_(at == created, run_id > last)))
    statement = sa.select(run_id, at).where(*where).order_by(at, run_id).limit(place.limit + 1)
    rows = place.read.all(statement)
    found = [_Found(role, row[0], note=note) for row in rows[: place.limit]]
    edge = rows[place.limit - 1] if len(rows) > place.limit else None
    return found, None if edge is None else [edge[1], edge[0]]


_SECTIONS: Final[tuple[Callable[[_Place], tuple[list[_Found], Any]], ...]] = (
    _origins,
    _launched,
    _unlaunched,
    _forks,
)
