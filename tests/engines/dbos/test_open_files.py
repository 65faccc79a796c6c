"""Opening SQLite files of every condition: without a trace beside them, or with a clear message."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from engine_bridge.bridge import Bridge, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import (
    AuthError,
    BusyError,
    ConnectError,
    CorruptError,
    PlayheadError,
    SchemaUnknownError,
)
from engine_bridge.sqlite_library import sqlite3
from tests.contract.test_runs import look_at_everything
from tests.engines.dbos.databases import Open, unpacked, writer
from tests.waiting import LIMIT_S

NEVER = CancelToken()


def ids(bridge: Bridge) -> list[str]:
    return [run.id for run in bridge.runs(None, Sort(), None, "forward", 1000, NEVER).items]


def notices(bridge: Bridge) -> str:
    return " ".join(bridge.open(NEVER).notices)


def prints(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


class Application:
    """A connection in a process of its own: within one process, a reader and a writer share the log's index."""

    CODE = """
import json, sqlite3, sys
client = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
for line in sys.stdin:
    client.execute(*json.loads(line))
    print("done", flush=True)
"""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps([statement, values]), file=self._process.stdin, flush=True)
        assert self._process.stdout.readline() == "done\n"


@contextmanager
def application(path: Path) -> Iterator[Application]:
    command = [sys.executable, "-I", "-c", Application.CODE, str(path)]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Application(process)
        process.communicate(timeout=60)


def add_run(client: sqlite3.Connection | Application, run_id: str) -> None:
    client.execute(
        "INSERT INTO workflow_status (workflow_uuid, status, name, created_at, updated_at) "
        "VALUES (?, 'SUCCESS', 'x', ?, ?)",
        (run_id, 1 << 41, 1 << 41),
    )


def copies() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).glob("playhead-*")}


def test_a_wal_file_at_rest_is_read_from_a_copy_that_goes_away(
    orders_file: Path, open_bridge: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with writer(orders_file) as client:
        client.execute("PRAGMA journal_mode=WAL")
        add_run(client, "one")
    before, temporary = prints(orders_file.parent), copies()
    assert list(before) == ["orders.sqlite"]
    bridge = open_bridge(orders_file)
    assert "copy of orders.sqlite" in notices(bridge)
    look_at_everything(bridge)
    assert prints(orders_file.parent) == before
    assert len(copies()) == len(temporary) + 1
    bridge.close()
    assert prints(orders_file.parent) == before
    assert copies() == temporary


def test_a_live_wal_file_is_read_in_place(orders_file: Path, open_bridge: Open) -> None:
    with application(orders_file) as client:
        client.execute("PRAGMA journal_mode=WAL")
        add_run(client, "one")
        before = prints(orders_file.parent)
        assert list(before) == ["orders.sqlite", "orders.sqlite-shm", "orders.sqlite-wal"]
        bridge = open_bridge(orders_file)
        assert notices(bridge) == ""
        look_at_everything(bridge)
        assert prints(orders_file.parent) == before
        mark = bridge.changes(None, (), NEVER).mark
        add_run(client, "two")
        assert bridge.changes(mark, (), NEVER).new == 1
        assert ids(bridge)[0] == "two"


def test_a_copy_gives_way_to_the_live_file_when_its_application_starts(
    orders_file: Path, open_bridge: Open
) -> None:
    with writer(orders_file) as client:
        client.execute("PRAGMA journal_mode=WAL")
    bridge = open_bridge(orders_file)
    mark = bridge.changes(None, (), NEVER).mark
    with writer(orders_file) as client:
        add_run(client, "started")
        assert bridge.changes(mark, (), NEVER).reset
        assert ids(bridge)[0] == "started"


_KILLED_WAL = """
import os, sqlite3, sys
client = sqlite3.connect(sys.argv[1], isolation_level=None)
client.execute("PRAGMA journal_mode=WAL")
client.execute("UPDATE workflow_status SET name = 'from wal'")
os.kill(os.getpid(), 9)
"""
_KILLED_JOURNAL = """
import os, sqlite3, sys
client = sqlite3.connect(sys.argv[1], isolation_level=None)
client.execute("PRAGMA cache_size=2")
client.execute("BEGIN IMMEDIATE")
client.execute("UPDATE workflow_status SET name = 'torn'")
client.execute("UPDATE operation_outputs SET output = hex(randomblob(3000))")
os.kill(os.getpid(), 9)
"""


def killed(script: str, path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", script, str(path)], timeout=LIMIT_S)
    assert done.returncode == -9


def test_a_wal_file_whose_writer_was_killed(orders_file: Path, open_bridge: Open) -> None:
    killed(_KILLED_WAL, orders_file)
    before = prints(orders_file.parent)
    assert "orders.sqlite-wal" in before
    bridge = open_bridge(orders_file)
    assert {run.type for run in bridge.runs(None, Sort(), None, "forward", 9, NEVER).items} == {"from wal"}
    look_at_everything(bridge)
    bridge.close()
    assert prints(orders_file.parent) == before


def test_a_wal_without_its_shm_is_read_from_a_copy(orders_file: Path, open_bridge: Open) -> None:
    killed(_KILLED_WAL, orders_file)
    (orders_file.parent / "orders.sqlite-shm").unlink()
    before = prints(orders_file.parent)
    bridge = open_bridge(orders_file)
    assert bridge.runs(None, Sort(), None, "forward", 1, NEVER).items[0].type == "from wal"
    bridge.close()
    assert prints(orders_file.parent) == before


def test_a_hot_journal_is_explained_and_a_copy_opened(orders_file: Path, open_bridge: Open) -> None:
    killed(_KILLED_JOURNAL, orders_file)
    before = prints(orders_file.parent)
    assert list(before) == ["orders.sqlite", "orders.sqlite-journal"]
    bridge = open_bridge(orders_file)
    assert "a writer that died" in notices(bridge)
    assert "torn" not in {run.type for run in bridge.runs(None, Sort(), None, "forward", 99, NEVER).items}
    look_at_everything(bridge)
    bridge.close()
    assert prints(orders_file.parent) == before


_HOLDER = """
import sqlite3, sys
client = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)
client.execute(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
client.execute("COMMIT")
"""


@contextmanager
def held(path: Path, statement: str) -> Iterator[None]:
    """A transaction in another process: SQLite's locks do not count within one."""
    command = [sys.executable, "-c", _HOLDER, str(path), statement]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        yield
        process.communicate(timeout=LIMIT_S)


def test_a_locked_file_is_busy_and_later_readable(orders_file: Path, open_bridge: Open) -> None:
    bridge = open_bridge(orders_file)
    mark = bridge.changes(None, (), NEVER).mark
    with held(orders_file, "BEGIN EXCLUSIVE"):
        with pytest.raises(BusyError, match="locked by another process"):
            ids(bridge)
        with pytest.raises(BusyError):
            open_bridge(orders_file)
        assert not bridge.changes(mark, (), NEVER).moved
    assert len(ids(bridge)) > 30
    assert len(ids(open_bridge(orders_file))) > 30


def test_an_open_bridge_holds_no_lock(orders_file: Path, open_bridge: Open) -> None:
    bridge = open_bridge(orders_file)
    look_at_everything(bridge)
    with held(orders_file, "BEGIN EXCLUSIVE"):
        pass
    assert len(ids(bridge)) > 30


def test_a_file_removed_while_open(orders_file: Path, open_bridge: Open) -> None:
    bridge = open_bridge(orders_file)
    kept = orders_file.read_bytes()
    orders_file.unlink()
    with pytest.raises(ConnectError, match="does not exist"):
        ids(bridge)
    orders_file.write_bytes(kept)
    assert len(ids(bridge)) > 30


def test_a_file_replaced_while_open(orders_file: Path, tmp_path: Path, open_bridge: Open) -> None:
    bridge = open_bridge(orders_file)
    mark = bridge.changes(None, (), NEVER).mark
    unpacked("old_2.10.0", tmp_path).replace(orders_file)
    assert bridge.changes(mark, (), NEVER).reset
    assert ids(bridge) == ["w1"]


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        (b"", CorruptError, "is empty"),
        (b"hello, this is no database at all" * 100, CorruptError, "not an SQLite database"),
        (b"SQLite format 3\x00" + bytes(84), CorruptError, "not an SQLite database|damaged"),
    ],
)
def test_what_is_no_database(
    tmp_path: Path, open_bridge: Open, content: bytes, kind: type[PlayheadError], says: str
) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(content)
    with pytest.raises(kind, match=says) as caught:
        open_bridge(path)
    assert caught.value.hint
    assert list(tmp_path.glob("x.sqlite*")) == [path]


def test_a_database_of_something_else(tmp_path: Path, open_bridge: Open) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as client:
        client.execute("CREATE TABLE workflow_status (id INTEGER)")
    with pytest.raises(SchemaUnknownError, match="no DBOS system tables") as caught:
        open_bridge(path)
    assert caught.value.hint


def test_missing_paths_and_folders(tmp_path: Path, open_bridge: Open) -> None:
    with pytest.raises(ConnectError, match="does not exist"):
        open_bridge(tmp_path / "nope.sqlite")
    with pytest.raises(ConnectError, match="is a folder"):
        open_bridge(tmp_path)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def nobody(path: Path) -> Iterator[None]:
    """Takes away the right to read a file, from root too."""
    path.chmod(0o000)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(0o600)


def test_a_file_that_may_not_be_read(orders_file: Path, open_bridge: Open) -> None:
    open_bridge(orders_file).close()  # imports what another user may not
    with nobody(orders_file), pytest.raises(AuthError, match="may not read"):
        open_bridge(orders_file)


def test_a_newer_schema_opens_with_a_notice(orders_file: Path, open_bridge: Open) -> None:
    with writer(orders_file) as client:
        client.execute("UPDATE dbos_migrations SET version = 999")
        client.execute("ALTER TABLE workflow_status ADD COLUMN mood TEXT DEFAULT 'happy'")
        client.execute("ALTER TABLE workflow_status DROP COLUMN serialization")
        client.execute("ALTER TABLE workflow_status ADD COLUMN shard_key TEXT")
    bridge = open_bridge(orders_file)
    info = bridge.open(NEVER)
    assert not info.schema_known and info.schema_version == "999"
    assert "newer" in " ".join(info.notices) and "sharded" in " ".join(info.notices)
    run = bridge.runs(None, Sort(), None, "forward", 1, NEVER).items[0]
    assert run.extra["mood"] == "happy" and "serialization" not in run.extra
    look_at_everything(bridge)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("operation_outputs", "child_workflow_id"),
        ("operation_outputs", "function_name"),
        ("workflow_status", "executor_id"),
        ("workflow_status", "updated_at"),
        ("workflow_status", "completed_at"),
        ("workflow_status", "attributes"),
        ("workflow_input", "workflow_uuid"),
        ("workflow_output", "error"),
        ("notifications", "topic"),
        ("queues", "concurrency"),
        ("workflow_schedules", "schedule"),
        ("application_versions", "version_timestamp"),
    ],
)
def test_a_renamed_column_reads_as_nothing(
    orders_file: Path, open_bridge: Open, table: str, column: str
) -> None:
    with writer(orders_file) as client:
        client.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO renamed")
    bridge = open_bridge(orders_file)
    look_at_everything(bridge)
    for kind in ("queues", "schedules", "versions", "workers"):
        bridge.resources(kind, NEVER)
    assert len(ids(bridge)) > 30


def test_a_missing_table_is_missing_and_no_more(orders_file: Path, open_bridge: Open) -> None:
    with writer(orders_file) as client:
        for table in ("notifications", "streams", "queues", "workflow_schedules", "workflow_events_history"):
            client.execute(f"DROP TABLE {table}")
    bridge = open_bridge(orders_file)
    assert "schedules" not in bridge.open(NEVER).resource_kinds
    look_at_everything(bridge)


def mutant(original: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    if chance.random() < 0.25:
        return original[: chance.randrange(1, len(original))]
    data = bytearray(original)
    count = chance.choice((1, 5, 20, len(data) // 10_000, len(data) // 1_000, len(data) // 50))
    for _ in range(count):
        data[chance.randrange(len(data))] = chance.choice((chance.randrange(256), 0, 255, 0x31))
    return bytes(data)


def look_at_a_mutant(path: Path, seed: int, open_bridge: Open) -> str:
    """Opens and reads everything; answers how it ended."""
    before = prints(path.parent)
    try:
        bridge = open_bridge(path)
        look_at_everything(bridge)
        bridge.close()
    except IndexError:
        return "no runs left"
    except PlayheadError as error:
        assert error.message, seed
        return type(error).__name__
    finally:
        assert prints(path.parent) == before, seed
    return "read"


@pytest.mark.parametrize("part", range(4))
def test_damaged_files_are_told_or_read_and_never_crash(tmp_path: Path, open_bridge: Open, part: int) -> None:
    path = unpacked("orders", tmp_path)
    original = path.read_bytes()
    ends = set()
    for seed in range(part * 50, part * 50 + 50):
        path.write_bytes(mutant(original, seed))
        ends.add(look_at_a_mutant(path, seed, open_bridge))
    assert {"CorruptError", "read"} <= ends


@pytest.mark.long
def test_many_damaged_files(tmp_path: Path, open_bridge: Open) -> None:
    path = unpacked("orders", tmp_path)
    original = path.read_bytes()
    for seed in range(1_000, 3_000):
        path.write_bytes(mutant(original, seed))
        look_at_a_mutant(path, seed, open_bridge)


def test_the_copy_says_when_there_is_no_room(
    orders_file: Path, open_bridge: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writer(orders_file) as client:
        client.execute("PRAGMA journal_mode=WAL")
    full = Path("/dev/full")
    if not full.exists():
        return
    folder = Path(tempfile.mkdtemp(dir=orders_file.parent))
    (folder / "copy").symlink_to(full)
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **_: str(folder))
    monkeypatch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
    with pytest.raises(ConnectError, match="No copy"):
        open_bridge(orders_file)
    monkeypatch.undo()
    shutil.rmtree(folder, ignore_errors=True)
