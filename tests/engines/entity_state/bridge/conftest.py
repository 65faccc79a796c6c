"""Sample databases on SQLite and PostgreSQL, one with row-level security, and stores and bridges on them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine import Tables, enforce_tenants
from tests.engines.dbos.databases import server
from tests.engines.entity_state import sample
from tests.engines.entity_state.fixtures import (
    Sample,
    entity_file,
    entity_server,
    make_on_server,
    open_entities,
    open_store,
)

__all__ = ["entity_file", "entity_server", "open_entities", "open_store", "server"]

READER = "entity_reader"
"""A role that row-level security holds for: neither superuser nor owner, NOBYPASSRLS."""


@pytest.fixture(scope="session")
def tenants_server(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Our own tables with FORCE ROW LEVEL SECURITY on all of them; its ``url`` is the superuser's."""
    made = make_on_server("own", server, "entities_tenants", tmp_path_factory.mktemp("tenants"))
    invoices, users = sample.tables()
    tables = [(table, "tenant_id") for table in (invoices, users, *Tables().all)]
    engine = made.engine()
    with engine.begin() as connection:
        enforce_tenants(connection, tables)
        connection.execute(sa.text(f"CREATE ROLE {READER} LOGIN NOSUPERUSER NOBYPASSRLS NOINHERIT"))
        connection.execute(sa.text(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}"))
    engine.dispose()
    return made


def as_reader(url: str, tenant: str = "", user: str = READER, mapping: Path | None = None) -> str:
    """The URL of the same source for another role and tenant, perhaps by another mapping."""
    head, _, rest = url.partition("://")
    _, _, place = rest.partition("@")
    if mapping is not None:
        place = re.sub(r"mapping=[^&]*", f"mapping={mapping}", place)
    return f"{head}://{user}@{place}" + (f"&tenant={tenant}" if tenant else "")
