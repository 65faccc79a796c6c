"""Databases of one's own, and operators who plan and act on them as the application does."""

from __future__ import annotations

import functools
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from engine_bridge.actions.execute import Execution
from engine_bridge.actions.journal import Journal
from engine_bridge.actions.model import (
    Intent,
    Outcome,
    Plan,
    PlanItem,
    Receipt,
    Signature,
    Staged,
    Target,
    new_request_id,
)
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import actions
from engine_bridge.engines.entity_state.act import EntityActor
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.model import RunRef
from tests.engines.entity_state import sample
from tests.engines.entity_state.fixtures import BUILDERS, Sample, make_file, make_on_server

NEVER = CancelToken()
WRITES = '[writes]\nmode = "sql"\n'
_numbers = itertools.count(1)
_TYPES = {"own": "invoice", "django": "ticket", "statesman": "order", "plain": "job"}


def target_of(entity_id: str, type_: str = "invoice") -> Target:
    return Target(kind="run", id=entity_id, ref=RunRef("entity", type_, entity_id))


@dataclass
class Place:
    """A database: its source URL, and a writer of SQLAlchemy for a test's own looks and changes."""

    sample: Sample
    shape: str
    engine: sa.Engine
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        return self.sample.url

    @property
    def type(self) -> str:
        return _TYPES[self.shape]

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    def sql(self, statement: str, **values: Any) -> list[Any]:
        with self.engine.begin() as connection:
            found = connection.execute(sa.text(statement), values)
            return list(found.fetchall()) if found.returns_rows else []

    def value(self, statement: str, **values: Any) -> Any:
        [row] = self.sql(statement, **values)
        return row[0]

    def status(self, invoice: str) -> tuple[str, int]:
        [row] = self.sql("SELECT status, version FROM invoices WHERE id = :id", id=invoice)
        return row[0], row[1]

    def history(self, invoice: str) -> list[tuple[str, str, str, str]]:
        """(step, from, to, actor) of every row, in order."""
        rows = self.sql(
            "SELECT step_key, from_status, to_status, actor FROM workflow_history WHERE entity_id = :id ORDER BY id",
            id=invoice,
        )
        return [tuple(row) for row in rows]

    def metadata(self, invoice: str) -> dict[str, Any]:
        """Of the newest history row."""
        found = self.sql(
            "SELECT metadata FROM workflow_history WHERE entity_id = :id ORDER BY id", id=invoice
        )[-1][0]
        return json.loads(found) if isinstance(found, str) else found

    def write(self, text: str) -> None:
        """Changes the mapping's [writes]."""
        old = self.sample.mapping.read_text()
        old = re.sub(r"\[writes\][^\[]*", "", old)
        self.sample.mapping.write_text(old.replace("[[workflow]]", f"{text}\n[[workflow]]", 1))

    def operator(self, who: str = "ann", reason: str = "because", url: str = "") -> Operator:
        made = Operator(url or self.url, who, reason)
        self.stack.callback(made.close)
        return made


class Operator:
    """Plans and acts as the application does, in this process."""

    def __init__(self, url: str, who: str, reason: str) -> None:
        self.url = url
        self.store = Store(url)
        self.store.open(NEVER)
        self.actor = EntityActor(url)
        self.actor.open(NEVER)
        self.actor.sign(Signature(who=who, reason=reason), NEVER)

    def close(self) -> None:
        self.actor.close()
        self.store.close()

    def specs(self, target: Target | str) -> dict[str, Any]:
        return {spec.id: spec for spec in actions.specs(self.store, _aim(target), NEVER)}

    def plan(self, target: Target | str, action: str, **args: Any) -> PlanItem:
        [item] = actions.plan(self.store, (Staged(target=_aim(target), action=action, args=args),), NEVER)
        return item

    def execute(self, item: PlanItem, request_id: str | None = None, cancel: CancelToken = NEVER) -> Receipt:
        assert not item.refused, item.refused
        return self.actor.execute(item, request_id or new_request_id(), cancel)

    def act(self, target: Target | str, action: str, **args: Any) -> Receipt:
        return self.execute(self.plan(target, action, **args))

    def undo(self, receipt: Receipt) -> PlanItem:
        assert receipt.inverse is not None
        [item] = actions.plan(self.store, (receipt.inverse,), NEVER)
        return item

    def settle(self, item: PlanItem, request_id: str) -> Outcome:
        return self.actor.settle(Intent(request_id=request_id, source="test", item=item), NEVER)


def _aim(target: Target | str) -> Target:
    return target_of(target) if isinstance(target, str) else target


Places = Callable[[str, str], Place]


@pytest.fixture
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Places]:
    """Makes places of a shape on a kind of database, with SQL writes on."""
    with ExitStack() as stack:

        def make(kind: str, shape: str) -> Place:
            if kind == "sqlite":
                # Memory where there is some: commits that wait for a disk are no part of these tests.
                memory = Path("/dev/shm")
                folder = Path(
                    tempfile.mkdtemp(prefix="playhead-act-", dir=memory if memory.is_dir() else None)
                )
                stack.callback(shutil.rmtree, folder, True)
                place = Place(made := make_file(shape, folder), shape, made.engine())
            else:
                place = _on_server(request.getfixturevalue("server"), shape, tmp_path, stack)
            place.write(WRITES)
            stack.callback(place.engine.dispose)
            stack.push(place.stack)
            return place

        yield make


def _on_server(server: Any, shape: str, folder: Path, stack: ExitStack) -> Place:
    """A copy of a database that is made once for each shape."""
    template, name = f"entities_act_{shape}", f"entities_act_{next(_numbers)}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (template,)).fetchone() is None:
            _template(server, connection, shape, template, folder)
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    stack.callback(_drop, server, name)
    uri = str(server.get_uri(database=name))
    mapping = sample.write_mapping(folder, BUILDERS[shape][1])
    made = Sample(sample.server_url(uri, mapping), mapping, sample.alchemy(uri))
    return Place(made, shape, sa.create_engine(made.alchemy, poolclass=sa.pool.NullPool))


def _template(server: Any, connection: Any, shape: str, template: str, folder: Path) -> None:
    made = make_on_server(shape, server, template, folder)
    tables = {"django": "django_fsm_log_statelog", "statesman": "order_transitions"}
    if shape in tables:
        # As the libraries' own migrations make it.
        engine = sa.create_engine(made.alchemy, poolclass=sa.pool.NullPool)
        with engine.begin() as changing:
            changing.exec_driver_sql(
                f"ALTER TABLE {tables[shape]} ALTER id ADD GENERATED BY DEFAULT AS IDENTITY (START 1000)"
            )


def _drop(server: Any, name: str) -> None:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def own(request: pytest.FixtureRequest, places: Places) -> Place:
    """Our own tables, on either system."""
    return places(request.param, "own")


@pytest.fixture
def run_journal(tmp_path: Path) -> Iterator[Callable[..., tuple[list[Receipt], Journal]]]:
    """Executes items through the action core: journal, child process, read-back."""
    journal = Journal(tmp_path / "journal")

    def run(url: str, *items: PlanItem, reason: str = "because") -> tuple[list[Receipt], Journal]:
        plan = Plan(id="p", source=url, environment="dev", items=items)
        with Execution(functools.partial(EntityActor, url), journal, plan, reason) as execution:
            return [execution.run(item, CancelToken()) for item in items], journal

    yield run
    journal.close()
