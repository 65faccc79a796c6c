"""Helpers of the tests of actions: databases of one's own, clones of real runs, plans and executions."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from engine_bridge.actions.model import (
    Actor,
    Intent,
    Outcome,
    PlanItem,
    Receipt,
    Staged,
    Target,
    new_request_id,
)
from engine_bridge.bridge import Bridge, load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import act_outcome
from engine_bridge.model import RunRef
from engine_bridge.sqlite_library import sqlite3
from tests.engines.dbos.databases import bridge_url

NEVER = CancelToken()
STATES = {
    "PENDING": "waiting-1",
    "ENQUEUED": "held-1",
    "DELAYED": "later-1",
    "SUCCESS": "order-002",
    "ERROR": "order-001",
    "CANCELLED": "cancelled-1",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "stuck-1",
}
"""A real run of tests/engines/dbos/app.py in each state."""
ACTIONS = ("signal", "cancel", "resume", "rewind", "fork", "delete", "set_delay", "enqueue_like")
ARGS: dict[str, dict[str, Any]] = {
    "signal": {"topic": "approval", "message": '{"ok": true}'},
    "rewind": {"start_step": 2},
    "fork": {"start_step": 2},
    "set_delay": {"until_ms": 1_900_000_000_123},
}
_TABLES = {
    "workflow_status": "workflow_uuid",
    "workflow_input": "workflow_uuid",
    "workflow_output": "workflow_uuid",
    "operation_outputs": "workflow_uuid",
    "workflow_events": "workflow_uuid",
    "workflow_events_history": "workflow_uuid",
    "streams": "workflow_uuid",
    "notifications": "destination_uuid",
}
_numbers = itertools.count(1)


def run_target(run_id: str) -> Target:
    return Target(kind="run", id=run_id, ref=RunRef("workflow", run_id, run_id))


def sqlite_engine(path: Path) -> sa.Engine:
    """The same SQLite library as that of bridge and actor: two in one process undo each other's locks."""
    return sa.create_engine(f"sqlite:///{path}", module=sqlite3, poolclass=sa.pool.NullPool)


@dataclass
class Place:
    """A database that a test may change: its source URL, and an engine for its own looks and changes."""

    url: str
    engine: sa.Engine
    schema: str
    _columns: dict[str, list[str]] = field(default_factory=dict)

    def sql(self, statement: str, **values: Any) -> list[Any]:
        """Runs one statement; ``{s}`` is the schema's prefix."""
        with self.engine.begin() as connection:
            found = connection.execute(sa.text(statement.replace("{s}", self.schema)), values)
            return list(found.fetchall()) if found.returns_rows else []

    def row(self, run_id: str) -> dict[str, Any] | None:
        with self.engine.begin() as connection:
            statement = sa.text(f"SELECT * FROM {self.schema}workflow_status WHERE workflow_uuid = :id")
            found = connection.execute(statement, {"id": run_id}).mappings().first()
            return None if found is None else dict(found)

    def status(self, run_id: str) -> str | None:
        row = self.row(run_id)
        return None if row is None else str(row["status"])

    def count(self, table: str, run_id: str) -> int:
        column = _TABLES[table]
        [row] = self.sql(f"SELECT count(*) FROM {{s}}{table} WHERE {column} = :id", id=run_id)
        return int(row[0])

    def clone(self, run_id: str, new_id: str, **changed: Any) -> str:
        """A copy of a real run, with all that belongs to it, under another id."""
        with self.engine.begin() as connection:
            for table, key in _TABLES.items():
                self._clone_rows(connection, table, key, run_id, new_id, changed)
        return new_id

    def _clone_rows(
        self, connection: Any, table: str, key: str, run_id: str, new_id: str, changed: dict[str, Any]
    ) -> None:
        columns = self._columns.get(table)
        if columns is None:
            found = sa.inspect(connection).get_columns(table, self.schema.strip(".") or None)
            columns = self._columns[table] = [column["name"] for column in found]
        taken: dict[str, Any] = {key: new_id}
        if table == "notifications":
            taken["message_uuid"] = None
        if table == "workflow_status":
            taken |= {"deduplication_id": None, **changed}
        names = ", ".join(f'"{c}"' for c in columns)
        values = ", ".join(
            "message_uuid || :new" if c == "message_uuid" else f":{c}" if c in taken else f'"{c}"'
            for c in columns
        )
        source = f"{self.schema}{table}"
        statement = f"INSERT INTO {source} ({names}) SELECT {values} FROM {source} WHERE {key} = :old"
        given = {name: value for name, value in taken.items() if name != "message_uuid"}
        new = {"new": new_id} if table == "notifications" else {}
        connection.execute(sa.text(statement), {"old": run_id, **given, **new})

    def in_state(self, state: str, name: str) -> str:
        """A run in a state, cloned from a real one. DBOS gives up on runs whose workers keep dying: that one is
        made from a stuck run, as ``dead_letter_workflows`` makes it."""
        given: dict[str, Any] = {}
        if state == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
            given = {"status": state, "recovery_attempts": 101, "owner_xid": None, "queue_name": None}
        return self.clone(STATES[state], f"{name}.{next(_numbers)}", **given)


def _folder() -> str:
    """Memory where there is some: commits that wait for a disk are no part of these tests."""
    memory = Path("/dev/shm")
    return tempfile.mkdtemp(prefix="playhead-act-", dir=memory if os.access(memory, os.W_OK) else None)


def _sqlite_place(made: Path) -> Iterator[Place]:
    folder = _folder()
    path = Path(shutil.copy(made, Path(folder) / "acted.sqlite"))
    yield Place(f"dbos+sqlite:///{path}", sqlite_engine(path), "")
    shutil.rmtree(folder)


def _postgresql_place(server: Any, template: str) -> Iterator[Place]:
    name = f"acted_{next(_numbers)}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    uri = str(server.get_uri(database=name))
    engine = sa.create_engine(uri.replace("postgresql://", "postgresql+psycopg://", 1))
    yield Place(bridge_url(uri), engine, "dbos.")
    engine.dispose()


def _make(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "sqlite":
        yield from _sqlite_place(request.getfixturevalue("made_sqlite"))
    else:
        request.getfixturevalue("made_postgresql")
        yield from _postgresql_place(request.getfixturevalue("server"), "orders_dbos_sys")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """The application's database on either system, shared by a module's tests: each acts on clones of its own."""
    yield from _make(request)


@pytest.fixture(params=["sqlite", "postgresql"])
def own_place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """As ``place``, for one test alone."""
    yield from _make(request)


class Operator:
    """Plans and executes as the application does, in this process."""

    def __init__(self, url: str) -> None:
        engine = load_engine("dbos")
        self.bridge: Bridge = engine.bridge(url, None)
        self.bridge.open(NEVER)
        assert engine.actor is not None
        self.actor: Actor = engine.actor(url, None)
        self.actor.open(NEVER)

    def close(self) -> None:
        self.actor.close()
        self.bridge.close()

    def specs(self, target: Target | str) -> dict[str, Any]:
        aim = run_target(target) if isinstance(target, str) else target
        return {spec.id: spec for spec in self.bridge.actions(aim, NEVER)}

    def plan(self, target: Target | str, action: str, **args: Any) -> PlanItem:
        aim = run_target(target) if isinstance(target, str) else target
        [item] = self.bridge.plan((Staged(target=aim, action=action, args=args),), NEVER)
        return item

    def execute(self, item: PlanItem, request_id: str | None = None, cancel: CancelToken = NEVER) -> Receipt:
        assert not item.refused, item.refused
        return self.actor.execute(item, request_id or new_request_id(), cancel)

    def act(self, target: Target | str, action: str, **args: Any) -> Receipt:
        return self.execute(self.plan(target, action, **args))

    def settle(self, item: PlanItem, request_id: str) -> Outcome:
        return self.actor.settle(Intent(request_id=request_id, source="test", item=item), NEVER)


@pytest.fixture
def operators() -> Iterator[Callable[[str], Operator]]:
    """Opens operators and closes them after the test."""
    opened: list[Operator] = []

    def open_one(url: str) -> Operator:
        opened.append(Operator(url))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def operator(place: Place, operators: Callable[[str], Operator], monkeypatch: pytest.MonkeyPatch) -> Operator:
    """One that does not wait for workers: none lives."""
    monkeypatch.setattr(act_outcome, "TAKE_S", 0.0)
    return operators(place.url)
