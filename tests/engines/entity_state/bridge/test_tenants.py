"""Row-level security: a tenant sees its own rows alone, and nobody is shown "0 entities" for rows that are hidden."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine_bridge.bridge import Bridge, Capability, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import anchors
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.errors import NotFoundError, PermissionDeniedError, PlayheadError
from engine_bridge.model import Run, RunRef
from engine_bridge.query import parse
from tests.engines.entity_state import sample
from tests.engines.entity_state.bridge.conftest import as_reader
from tests.engines.entity_state.fixtures import OpenBridge, OpenStore, Sample
from tests.engines.entity_state.sample_configs import OWN

NEVER = CancelToken()
ACME = {life.id for life in sample.INVOICES if life.tenant == "acme"}
GLOBEX = {life.id for life in sample.INVOICES if life.tenant == "globex"}
ACME_USERS = {str(n) for n, (_, tenant) in enumerate(sample.USERS, sample.FIRST_USER) if tenant == "acme"}
FOREIGN = RunRef("entity", "invoice", "inv-002")


@pytest.fixture(params=["column named", "column not named"])
def mapping(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """With the second mapping Playhead knows of no tenant column: the server alone keeps tenants apart."""
    if request.param == "column named":
        return sample.write_mapping(tmp_path)
    blind = "".join(
        f"[workflow.{part}]\ntenant = ''\n" for part in ("history", "failures", "delayed", "outbox")
    )
    text = OWN.replace("[workflow.entity]", f"{blind}[workflow.entity]\ntenant = ''")
    return sample.write_mapping(tmp_path, text)


def everything(bridge: Bridge) -> list[Run]:
    found: list[Run] = []
    cursor: bytes | None = None
    while True:
        page = bridge.runs(None, Sort(), cursor, "forward", 3, NEVER)
        found += page.items
        cursor = page.after
        if cursor is None:
            return found


def test_the_roles_differ_in_what_they_may_see(tenants_server: Sample, open_entities: OpenBridge) -> None:
    """The control: whom row-level security does not hold sees both tenants, so the tests below can fail."""
    bridge = open_entities(tenants_server.url)
    assert {run.id for run in everything(bridge)} >= ACME | GLOBEX


def test_lists_and_counts_hold_no_foreign_row(
    tenants_server: Sample, open_entities: OpenBridge, mapping: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchors, "_SLOW_S", 60.0)  # a busy machine is no missing index
    bridge = open_entities(as_reader(tenants_server.url, "acme", mapping=mapping))
    runs = everything(bridge)
    assert {run.id for run in runs} == ACME | ACME_USERS
    assert bridge.count(None, NEVER) == len(runs)
    facets = bridge.facets(None, 50, NEVER)
    assert facets.total == len(runs) and facets.by_type["invoice"] == len(ACME)
    assert len(facets.durations) == sum(run.duration_ns is not None for run in runs)
    found = bridge.anchors(None, Sort(), 4, NEVER)
    assert len(found) == -(-len(runs) // 4)
    for text in ("drift == true", "here_for > 0s", "correlation_id == 'corr-inv-008-0'", "failures > 0"):
        query = parse(text, bridge.fields(NEVER))
        assert {
            run.id for run in bridge.runs(query, Sort(), None, "forward", 99, NEVER).items
        } <= ACME | ACME_USERS


def test_values_offered_are_those_of_the_tenant(
    tenants_server: Sample, open_entities: OpenBridge, mapping: Path
) -> None:
    bridge = open_entities(as_reader(tenants_server.url, "acme", mapping=mapping))
    fields = {field.name: field for field in bridge.fields(NEVER)}
    assert "globex" not in fields["tenant"].values and "worker-9" not in fields["claimed_by"].values


def test_populations_failures_and_resources_hold_no_foreign_row(
    tenants_server: Sample, open_entities: OpenBridge, mapping: Path
) -> None:
    bridge = open_entities(as_reader(tenants_server.url, "acme", mapping=mapping))
    population = bridge.population("invoice", None, NEVER)
    assert population.total == sum(node.count for node in population.nodes) == len(ACME)
    assert not population.problem
    assert {row.ref.run for row in bridge.failures(None, "", None, 99, NEVER).items} <= ACME | ACME_USERS
    claims = bridge.resources("claims", NEVER)
    assert "inv-019" not in repr(claims) and "inv-005" in repr(claims)
    hits = list(bridge.search("order", "all", 99, NEVER)) if _searches(bridge) else []
    assert {hit.ref.run for hit in hits} <= ACME | ACME_USERS


def _searches(bridge: Bridge) -> bool:
    return Capability.SEARCH in bridge.open(NEVER).capabilities


def test_a_foreign_entity_is_not_there(
    tenants_server: Sample, open_entities: OpenBridge, mapping: Path
) -> None:
    bridge = open_entities(as_reader(tenants_server.url, "acme", mapping=mapping))
    assert bridge.find("inv-002", 5, NEVER) == [] and bridge.find("invoice/inv-002", 5, NEVER) == []
    assert {run.id for run in bridge.find("inv-", 99, NEVER)} == ACME
    for look in (bridge.run, lambda ref, cancel: list(bridge.history(ref, cancel))):
        with pytest.raises(NotFoundError):
            look(FOREIGN, NEVER)
    assert bridge.changes(bridge.changes(None, (), NEVER).mark, (), NEVER).changed == ()


def test_nothing_of_a_tenant_stays_in_the_pool(tenants_server: Sample, open_store: OpenStore) -> None:
    store = open_store(as_reader(tenants_server.url, "acme"))
    invoice = store.workflow("invoice")
    rows = sa.select(invoice.table.c.tenant_id).distinct()
    for _ in range(20):  # more than the pool holds
        assert {row[0] for row in store.all(rows, NEVER)} == {"acme"}
    assert _settings_between_transactions(store) == {""}


def _settings_between_transactions(store: Store) -> set[str]:
    pool = store._connections._engine.pool  # what a transaction leaves behind
    found = set()
    for _ in range(3):
        connection = pool.connect()
        try:
            row = connection.driver_connection.execute(
                "SELECT coalesce(current_setting('app.tenant_id', true), '')"
            ).fetchone()
            found.add(row[0])
            connection.driver_connection.rollback()
        finally:
            connection.close()
    return found


def test_an_error_does_not_open_the_door(tenants_server: Sample, open_store: OpenStore) -> None:
    acme, globex = (open_store(as_reader(tenants_server.url, tenant)) for tenant in ("acme", "globex"))
    invoice = acme.workflow("invoice")
    rows = sa.select(invoice.id)
    for _ in range(3):
        for store in (acme, globex):
            with pytest.raises(PlayheadError), store.reader(NEVER) as read:
                read.all(sa.text("SELECT set_config('app.tenant_id', 'globex', false), 1 / 0"))
            with pytest.raises(RuntimeError), store.reader(NEVER) as read:
                read.all(rows)
                raise RuntimeError
    assert {row[0] for row in acme.all(rows, NEVER)} == ACME
    assert {row[0] for row in globex.all(rows, NEVER)} == GLOBEX


def test_a_cancelled_read_does_not_open_the_door(tenants_server: Sample, open_store: OpenStore) -> None:
    store = open_store(as_reader(tenants_server.url, "acme"))
    token = CancelToken()
    token.cancel()
    with pytest.raises(PlayheadError):
        store.all(sa.text("SELECT 1"), token)
    assert {row[0] for row in store.all(sa.select(store.workflow("invoice").id), NEVER)} == ACME


@pytest.fixture
def nobody(tenants_server: Sample, open_entities: OpenBridge) -> Iterator[Bridge]:
    yield open_entities(as_reader(tenants_server.url))


def test_without_a_tenant_rows_are_said_to_be_hidden(nobody: Bridge) -> None:
    info = nobody.open(NEVER)
    assert info.tenant == ""
    assert any("no tenant is set" in notice and "cannot be seen" in notice for notice in info.notices)
    population = nobody.population("invoice", None, NEVER)
    assert population.total is None and "tenant" in population.problem
    query = parse("drift == true", nobody.fields(NEVER))
    looks: tuple[Callable[[], object], ...] = (
        lambda: nobody.runs(None, Sort(), None, "forward", 9, NEVER),
        lambda: nobody.runs(query, Sort(), None, "forward", 9, NEVER),
        lambda: nobody.count(None, NEVER),
        lambda: nobody.find("inv-001", 5, NEVER),
        lambda: nobody.failures(None, "", None, 9, NEVER),
        lambda: nobody.resources("claims", NEVER),
    )
    for look in looks:
        with pytest.raises(
            PermissionDeniedError, match=r"no tenant is set: rows of invoices.* cannot be seen"
        ):
            look()
    assert "tenant" in nobody.facets(None, 9, NEVER).note and not nobody.facets(None, 9, NEVER).exact
    with pytest.raises(NotFoundError) as told:
        nobody.run(RunRef("entity", "invoice", "inv-001"), NEVER)
    assert "tenant" in told.value.hint
    findings = nobody.lint((), None, NEVER).findings
    assert any(found.code == "tenant_required" for found in findings)


def test_a_tenant_is_told(tenants_server: Sample, open_entities: OpenBridge) -> None:
    info = open_entities(as_reader(tenants_server.url, "acme")).open(NEVER)
    assert info.tenant == "acme" and not any("tenant" in notice for notice in info.notices)


def test_a_role_with_a_tenant_of_its_own_needs_none(
    tenants_server: Sample, open_entities: OpenBridge
) -> None:
    engine = tenants_server.engine()
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE ROLE entity_globex LOGIN NOSUPERUSER NOBYPASSRLS"))
        connection.execute(sa.text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO entity_globex"))
        connection.execute(sa.text("ALTER ROLE entity_globex SET app.tenant_id = 'globex'"))
    engine.dispose()
    bridge = open_entities(as_reader(tenants_server.url, user="entity_globex"))
    assert bridge.open(NEVER).tenant == "globex"
    assert {run.id for run in everything(bridge)} >= GLOBEX and not {
        run.id for run in everything(bridge)
    } & ACME


def test_a_file_is_filtered_by_its_tenant_column(entity_file: Sample, open_entities: OpenBridge) -> None:
    bridge = open_entities(f"{entity_file.url}&tenant=acme")
    assert {run.id for run in everything(bridge)} == ACME | ACME_USERS
    assert bridge.population("invoice", None, NEVER).total == len(ACME)
    assert {row.ref.run for row in bridge.failures(None, "", None, 99, NEVER).items} <= ACME | ACME_USERS
    with pytest.raises(NotFoundError):
        bridge.run(FOREIGN, NEVER)
