"""Which schema a database file has, and whether it can be read: SQLite keeps no version, so its tables tell.

Versions are those of Temporal's ``schema/sqlite/v3`` (its ``versioned`` folder says which table came with which).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import dev_messages as messages
from engine_bridge.engines.temporal.dev_store import Store
from engine_bridge.errors import SchemaUnknownError
from engine_bridge.file_names import quoted
from engine_bridge.format import plain
from engine_bridge.sqlite_file import MAGIC
from engine_bridge.sqlite_library import sqlite3

NEWEST: Final = (0, 11)
"""The newest version that was tested (Temporal 1.32)."""
PROTO: Final = ("proto3", "encoding_type_proto3")
"""What ``data_encoding`` says, in lower case, of the records that are read."""

_NEEDED: Final[dict[str, str]] = {
    "namespaces": "id name data",
    "shards": "shard_id",
    "executions": "shard_id namespace_id workflow_id run_id next_event_id data data_encoding state",
    "history_node": "shard_id tree_id branch_id node_id txn_id data data_encoding",
    "executions_visibility": (
        "namespace_id run_id start_time execution_time workflow_id workflow_type_name status close_time "
        "history_length memo task_queue search_attributes TemporalNamespaceDivision"
    ),
    "activity_info_maps": "shard_id namespace_id workflow_id run_id data",
    "child_execution_info_maps": "shard_id namespace_id workflow_id run_id data",
}
"""Tables and columns without which nothing can be told."""
_SINCE: Final[tuple[tuple[tuple[int, int], str, str], ...]] = (
    ((0, 11), "current_chasm_executions", ""),
    ((0, 10), "tasks_v2", ""),
    ((0, 9), "chasm_node_maps", ""),
    ((0, 7), "current_executions", "data"),
    ((0, 6), "current_executions", "start_time"),
    ((0, 5), "nexus_endpoints", ""),
    ((0, 3), "queues", ""),
    ((0, 2), "task_queue_user_data", ""),
)
_OWN: Final[dict[str, str]] = {
    "executions": f"{_NEEDED['executions']} last_write_version state_encoding db_record_version",
    "history_node": f"{_NEEDED['history_node']} prev_txn_id",
    "activity_info_maps": f"{_NEEDED['activity_info_maps']} schedule_id data_encoding",
    "child_execution_info_maps": f"{_NEEDED['child_execution_info_maps']} initiated_id data_encoding",
}
"""All columns that tables of known versions have, where a further one could change what a row means."""
_TABLES: Final = """
namespaces namespace_metadata shards executions current_executions current_chasm_executions buffered_events tasks
task_queues tasks_v2 task_queues_v2 task_queue_user_data build_id_to_task_queue history_immediate_tasks
history_scheduled_tasks transfer_tasks timer_tasks replication_tasks replication_tasks_dlq visibility_tasks
activity_info_maps timer_info_maps child_execution_info_maps request_cancel_info_maps signal_info_maps
signals_requested_sets chasm_node_maps history_node history_tree queue queue_metadata cluster_metadata_info
cluster_membership queues queue_messages nexus_incoming_services nexus_incoming_services_partition_status
nexus_endpoints nexus_endpoints_partition_status executions_visibility schema_version schema_update_history
cluster_metadata
"""
"""All tables that known versions have."""
_SAMPLES: Final = 5


@dataclass(frozen=True)
class Schema:
    """``columns`` of each table; ``version`` as far as it can be told; ``notice`` says what is unknown about it."""

    columns: dict[str, frozenset[str]]
    version: str
    known: bool
    notice: str = ""

    def has(self, table: str, *columns: str) -> bool:
        """Whether a table is there, with some columns."""
        return table in self.columns and self.columns[table] >= set(columns)


def check(store: Store, cancel: CancelToken) -> Schema:
    """Looks at the schema. Raises SchemaUnknownError for one that cannot be read."""
    name = plain(store.file.path.name, 80)
    columns = _columns(store, cancel)
    missing = _missing(columns)
    if missing:
        raise SchemaUnknownError(
            f"{name} is no database of a Temporal server that Playhead can read: it has no {missing[0]}.",
            "Start the server on it, and open temporal://…; or export a history and open the file.",
            f"missing: {', '.join(missing)}",
        )
    _check_records(store, name, cancel)
    version = _version(store, columns, cancel)
    odd = sorted(columns.keys() - set(_TABLES.split()))
    odd += [
        f"{table}.{column}"
        for table, known in _OWN.items()
        for column in sorted(columns[table] - set(known.split()))
    ]
    if not odd and version <= NEWEST:
        return Schema(columns, _text(version), True)
    why = f" ({', '.join(plain(one, 60) for one in odd[:4])})" if odd else ""
    return Schema(
        columns,
        _text(version),
        False,
        f"The schema of this database is newer than {_text(NEWEST)}, which was tested{why}: "
        "what is shown may lack what this version added.",
    )


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _columns(store: Store, cancel: CancelToken) -> dict[str, frozenset[str]]:
    statement = (
        "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS c "
        "WHERE m.type = 'table' AND m.name NOT LIKE 'executions!_visibility!_fts%' ESCAPE '!' "
        "AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    )
    found: dict[str, set[str]] = {}
    for table, column in store.rows(statement, cancel=cancel):
        found.setdefault(str(table), set()).add(str(column))
    return {table: frozenset(names) for table, names in found.items()}


def _missing(columns: dict[str, frozenset[str]]) -> list[str]:
    absent = [f"table {table}" for table in _NEEDED if table not in columns]
    return absent + [
        f"column {table}.{column}"
        for table, needed in _NEEDED.items()
        if table in columns
        for column in needed.split()
        if column not in columns[table]
    ]


def _version(store: Store, columns: dict[str, frozenset[str]], cancel: CancelToken) -> tuple[int, int]:
    if "curr_version" in columns.get("schema_version", ()):
        for (said,) in store.rows("SELECT curr_version FROM schema_version LIMIT 1", cancel=cancel):
            major, _, minor = str(said).partition(".")
            if major.isdigit() and minor.isdigit():
                return int(major), int(minor)
    for version, table, column in _SINCE:
        if table in columns and (not column or column in columns[table]):
            return version
    return 0, 1


def _check_records(store: Store, name: str, cancel: CancelToken) -> None:
    """Raises SchemaUnknownError when no record of some runs is what its columns say it is."""
    statement = f"SELECT workflow_id, run_id, data, data_encoding, state FROM executions LIMIT {_SAMPLES}"
    rows = store.rows(statement, cancel=cancel)
    if rows and not any(_fits(*row) for row in rows):
        raise SchemaUnknownError(
            f"The records in {name} are not those of a Temporal server that Playhead knows.",
            "They may be compressed or encrypted, or of a much newer version. Start the server and open temporal://….",
            f"data_encoding: {plain(str(rows[0][3]), 40)}",
        )


def _fits(workflow_id: Any, run_id: Any, data: Any, encoding: Any, state: Any) -> bool:
    from google.protobuf.message import DecodeError

    try:
        said = messages.parse("Execution", data).workflow_id, messages.parse("State", state).run_id
    except DecodeError:
        return False
    return str(encoding).lower() in PROTO and bool(said[0] and said[1])


def is_dev_database(path: str, head: bytes) -> bool:
    """Whether a file is a SQLite database with Temporal's tables. It takes no lock and leaves no file behind."""
    if not head.startswith(MAGIC):
        return False
    module: Any = sqlite3
    wanted = ("executions_visibility", "history_node", "current_executions")
    try:
        uri = f"file:{quoted(str(Path(path).absolute()))}?mode=ro&immutable=1"
        connection = module.connect(uri, uri=True)
        try:
            marks = ", ".join("?" * len(wanted))
            statement = f"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ({marks})"
            return bool(connection.execute(statement, wanted).fetchone()[0] == len(wanted))
        finally:
            connection.close()
    except (module.Error, OSError, ValueError):
        return False
