"""Schedules: when they last fired, when they are due, and what they missed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from croniter import CroniterError, croniter

from engine_bridge.bridge import Resource
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.connect import Database, Reader
from engine_bridge.engines.dbos.rows import MS
from engine_bridge.engines.dbos.tables import Tables
from engine_bridge.format import count
from engine_bridge.query.text import quote

MISSED_LIMIT: Final = 1_000
"""Missed firings are counted up to this many."""
GRACE_S: Final = 60

_COLUMNS: Final = (
    "schedule_id",
    "schedule_name",
    "workflow_name",
    "workflow_class_name",
    "schedule",
    "status",
    "last_fired_at",
    "automatic_backfill",
    "cron_timezone",
    "queue_name",
    "application_name",
)


def read(db: Database, cancel: CancelToken) -> list[Resource]:
    """All schedules, by name."""
    now_ns = db.now_ns(cancel)
    tables = db.tables
    statement = sa.select(*(tables.col("workflow_schedules", name) for name in _COLUMNS))
    with db.reader(cancel) as reader:
        found = reader.all(statement.order_by(tables.col("workflow_schedules", "schedule_name")))
        fired = _last_runs(tables, reader, [row[1] for row in found])
    return [_schedule(row, fired.get(row[1]), now_ns) for row in found if isinstance(row[1], str)]


def _last_runs(tables: Tables, read: Reader, names: list[str]) -> dict[str, int]:
    """When each schedule's newest run was created, for schemas that do not record ``last_fired_at``."""
    if not names or not tables.has("workflow_status", "schedule_name"):
        return {}
    name, created = (
        tables.col("workflow_status", "schedule_name"),
        tables.col("workflow_status", "created_at"),
    )
    statement = sa.select(name, sa.func.max(created)).where(name.is_not(None), name.in_(names)).group_by(name)
    return {row[0]: row[1] for row in read.all(statement)}


def _schedule(row: Sequence[Any], last_run_ms: int | None, now_ns: int) -> Resource:
    _, name, workflow, cls, cron, status, fired, backfill, zone_name, queue, application = row
    recorded = _instant(fired)
    last_ns = recorded if recorded is not None else None if type(last_run_ms) is not int else last_run_ms * MS
    active = status == "ACTIVE"
    next_ns, missed, problem = _due(cron, zone_name, last_ns, now_ns) if active else (None, 0, "")
    cells = {
        "workflow": f"{cls}.{workflow}" if cls else workflow,
        "cron": cron,
        "timezone": zone_name or "UTC",
        "status": status,
        "last_fired_ns": last_ns,
        "next_ns": next_ns,
        "missed": missed,
        "backfill": bool(backfill),
        "queue": queue,
        "application": application,
    }
    rebuilt = {"last_fired_ns": "rebuilt"} if recorded is None and last_ns is not None else {}
    return Resource(
        kind="schedules",
        id=name,
        title=name,
        cells=cells,
        warning=problem or _warning(active, missed),
        filter=f"schedule == {quote(name)}",
        provenance=rebuilt | {"next_ns": "inferred", "missed": "inferred"},
    )


def _warning(active: bool, missed: int) -> str:
    if not active:
        return "paused"
    if not missed:
        return ""
    shown = f"{count(missed)} or more" if missed >= MISSED_LIMIT else count(missed)
    return f"{shown} firings missed: no worker has run this schedule since"


def _due(cron: str, zone_name: str | None, last_ns: int | None, now_ns: int) -> tuple[int | None, int, str]:
    """(next firing, firings missed since the last one, a problem with the expression)."""
    try:
        zone = _zone(zone_name)
        now_s = now_ns / 1e9
        following = _times(cron, zone, now_s)
        next_ns = _ns(following.get_next(float))
        return next_ns, _missed(cron, zone, last_ns, now_s), ""
    except (CroniterError, ValueError, KeyError, OverflowError, ZoneInfoNotFoundError):
        return None, 0, "its cron expression or time zone cannot be read here"


def _times(cron: str, zone: tzinfo, start_s: float) -> Any:
    # DBOS puts seconds first when there are six fields (dbos._croniter).
    seconds = len(str(cron).split()) >= 6
    return croniter(str(cron), datetime.fromtimestamp(start_s, zone), second_at_beginning=seconds)


def _missed(cron: str, zone: tzinfo, last_ns: int | None, now_s: float) -> int:
    if last_ns is None:
        return 0
    times, missed = _times(cron, zone, last_ns / 1e9), 0
    while missed < MISSED_LIMIT and times.get_next(float) < now_s - GRACE_S:
        missed += 1
    return missed


def _zone(name: str | None) -> tzinfo:
    return ZoneInfo(name) if name else UTC


def _ns(seconds: float) -> int:
    return round(seconds * 1_000) * MS


def _instant(text: Any) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _ns((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
