"""Boot against a database: tables, columns, types, grants, statuses that the config does not know, enums and uuids."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from engine_bridge.engines.entity_state.engine import UseCases, bound, connect
from engine_bridge.engines.entity_state.engine.database import Database
from engine_bridge.engines.entity_state.engine.database_checks import check_database, unknown_statuses
from engine_bridge.engines.entity_state.engine.engine import Engine
from engine_bridge.engines.entity_state.engine.errors import ConfigError
from engine_bridge.engines.entity_state.engine.findings import Finding, Report
from tests.engines.dbos.databases import make_database
from tests.engines.entity_state.engine.conftest import alchemy
from tests.engines.entity_state.engine.shop import CHAIN, INVOICE, Shop, catalogue, changed, user


def checked(shop: Shop, config: dict[str, Any]) -> list[Finding]:
    """What the database has against a config."""
    found, report = catalogue(config), Report()
    assert found.findings == ()
    check_database(found, Database(shop.db), report)
    return list(report.findings)


def test_entities_on_unknown_statuses_are_counted(shop: Shop) -> None:
    shop.add("draft", count=3)
    shop.add("archived", count=2)
    shop.add("odd")
    found = {(f.code, f.pointer, f.reason) for f in checked(shop, INVOICE)}
    assert found == {
        ("entities_on_unknown_status", "/status_types", f"{text}, which the config does not know")
        for text in ("2 entities stand on the status “archived”", "1 entity stands on the status “odd”")
    }
    with pytest.raises(ConfigError, match="2 entities stand on the status “archived”"):
        shop.engine()


def test_a_base_does_not_count_the_entities_of_tenants_with_overlays(shop: Shop) -> None:
    shop.add("odd", tenant="acme", count=2)
    shop.add("odd", tenant="other")
    found = catalogue(INVOICE, {"workflow_type": "invoice", "tenant": "acme"})
    with shop.db.connect() as connection:
        assert unknown_statuses(connection, found.get("invoice"), ("acme",)) == {"odd": 1}
        assert unknown_statuses(connection, found.get("invoice", "acme")) == {"odd": 2}


@pytest.mark.parametrize(
    ("entity", "code", "pointer", "reason", "fix"),
    [
        (
            {"table": "invoice"},
            "missing_table",
            "/entity/table",
            "does not exist",
            "Did you mean “invoices”?",
        ),
        (
            {"table": "invoices", "version": "revision"},
            "missing_column",
            "/entity/version",
            "no column revision",
            "“version”",
        ),
        (
            {"table": "invoices", "status": "statu"},
            "missing_column",
            "/entity/status",
            "no column",
            "“status”",
        ),
        (
            {"table": "invoices", "version": "number"},
            "wrong_column_type",
            "/entity/version",
            "not an integer",
            "type",
        ),
        (
            {"table": "invoices", "claimed_at": "number"},
            "wrong_column_type",
            "/entity/claimed_at",
            "a timestamp",
            "",
        ),
    ],
)
def test_what_does_not_fit_has_a_place(
    shop: Shop, entity: dict[str, str], code: str, pointer: str, reason: str, fix: str
) -> None:
    (found,) = checked(shop, changed(INVOICE, entity=entity))
    assert (found.code, found.pointer) == (code, pointer)
    assert reason in found.reason
    assert fix in found.fix


def test_unregistered_names_and_missing_tables_stop_the_engine(shop: Shop) -> None:
    with pytest.raises(ConfigError, match="no use case is registered as “send_mail”") as refused:
        Engine(shop.db, catalogue(INVOICE), UseCases())
    assert "claim_without_janitor" in str(refused.value)
    with shop.db.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE workflow_outbox RENAME TO hidden")
    with pytest.raises(ConfigError, match="the table workflow_outbox is missing"):
        shop.engine()
    with shop.db.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO workflow_outbox")


def test_missing_grants_are_found(server: Any) -> None:
    uri = make_database(server, "grants")
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN NOSUPERUSER")
    shop = Shop(connect(alchemy(uri))).create()
    with shop.db.begin() as connection:
        connection.exec_driver_sql("GRANT SELECT ON chains TO reader")
    shop.db.dispose()
    shop = Shop(connect(alchemy(uri.replace("postgres:", "reader:", 1))))
    assert [f.code for f in checked(shop, CHAIN)] == ["missing_grant"]
    assert {f.code for f in checked(shop, INVOICE)} == {"missing_grant", "unreadable_table"}
    shop.db.dispose()


def test_database_enums_and_uuid_ids_work(server: Any) -> None:
    uri = make_database(server, "enums")
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("CREATE TYPE state AS ENUM ('a', 'b', 'c', 'd', 'end', 'bad')")
        connection.execute("CREATE TABLE chains (id uuid PRIMARY KEY, status state, version bigint)")
    db = connect(alchemy(uri))
    shop = Shop(db)
    shop.tables.create(db)
    ids = [uuid.uuid4() for _ in range(3)]
    with db.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO chains VALUES (:id, 'c', 1)"), [{"id": found} for found in ids]
        )
    config = changed(CHAIN)
    config["steps"][2]["batch"] = True
    with bound(user()):
        flow = shop.engine(config).workflow("chain")
        assert flow.execute_step(str(ids[0])).to_status == "d"
        assert set(flow.execute_batch(ids[1:], "user").moved) == set(ids[1:])
    assert {row[0] for row in shop.history} == {str(found) for found in ids}
    db.dispose()
