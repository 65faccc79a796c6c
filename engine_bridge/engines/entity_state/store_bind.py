"""Ties a mapping to the tables that are there, with a finding for whatever does not fit; one workflow at a time."""

from __future__ import annotations

import os
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from engine_bridge.engines.entity_state.checks import Report
from engine_bridge.engines.entity_state.engine.findings import suggest
from engine_bridge.engines.entity_state.mapping import ActorLink, EntityMap, WorkflowMap
from engine_bridge.engines.entity_state.mapping_load import Loaded
from engine_bridge.engines.entity_state.store_bound import NO_STATUS, Bound
from engine_bridge.engines.entity_state.store_reflect import Reflected, indexes
from engine_bridge.engines.entity_state.store_states import complete, declared, ways
from engine_bridge.engines.entity_state.store_tables import (
    TIMES,
    BoundTable,
    as_text,
    is_time,
    make_time,
    no_time_in,
)
from engine_bridge.engines.entity_state.url import Place

_PARTS: Final = ("history", "failures", "delayed", "outbox")


def bind(
    connection: sa.Connection, loaded: Loaded, place: Place, tenant: str, report: Report
) -> tuple[Bound, ...]:
    """All workflows of a mapping; unusable ones have a ``problem``."""
    flows = loaded.mapping.workflows
    tables = Reflected(connection, [name for flow in flows for name in _names(flow)], place.schema)
    made = [_Binder(connection, tables, loaded, place, tenant, report, flow).bound for flow in flows]
    for type, problem in loaded.broken.items():
        bound = Bound(WorkflowMap(type=type, profile="plain", entity=EntityMap(table="")), {}, tenant)
        bound.problem = problem
        made.append(bound)
    for rank, name in enumerate(sorted(bound.type for bound in made)):
        next(bound for bound in made if bound.type == name).rank = rank
    return tuple(made)


def _names(flow: WorkflowMap) -> list[str]:
    parts = (flow.entity, flow.history, flow.failures, flow.delayed, flow.outbox)
    names = [part.table for part in parts if part is not None]
    actor = None if flow.history is None else flow.history.actor
    return [*names, actor.table] if isinstance(actor, ActorLink) else names


def version(connection: sa.Connection) -> str:
    """What answers: "PostgreSQL 18.1", "SQLite 3.51.0"."""
    if connection.dialect.name == "sqlite":
        return f"SQLite {connection.execute(sa.text('SELECT sqlite_version()')).scalar()}"
    text = str(connection.execute(sa.text("SHOW server_version")).scalar())
    return f"PostgreSQL {text.split()[0]}"


class _Binder:
    def __init__(
        self,
        connection: sa.Connection,
        tables: Reflected,
        loaded: Loaded,
        place: Place,
        tenant: str,
        report: Report,
        flow: WorkflowMap,
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._place, self._report, self._flow = place, report, flow
        self._unit = loaded.mapping.time.unit
        self._writes = loaded.mapping.writes.mode == "sql"
        catalogue = loaded.catalogue
        self.bound = Bound(
            flow,
            declared(flow, catalogue, tenant),
            tenant,
            ways(flow, catalogue, tenant),
            complete(flow, catalogue),
        )
        self._entity()
        if self.bound.usable:
            for name in _PARTS:
                setattr(self.bound, name, self._part(name))
            self._state()
            self._write_grants()

    def _add(self, code: str, name: str, reason: str, fix: str, severity: str = "error") -> None:
        self._report.add(self._flow, code, name, reason, fix, severity=severity)

    def _written(self, name: str) -> bool:
        return name in self._flow.written

    def _table(self, section: str, name: str) -> sa.Table | None:
        table = self._tables.get(name)
        if table is None:
            self._absent(section, name)
        elif not self._tables.readable(table):
            fix = f"GRANT SELECT ON {self._tables.quoted(table)} TO the role that reads."
            severity = "error" if section == "entity" else "warning"
            self._add("missing_grant", f"{section}.table", f"no SELECT on {table.name}", fix, severity)
            return None
        return table

    def _absent(self, section: str, name: str) -> None:
        written = self._written(f"{section}.table")
        # What only the profile assumes may well be absent: tables with neither outbox nor timers.
        if not written and section not in ("entity", "history"):
            return
        schema, bare = self._tables.split(name)
        place = f" in the schema {schema}" if schema else ""
        reason = f"there is no table {bare}{place} ({section})"
        severity = "error" if section == "entity" or written else "warning"
        fix = suggest(bare, self._tables.others(schema))
        self._add("missing_table", f"{section}.table", reason, fix, severity)

    def _column(self, section: str, field: str, table: sa.Table, name: str | None) -> sa.Column[Any] | None:
        if name is None:
            return None
        full = f"{section}.{field}"
        column = table.c.get(name)
        if column is None:
            if self._written(full) or field in ("id", "status", "entity_id", "to", "order"):
                fix = suggest(name, table.c.keys())
                self._add("missing_column", full, f"{table.name} has no column {name} ({field})", fix)
            return None
        if not self._tables.readable(table, name):
            fix = f"GRANT SELECT ({name}) ON {self._tables.quoted(table)} TO the role that reads."
            self._add("missing_grant", full, f"no SELECT on {table.name}.{name}", fix, "warning")
            return None
        if field in TIMES:
            return self._time(full, column)
        return column

    def _time(self, full: str, column: sa.Column[Any]) -> sa.Column[Any] | None:
        if not is_time(column, self._unit, self._tables.sqlite):
            reason = f"{column.table.name}.{column.name} is {column.type}, which holds no {self._unit}"
            self._add("wrong_column_type", full, reason, 'Name another column, or say [time] unit = "…".')
            return None
        if self._tables.sqlite and no_time_in(self._connection, column, self._unit):
            reason = f"{column.table.name}.{column.name} holds no {self._unit}"
            self._add("wrong_column_type", full, reason, 'Name another column, or say [time] unit = "…".')
            return None
        make_time(self._connection, column, self._unit)
        return column

    def _entity(self) -> None:
        bound, map = self.bound, self._flow.entity
        table = self._table("entity", map.table)
        if table is None:
            bound.problem = f"{map.table} is missing, or may not be read."
            return
        bound.table = table
        columns = {
            field: self._column("entity", field, table, getattr(map, field))
            for field in ("id", "status", "version", "tenant", "label", "claimed_by", "claimed_at", "created_at",
                          "updated_at")
        }  # fmt: skip
        if columns["id"] is None or (map.status is not None and columns["status"] is None):
            missing = "id" if columns["id"] is None else "status"
            bound.problem = f"{map.table} has no readable column for its {missing}."
            return
        bound.id = columns["id"]
        bound.status_column = columns.pop("status")
        for field in columns.keys() - {"id"}:
            setattr(bound, field, columns[field])
        payload = (self._column("entity", "payload", table, name) for name in map.payload)
        bound.payload = tuple(column for column in payload if column is not None)
        self._entity_checks(table)

    def _entity_checks(self, table: sa.Table) -> None:
        bound = self.bound
        if bound.version is not None and not isinstance(bound.version.type, sa.Integer):
            reason = f"{table.name}.{bound.version.name} is {bound.version.type}, not an integer"
            fix = "Name an integer column; without one a move compares less, and says so."
            self._add("version_not_integer", "entity.version", reason, fix)
            bound.version = None
        if ([bound.id.name], True) not in indexes(table):
            reason = f"{table.name}.{bound.id.name} is neither the primary key nor unique"
            self._add("id_not_unique", "entity.id", reason, "Name the column that names a row.", "warning")
        bound.enforced = self._tables.hidden(table)
        bound.hidden = bound.enforced and not bound.source_tenant

    def _part(self, section: str) -> BoundTable | None:
        map = getattr(self._flow, section)
        table = None if map is None else self._table(section, map.table)
        if table is None:
            return None
        fields: dict[str, sa.Column[Any] | None] = {}
        for found in msgspec.structs.fields(type(map)):
            value = getattr(map, found.name)
            if found.name in ("table", "discriminator", "sort_step", "touch", "actor"):
                continue
            fields[found.name] = self._column(section, found.encode_name, table, value)
        entity_id = fields["entity_id"]
        if entity_id is None or any(fields[n] is None for n in ("to", "order", "id") if n in fields):
            return None
        missing = [name for name in map.discriminator if name not in table.c]
        if missing:
            reason = f"{table.name} has no column {missing[0]} (discriminator)"
            self._add(
                "missing_column", f"{section}.discriminator", reason, suggest(missing[0], table.c.keys())
            )
            return None
        part = BoundTable(table, entity_id, fields, map.discriminator)
        part.scoped(self.bound.source_tenant)
        part.tie(self.bound.id, sqlite=self._tables.sqlite)
        if section == "history":
            self._history(part, map)
        return part

    def _history(self, part: BoundTable, map: Any) -> None:
        self._actor(part, map.actor)
        touch = tuple(self._column("history", "touch", part.table, name) for name in map.touch)
        part.set("touch", tuple(column for column in touch if column is not None))
        part.set("sort_step", map.sort_step)
        if self._flow.profile == "django_fsm_log" and not part.discriminator:
            reason = f"{part.table.name} holds the rows of all models, and no discriminator tells them apart"
            fix = "Write discriminator = {content_type_id = N}; N is the model's row in django_content_type."
            self._add("missing_discriminator", "history.discriminator", reason, fix, "warning")
        if not any(self._serves(columns, part) for columns, _ in indexes(part.table)):
            columns = ", ".join([*part.discriminator, part.entity_id.name, part.order.name])
            reason = f"{part.table.name} has no index on ({columns}): every history is a scan"
            self._add("missing_index", "history.entity_id", reason, "Create the index.", "warning")

    def _actor(self, part: BoundTable, actor: str | ActorLink | None) -> None:
        if not isinstance(actor, ActorLink):
            part.set("actor", self._column("history", "actor", part.table, actor))
            return
        part.set("actor", None)
        key = self._column("history", "actor", part.table, actor.fk)
        people = None if key is None else self._table("history.actor", actor.table)
        if key is None or people is None:
            return
        id, label = (
            self._column("history.actor", name, people, getattr(actor, name)) for name in ("id", "label")
        )
        if id is None or label is None:
            part.set("actor", as_text(key))
            return
        who = people.alias()
        named = sa.select(as_text(who.c[label.name])).where(who.c[id.name] == key).correlate(part.table)
        part.actor_link = actor
        part.set("actor", named.scalar_subquery())

    @staticmethod
    def _serves(columns: list[str], part: BoundTable) -> bool:
        """Whether an index finds the rows of one entity."""
        rest = [name for name in columns if name not in part.discriminator]
        return bool(rest) and rest[0] == part.entity_id.name

    def _state(self) -> None:
        bound = self.bound
        if bound.status_column is not None:
            bound.status = as_text(bound.status_column)
            return
        if bound.history is None:
            bound.problem = "its state is its latest history row, and there is no history to read."
            self._add(
                "missing_table", "history.table", bound.problem, "Name the history's table and columns."
            )
            return
        state = bound.latest("to").scalar_subquery()
        bound.status = sa.func.coalesce(
            sa.cast(state, sa.Text), sa.literal(bound.initial(), literal_execute=True)
        )
        if bound.initial() == NO_STATUS:
            reason = "no initial status is named for entities without a history row"
            self._add("missing_initial", "states", reason, 'Write states = {initial = ["…"]}.', "warning")

    def _write_grants(self) -> None:
        if not self._writes:
            return
        wanted = [(self.bound.table, "UPDATE", "entity")] if self.bound.status_column is not None else []
        wanted += [(self.bound.history.table, "INSERT", "history")] if self.bound.history is not None else []
        for table, grant, section in wanted:
            reason = self._not_granted(table, grant)
            if reason:
                fix = f'GRANT {grant} ON {self._tables.quoted(table)}, or write mode = "none" in [writes].'
                self._add("missing_grant", f"{section}.table", reason, fix, "warning")

    def _not_granted(self, table: sa.Table, grant: str) -> str:
        if self._tables.sqlite:
            path = self._place.path
            return "" if path is None or os.access(path, os.W_OK) else f"{path.name} may not be written to"
        return "" if self._tables.writable(table, grant) else f"no {grant} on {table.name}"
