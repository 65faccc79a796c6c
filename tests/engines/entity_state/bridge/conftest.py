"""Sample databases on SQLite and PostgreSQL, and stores on them."""

from __future__ import annotations

from tests.engines.dbos.databases import server
from tests.engines.entity_state.fixtures import entity_file, entity_server, open_entities, open_store

__all__ = ["entity_file", "entity_server", "open_entities", "open_store", "server"]
