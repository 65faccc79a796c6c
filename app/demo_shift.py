"""Moves what the demo's workers have executed within seconds into the last fourteen days.

A family of runs (parents, children, forks) is moved as a whole and by one offset: order and durations within it stay
what the engine recorded. Nothing is stretched, added or removed. No worker may run meanwhile.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine_bridge.sqlite_library import sqlite3

DAYS = 14
RELEASE_DAYS = 4
"""Days before today (UTC) on whose afternoon release v2 replaced v1."""
HOUR = 3_600_000
TERMINAL = {"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"}
# Every column that holds a moment, by table and the column that names its run; all in epoch milliseconds.
MOMENTS = {
    "workflow_status": (
        "workflow_uuid",
        (
            "created_at",
            "updated_at",
            "started_at_epoch_ms",
            "completed_at",
            "workflow_deadline_epoch_ms",
            "delay_until_epoch_ms",
            "debounce_deadline_epoch_ms",
        ),
    ),
    "workflow_input": ("workflow_uuid", ("retention_timestamp",)),
    "workflow_output": ("workflow_uuid", ("retention_timestamp",)),
    "operation_outputs": (
        "workflow_uuid",
        ("started_at_epoch_ms", "completed_at_epoch_ms", "retention_timestamp"),
    ),
    "notifications": ("destination_uuid", ("created_at_epoch_ms",)),
}


@dataclass(slots=True)
class Family:
    """Runs that belong together."""

    created: int
    release: str
    runs: list[str] = field(default_factory=list)
    open: bool = False
    poisoned: bool = False
    tick: int | None = None


def shift(database: Path, now: datetime, seed: int = 1) -> None:
    """Moves every family of the file; ``now`` is an aware time, whose zone's office hours are the busy ones."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        families = find_families(connection)
        offsets = place(families, now, random.Random(seed))  # noqa: S311 - dates of a demo are no secret
        move(
            connection,
            {run: offset for family, offset in zip(families, offsets, strict=True) for run in family.runs},
        )
        _move_surroundings(connection, now)
        connection.execute("COMMIT")


def find_families(connection: sqlite3.Connection) -> list[Family]:
    """Groups the runs by parent and fork, oldest family first."""
    rows = connection.execute(
        "SELECT workflow_uuid, coalesce(parent_workflow_id, forked_from), status, application_version, created_at"
        " FROM workflow_status ORDER BY created_at, rowid"
    ).fetchall()
    above = {row[0]: row[1] for row in rows}

    def root(run: str) -> str:
        while above.get(run):
            run = above[run]
        return run

    families: dict[str, Family] = {}
    for run, _, status, release, created in rows:
        top = root(run)
        family = families.setdefault(top, Family(created, release, tick=_tick(top)))
        family.runs.append(run)
        family.open |= status not in TERMINAL
        family.poisoned |= status.startswith("MAX_RECOVERY")
    return sorted(families.values(), key=lambda family: family.created)


def _tick(run: str) -> int | None:
    # DBOS names a scheduled run sched-<schedule>-<ISO time of the tick>.
    if not run.startswith("sched-"):
        return None
    return int(datetime.fromisoformat(run[-25:]).timestamp() * 1000)


def release_time(now: datetime) -> datetime:
    """When release v2 went live."""
    # Days of UTC, as those of the nightly checks: each check lies on its own release's side.
    day = now.astimezone(UTC) - timedelta(days=RELEASE_DAYS)
    return day.replace(hour=14, minute=5, second=0, microsecond=0).astimezone(now.tzinfo)


def place(families: list[Family], now: datetime, dice: random.Random) -> list[int]:
    """Each family's offset in ms: finished ones in office hours, unfinished ones where they can still go on."""
    begin = (now - timedelta(days=DAYS)).replace(hour=0, minute=30, second=0, microsecond=0)
    release = release_time(now)
    minutes = {n: timedelta(minutes=n) for n in (3, 5, 12, 300, 2400)}
    spans = {
        ("v1", False): (begin, release - minutes[5]),
        ("v1", True): (release - minutes[2400], release - minutes[5]),
        ("v2", False): (release + minutes[5], now - minutes[12]),
        ("v2", True): (now - minutes[300], now - minutes[3]),
    }
    targets: dict[int, int] = {}
    for (version, still_open), (start, end) in spans.items():
        group = [
            f
            for f in families
            if (f.release, f.open) == (version, still_open) and f.tick is None and not f.poisoned
        ]
        times = sorted(_moment(start, end, dice, busy=version == "v1" or not still_open) for _ in group)
        targets.update({id(family): time for family, time in zip(group, times, strict=True)})
    for family in families:
        if family.tick is not None:
            targets[id(family)] = family.tick + dice.randrange(150, 900)
        elif family.poisoned:
            targets[id(family)] = int(now.timestamp() * 1000) - 26 * HOUR
    return [targets[id(family)] - family.created for family in families]


def _moment(start: datetime, end: datetime, dice: random.Random, *, busy: bool) -> int:
    while True:
        when = start + (end - start) * dice.random()
        if not busy or dice.random() < _load(when):
            return int(when.timestamp() * 1000)


def _load(when: datetime) -> float:
    weekend = 0.4 if when.weekday() >= 5 else 1.0
    if 8 <= when.hour < 18:
        return weekend
    return weekend * (0.4 if 6 <= when.hour < 23 else 0.06)


def move(connection: sqlite3.Connection, offsets: dict[str, int]) -> None:
    """Adds each run's offset to all its moments, in rows and in the payloads where the engine keeps a moment."""
    connection.execute("CREATE TEMP TABLE moved (run TEXT PRIMARY KEY, delta INTEGER NOT NULL)")
    connection.executemany("INSERT INTO moved VALUES (?, ?)", offsets.items())
    for table, (key, columns) in MOMENTS.items():
        sets = ", ".join(f"{column} = {column} + moved.delta" for column in columns)
        connection.execute(f"UPDATE {table} SET {sets} FROM moved WHERE moved.run = {table}.{key}")
    # DBOS.sleep, also as the time-out of recv and getEvent, records its end: epoch seconds as JSON.
    sleeps = connection.execute(
        "SELECT operation_outputs.rowid, output, delta FROM operation_outputs JOIN moved ON run = workflow_uuid"
        " WHERE function_name = 'DBOS.sleep'"
    ).fetchall()
    connection.executemany("UPDATE operation_outputs SET output = ? WHERE rowid = ?", _later(sleeps))
    connection.execute("DROP TABLE moved")


def _later(sleeps: Iterable[tuple[int, str, int]]) -> list[tuple[str, int]]:
    return [
        (json.dumps(round(json.loads(output) + delta / 1000, 6)), rowid) for rowid, output, delta in sleeps
    ]


def _move_surroundings(connection: sqlite3.Connection, now: datetime) -> None:
    """Versions, queues and schedules: as old as their first runs."""
    begin = int((now - timedelta(days=DAYS + 1)).timestamp() * 1000)
    for version, at in (("v1", begin), ("v2", int(release_time(now).timestamp() * 1000))):
        connection.execute(
            "UPDATE application_versions SET version_timestamp = ?, created_at = ? WHERE version_name = ?",
            (at, at, version),
        )
    connection.execute("UPDATE queues SET created_at = ?, updated_at = ?", (begin, begin))
    # A backfilled tick counts as fired; the scheduler itself would have noted it.
    connection.execute(
        "UPDATE workflow_schedules SET last_fired_at = (SELECT substr(max(workflow_uuid), -25) FROM workflow_status"
        " WHERE workflow_status.schedule_name = workflow_schedules.schedule_name) WHERE last_fired_at IS NULL"
    )
