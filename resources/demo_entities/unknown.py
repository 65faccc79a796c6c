"""Statuses that no config knows, made by raw SQL. The engine refuses to start on data that has them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from engine_bridge.engines.entity_state.engine import load
from resources.demo_entities.community import CONFIGS, Community


class Held(NamedTuple):
    """An entity that stands on an unknown status."""

    table: str
    id: str
    status: str


def set_aside(database: Path) -> list[Held]:
    """Puts them, while the worker starts, back to where their history says; the lot is for the operator to mend."""
    held: list[Held] = []
    catalogue = load(CONFIGS)
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        for kind in catalogue.types:
            flow = catalogue.get(kind).workflow
            table, marks = flow.entity.table, ", ".join("?" * len(flow.status_types))
            found = connection.execute(
                f"SELECT id, status FROM {table} WHERE status NOT IN ({marks})", flow.status_types
            ).fetchall()
            back = (
                f"UPDATE {table} SET status = coalesce((SELECT to_status FROM workflow_history WHERE entity_type = ?"
                " AND entity_id = ? ORDER BY id DESC LIMIT 1), ?) WHERE id = ?"
            )
            connection.executemany(back, [(flow.entity.name, key, flow.initial, key) for key, _ in found])
            held += [Held(table, key, status) for key, status in found]
    return held


def put_back(app: Community, held: list[Held]) -> None:
    """As they were."""
    with app.db.begin() as connection:
        for one in held:
            statement = f"UPDATE {one.table} SET status = ? WHERE id = ?"
            connection.exec_driver_sql(statement, (one.status, one.id))
