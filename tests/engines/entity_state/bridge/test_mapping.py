"""Mapping files: what they can say, and how precisely they are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine_bridge.engines.entity_state.mapping import ActorLink, Transition
from engine_bridge.engines.entity_state.mapping_load import Loaded, read
from engine_bridge.errors import UsageError
from tests.engines.entity_state import sample
from tests.engines.entity_state.sample_configs import DJANGO, OWN, PLAIN, STATESMAN

ONE = 'version = 1\n[[workflow]]\ntype = "job"\nprofile = "plain"\n[workflow.entity]\ntable = "jobs"\n'


def load(folder: Path, text: str) -> Loaded:
    return read(sample.write_mapping(folder, text))


def test_own_tables_take_everything_from_their_config(tmp_path: Path) -> None:
    loaded = load(tmp_path, OWN)
    invoice, registration = loaded.mapping.workflows
    assert (invoice.entity.table, invoice.entity.version, invoice.entity.tenant) == (
        "invoices",
        "version",
        "tenant_id",
    )
    assert invoice.history is not None and invoice.history.discriminator == {
        "entity_type": "Invoice", "workflow_type": "invoice",
    }  # fmt: skip
    assert registration.entity.label == "email" and registration.failures is not None
    assert loaded.mapping.writes.mode == "sql" and len(loaded.mapping.sha256) == 64
    assert loaded.catalogue is not None and ("registration", "acme") in loaded.catalogue.documents


def test_profiles_of_other_libraries(tmp_path: Path) -> None:
    (ticket,) = load(tmp_path, DJANGO).mapping.workflows
    assert ticket.entity.status == "state" and ticket.history is not None
    assert ticket.history.from_ == "source_state" and ticket.history.discriminator == {"content_type_id": 7}
    assert ticket.history.actor == ActorLink(fk="by_id", table="auth_user")
    assert ticket.transitions is not None and ticket.transitions[0] == Transition("new", "open", "accept")
    (order,) = load(tmp_path, STATESMAN).mapping.workflows
    assert order.entity.status is None and order.history is not None
    assert (order.history.table, order.history.entity_id, order.history.sort_step) == (
        "order_transitions", "order_id", 10,
    )  # fmt: skip
    (job,) = load(tmp_path, PLAIN).mapping.workflows
    assert job.history is None and job.entity.version is None


def test_an_empty_name_means_that_there_is_no_such_column(tmp_path: Path) -> None:
    text = OWN.replace('label = "number"', 'label = "number"\nversion = ""\nclaimed_by = ""')
    entity = load(tmp_path, text).mapping.workflows[0].entity
    assert entity.version is None and entity.claimed_by is None
    assert (
        load(tmp_path, OWN.replace('type = "invoice"', 'type = "invoice"\noutbox = false'))
        .mapping.workflows[0]
        .outbox
        is None
    )


@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        ("version = 2\n" + ONE[12:], ":1: this version", "version = 1"),
        (ONE[12:], "lacks “version”", "first line"),
        (ONE + "x = 1 2\n", "no TOML", "line 7"),
        ("version = 1\n", "names no workflow", "[[workflow]]"),
        ("version = 1\nnmae = 'x'\n" + ONE[12:], ":2: a mapping has no field “nmae”", "Did you mean “name”?"),
        (ONE.replace("table =", "tabel ="), ":6: [entity] has no field “tabel”", "Did you mean “table”?"),
        (ONE.replace('"plain"', '"django"'), ":4: there is no profile “django”", "django_fsm_log"),
        (ONE.replace('table = "jobs"', "table = 7"), ":6: [entity]: table must be a text", 'table = "…"'),
        (ONE.replace('table = "jobs"', 'id = "id"'), "has no table", "table ="),
        (ONE.replace('type = "job"\n', ""), "has no type", "type ="),
        (ONE + "[writes]\nmode = 'all'\n", ":8: [writes] is wrong: Invalid enum value 'all'", ""),
        (ONE + "[writes]\ncommand = 'rm'\n", ":8: [writes] has no field “command”", ""),
        (ONE + "[time]\nunit = 'naive:Mars/Base'\n", ":8: “naive:Mars/Base” is no unit", "timestamptz"),
        (ONE + "[workflow.history]\nto = 'x'\n", "[history] names no table", "table ="),
        (ONE + "[workflow.entity.sql]\nx = 1\n", "has no field “sql”", ""),
    ],
)
def test_a_mapping_is_refused_with_its_line(tmp_path: Path, text: str, told: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        load(tmp_path, text)
    assert told in refused.value.message and "billing.toml" in refused.value.message
    assert hint in refused.value.hint + refused.value.message


def test_a_password_in_a_mapping_is_refused_and_not_repeated(tmp_path: Path) -> None:
    text = 'url = "entity+postgresql://ann:s3cret@db/app"\n' + ONE
    with pytest.raises(UsageError) as refused:
        load(tmp_path, text)
    assert "s3cret" not in str(refused.value) and "password" in refused.value.message


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_mapping_that_cannot_be_read_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / name)


def test_a_binary_file_is_no_mapping(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"version = 1\nname = '\xff'\n")
    with pytest.raises(UsageError, match=r"x\.toml:2: not UTF-8"):
        read(path)


def test_one_bad_workflow_leaves_the_others(tmp_path: Path) -> None:
    text = (
        OWN
        + '\n[[workflow]]\ntype = "broken"\nprofile = "plain"\n[workflow.entity]\ntable = "x"\nverison = "v"\n'
    )
    loaded = load(tmp_path, text)
    assert [one.type for one in loaded.mapping.workflows] == ["invoice", "registration"]
    assert "verison" in loaded.broken["broken"]
    (found,) = [found for found in loaded.findings if found.code == "unknown_field"]
    assert found.line == text[: text.index("verison")].count("\n") + 1 and "version" in found.fix
    assert found.pointer == "/workflow/2/entity/verison"


def test_the_same_type_twice_is_a_finding(tmp_path: Path) -> None:
    loaded = load(tmp_path, ONE + ONE[12:])
    assert len(loaded.mapping.workflows) == 1
    assert [found.code for found in loaded.findings] == ["duplicate_type"]


def test_a_broken_config_leaves_its_table_readable(tmp_path: Path) -> None:
    path = sample.write_mapping(
        tmp_path, OWN.replace('label = "number"', 'label = "number"\ntable = "invoices"')
    )
    (tmp_path / "invoice.json").write_text('{"workflow_type": "invoice",')
    loaded = read(path)
    assert [one.type for one in loaded.mapping.workflows] == ["invoice", "registration"]
    codes = {found.code: found for found in loaded.findings}
    assert "broken_json" in codes and "unusable_config" in codes


def test_a_config_with_faults_still_tells_its_table(tmp_path: Path) -> None:
    path = sample.write_mapping(tmp_path)
    config = tmp_path / "invoice.json"
    config.write_text(config.read_text().replace('"successful_state"', '"sucessful_state"', 1))
    loaded = read(path)
    assert loaded.broken == {}
    assert [one.entity.table for one in loaded.mapping.workflows] == ["invoices", "users"]
    (found,) = [found for found in loaded.findings if found.code == "unusable_config"]
    assert found.fix.startswith("Mend invoice.json:") and "lacks the field “successful_state”" in found.fix


def test_a_config_that_is_no_json_is_told_once_by_the_mapping(tmp_path: Path) -> None:
    path = sample.write_mapping(tmp_path)
    (tmp_path / "invoice.json").write_text('{"workflow_type": "invoice",')
    loaded = read(path)
    assert "no table is named" in loaded.broken["invoice"]
    assert [found.code for found in loaded.findings if found.file == str(path)] == ["unusable_config"]
    assert loaded.configs[str(tmp_path / "invoice.json")] == "invoice"
