"""Locks of a reader outlive what else this process does with the file's bytes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.demo_community import COMMUNITY
from app.demo_workspace import Workspace
from engine_bridge.cancel import CancelToken
from engine_bridge.file_names import head_of
from engine_bridge.held_files import Hold, opened
from engine_bridge.sqlite_file import SqliteFile, missing_file
from engine_bridge.sqlite_library import sqlite3

_WRITES = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as application:
    application.execute("INSERT INTO workflow_history VALUES ('u')")
application.close()
"""


def write(path: Path) -> None:
    """What an application does that opens the file, writes, and closes its last connection."""
    subprocess.run([sys.executable, "-I", "-c", _WRITES, str(path)], check=True, timeout=60)


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Any]:
    with closing(sqlite3.connect(tmp_path / COMMUNITY.file, isolation_level=None)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("CREATE TABLE workflow_history (id)")
        made.execute("INSERT INTO workflow_history VALUES ('first')")
        yield made


def count(connection: Any) -> int:
    return int(connection.execute("SELECT count(*) FROM workflow_history").fetchone()[0])


def test_a_reader_stays_there_for_the_application(application: Any, tmp_path: Path) -> None:
    path = tmp_path / COMMUNITY.file
    file, second = SqliteFile(path), SqliteFile(path)
    file.prepare(CancelToken())
    with closing(file.connect()) as reader:
        assert count(reader) == 1
        application.close()
        assert head_of(path, 6) == b"SQLite" and missing_file(path) is None
        second.prepare(CancelToken())
        with closing(second.connect()) as other:
            assert count(other) == 1
        second.close()
        for expected in (2, 3, 4):
            write(path)
            assert count(reader) == expected and not file.stale()
    file.close()


def test_the_demo_keeps_its_files_whatever_is_read_beside_it(application: Any, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, [COMMUNITY])
    workspace.hold()
    application.close()
    file = SqliteFile(workspace.file(COMMUNITY))
    file.prepare(CancelToken())
    with closing(file.connect()) as reader:
        assert count(reader) == 1
    file.close()
    write(file.path)
    assert {found.suffix for found in tmp_path.iterdir()} == {".sqlite", ".sqlite-wal", ".sqlite-shm"}
    workspace.release()
    assert [found.name for found in tmp_path.iterdir()] == [COMMUNITY.file]


def test_a_held_file_costs_one_descriptor_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    mine, yours = Hold(), Hold()
    mine.take(path)
    mine.take(path)
    yours.take(path)
    for _ in range(3):
        with opened(path) as file:
            assert file.read(4) == b"0123"
    assert descriptors(path) == 1
    mine.release()
    assert descriptors(path) == 1
    yours.release()
    yours.release()
    assert descriptors(path) == 0


def test_what_is_not_there_is_not_held(tmp_path: Path) -> None:
    hold = Hold()
    hold.take(tmp_path / "none")
    hold.take(tmp_path / "a\0b")
    hold.release()
    with pytest.raises(FileNotFoundError), opened(tmp_path / "none"):
        pass


def descriptors(path: Path) -> int:
    return sum(one.path == str(path) for one in psutil.Process().open_files())
