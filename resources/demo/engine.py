"""Starts DBOS on the demo's SQLite file: one process is one worker of one release."""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dbos import DBOS

from resources.demo import releases
from resources.demo.inventory import check_stock_drift

APPLICATION = "shop"


def launch(database: Path, release: str, executor: str, *, past: bool) -> None:
    """Loads a release's workflows and starts a worker; ``past`` polls faster and does not wait for the disk."""
    releases.load(release)
    DBOS(
        config={
            "name": APPLICATION,
            "application_version": release,
            "executor_id": executor,
            "system_database_engine": _engine(database, "OFF" if past else "NORMAL"),
            "notification_listener_polling_interval_sec": 0.2 if past else 0.5,
            "scheduler_polling_interval_sec": 5.0,
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    register_queues(past)


def register_queues(past: bool) -> None:
    """One queue of each kind: partitioned, rate-limited, concurrency of a worker, plain."""
    poll = 0.1 if past else 0.7
    DBOS.register_queue("warehouse", global_concurrency=6, partition_concurrency=2, polling_interval_sec=poll)
    limit = {"limit": 40, "period": 2.0} if past else {"limit": 4, "period": 10.0}
    DBOS.register_queue("notices", limiter=limit, polling_interval_sec=poll)
    DBOS.register_queue("reports", worker_concurrency=1, polling_interval_sec=poll)
    DBOS.register_queue("imports", partition_concurrency=1, polling_interval_sec=poll)
    DBOS.register_queue("campaigns", global_concurrency=10, polling_interval_sec=poll)


def schedule_checks(live: bool) -> None:
    """The nightly drift check; a live worker looks at the biggest site every minute, too."""
    checks: list[Any] = [_check("stock-drift-nightly", "0 3 * * *", "leipzig")]
    if live:
        checks.append(_check("stock-drift-live", "* * * * *", "rotterdam"))
    DBOS.apply_schedules(checks)


def _check(name: str, cron: str, site: str) -> dict[str, Any]:
    return {
        "schedule_name": name,
        "workflow_fn": check_stock_drift,
        "schedule": cron,
        "context": {"site": site},
    }


def query(database: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Plain SQL on the workers' file, by the same library that DBOS uses: two SQLites in one process undo each
    other's locks (https://www.sqlite.org/howtocorrupt.html, 2.2.1).
    """
    with closing(_driver().connect(str(database), timeout=30)) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(sql, values).fetchall()
        return rows


def _engine(database: Path, synchronous: str) -> sa.Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(database)), module=_driver(), pool_size=32, max_overflow=16
    )

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        if sys.version_info < (3, 12):
            # There DBOS takes the time from strftime('%s','now'), in whole seconds; this one adds the thousandths.
            connection.create_function("strftime", 2, lambda _format, _when: now_in_seconds())

    return engine


def now_in_seconds() -> float:
    """The time as a float that, multiplied by 1000, is a whole number of milliseconds exactly."""
    return int(time.time() * 1000) / 1000


def _driver() -> Any:
    """Python's own SQLite, or pysqlite3 where that one is too old for DBOS (``unixepoch('subsec')`` is of 3.42)."""
    if sqlite3.sqlite_version_info >= (3, 42):
        return sqlite3
    try:
        return import_module("pysqlite3.dbapi2")
    except ImportError:
        return sqlite3
