"""Row-level security, so that it can fail: a plain role, FORCE, two tenants, one pooled connection, errors between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from engine_bridge.engines.entity_state.engine import (
    Engine,
    Later,
    Poller,
    Publisher,
    bound,
    connect,
    enforce_tenants,
    load_texts,
    new_context,
)
from engine_bridge.engines.entity_state.engine.errors import (
    ConfigError,
    EntityNotFoundError,
    StaleError,
    TenantRequiredError,
)
from tests.engines.dbos.databases import make_database
from tests.engines.entity_state.engine.conftest import alchemy
from tests.engines.entity_state.engine.shop import INVOICE, Shop, changed, user


@pytest.fixture(scope="module")
def owner_uri(server: Any) -> str:
    """A database whose tables belong to one role and are used by another; neither is a superuser."""
    uri = make_database(server, "tenants")
    with psycopg.connect(uri, autocommit=True) as connection:
        for role in ("shop_owner", "shop_app"):
            connection.execute(f"DROP ROLE IF EXISTS {role}")
            connection.execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS")
        connection.execute("GRANT ALL ON SCHEMA public TO shop_owner")
    shop = Shop(connect(_as(uri, "shop_owner"))).create()
    secured = [(table, "tenant_id") for table in (shop.invoices, *shop.tables.all)]
    with shop.db.begin() as connection:
        enforce_tenants(connection, secured)
        connection.exec_driver_sql("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO shop_app")
        connection.exec_driver_sql("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO shop_app")
    shop.db.dispose()
    return uri


def _as(uri: str, role: str) -> str:
    return alchemy(uri.replace("postgres:", f"{role}:", 1))


@pytest.fixture
def admin(owner_uri: str) -> Iterator[Shop]:
    """The database as a superuser sees it: all rows, whatever the policies."""
    shop = Shop(connect(alchemy(owner_uri))).create()
    yield shop
    shop.db.dispose()


@pytest.fixture
def app(owner_uri: str, admin: Shop) -> Iterator[Shop]:
    """The application: one pooled connection for everybody; invoices 1 and 2 of t1, 3 of t2."""
    admin.add(tenant="t1", count=2)
    admin.add(tenant="t2")
    shop = Shop(connect(_as(owner_uri, "shop_app"), pool_size=1, max_overflow=0))
    yield shop
    shop.db.dispose()


def blind(shop: Shop) -> Engine:
    """An engine whose config knows no tenant column: only the database can keep tenants apart."""
    entity = {key: value for key, value in INVOICE["entity"].items() if key != "tenant"}
    return shop.engine(changed(INVOICE, entity=entity))


def seen(engine: Engine, shop: Shop, tenant: str | None) -> list[int]:
    """The ids that a transaction of a tenant sees, by raw SQL."""
    with engine.database.read(user(tenant)) as connection:
        return list(connection.execute(sa.select(shop.invoices.c.id).order_by(shop.invoices.c.id)).scalars())


def test_the_role_can_be_refused(app: Shop, admin: Shop) -> None:
    with app.db.connect() as connection:
        role = connection.exec_driver_sql(
            "SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).one()
        forced = connection.exec_driver_sql(
            "SELECT bool_and(relforcerowsecurity AND relrowsecurity AND relowner <> current_user::regrole)"
            " FROM pg_class WHERE relname IN ('invoices', 'workflow_history', 'workflow_outbox')"
        ).scalar()
    assert (tuple(role), forced) == (("shop_app", False, False), True)
    # The control: without the policies the same statement returns everything.
    assert seen(blind(admin), admin, "t1") == [1, 2, 3]


def left_in_the_pool(shop: Shop) -> list[str]:
    """What the next user of the pooled connection finds of the one before: settings, and rows they would show."""
    names = [f"app.{name}" for name in ("tenant_id", "user_id", "correlation_id")]
    with shop.db.connect() as connection:
        ask = sa.text("SELECT current_setting(:name, true)")
        found = [connection.execute(ask, {"name": name}).scalar() for name in names]
        found += [str(i) for i in connection.execute(sa.select(shop.invoices.c.id)).scalars()]
    return [value for value in found if value]


def test_no_foreign_row_also_after_pool_reuse_and_after_an_error(app: Shop) -> None:
    engine = blind(app)
    for _ in range(2):
        assert seen(engine, app, "t1") == [1, 2]
        assert left_in_the_pool(app) == []
        with engine.database.write(user("t1")):
            pass
        assert left_in_the_pool(app) == []
        assert seen(engine, app, "t2") == [3]
        assert seen(engine, app, None) == []
        with pytest.raises(DBAPIError), engine.database.write(user("t1")) as connection:
            connection.exec_driver_sql("SELECT 1/0")
        assert left_in_the_pool(app) == []


def test_steps_moves_and_batches_reach_no_foreign_row(app: Shop, admin: Shop) -> None:
    flow = blind(app).workflow("invoice")
    with bound(user("t2")):
        with pytest.raises(EntityNotFoundError):
            flow.execute_step(1)
        with pytest.raises(StaleError, match="it is gone"):
            flow.move(1, "void", "mine now", seen=("draft", 1))
    assert admin.history == []
    with bound(user("t1")):
        assert flow.execute_step(1).kind == "moved"
        with pytest.raises(StaleError, match="it is gone"):
            flow.move(3, "void", "mine now", seen=("draft", 1))
        assert flow.execute_batch([1, 3], "user").skipped.keys() == {1, 3}
    assert {row.tenant_id for row in admin.rows(admin.tables.history)} == {"t1"}


def test_nothing_can_be_written_for_another_tenant(app: Shop) -> None:
    engine = blind(app)
    with (
        pytest.raises(DBAPIError, match="row-level security"),
        engine.database.write(user("t1")) as connection,
    ):
        connection.execute(sa.insert(app.invoices), {"status": "draft", "version": 1, "tenant_id": "t2"})


def test_background_work_sees_its_ticks_tenant_only(app: Shop, admin: Shop) -> None:
    engine = app.engine()
    flow = engine.workflow("invoice")
    for tenant, invoice in (("t1", 1), ("t2", 3)):
        with bound(user(tenant)):
            flow.execute_step(invoice, "user")
            flow.schedule(invoice, Later(0, "system"))
    sent: list[str] = []
    publisher = Publisher(engine.database, engine.tables, lambda e: sent.append(e.entity_id), engine.clock)
    tick = new_context("cron", "t2")
    assert (publisher.publish(tick), sent) == (1, ["3"])
    assert (Poller(engine).poll(tick), admin.status(3), admin.status(1)) == (1, "sent", "approved")
    with bound(tick):
        assert flow.sweep_claims() == []


def test_with_no_tenant_it_says_so(app: Shop) -> None:
    engine = app.engine()
    flow = engine.workflow("invoice")
    with bound(user(None)):
        for call in (lambda: flow.execute_step(1), flow.sweep_claims, lambda: flow.execute_batch([1])):
            with pytest.raises(TenantRequiredError, match="no tenant is set"):
                call()
    assert [f.code for f in engine.findings] == ["tenant_required"]


def test_a_tenants_entities_on_unknown_statuses_are_counted_with_its_tenant(app: Shop, admin: Shop) -> None:
    with admin.db.begin() as connection:
        connection.execute(sa.update(admin.invoices).where(admin.invoices.c.id < 3).values(status="odd"))
    overlay = {"workflow_type": "invoice", "tenant": "t1"}
    texts = [("base.json", json.dumps(INVOICE)), ("t1.json", json.dumps(overlay))]
    with pytest.raises(ConfigError, match="2 entities stand on the status “odd”"):
        Engine(app.db, load_texts(texts), app.use_cases, janitors=app.janitors)
