"""The SQL that DBOS's client issues for an action, with literals, to be read and to be pasted.

Written after dbos 3.4.0 (``dbos/_sys_db.py``); a test runs each one and compares the rows with the client's own.
"""

from __future__ import annotations

from typing import Any, Final

from engine_bridge.actions.quoting import sql as literal
from engine_bridge.engines.dbos.actions_facts import INTERNAL_QUEUE, NULL_TOPIC

_STEPS: Final = "output, error, serialization, function_name, child_workflow_id"
_TIMES: Final = "started_at_epoch_ms, completed_at_epoch_ms"
_CLOSED: Final = '"__DBOS_STREAM_CLOSED__"'


class Sql:
    """Statements for one database. ``schema`` is None on SQLite."""

    def __init__(self, dialect: str, schema: str | None) -> None:
        self._dialect = dialect
        self._prefix = '"' + schema.replace('"', '""') + '".' if schema else ""
        seconds = "CAST(strftime('%s','now') AS INTEGER)" if dialect == "sqlite" else None
        self.now = f"{seconds} * 1000" if seconds else "(extract(epoch FROM now()) * 1000)::bigint"

    def table(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def of(self, value: Any) -> str:
        return literal(value, self._dialect)

    def _ids(self, ids: tuple[str, ...]) -> str:
        if len(ids) == 1:
            return f"workflow_uuid = {self.of(ids[0])}"
        return f"workflow_uuid IN ({', '.join(self.of(i) for i in ids)})"

    def signal(self, id_: str, topic: str | None, message: str, key: str) -> tuple[str, ...]:
        values = (id_, topic or NULL_TOPIC, message, f"{key}::{id_}", "portable_json")
        return (
            f"INSERT INTO {self.table('notifications')} (destination_uuid, topic, message, message_uuid, "
            f"serialization) VALUES ({', '.join(map(self.of, values))}) ON CONFLICT (message_uuid) DO NOTHING",
        )

    def cancel(self, ids: tuple[str, ...]) -> tuple[str, ...]:
        return (
            f"UPDATE {self.table('workflow_status')} SET status = 'CANCELLED', owner_xid = NULL, queue_name = NULL, "
            f"deduplication_id = NULL, started_at_epoch_ms = NULL, updated_at = {self.now}, completed_at = {self.now} "
            f"WHERE {self._ids(ids)} AND status NOT IN ('SUCCESS', 'ERROR')",
        )

    def resume(self, id_: str, queue: str | None) -> tuple[str, ...]:
        return (
            f"UPDATE {self.table('workflow_status')} SET status = 'ENQUEUED', owner_xid = NULL, "
            f"queue_name = {self.of(queue or INTERNAL_QUEUE)}, recovery_attempts = 0, "
            "workflow_deadline_epoch_ms = NULL, deduplication_id = NULL, started_at_epoch_ms = NULL, "
            f"updated_at = {self.now}, completed_at = NULL "
            f"WHERE {self._ids((id_,))} AND status NOT IN ('SUCCESS', 'ERROR')",
        )

    def copy_input(self, id_: str, new_id: str) -> tuple[str, ...]:
        """Input and serialisation of a run for another one, as they are stored."""
        runs, inputs = self.table("workflow_status"), self.table("workflow_input")
        return (
            f"UPDATE {inputs} SET inputs = (SELECT COALESCE(i.inputs, s.inputs) FROM {runs} s LEFT JOIN {inputs} i "
            f"ON i.workflow_uuid = s.workflow_uuid WHERE s.workflow_uuid = {self.of(id_)}) "
            f"WHERE {self._ids((new_id,))}",
            f"UPDATE {runs} SET serialization = (SELECT s.serialization FROM {runs} s "
            f"WHERE s.workflow_uuid = {self.of(id_)}) WHERE {self._ids((new_id,))}",
        )

    def enqueue_like(self, id_: str, new_id: str, queue: str, version: str | None) -> tuple[str, ...]:
        runs, inputs = self.table("workflow_status"), self.table("workflow_input")
        kept = (
            "class_name, config_name, authenticated_user, authenticated_roles, queue_partition_key, priority"
        )
        kept += ", workflow_timeout_ms, serialization, attributes, application_name"
        return (
            f"INSERT INTO {runs} (workflow_uuid, status, name, {kept}, application_version, queue_name, "
            f"recovery_attempts) SELECT {self.of(new_id)}, 'ENQUEUED', name, {kept}, {self.of(version)}, "
            f"{self.of(queue)}, 0 FROM {runs} WHERE {self._ids((id_,))}",
            f"INSERT INTO {inputs} (workflow_uuid, inputs) SELECT {self.of(new_id)}, COALESCE(i.inputs, s.inputs) "
            f"FROM {runs} s LEFT JOIN {inputs} i ON i.workflow_uuid = s.workflow_uuid "
            f"WHERE s.workflow_uuid = {self.of(id_)}",
        )

    def delete(self, ids: tuple[str, ...]) -> tuple[str, ...]:
        tables = ("workflow_input", "workflow_output", "operation_outputs", "workflow_status")
        return tuple(f"DELETE FROM {self.table(name)} WHERE {self._ids(ids)}" for name in tables)

    def set_delay(self, id_: str, until_ms: int) -> tuple[str, ...]:
        return (
            f"UPDATE {self.table('workflow_status')} SET delay_until_epoch_ms = {self.of(until_ms)}, "
            f"updated_at = {self.now} WHERE {self._ids((id_,))} AND status = 'DELAYED'",
        )

    def queue(self, name: str, concurrency: int | None) -> tuple[str, ...]:
        return (
            f"UPDATE {self.table('queues')} SET concurrency = {self.of(concurrency)}, updated_at = {self.now} "
            f"WHERE name = {self.of(name)}",
        )

    def schedule(self, name: str, status: str) -> tuple[str, ...]:
        return (
            f"UPDATE {self.table('workflow_schedules')} SET status = {self.of(status)} "
            f"WHERE schedule_name = {self.of(name)}",
        )

    def rewind(self, id_: str, start: int, version: str | None) -> tuple[str, ...]:
        me, history = self._ids((id_,)), self.table("workflow_events_history")
        late = f"SELECT key FROM {history} WHERE {me} AND function_id >= {start}"
        newest = (
            f"SELECT max(o.function_id) FROM {history} o "
            f"WHERE o.workflow_uuid = h.workflow_uuid AND o.key = h.key AND o.function_id < {start}"
        )
        set_version = f"application_version = {self.of(version)}, " if version else ""
        return (
            f"DELETE FROM {self.table('workflow_events')} WHERE {me} AND key IN ({late})",
            f"INSERT INTO {self.table('workflow_events')} (workflow_uuid, key, value, serialization) "
            f"SELECT h.workflow_uuid, h.key, h.value, h.serialization FROM {history} h "
            f"WHERE h.workflow_uuid = {self.of(id_)} AND h.function_id = ({newest}) AND h.key IN ({late})",
            f"DELETE FROM {self.table('streams')} WHERE {me} AND function_id >= {start} "
            f"AND value = {self.of(_CLOSED)} AND serialization = 'portable_json'",
            f"DELETE FROM {self.table('operation_outputs')} WHERE {me} AND function_id >= {start}",
            f"DELETE FROM {history} WHERE {me} AND function_id >= {start}",
            f"DELETE FROM {self.table('notifications')} WHERE destination_uuid = {self.of(id_)} "
            f"AND (consumed_by_function_id >= {start} OR consumed = FALSE)",
            f"DELETE FROM {self.table('workflow_output')} WHERE {me}",
            f"UPDATE {self.table('workflow_status')} SET status = 'ENQUEUED', owner_xid = NULL, {set_version}"
            f"queue_name = {self.of(INTERNAL_QUEUE)}, queue_partition_key = NULL, recovery_attempts = 0, "
            "workflow_deadline_epoch_ms = NULL, deduplication_id = NULL, started_at_epoch_ms = NULL, "
            f"updated_at = {self.now}, completed_at = NULL, output = NULL, error = NULL WHERE {me}",
        )

    def fork(
        self, id_: str, start: int, new_id: str, version: str | None, queue: str | None, key: str | None
    ) -> tuple[str, ...]:
        kept = (
            "class_name, config_name, application_id, authenticated_user, authenticated_roles, assumed_role"
        )
        kept += ", serialization, attributes, application_name"
        runs, inputs = self.table("workflow_status"), self.table("workflow_input")
        new, me = self.of(new_id), self._ids((id_,))
        head = (
            f"INSERT INTO {runs} (workflow_uuid, status, name, {kept}, application_version, queue_name, "
            f"queue_partition_key, forked_from) SELECT {new}, 'ENQUEUED', name, {kept}, {self.of(version)}, "
            f"{self.of(queue or INTERNAL_QUEUE)}, {self.of(key)}, {self.of(id_)} FROM {runs} WHERE {me}",
            f"INSERT INTO {inputs} (workflow_uuid, inputs) SELECT {new}, COALESCE(i.inputs, s.inputs) FROM {runs} s "
            f"LEFT JOIN {inputs} i ON i.workflow_uuid = s.workflow_uuid WHERE s.workflow_uuid = {self.of(id_)}",
            f"UPDATE {runs} SET was_forked_from = TRUE WHERE {me}",
        )
        return head if start <= 1 else (*head, *self._copies(id_, start, new_id))

    def _copies(self, id_: str, start: int, new_id: str) -> tuple[str, ...]:
        new, early = self.of(new_id), f"workflow_uuid = {self.of(id_)} AND function_id < {start}"
        history, steps = self.table("workflow_events_history"), self.table("operation_outputs")
        newest = (
            f"SELECT max(o.function_id) FROM {history} o "
            f"WHERE o.workflow_uuid = h.workflow_uuid AND o.key = h.key AND o.function_id < {start}"
        )
        owner = f"(SELECT application_name FROM {self.table('workflow_status')} WHERE {self._ids((id_,))})"
        return (
            f"INSERT INTO {steps} (workflow_uuid, function_id, {_STEPS}, {_TIMES}, application_name, "
            f"retention_timestamp) SELECT {new}, function_id, {_STEPS}, {_TIMES}, {owner}, {self.now} "
            f"FROM {steps} WHERE {early}",
            f"INSERT INTO {history} (workflow_uuid, function_id, key, value, serialization) "
            f"SELECT {new}, function_id, key, value, serialization FROM {history} WHERE {early}",
            f"INSERT INTO {self.table('workflow_events')} (workflow_uuid, key, value, serialization) "
            f"SELECT {new}, h.key, h.value, h.serialization FROM {history} h "
            f"WHERE h.workflow_uuid = {self.of(id_)} AND h.function_id = ({newest})",
            f'INSERT INTO {self.table("streams")} (workflow_uuid, function_id, key, value, serialization, "offset") '
            f'SELECT {new}, function_id, key, value, serialization, "offset" FROM {self.table("streams")} '
            f"WHERE {early}",
        )


def script(statements: tuple[str, ...], dialect: str) -> str:
    """Statements as one transaction to paste."""
    cascade = ["PRAGMA foreign_keys = ON;"] if dialect == "sqlite" else []
    return "\n".join([*cascade, "BEGIN;", *(f"{statement};" for statement in statements), "COMMIT;"])
