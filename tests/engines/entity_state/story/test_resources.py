"""Claims, delayed steps, outbox, errors, configs and the mapping's checks, beside plain SQL."""

from __future__ import annotations

from engine_bridge.bridge import Resource
from engine_bridge.engines.entity_state import resource_ids, resources
from engine_bridge.engines.entity_state.store import Store
from tests.engines.entity_state.story.conftest import NEVER, OpenStore
from tests.engines.entity_state.story.data import Sample, ns


def read(store: Store, kind: str) -> list[Resource]:
    found = resources.read(store, kind, NEVER)
    assert all(resource.kind == kind for resource in found)
    for resource in found:
        assert all(value is None or isinstance(value, str | int | float) for value in resource.cells.values())
    return found


def test_claims_are_listed_with_dead_ones_first(store: Store) -> None:
    dead, alive = read(store, "claims")
    assert resource_ids.parse(dead.id) == ("invoice", "2")
    assert dead.cells["holder"] == "worker-3" and dead.cells["step"] == "send"
    assert dead.cells["since_ns"] == ns(2) and dead.cells["ttl_dur_ns"] == 60 * 10**9
    assert dead.warning.startswith("dead for ") and dead.filter == 'type == "invoice" and id == "2"'
    assert alive.cells["holder"] == "worker-1" and alive.warning == ""


def test_open_delayed_steps_and_events_wait(store: Store, sample: Sample) -> None:
    (delayed,) = read(store, "delayed")
    (row,) = sample.rows("SELECT id, step_key FROM workflow_delayed WHERE done_at IS NULL")
    assert resource_ids.parse(delayed.id) == ("invoice", str(row.id)) and row.step_key in delayed.title
    assert delayed.cells["due_ns"] == ns(60 * 24 * 3650) and delayed.warning == ""
    assert delayed.cells["correlation_id"] == "c-11"
    (event,) = read(store, "outbox")
    assert event.title == "invoice.sent of invoice 1" and "nobody took it" in event.warning


def test_errors_are_counted_by_type_and_week(store: Store) -> None:
    by_type = {resource.title: resource for resource in read(store, "errors")}
    assert set(by_type) == {"SMTPError", "Unpaid"}
    smtp = by_type["SMTPError"]
    assert (smtp.cells["open"], smtp.cells["resolved"], smtp.cells["entities"]) == (1, 1, 1)
    assert (smtp.cells["first_ns"], smtp.cells["last_ns"]) == (ns(3), ns(5))
    assert [week.title for week in smtp.children] == ["2026-W45"]


def test_configs_and_checks_are_listed(store: Store) -> None:
    (config,) = read(store, "configs")
    assert config.cells["steps"] == 6 and config.cells["initial"] == "draft"
    checks = read(store, "mapping")
    assert checks and all(check.title for check in checks)
    assert set(resources.kinds(store)) == {"claims", "delayed", "outbox", "errors", "configs", "mapping"}


def test_a_tenant_sees_its_own_rows_alone(open_store: OpenStore) -> None:
    other = open_store("t2")
    assert [read(other, kind) for kind in ("claims", "delayed", "outbox", "errors")] == [[], [], [], []]
