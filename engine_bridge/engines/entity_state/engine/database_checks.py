"""Checks of configs against a database: tables, columns, types, grants, and entities on unknown statuses."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from .catalogue import Catalogue
from .config import Entity
from .context import new_context
from .database import Database
from .document import Document
from .entities import reflect
from .findings import Place, Report, suggest
from .tables import Tables

_COLUMNS = ("id", "status", "version", "tenant", "claimed_by", "claimed_at", "updated_at")


def check_database(
    catalogue: Catalogue,
    database: Database,
    report: Report,
    tables: Tables | None = None,
    tenant: str | None = None,
) -> None:
    """Adds what does not fit between the catalogue and the database; ``tables``: the engine's own are looked for too.

    Each document is checked with its tenant set, one without a tenant with ``tenant``.
    """
    for document in catalogue.documents.values():
        with database.read(new_context("system", document.tenant or tenant)) as connection:
            check_entities(catalogue, document, connection, report)
    if tables is not None:
        with database.read(new_context("system", tenant)) as connection:
            check_tables(tables, connection, report)


def check_entities(
    catalogue: Catalogue, document: Document, connection: sa.Connection, report: Report
) -> None:
    """Adds what does not fit between one of the catalogue's documents and the database.

    The connection's transaction must have the document's tenant set where row-level security hides other rows.
    """
    entity = document.workflow.entity
    try:
        table = reflect(connection, entity)
    except sa.exc.NoSuchTableError:
        names = sa.inspect(connection).get_table_names(schema=entity.schema)
        reason = f"the table {entity.table} does not exist"
        report.add("missing_table", document.place("entity", "table"), reason, suggest(entity.table, names))
        return
    if _columns(document, entity, table, report):
        _types(document, entity, table, report)
        _grants(document, entity, table, connection, report)
        _statuses(catalogue, document, connection, report)


def check_tables(tables: Tables, connection: sa.Connection, report: Report) -> None:
    """Adds a finding for each of the engine's own tables that is missing."""
    inspector = sa.inspect(connection)
    for table in tables.all:
        if not inspector.has_table(table.name, schema=table.schema):
            reason = f"the table {table.fullname} is missing"
            report.add(
                "missing_table", Place("", table.fullname), reason, "Create it with Tables().create(engine)."
            )


def unknown_statuses(
    connection: sa.Connection, document: Document, others: tuple[str, ...] = ()
) -> dict[str, int]:
    """Status -> number of visible entities that stand on it, for the statuses the config does not know.

    Of an overlay only its tenant's entities count; of a base those of tenants other than ``others`` (that have their
    own overlays).
    """
    flow = document.workflow
    table = reflect(connection, flow.entity)
    status = sa.cast(table.c[flow.entity.status], sa.Text)
    statement = sa.select(status, sa.func.count()).group_by(status)
    if flow.entity.tenant:
        tenant = table.c[flow.entity.tenant]
        if document.tenant is not None:
            statement = statement.where(tenant == document.tenant)
        elif others:
            statement = statement.where(sa.or_(tenant.is_(None), tenant.not_in(others)))
    counted = {str(name): int(count) for name, count in connection.execute(statement)}
    return {name: count for name, count in sorted(counted.items()) if name not in flow.status_types}


def _columns(document: Document, entity: Entity, table: sa.Table, report: Report) -> bool:
    whole = True
    for field in _COLUMNS:
        name = getattr(entity, field)
        if name is not None and name not in table.columns:
            reason = f"the table {entity.table} has no column {name} ({field})"
            report.add(
                "missing_column",
                document.place("entity", field),
                reason,
                suggest(name, table.columns.keys()),
            )
            whole = False
    return whole


def _types(document: Document, entity: Entity, table: sa.Table, report: Report) -> None:
    wanted: tuple[tuple[str, Any, str], ...] = (
        ("version", sa.Integer, "an integer"),
        ("claimed_at", sa.TypeDecorator, "a timestamp"),
        ("updated_at", sa.TypeDecorator, "a timestamp"),
    )
    for field, kind, text in wanted:
        name = getattr(entity, field)
        if name is not None and not isinstance(table.columns[name].type, kind):
            reason = f"the column {name} ({field}) is {table.columns[name].type}, not {text}"
            report.add(
                "wrong_column_type", document.place("entity", field), reason, "Change the column's type."
            )


def _grants(
    document: Document, entity: Entity, table: sa.Table, connection: sa.Connection, report: Report
) -> None:
    if connection.dialect.name != "postgresql":
        return
    quoted = connection.dialect.identifier_preparer.format_table(table)
    for grant in ("SELECT", "UPDATE"):
        ask = sa.text("SELECT has_any_column_privilege(CAST(:name AS text), :grant)")
        if not connection.execute(ask, {"name": quoted, "grant": grant}).scalar():
            fix = f"GRANT {grant} ON {quoted} TO the engine's role."
            place = document.place("entity", "table")
            report.add("missing_grant", place, f"no right to {grant} on {entity.table}", fix)


def _statuses(catalogue: Catalogue, document: Document, connection: sa.Connection, report: Report) -> None:
    others = tuple(t for name, t in catalogue.documents if t is not None and name == document.workflow_type)
    place = document.place("entity", "table")
    try:
        with connection.begin_nested():
            unknown = unknown_statuses(connection, document, others)
    except SQLAlchemyError as error:
        reason = f"the statuses cannot be counted: {type(error).__name__}"
        report.add("unreadable_table", place, reason, "Grant SELECT on the table.")
        return
    if document.tenant is None and _hidden(connection, document):
        reason = f"row-level security hides rows of {document.workflow.entity.table}, and no tenant is set"
        report.add(
            "tenant_required", place, reason, "Check again with a tenant: nothing was counted.", "warning"
        )
    place = document.place("status_types")
    for status, count in unknown.items():
        noun = "entity stands" if count == 1 else "entities stand"
        reason = f"{count} {noun} on the status “{status}”, which the config does not know"
        report.add("entities_on_unknown_status", place, reason, "Add the status, or move them first.")


def _hidden(connection: sa.Connection, document: Document) -> bool:
    if connection.dialect.name != "postgresql":
        return False
    table = reflect(connection, document.workflow.entity)
    name = connection.dialect.identifier_preparer.format_table(table)
    active = connection.execute(
        sa.text("SELECT row_security_active(CAST(:name AS text))"), {"name": name}
    ).scalar()
    return bool(active)
