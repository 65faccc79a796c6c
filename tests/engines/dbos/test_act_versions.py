"""Every action on every schema version that is offered, made by DBOS's own migrations; none on any other."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dbos import _migration

from engine_bridge.actions.model import Target, Verdict
from engine_bridge.bridge import Capability, load_engine
from engine_bridge.engines.dbos import act_outcome
from engine_bridge.engines.dbos.actions import NEWEST, OLDEST
from engine_bridge.engines.dbos.plan_states import NEEDS
from engine_bridge.errors import UnsupportedError
from tests.engines.dbos.act_tools import ACTIONS, ARGS, NEVER, Operator, Place, sqlite_engine
from tests.engines.dbos.databases import bridge_url, make_database

STATE = {"signal": "PENDING", "cancel": "PENDING", "resume": "CANCELLED", "set_delay": "DELAYED"}


class Versioned:
    """An empty database that DBOS's migrations bring to one version after the other."""

    def __init__(self, place: Place, patch: pytest.MonkeyPatch) -> None:
        self.place, self._patch = place, patch

    def migrate(self, version: int) -> None:
        if self.place.schema:
            self._migrate_server(version)
        else:
            self._migrate_file(version)

    def _migrate_server(self, version: int) -> None:
        every = _migration.get_dbos_migrations("dbos", True)
        with self._patch.context() as patch:
            patch.setattr(_migration, "get_dbos_migrations", lambda *_: every[:version])
            _migration.ensure_dbos_schema(self.place.engine, "dbos")
            _migration.run_dbos_migrations(self.place.engine, "dbos", True)
        self.place.sql("UPDATE {s}dbos_migrations SET version = :v", v=version)

    def _migrate_file(self, version: int) -> None:
        with self.place.engine.begin() as connection:
            create = "CREATE TABLE IF NOT EXISTS dbos_migrations (version INTEGER NOT NULL PRIMARY KEY)"
            connection.exec_driver_sql(create)
            done = connection.exec_driver_sql("SELECT max(version) FROM dbos_migrations").scalar() or 0
            for text in _migration.sqlite_migrations[done:version]:
                for statement in filter(str.strip, text.split(";")):
                    connection.exec_driver_sql(statement)
            connection.exec_driver_sql("DELETE FROM dbos_migrations")
            connection.exec_driver_sql("INSERT INTO dbos_migrations VALUES (?)", (version,))

    def run(self, run_id: str, state: str) -> str:
        self.place.sql(
            "INSERT INTO {s}workflow_status (workflow_uuid, status, name) VALUES (:i, :s, 'wf')",
            i=run_id,
            s=state,
        )
        return run_id


@pytest.fixture(params=["sqlite", "postgresql"])
def versioned(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Versioned]:
    folder = tempfile.mkdtemp(prefix="playhead-act-")
    if request.param == "sqlite":
        path = Path(folder) / "versions.sqlite"
        place = Place(f"dbos+sqlite:///{path}", sqlite_engine(path), "")
    else:
        uri = make_database(request.getfixturevalue("server"), "acted_versions")
        url = uri.replace("postgresql://", "postgresql+psycopg://", 1)
        place = Place(bridge_url(uri), sa.create_engine(url, poolclass=sa.pool.NullPool), "dbos.")
    yield Versioned(place, monkeypatch)
    place.engine.dispose()
    shutil.rmtree(folder)


def refuses(place: Place) -> None:
    engine = load_engine("dbos")
    bridge = engine.bridge(place.url, None)
    info = bridge.open(NEVER)
    assert Capability.ACTIONS not in info.capabilities
    assert "114 to 125" in info.missing[Capability.ACTIONS.value]
    bridge.close()
    assert engine.actor is not None
    actor = engine.actor(place.url, None)
    with pytest.raises(UnsupportedError, match="114 to 125"):
        actor.open(NEVER)


def acts(versioned: Versioned, version: int, operator: Operator) -> None:
    for action in ACTIONS:
        run_id = versioned.run(f"{version}-{action}", STATE.get(action, "ERROR"))
        item = operator.plan(run_id, action, **ARGS.get(action, {}))
        assert bool(item.refused) is (version < NEEDS.get(action, OLDEST)), (version, action, item.refused)
        assert bool(operator.specs(run_id)[action].disabled) is bool(item.refused)
        if not item.refused:
            outcome = operator.execute(item).outcome
            assert outcome.verdict is Verdict.APPLIED, (version, action, outcome)
    versioned.place.sql("INSERT INTO {s}queues (name) VALUES (:n)", n=f"queue {version}")
    queue = Target(kind="queues", id=f"queue {version}")
    for action in ("pause_queue", "resume_queue"):
        assert operator.act(queue, action).outcome.verdict is Verdict.APPLIED


def test_tested_versions_are_acted_on_and_no_others(
    versioned: Versioned, operators: Callable[[str], Operator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(act_outcome, "TAKE_S", 0.0)
    versioned.migrate(OLDEST - 1)
    refuses(versioned.place)
    for version in range(OLDEST, NEWEST + 1):
        versioned.migrate(version)
        operator = operators(versioned.place.url)
        acts(versioned, version, operator)
        operator.close()
    versioned.place.sql("UPDATE {s}dbos_migrations SET version = :v", v=NEWEST + 1)
    refuses(versioned.place)


@pytest.mark.parametrize("name", ["old_2.0.0", "old_2.10.0", "old_2.31.0"])
def test_real_old_databases_are_only_read(name: str, tmp_path: Path) -> None:
    from tests.engines.dbos.databases import unpacked

    path = unpacked(name, tmp_path)
    refuses(Place(f"dbos+sqlite:///{path}", sqlite_engine(path), ""))


@pytest.fixture
def subsecond(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A database as DBOS makes it on Python 3.12: its defaults need SQLite 3.42."""
    folder = tempfile.mkdtemp(prefix="playhead-act-")
    path = Path(folder) / "fine.sqlite"
    place = Place(f"dbos+sqlite:///{path}", sqlite_engine(path), "")
    fine = "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    with monkeypatch.context() as patch:
        texts = [text.replace("strftime('%s','now') * 1000", fine) for text in _migration.sqlite_migrations]
        patch.setattr(_migration, "sqlite_migrations", texts)
        Versioned(place, monkeypatch).migrate(NEWEST)
    yield place
    shutil.rmtree(folder)


def test_times_have_the_workers_precision(subsecond: Place, operators: Callable[[str], Operator]) -> None:
    versioned = Versioned(subsecond, pytest.MonkeyPatch())
    versioned.run("fine", "PENDING")
    operator = operators(subsecond.url)
    times: list[Any] = []
    while len(times) < 5:
        operator.act("fine", "signal", topic="t", message="1")
        times = [row[0] for row in subsecond.sql("SELECT created_at_epoch_ms FROM notifications")]
    assert any(value % 1000 for value in times)
    operator.act("fine", "cancel")
    row = subsecond.row("fine")
    assert row is not None and row["updated_at"] >= max(times)


def test_whole_seconds_stay_whole(own_place: Place, operators: Callable[[str], Operator]) -> None:
    """On PostgreSQL times are fine anyway; on SQLite the workers of these databases decide."""
    [row] = own_place.sql("SELECT count(*) FROM {s}workflow_status WHERE created_at % 1000 <> 0")
    operators(own_place.url).act("waiting-1", "cancel")
    found = own_place.row("waiting-1")
    assert found is not None
    assert row[0] > 0 or found["updated_at"] % 1000 == 0
