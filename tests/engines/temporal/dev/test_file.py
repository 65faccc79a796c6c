"""The file itself: which schema it has, who opens it, that it is left as it was, and what damage does."""

from __future__ import annotations

import random
import shutil
from contextlib import closing, suppress
from pathlib import Path

import pytest

from app import opening
from engine_bridge import sqlite_file
from engine_bridge.bridge import Sort, load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import dev_schema, dev_url
from engine_bridge.engines.temporal.dev_bridge import DevBridge
from engine_bridge.errors import (
    BusyError,
    CancelledError,
    ConnectError,
    CorruptError,
    NotFoundError,
    PlayheadError,
    SchemaUnknownError,
    UsageError,
)
from engine_bridge.model import Run, RunRef
from engine_bridge.sqlite_file import MAGIC
from engine_bridge.sqlite_library import sqlite3
from tests.contract.test_runs import look_at_everything
from tests.engines.temporal.dev import databases
from tests.engines.temporal.dev.databases import NEVER, run_sql


def opened(path: Path) -> tuple[DevBridge, tuple[str, ...], bool]:
    bridge = databases.bridge(path)
    info = bridge.open(NEVER)
    return bridge, info.notices, info.schema_known


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_that_was_just_written_may_be_written_again_at_the_same_time(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, written = sqlite_file.SqliteFile(file), file.stat().st_mtime_ns
    monkeypatch.setattr(sqlite_file.time, "time_ns", lambda: written + 1_000_000)
    assert read.stamp() != read.stamp()
    monkeypatch.setattr(sqlite_file.time, "time_ns", lambda: written + 20_000_000)
    assert read.stamp() == read.stamp()


def test_the_schema_is_known_by_its_tables(bridge: DevBridge) -> None:
    info = bridge.open(NEVER)
    assert (info.schema_version, info.schema_known, info.notices) == ("0.11", True, ())


@pytest.mark.parametrize(
    ("statement", "version", "known", "said"),
    [
        ("DROP TABLE current_chasm_executions", "0.10", True, ""),
        ("CREATE TABLE novelties (id INT)", "0.11", False, "novelties"),
        ("ALTER TABLE history_node ADD COLUMN codec INT", "0.11", False, "history_node.codec"),
        ("ALTER TABLE executions_visibility ADD COLUMN Mood TEXT", "0.11", True, ""),
    ],
)
def test_older_schemas_are_read_and_newer_ones_with_a_notice(
    file: Path, statement: str, version: str, known: bool, said: str
) -> None:
    run_sql(file, statement)
    bridge = databases.bridge(file)
    info = bridge.open(NEVER)
    assert (info.schema_version, info.schema_known) == (version, known)
    assert (said in info.notices[0] and "newer than 0.11" in info.notices[0]) if said else not info.notices
    assert len(bridge.runs(None, Sort(), None, "forward", 100, NEVER).items) == 38
    bridge.close()


def test_a_version_that_the_file_states_is_believed(file: Path) -> None:
    run_sql(file, "CREATE TABLE schema_version (version_partition INT, db_name TEXT, curr_version TEXT)")
    run_sql(file, "INSERT INTO schema_version VALUES (0, 'temporal', '0.14')")
    bridge, notices, known = opened(file)
    assert not known and "newer" in notices[0]
    bridge.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TABLE history_node", "no table history_node"),
        ("ALTER TABLE executions RENAME COLUMN state TO condition", "no column executions.state"),
        ("UPDATE executions SET data_encoding = 'Zstd'", "not those of a Temporal server"),
        ("UPDATE executions SET data = x'ffffff'", "not those of a Temporal server"),
    ],
)
def test_a_schema_that_cannot_be_read_is_refused(file: Path, statement: str, said: str) -> None:
    run_sql(file, statement)
    with pytest.raises(SchemaUnknownError, match=said) as caught:
        databases.bridge(file).open(NEVER)
    assert "open temporal://" in caught.value.hint


def test_each_sqlite_file_is_opened_by_its_own_engine(file: Path, tmp_path: Path) -> None:
    renamed = Path(shutil.copy(file, tmp_path / "unnamed"))
    others = (tmp_path / "orders.sqlite", tmp_path / "app.db")
    for path, table in zip(others, ("workflow_status", "executions_visibility"), strict=True):
        with closing(sqlite3.connect(path)) as client:
            client.execute(f"CREATE TABLE {table} (id INT)")
    found = {path: opening.engine_of(str(path)) for path in (file, renamed, *others)}
    assert [engine.name for engine, _ in found.values()] == ["temporal", "temporal", "dbos", "dbos"]
    assert found[file][1] == f"temporal+sqlite://{file}"
    assert names(file.parent) == ["temporal.db"]


def test_a_damaged_or_locked_file_is_still_told_apart(file: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.db"
    cut.write_bytes(file.read_bytes()[:20_000])
    assert not dev_schema.is_dev_database(str(cut), MAGIC)
    assert not dev_schema.is_dev_database(str(tmp_path / "none.db"), MAGIC)
    with closing(sqlite3.connect(file, isolation_level=None)) as client:
        client.execute("BEGIN EXCLUSIVE")
        assert dev_schema.is_dev_database(str(file), MAGIC)


def test_databases_and_histories_dropped_together_are_sources_of_their_own(
    file: Path, tmp_path: Path
) -> None:
    second = databases.write(tmp_path / "second.db")
    found = opening.together([str(file), str(second)])
    assert found == [f"temporal+sqlite://{file}", f"temporal+sqlite://{second}"]


def test_urls_name_a_file_and_a_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = dev_url.parse("temporal+sqlite:///srv/a%20b.db?namespace=team%2Fone")
    assert (str(source.path), source.namespace) == ("/srv/a b.db", "team/one")
    assert dev_url.parse(source.location) == source
    assert dev_url.parse("temporal+sqlite:////srv/a%20b.db?namespace=team%2Fone") == source
    engine = load_engine("temporal")
    assert engine.absolute("temporal+sqlite://x.db") == f"temporal+sqlite://{tmp_path}/x.db"
    (form,) = [form for form in engine.forms if form.scheme == "temporal+sqlite"]
    assert (
        form.build({"path": "/srv/x.db", "namespace": " shop "})
        == "temporal+sqlite:///srv/x.db?namespace=shop"
    )
    for wrong in (
        "temporal+sqlite://",
        "temporal+sqlite:///x.db?name=a",
        "temporal+sqlite:///x.db?namespace=",
    ):
        with pytest.raises(UsageError):
            dev_url.parse(wrong)


def test_missing_empty_and_foreign_files_say_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    (tmp_path / "text.db").write_text("no database at all, whatever its name says")
    for name, error, said in (
        ("gone.db", ConnectError, "does not exist"),
        ("empty.db", CorruptError, "is empty"),
        ("text.db", CorruptError, "not an SQLite database"),
    ):
        with pytest.raises(error, match=said):
            databases.bridge(tmp_path / name).open(NEVER)
    with pytest.raises(ConnectError, match="folder"):
        databases.bridge(tmp_path).open(NEVER)


def test_a_file_in_write_ahead_mode_is_read_as_a_copy_and_left_alone(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as client:
        assert client.execute("PRAGMA journal_mode=wal").fetchone() == ("wal",)
    before = file.read_bytes()
    bridge, notices, _ = opened(file)
    assert "This is a copy of temporal.db" in notices[0]
    look_at_everything(bridge, ())
    bridge.close()
    assert names(file.parent) == ["temporal.db"] and file.read_bytes() == before


def test_a_transaction_that_a_killed_server_left_is_rolled_back_in_a_copy(file: Path, tmp_path: Path) -> None:
    # What a server that is killed while it commits leaves: changed pages, and a journal with the old ones.
    with closing(sqlite3.connect(file, isolation_level=None)) as client:
        client.execute("PRAGMA cache_size=1")
        client.execute("BEGIN IMMEDIATE")
        client.execute("DELETE FROM history_node")
        client.execute("DELETE FROM executions_visibility_fts_text_data")
        dead = tmp_path / "dead"
        shutil.copytree(file.parent, dead)
        client.execute("ROLLBACK")
    assert names(dead) == ["temporal.db", "temporal.db-journal"]
    before = {path.name: path.read_bytes() for path in dead.iterdir()}
    bridge, notices, _ = opened(dead / "temporal.db")
    assert "unfinished transaction" in notices[0]
    order = databases.runs(bridge)["order-0001"]
    assert databases.history(bridge, order.ref).n_steps > 5
    bridge.close()
    assert {path.name: path.read_bytes() for path in dead.iterdir()} == before


def test_a_locked_file_is_waited_for_and_a_cancelled_wait_ends(bridge: DevBridge, file: Path) -> None:
    token = CancelToken(lambda *_: None)
    with closing(sqlite3.connect(file, isolation_level=None)) as client:
        client.execute("BEGIN EXCLUSIVE")
        token.cancel()
        with pytest.raises((CancelledError, BusyError)):
            bridge.runs(None, Sort(), None, "forward", 5, token)
        client.execute("ROLLBACK")
    assert bridge.runs(None, Sort(), None, "forward", 5, NEVER).items


def test_a_file_that_is_replaced_is_read_anew(bridge: DevBridge, file: Path) -> None:
    first = databases.runs(bridge)
    other = databases.write(file.with_name("other.db"))
    run_sql(other, "DELETE FROM executions_visibility WHERE workflow_id = 'agent'")
    other.replace(file)
    assert databases.runs(bridge).keys() == first.keys() - {"agent"}


def look(path: Path) -> int:
    """Looks at everything; only errors for people may come. How many runs were listed."""
    bridge = databases.bridge(path)
    runs: tuple[Run, ...] = ()
    try:
        bridge.open(NEVER)
        runs = bridge.runs(None, Sort(), None, "forward", 50, NEVER).items
        for run in runs[::3]:
            look_at(bridge, run.ref)
        bridge.facets(None, 30, NEVER)
        bridge.failures(None, "", None, 50, NEVER)
        list(bridge.search("funds", "all", 20, NEVER))
        for kind in ("schedules", "task queues", "search attributes", "namespaces"):
            bridge.resources(kind, NEVER)
    except PlayheadError as error:
        assert error.message
    finally:
        bridge.close()
    return len(runs)


def look_at(bridge: DevBridge, ref: RunRef) -> None:
    with suppress(PlayheadError):
        bridge.run(ref, NEVER)
    with suppress(PlayheadError):
        for event in databases.history(bridge, ref).all_events():
            for payload in event.payloads:
                bridge.payload(payload.key, 0, -1, NEVER)
    with suppress(PlayheadError):
        bridge.related(ref, None, 20, NEVER)


def damage(file: Path, chance: random.Random, rounds: int) -> None:
    """Cuts files off and changes bytes, more often in their header, and looks at each."""
    whole = file.read_bytes()
    for number in range(rounds):
        data = bytearray(whole)
        if number % 4 == 0:
            del data[chance.randrange(len(data)) :]
        last = min(100, len(data)) if number % 5 == 1 else len(data)
        for _ in range(chance.choice((1, 20, 2_000))):
            data[chance.randrange(last)] = chance.randrange(256)
        file.write_bytes(bytes(data))
        look(file)


def test_damaged_files_never_crash(file: Path) -> None:
    damage(file, random.Random(6), 10)


@pytest.mark.long
def test_many_damaged_files_never_crash(file: Path) -> None:
    damage(file, random.Random(), 1_000)


COLUMNS = (
    ("executions", "data"), ("executions", "state"), ("history_node", "data"), ("activity_info_maps", "data"),
    ("executions_visibility", "memo"), ("executions_visibility", "search_attributes"), ("namespaces", "data"),
    ("executions_visibility", "start_time"), ("executions_visibility", "status"), ("history_node", "txn_id"),
    ("executions", "next_event_id"), ("task_queues_v2", "data"), ("executions_visibility", "run_id"),
)  # fmt: skip


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_damaged_records_never_crash_nor_hide_the_others(file: Path, table: str, column: str) -> None:
    chance = random.Random(f"{table}.{column}")
    with databases.changing(file) as client:
        for row, value in client.execute(f"SELECT rowid, {column} FROM {table}").fetchall():
            if chance.random() < 0.3:
                with suppress(sqlite3.Error):  # a constraint that no server breaks either
                    client.execute(
                        f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (damaged(value, chance), row)
                    )
    assert look(file) >= 36


def damaged(value: object, chance: random.Random) -> object:
    data = bytearray(value if isinstance(value, bytes) else str(value).encode())
    if chance.random() < 0.2 or not data:
        return chance.choice((-1, 2**60, 1.5, "x", b"\xff\xfe", ""))
    for _ in range(chance.choice((1, 5))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data) if isinstance(value, bytes) else data.decode("utf-8", "replace")


def test_a_history_with_a_hole_is_shown_up_to_it(bridge: DevBridge, file: Path) -> None:
    run = databases.runs(bridge)["order-0009"]
    whole = databases.history(bridge, run.ref)
    run_sql(file, "DELETE FROM history_node WHERE node_id > 10")
    cut = databases.history(bridge, run.ref)
    assert 5 < cut.last_position <= 12 < whole.last_position
    assert any(f"of {whole.last_position} events" in note for note in cut.notes)


def test_a_run_that_is_gone_is_not_found(bridge: DevBridge, file: Path) -> None:
    run = databases.runs(bridge)["agent"]
    run_sql(file, "DELETE FROM executions WHERE workflow_id = 'agent'")
    with pytest.raises(NotFoundError, match="no run agent"):
        bridge.run(run.ref, NEVER)
