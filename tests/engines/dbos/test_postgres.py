"""PostgreSQL sources: read-only by the server's word, grants, locks, restarts, secrets."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from engine_bridge.bridge import Bridge, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.errors import (
    AuthError,
    BusyError,
    CancelledError,
    ConnectError,
    PermissionDeniedError,
    PlayheadError,
    SchemaUnknownError,
)
from tests.contract.test_runs import look_at_everything
from tests.engines.dbos.databases import Open, bridge_url, make_database, started_server
from tests.waiting import until

NEVER = CancelToken()
PASSWORD = "hunter2-%41"
MINIMAL = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE {schema}.workflow_status (workflow_uuid text PRIMARY KEY, status text, name text, created_at bigint,
    updated_at bigint, error text, inputs text, output text);
CREATE TABLE {schema}.operation_outputs (workflow_uuid text, function_id int, function_name text, output text,
    error text, child_workflow_id text, PRIMARY KEY (workflow_uuid, function_id));
INSERT INTO {schema}.workflow_status VALUES ('w1', 'SUCCESS', 'w', 1000, 2000), ('w2', 'PENDING', 'w', 3000, 3000);
"""


def execute(uri: str, *statements: str) -> None:
    with psycopg.connect(uri, autocommit=True) as client:
        for statement in statements:
            client.execute(statement)


def ids(bridge: Bridge) -> list[str]:
    return [run.id for run in bridge.runs(None, Sort(), None, "forward", 1000, NEVER).items]


@pytest.fixture
def small(server: Any) -> Iterator[str]:
    """A small database of one's own, dropped afterwards."""
    uri = make_database(server, "small")
    execute(uri, MINIMAL.format(schema="dbos"))
    yield uri
    execute(server.get_uri(), "DROP DATABASE small WITH (FORCE)")


def role(server: Any, uri: str, *grants: str) -> str:
    """The URI of a fresh role ``limited`` with some grants."""
    execute(uri, "DROP OWNED BY limited") if _exists(uri) else execute(uri, "CREATE ROLE limited LOGIN")
    execute(uri, *grants)
    return uri.replace("postgres:@", "limited:@")


def _exists(uri: str) -> bool:
    with psycopg.connect(uri) as client:
        return client.execute("SELECT 1 FROM pg_roles WHERE rolname = 'limited'").fetchone() is not None


def test_the_server_logs_no_write(server: Any, made_postgresql: str, open_bridge: Open) -> None:
    execute(made_postgresql, "ALTER DATABASE orders_dbos_sys SET log_statement = 'all'")
    log = Path(server.log)
    start = log.stat().st_size
    bridge = open_bridge(bridge_url(made_postgresql))
    look_at_everything(bridge)
    bridge.close()
    execute(made_postgresql, "ALTER DATABASE orders_dbos_sys RESET log_statement")
    text = log.read_bytes()[start:].decode(errors="replace")
    said = re.findall(r"(?:statement|execute [^:]*): *(\w+)", text)
    assert said.count("SELECT") > 20
    # SAVEPOINT and RELEASE are the driver's, when it asks for a type; the ALTER is the test's own.
    reading = {"SELECT", "SHOW", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}
    assert {word.upper() for word in said} - reading <= {"ALTER"}
    assert said.count("ALTER") <= 1


def test_the_connection_refuses_writes(small: str) -> None:
    db = Database(bridge_url(small))
    db.open(NEVER)
    for statement in ("DELETE FROM dbos.workflow_status", "CREATE TABLE x (y int)"):
        with pytest.raises(PlayheadError):
            db.all(sa.text(statement), NEVER)
    assert db.all(sa.text("SHOW default_transaction_read_only"), NEVER)[0][0] == "on"
    db.close()


def test_a_table_without_select_is_named_and_the_rest_works(
    server: Any, small: str, open_bridge: Open
) -> None:
    execute(small, "CREATE TABLE dbos.notifications (message_uuid text, destination_uuid text)")
    uri = role(
        server,
        small,
        "GRANT USAGE ON SCHEMA dbos TO limited",
        "GRANT SELECT ON dbos.workflow_status, dbos.operation_outputs TO limited",
    )
    bridge = open_bridge(bridge_url(uri))
    info = bridge.open(NEVER)
    assert info.version is not None and info.version.startswith("PostgreSQL ")
    assert info.missing["notifications"] == "no SELECT on notifications"
    assert any("notifications" in notice for notice in info.notices)
    assert ids(bridge) == ["w2", "w1"]
    look_at_everything(bridge)


def test_missing_grants_are_said(server: Any, small: str, open_bridge: Open) -> None:
    uri = role(server, small)
    with pytest.raises(PermissionDeniedError, match="No USAGE on schema dbos"):
        open_bridge(bridge_url(uri))
    execute(small, "GRANT USAGE ON SCHEMA dbos TO limited")
    with pytest.raises(PermissionDeniedError, match=r"No SELECT on dbos\.workflow_status") as caught:
        open_bridge(bridge_url(uri))
    assert "GRANT SELECT" in caught.value.hint


def test_a_grant_taken_away_while_open(server: Any, small: str, open_bridge: Open) -> None:
    uri = role(
        server,
        small,
        "GRANT USAGE ON SCHEMA dbos TO limited",
        "GRANT SELECT ON ALL TABLES IN SCHEMA dbos TO limited",
    )
    bridge = open_bridge(bridge_url(uri))
    execute(small, "REVOKE SELECT ON dbos.workflow_status FROM limited")
    with pytest.raises(PermissionDeniedError, match="workflow_status"):
        ids(bridge)


def test_other_schemas_and_databases(server: Any, small: str, open_bridge: Open) -> None:
    execute(small, MINIMAL.format(schema='"Other one"'))
    assert ids(open_bridge(bridge_url(small, schema="Other%20one"))) == ["w2", "w1"]
    with pytest.raises(SchemaUnknownError, match="no DBOS system tables in schema nope"):
        open_bridge(bridge_url(small, schema="nope"))
    with pytest.raises(ConnectError, match="no such database"):
        open_bridge(bridge_url(server.get_uri(database="nope")))
    with pytest.raises(AuthError):
        open_bridge(bridge_url(small.replace("postgres:@", "stranger:@")))
    with pytest.raises(ConnectError, match="cannot be reached"):
        open_bridge("dbos+postgresql://postgres@127.0.0.1:1/nope")


def test_a_locked_table_is_busy_within_a_second_or_so(small: str, open_bridge: Open) -> None:
    bridge = open_bridge(bridge_url(small))
    with psycopg.connect(small) as client:
        client.execute("LOCK TABLE dbos.workflow_status IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(BusyError, match="locked by another session"):
            ids(bridge)
        client.rollback()
    assert ids(bridge) == ["w2", "w1"]


def test_a_long_question_is_cancelled_in_the_server(small: str) -> None:
    db = Database(bridge_url(small))
    db.open(NEVER)
    token = CancelToken()
    timer = threading.Timer(0.2, token.cancel)
    timer.start()
    with pytest.raises(CancelledError):
        db.all(sa.text("SELECT pg_sleep(100)"), token)
    timer.join()
    assert db.all(sa.text("SELECT 1"), NEVER)[0][0] == 1
    db.close()


@pytest.fixture
def own_server(server: Any) -> Iterator[Any]:
    """A second server, to be stopped and started; ``server`` comes first, for what importing needs."""
    with started_server() as found:
        yield found


def test_a_server_restarted_while_open(own_server: Any, open_bridge: Open) -> None:
    uri = make_database(own_server, "restarted")
    execute(uri, MINIMAL.format(schema="dbos"))
    bridge = open_bridge(bridge_url(uri))
    mark = bridge.changes(None, (), NEVER).mark
    assert ids(bridge) == ["w2", "w1"]
    own_server.cleanup()
    with pytest.raises(ConnectError, match="cannot be reached"):
        ids(bridge)
    with pytest.raises(ConnectError):
        bridge.changes(mark, (), NEVER)
    own_server.start()

    def answers() -> bool:
        with suppress(ConnectError):
            return ids(bridge) == ["w2", "w1"]
        return False

    until(answers)
    bridge.changes(mark, (), NEVER)


def test_passwords_are_used_and_never_told(
    own_server: Any, open_bridge: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uri = make_database(own_server, "secretive")
    execute(
        uri,
        MINIMAL.format(schema="dbos"),
        f"CREATE ROLE careful LOGIN SUPERUSER PASSWORD '{PASSWORD}'",
    )
    rules = own_server.pgdata / "pg_hba.conf"
    rules.write_text(
        "local all careful scram-sha-256\nhost all careful all scram-sha-256\n" + rules.read_text()
    )
    execute(uri, "SELECT pg_reload_conf()")
    until(lambda: not _lets_in(uri.replace("postgres:@", "careful:@")))  # it takes notice a moment later
    url = bridge_url(uri.replace("postgres:@", "careful:@"))
    for secret in (None, "wrong-" + PASSWORD):
        with pytest.raises(AuthError) as caught:
            open_bridge(url, secret)
        error = caught.value
        told = f"{error!r} {error} {error.hint} {error.detail} {error.__cause__} {error.__context__}"
        assert PASSWORD not in told
    bridge = open_bridge(url, PASSWORD)
    info = bridge.open(NEVER)
    assert ids(bridge) == ["w2", "w1"]
    for thing in (info, bridge, vars(bridge), vars(bridge._db)):
        assert PASSWORD not in repr(thing)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert ids(open_bridge(url)) == ["w2", "w1"]
    monkeypatch.delenv("PGPASSWORD")
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:careful:{PASSWORD}\n")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    assert ids(open_bridge(url)) == ["w2", "w1"]


def _lets_in(uri: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(uri):
        return True
    return False


def test_text_of_a_database_without_encoding(server: Any, open_bridge: Open) -> None:
    with psycopg.connect(server.get_uri(), autocommit=True) as client:
        client.execute(
            "CREATE DATABASE raw_bytes ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    uri = server.get_uri(database="raw_bytes")
    execute(
        uri,
        MINIMAL.format(schema="dbos"),
        r"UPDATE dbos.workflow_status SET name = E'a\xffb' WHERE workflow_uuid = 'w1'",
    )
    bridge = open_bridge(bridge_url(uri))
    runs = {run.id: run for run in bridge.runs(None, Sort(), None, "forward", 9, NEVER).items}
    assert runs["w1"].type == r"a\xffb" and runs["w1"].bad == "unreadable: name"
    assert runs["w2"].bad is None
    bridge.close()
    execute(server.get_uri(), "DROP DATABASE raw_bytes WITH (FORCE)")
