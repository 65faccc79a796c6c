"""Load-time checks: what does not fit between a mapping and its database is a finding, and the rest stays usable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine_bridge.bridge import Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.configs import Finding
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.errors import SchemaUnknownError
from engine_bridge.model import RunRef
from tests.engines.entity_state import sample, sample_others
from tests.engines.entity_state.bridge.conftest import as_reader
from tests.engines.entity_state.fixtures import OpenBridge, OpenStore, Sample
from tests.engines.entity_state.sample_configs import DJANGO, OWN, PLAIN, STATESMAN

NEVER = CancelToken()
Remap = Callable[[str], Store]


def codes(store: Store) -> dict[str, Finding]:
    return {found.code: found for found in store.findings if not found.code.startswith("rejection")}


@pytest.fixture
def remap(entity_file: Sample, open_store: OpenStore) -> Remap:
    """The sample under another mapping."""

    def open_one(text: str) -> Store:
        entity_file.mapping.write_text(text)
        return open_store(entity_file.url)

    return open_one


def test_a_mapping_that_fits_has_no_findings(entity_file: Sample, open_store: OpenStore) -> None:
    assert codes(open_store(entity_file.url)) == {}


def test_a_missing_table_is_named_with_the_nearest(remap: Remap) -> None:
    store = remap(OWN.replace('label = "email"', 'table = "user"'))
    found = codes(store)["missing_table"]
    assert found.severity == "error" and "there is no table user" in found.reason and "users" in found.fix
    assert found.line == OWN[: OWN.index('label = "email"')].count("\n") + 1 and found.file.endswith(
        "billing.toml"
    )
    assert [bound.type for bound in store.workflows] == ["invoice"]
    with pytest.raises(SchemaUnknownError, match="registration cannot be read"):
        store.workflow("registration")


def test_a_missing_column_is_named_with_the_nearest(remap: Remap) -> None:
    store = remap(OWN.replace('label = "number"', 'label = "numbre"'))
    found = codes(store)["missing_column"]
    assert "has no column numbre" in found.reason and "number" in found.fix and found.line == 11
    assert store.workflow("invoice").label is None


def test_a_missing_status_column_makes_the_workflow_unusable(remap: Remap) -> None:
    store = remap(OWN.replace('label = "number"', 'status = "stat"'))
    assert "status" in codes(store)["missing_column"].fix
    assert [bound.type for bound in store.workflows] == ["registration"]


def test_a_version_that_is_no_integer_is_not_used(remap: Remap) -> None:
    store = remap(OWN.replace('label = "number"', 'version = "number"'))
    found = codes(store)["version_not_integer"]
    assert found.severity == "error" and "TEXT" in found.reason and found.line == 11
    assert store.workflow("invoice").version is None


def test_a_missing_index_is_a_warning(entity_file: Sample, open_store: OpenStore) -> None:
    engine = entity_file.engine()
    with engine.begin() as connection:
        connection.execute(sa.text("DROP INDEX ix_workflow_history_entity"))
    engine.dispose()
    found = codes(open_store(entity_file.url))["missing_index"]
    assert found.severity == "warning" and "entity_type, workflow_type, entity_id, id" in found.reason


def test_an_id_that_names_no_row_is_a_warning(remap: Remap) -> None:
    store = remap(OWN.replace('label = "number"', 'id = "number"'))
    assert codes(store)["id_not_unique"].severity == "warning"


def test_unknown_statuses_are_counted(entity_file: Sample, open_store: OpenStore) -> None:
    found = open_store(entity_file.url).check_data(NEVER)
    told = {(one.reason.partition(":")[0], one.count, one.filter) for one in found}
    assert told == {
        ("invoice", 1, 'type == "invoice" and state == "archived"'),
        ("registration", 1, 'type == "registration" and state == "video_call"'),
    }


def test_the_optional_tables_may_be_absent(entity_file: Sample, open_store: OpenStore) -> None:
    engine = entity_file.engine()
    with engine.begin() as connection:
        for table in ("workflow_outbox", "workflow_delayed", "workflow_permanent_failure_log"):
            connection.execute(sa.text(f"DROP TABLE {table}"))
    engine.dispose()
    store = open_store(entity_file.url)
    assert codes(store) == {}
    invoice = store.workflow("invoice")
    assert (invoice.outbox, invoice.delayed, invoice.failures) == (None, None, None)


def test_a_missing_history_is_a_warning_and_lists_work(
    entity_file: Sample, open_store: OpenStore, open_entities: OpenBridge
) -> None:
    engine = entity_file.engine()
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE workflow_history"))
    engine.dispose()
    assert codes(open_store(entity_file.url))["missing_table"].severity == "warning"
    bridge = open_entities(entity_file.url)
    assert len(bridge.runs(None, Sort(), None, "forward", 99, NEVER).items) == 30


def test_a_mapping_of_which_nothing_fits_is_told_at_once(
    entity_file: Sample, open_entities: OpenBridge
) -> None:
    entity_file.mapping.write_text(PLAIN)
    with pytest.raises(SchemaUnknownError, match="job: jobs is missing") as told:
        open_entities(entity_file.url)
    assert "there is no table jobs" in told.value.detail


def test_rows_of_other_models_are_told_apart(tmp_path: Path, open_store: OpenStore) -> None:
    path, mapping = (
        tmp_path / "d.sqlite",
        sample.write_mapping(tmp_path, DJANGO.partition("[workflow.history]")[0]),
    )
    engine = sample.engine(path)
    sample_others.django(engine)
    engine.dispose()
    found = codes(open_store(sample.file_url(path, mapping)))
    assert found["missing_discriminator"].severity == "warning"


def test_a_state_without_a_name_for_its_beginning_is_told(tmp_path: Path, open_store: OpenStore) -> None:
    text = "\n".join(line for line in STATESMAN.splitlines() if not line.startswith("states"))
    path, mapping = tmp_path / "s.sqlite", sample.write_mapping(tmp_path, text)
    engine = sample.engine(path)
    sample_others.statesman(engine)
    engine.dispose()
    assert "missing_initial" in codes(open_store(sample.file_url(path, mapping)))


def test_times_of_the_wrong_type_are_told(
    entity_server: Sample, open_store: OpenStore, tmp_path: Path
) -> None:
    text = OWN.replace("[writes]", '[time]\nunit = "epoch_ms"\n[writes]')
    mapping = sample.write_mapping(tmp_path, text)
    url = as_reader(entity_server.url, user="postgres", mapping=mapping)
    store = open_store(url)
    assert "TIMESTAMP" in codes(store)["wrong_column_type"].reason
    assert store.workflow("invoice").created_at is None


def test_a_column_of_a_file_that_holds_no_times_is_told(
    entity_file: Sample, open_store: OpenStore, tmp_path: Path
) -> None:
    mapping = sample.write_mapping(
        tmp_path, OWN.replace('label = "number"', 'label = "number"\ncreated_at = "number"')
    )
    store = open_store(sample.file_url(entity_file.path, mapping))
    found = codes(store)["wrong_column_type"]
    assert "invoices.number holds no " in found.reason and found.pointer.endswith("created_at")
    assert store.workflow("invoice").created_at is None


def test_what_may_not_be_read_or_written_is_told(
    entity_server: Sample, open_store: OpenStore, open_entities: OpenBridge
) -> None:
    engine = entity_server.engine()
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE ROLE entity_partly LOGIN"))
        connection.execute(sa.text("GRANT SELECT ON invoices, workflow_history TO entity_partly"))
    engine.dispose()
    url = as_reader(entity_server.url, user="entity_partly")
    store = open_store(url)
    told = {(found.code, found.severity, found.reason.partition(": ")[2]) for found in store.findings}
    assert ("missing_grant", "error", "no SELECT on users") in told
    assert ("missing_grant", "warning", "no SELECT on workflow_permanent_failure_log") in told
    assert ("missing_grant", "warning", "no UPDATE on invoices") in told
    assert ("missing_grant", "warning", "no INSERT on workflow_history") in told
    assert [bound.type for bound in store.workflows] == ["invoice"]
    bridge = open_entities(url)
    assert any("registration cannot be read" in notice for notice in bridge.open(NEVER).notices)
    assert len(bridge.runs(None, Sort(), None, "forward", 99, NEVER).items) == 20
    assert bridge.run(RunRef("entity", "invoice", "inv-013"), NEVER).status == "failed"
