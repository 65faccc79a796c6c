"""Runner part: a system database of the user's own DBOS version, holding one recorded run and nothing else."""

from __future__ import annotations

import datetime
import json
import os
import sqlite3
import time
from typing import Any

OWNED = "replay"
_RUN_TABLES = (
    "operation_outputs", "workflow_status", "workflow_input", "workflow_output", "workflow_events",
    "workflow_events_history", "streams", "notifications",
)  # fmt: skip

_READ_FROM_RECORD = ("operation_outputs", "workflow_events_history", "notifications")
"""Tables that the hooks answer for: dbos never gets as far as to read them."""


def _unixepoch(*arguments: Any) -> float | int | None:
    """SQLite's function of that name as of 3.42, which DBOS needs and older libraries lack (``subsec``)."""
    fine = "subsec" in arguments or "subsecond" in arguments
    values = [a for a in arguments if a not in ("subsec", "subsecond")]
    if not values or values[0] == "now":
        return time.time() if fine else int(time.time())
    if isinstance(values[0], (int, float)):
        return values[0]
    moment = datetime.datetime.fromisoformat(str(values[0])).replace(tzinfo=datetime.timezone.utc).timestamp()
    return moment if fine else int(moment)


class Scratch:
    """The database file; ``engine`` is what DBOS is given to reach it."""

    def __init__(self, folder: str) -> None:
        import sqlalchemy

        self.path = os.path.join(folder, "replay.sqlite")
        self.url = "sqlite:///" + self.path
        # One connection for each of DBOS' threads; nothing here outlives the process.
        self.engine: Any = sqlalchemy.create_engine(self.url, creator=self._connect)
        self._columns: dict[str, set[str]] = {}

    def _connect(self) -> Any:
        connection = sqlite3.connect(self.path, check_same_thread=False, timeout=30)
        if sqlite3.sqlite_version_info < (3, 42):
            connection.create_function("unixepoch", -1, _unixepoch)
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    def fill(self, record: dict[str, Any]) -> None:
        """Puts in one run and the heads of its children; what an earlier one left is removed."""
        connection = self._connect()
        try:
            for table in _RUN_TABLES:
                connection.execute(f'DELETE FROM "{table}"')
            for table, rows in record["tables"].items():
                if table not in _READ_FROM_RECORD:
                    for row in rows:
                        self._insert(connection, table, row)
            self._older_schema(connection)
            # The run is this process' to execute, and nothing else is anybody's.
            connection.execute(
                "UPDATE workflow_status SET status = 'PENDING', owner_xid = ?, executor_id = ?, queue_name = NULL,"
                " workflow_deadline_epoch_ms = NULL, recovery_attempts = 1, application_version = ?,"
                " completed_at = NULL"
                " WHERE workflow_uuid = ?",
                (OWNED, OWNED, OWNED, record["run"]),
            )
            connection.execute(
                "UPDATE workflow_status SET queue_name = NULL, deduplication_id = NULL, executor_id = 'frozen',"
                " application_version = 'frozen' WHERE workflow_uuid <> ?",
                (record["run"],),
            )
            connection.execute("DELETE FROM workflow_output WHERE workflow_uuid = ?", (record["run"],))
            connection.execute(
                "UPDATE workflow_status SET output = NULL, error = NULL WHERE workflow_uuid = ?",
                (record["run"],),
            )
            connection.commit()
        finally:
            connection.close()

    def _insert(self, connection: Any, table: str, row: dict[str, Any]) -> None:
        if table not in self._columns:
            found = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
            self._columns[table] = {column[1] for column in found}
        # Columns that only one of the two versions knows carry nothing that a replay reads.
        kept = {k: _stored(v) for k, v in row.items() if k in self._columns[table] and v is not None}
        if kept:
            names = ", ".join(f'"{name}"' for name in kept)
            marks = ", ".join("?" * len(kept))
            connection.execute(
                f'INSERT OR REPLACE INTO "{table}" ({names}) VALUES ({marks})', list(kept.values())
            )

    @staticmethod
    def _older_schema(connection: Any) -> None:
        """Results of children, where the source still kept them in the status row."""
        connection.execute(
            "INSERT OR IGNORE INTO workflow_output (workflow_uuid, output, error) SELECT workflow_uuid, output, error"
            " FROM workflow_status WHERE output IS NOT NULL OR error IS NOT NULL"
        )


def _stored(value: Any) -> Any:
    return (
        json.dumps(value)
        if isinstance(value, (dict, list))
        else int(value)
        if isinstance(value, bool)
        else value
    )
