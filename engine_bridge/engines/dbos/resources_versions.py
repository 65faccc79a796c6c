"""Application versions and workers, with the open runs of each. Runs of an older version wait for its workers."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.bridge import Resource
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import filters
from engine_bridge.engines.dbos.connect import Database, Reader
from engine_bridge.engines.dbos.rows import MS, STATUSES
from engine_bridge.engines.dbos.tables import Tables
from engine_bridge.format import count
from engine_bridge.query.sql import literal_in
from engine_bridge.query.text import quote

_OPEN: Final = "status in (running, queued, delayed)"

_Counts = dict[str, int]


def versions(db: Database, cancel: CancelToken) -> list[Resource]:
    """All versions: the registered ones newest first, then those that only open runs name."""
    with db.reader(cancel) as read:
        registered = _registered(db.tables, read)
        counts = _open_by(db.tables, read, "application_version")
    latest = _latest(registered)
    known = {name for name, _, _ in registered}
    unregistered = sorted(name for name in counts if name and name not in known)
    rows = [*registered, *((name, None, None) for name in unregistered)]
    found = [_version(*row, counts.get(row[0], {}), latest, registered=row[0] in known) for row in rows]
    if counts.get(""):
        found.append(_versionless(counts[""]))
    return found


def _registered(tables: Tables, read: Reader) -> list[tuple[str, int | None, str | None]]:
    """(name, when it was made the latest, application), newest first."""
    if not tables.has("application_versions", "version_name"):
        return []
    at = tables.col("application_versions", "version_timestamp")
    columns = [
        tables.col("application_versions", name)
        for name in ("version_name", "version_timestamp", "application_name")
    ]
    found = read.all(sa.select(*columns).order_by(at.desc()))
    return [(row[0], whole(row[1]), row[2]) for row in found if isinstance(row[0], str)]


def whole(value: Any) -> int | None:
    """A number, None for what a damaged row holds instead."""
    return value if type(value) is int else None


def _latest(registered: list[tuple[str, int | None, str | None]]) -> dict[str | None, str]:
    """The latest version of each application."""
    found: dict[str | None, str] = {}
    for name, _, application in registered:
        found.setdefault(application, name)
    return found


def _open_by(tables: Tables, read: Reader, column: str) -> dict[str, _Counts]:
    """Open runs by a column's value ("" for none) and engine-neutral status."""
    status, value = tables.col("workflow_status", "status"), tables.col("workflow_status", column)
    found: dict[str, _Counts] = defaultdict(dict)
    # One statement for each partial index.
    for states in (("PENDING",), ("ENQUEUED",), ("DELAYED",)):
        conditions = [literal_in(status, states)]
        if states == ("ENQUEUED",):
            conditions.append(literal_in(status, filters.IN_FLIGHT))
        for name, number in read.all(sa.select(value, sa.func.count()).where(*conditions).group_by(value)):
            found[str(name or "")][STATUSES[states[0]].value] = number
    return found


def _version(
    name: str,
    at_ms: int | None,
    application: str | None,
    counts: _Counts,
    latest: dict[str | None, str],
    *,
    registered: bool,
) -> Resource:
    newest = latest.get(application) or next(iter(latest.values()), None)
    is_latest = name == newest
    opened = sum(counts.values())
    stranded = 0 if is_latest or newest is None else opened
    return Resource(
        kind="versions",
        id=name,
        title=name,
        cells={
            "latest": is_latest,
            "registered_ns": None if at_ms is None else at_ms * MS,
            "application": application,
            **_cells(counts),
            "open": opened,
            "stranded": stranded,
        },
        warning=_stranded(stranded, newest, registered),
        filter=f"version == {quote(name)} and {_OPEN}",
        provenance={"stranded": "inferred"},
    )


def _stranded(number: int, newest: str | None, registered: bool) -> str:
    if not number:
        return ""
    runs = "1 open run" if number == 1 else f"{count(number)} open runs"
    never = "" if registered else ", and this version was never registered"
    return f"{runs} can only go on with a worker of this version; the latest is {newest}{never}"


def _versionless(counts: _Counts) -> Resource:
    cells: dict[str, Any] = {"latest": False, **_cells(counts), "open": sum(counts.values()), "stranded": 0}
    return Resource(
        kind="versions", id="", title="no version", cells=cells, filter=f"version == null and {_OPEN}"
    )


def _cells(counts: _Counts) -> dict[str, Any]:
    return {name: counts.get(name, 0) for name in ("running", "queued", "delayed")}


def workers(db: Database, cancel: CancelToken) -> list[Resource]:
    """Executors that open runs name. DBOS keeps no list of live ones and no heartbeat."""
    tables = db.tables
    status, worker = tables.col("workflow_status", "status"), tables.col("workflow_status", "executor_id")
    updated = sa.func.max(tables.col("workflow_status", "updated_at"))
    statement = (
        sa.select(worker, tables.col("workflow_status", "application_version"), sa.func.count(), updated)
        .where(literal_in(status, ("PENDING",)))
        .group_by(worker, tables.col("workflow_status", "application_version"))
    )
    found: dict[str, list[Any]] = defaultdict(list)
    for name, version, number, last in db.all(statement, cancel):
        found[str(name or "")].append((str(version or ""), number, whole(last)))
    return [_worker(name, parts) for name, parts in sorted(found.items())]


def _worker(name: str, parts: list[Any]) -> Resource:
    last = max((part[2] for part in parts if part[2] is not None), default=None)
    return Resource(
        kind="workers",
        id=name,
        title=name or "no worker",
        cells={
            "running": sum(part[1] for part in parts),
            "versions": ", ".join(sorted({part[0] for part in parts if part[0]})),
            "last_handed_out_ns": None if last is None else last * MS,
        },
        filter=f"worker == {quote(name)} and status == running"
        if name
        else "worker == null and status == running",
        provenance={"last_handed_out_ns": "rebuilt"},
    )
