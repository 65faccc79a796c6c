"""The tools on the data of a source: exact counts, recorded moves, tenants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from engine_bridge.bridge import Bridge
from engine_bridge.cancel import CancelToken
from engine_bridge.configs import LintReport
from engine_bridge.engines.entity_state import tools_store
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.errors import UnsupportedError, UsageError
from tests.engines.entity_state import sample_configs
from tests.engines.entity_state.fixtures import OpenStore, Sample, make_file, make_on_server, secure
from tests.engines.entity_state.tools.conftest import changed, renamed

GO = CancelToken()
INVOICE, REGISTRATION = sample_configs.INVOICE, sample_configs.REGISTRATION
NO_SENDING = changed(
    INVOICE,
    status_types=[s for s in INVOICE["status_types"] if s != "sending"],
    steps=[{k: v for k, v in step.items() if k != "claim"} for step in INVOICE["steps"]],
)


NOBODY = cast(Bridge, None)
"""Where no filter is given, no run is asked for."""


@pytest.fixture
def store(entity_file: Sample, open_store: OpenStore) -> Store:
    return open_store(entity_file.url)


@pytest.fixture
def place(tmp_path: Path) -> Any:
    def write(config: dict[str, Any] | str, name: str = "changed.json") -> tuple[str]:
        path = tmp_path / name
        path.write_text(config if isinstance(config, str) else json.dumps(config, indent=2))
        return (str(path),)

    return write


def homeless(
    store: Store, places: tuple[str, ...] = (), tenant: str | None = None
) -> list[tuple[str, int | None]]:
    report = tools_store.lint(store, places, tenant, GO)
    return [(f.reason.split("“")[1].split("”")[0], f.count) for f in report.findings if f.count is not None]


def test_the_sources_own_configs_and_all_its_entities(store: Store) -> None:
    report = tools_store.lint(store, (), None, GO)
    assert homeless(store) == [("archived", 1), ("video_call", 1)]
    assert [(d.type, d.tenant) for d in report.declared] == [
        ("invoice", ""), ("registration", ""), ("registration", "acme"),
    ]  # fmt: skip
    listed = [(f.code, f.file, f.pointer, f.reason) for f in report.findings]
    assert len(listed) == len(set(listed))


def test_files_that_err_are_there_to_be_read_also_those_too_broken_to_tell_their_type(
    entity_file: Sample, open_store: OpenStore
) -> None:
    folder = entity_file.mapping.parent
    assert str(entity_file.mapping) not in [f.name for f in _lint(open_store(entity_file.url)).files]
    (folder / "invoice.json").write_text('{"workflow_type": "invoice",')
    report = _lint(open_store(entity_file.url))
    files = {Path(file.name).name: file for file in report.files}
    assert files["invoice.json"].type == "invoice"
    assert files["billing.toml"].text == entity_file.mapping.read_text()
    lines = {
        Path(f.file).name: f.line for f in report.findings if f.code in ("broken_json", "unusable_config")
    }
    assert files["billing.toml"].text.splitlines()[lines["billing.toml"] - 1] == 'config = ["invoice.json"]'
    assert lines["invoice.json"] == 1


def _lint(store: Store) -> LintReport:
    return tools_store.lint(store, (), None, GO)


def test_a_config_that_removes_a_status_is_stopped_with_the_exact_count(store: Store, place: Any) -> None:
    changed_ = place(NO_SENDING)
    assert homeless(store, changed_) == [("sending", 3), ("archived", 1)]
    report = tools_store.lint(store, changed_, None, GO)
    assert not report.usable
    (item,) = [i for i in tools_store.impact(store, (), changed_, None, GO).items if i.type == "invoice"]
    assert item.migration
    assert [(s.status, s.count, s.target) for s in item.stranded] == [
        ("sending", 3, "approved"),
        ("archived", 1, ""),
    ]


def test_the_counts_follow_the_data(entity_file: Sample, store: Store, place: Any) -> None:
    changed_ = place(NO_SENDING)
    engine = entity_file.engine()
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE invoices SET status = 'sending' WHERE status = 'draft'"))
    engine.dispose()
    assert homeless(store, changed_)[0] == ("sending", 6)


def test_a_changed_file_takes_the_place_of_the_own_one(store: Store, place: Any) -> None:
    items = tools_store.impact(store, (), place(NO_SENDING), None, GO).items
    # Registrations and acme's overlay are as they were; what neither knows is told all the same.
    assert [(i.type, i.tenant, i.migration, len(i.changes)) for i in items] == [
        ("invoice", "", True, 2), ("registration", "", False, 0), ("registration", "acme", False, 0),
    ]  # fmt: skip


def test_a_changed_base_is_judged_with_the_own_overlays(store: Store, place: Any) -> None:
    more = changed(REGISTRATION, description="the same")
    assert homeless(store, place(more)) == [("video_call", 1)]  # globex's; acme's overlay knows it
    old, new = place(REGISTRATION, "old.json"), place(more, "new.json")
    items = tools_store.impact(store, old, new, None, GO).items
    assert [(i.type, i.tenant, [(s.status, s.count) for s in i.stranded]) for i in items] == [
        ("registration", "", [("video_call", 1)]),
        ("registration", "acme", []),
    ]


def test_a_broken_file_is_not_replaced_by_the_own_one(store: Store, place: Any) -> None:
    items = tools_store.impact(store, (), place('{"workflow_type": "invoice"'), None, GO).items
    assert {bool(i.problem) for i in items} == {True}


def test_one_tenant(store: Store, entity_file: Sample, open_store: OpenStore, place: Any) -> None:
    changed_ = place(NO_SENDING)
    assert homeless(store, changed_, "acme") == [("sending", 2), ("archived", 1)]
    assert homeless(store, changed_, "globex") == [("sending", 1)]
    acme = open_store(entity_file.url + "&tenant=acme")
    assert homeless(acme, changed_) == [("sending", 2), ("archived", 1)]
    with pytest.raises(UsageError, match="shows the rows of tenant 'acme' alone"):
        tools_store.lint(acme, changed_, "globex", GO)


def test_recorded_moves_against_the_own_config(store: Store) -> None:
    report = tools_store.replay_moves(NOBODY, store, (), "invoice", None, GO)
    assert (report.entities, report.moves, report.complete) == (18, 51, True)
    assert [(g.kind, g.recorded, g.count) for g in report.groups] == [
        ("other requester", "overdue → lost by user", 2),
        ("no such step", "override: overdue → sent", 1),
        ("no such step", "pay: approved → paid", 1),
    ]
    ((jump,),) = [g.entities for g in report.groups if g.recorded == "pay: approved → paid"]
    assert (str(jump.ref), jump.ref.group, jump.step) == ("inv-018", "invoice", "pay")


def test_a_divergence_is_at_the_event_that_the_history_shows(entity_file: Sample, store: Store) -> None:
    from engine_bridge.engines.entity_state.history import read_tale

    report = tools_store.replay_moves(NOBODY, store, (), "invoice", None, GO)
    for one in (one for group in report.groups for one in group.entities):
        tale, _ = read_tale(store, one.ref, GO)
        event = tale.drafts[one.position - 1].event(one.position)
        assert event.name == one.step
        assert one.recorded.split(" by ")[0].endswith(event.detail.split(" · ")[0])


def test_recorded_moves_against_a_changed_config(store: Store, place: Any) -> None:
    report = tools_store.replay_moves(
        NOBODY, store, place(renamed(INVOICE, "sent", "delivered")), "invoice", None, GO
    )  # fmt: skip
    (unknown,) = [g for g in report.groups if g.kind == "unknown status"]
    assert (unknown.recorded, unknown.count) == ("sent", 10)


def test_each_registration_is_replayed_by_its_tenants_config(store: Store) -> None:
    report = tools_store.replay_moves(NOBODY, store, (), "registration", None, GO)
    assert report.entities == 8
    assert ("video_call", 1) in [(g.recorded, g.count) for g in report.groups]


def test_moves_are_read_page_by_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine_bridge.engines.entity_state import tools_moves

    whole = tools_store.replay_moves(NOBODY, store, (), "invoice", None, GO)
    monkeypatch.setattr(tools_moves, "ROWS", 4)
    assert tools_store.replay_moves(NOBODY, store, (), "invoice", None, GO) == whole


def test_on_a_server_as_on_a_file(
    entity_server: Sample, open_store: OpenStore, store: Store, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine_bridge.engines.entity_state import tools_moves

    server = open_store(entity_server.url)
    changed_ = place(NO_SENDING)
    assert homeless(server, changed_) == homeless(store, changed_)
    monkeypatch.setattr(tools_moves, "ROWS", 4)
    for name in ("invoice", "registration"):
        on_file = tools_store.replay_moves(NOBODY, store, (), name, None, GO)
        assert tools_store.replay_moves(NOBODY, server, (), name, None, GO) == on_file


@pytest.mark.parametrize(
    ("shape", "type_", "config"),
    [
        ("django", "ticket", ["new", "open", "closed", "rejected"]),
        ("statesman", "order", ["pending", "delivered"]),
    ],
)
def test_other_peoples_tables(
    shape: str, type_: str, config: list[str], tmp_path: Path, open_store: OpenStore, place: Any
) -> None:
    store = open_store(make_file(shape, tmp_path / shape).url)
    with pytest.raises(UsageError, match="names no config"):
        tools_store.replay_moves(NOBODY, store, (), type_, None, GO)
    steps = [{"key": f"to_{b}", "status": a, "requesters": ["user"], "successful_state": b}
             for a in config for b in config if a != b]  # fmt: skip
    flow = {
        "workflow_type": type_, "entity": {"table": "t"}, "owning_module": "m", "status_types": config,
        "initial": config[0], "terminal": {"good": [config[-1]]}, "steps": steps,
    }  # fmt: skip
    report = tools_store.replay_moves(NOBODY, store, place(flow), type_, None, GO)
    assert report.moves > 0 and report.complete
    counted, hidden = tools_store.count(store, GO, {type_})
    assert sum(n for by in counted.values() for n in by.values()) > 0 and hidden == []


def test_without_a_history_nothing_can_be_replayed(tmp_path: Path, open_store: OpenStore) -> None:
    store = open_store(make_file("plain", tmp_path / "plain").url)
    with pytest.raises(UnsupportedError, match="job has no history table"):
        tools_store.replay_moves(NOBODY, store, (), "job", None, GO)
    assert tools_store.lint(store, (), None, GO).declared == ()


@pytest.fixture(scope="module")
def guarded(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Our own tables under FORCE ROW LEVEL SECURITY, opened by a role that is no superuser, owner or BYPASSRLS."""
    made = make_on_server("own", server, "tools_tenants", tmp_path_factory.mktemp("tenants"))
    engine = made.engine()
    with engine.begin() as connection:
        secure(connection, "tools_reader")
    engine.dispose()
    return Sample(made.url.replace("//postgres@", "//tools_reader@", 1), made.mapping, made.alchemy)


def test_under_row_level_security_each_tenant_counts_its_own(
    guarded: Sample, open_store: OpenStore, place: Any
) -> None:
    changed_ = place(NO_SENDING)
    for tenant, sending, moves in (("acme", 2, 35), ("globex", 1, 16)):
        store = open_store(f"{guarded.url}&tenant={tenant}")
        assert ("sending", sending) in homeless(store, changed_)
        (item,) = [i for i in tools_store.impact(store, (), changed_, None, GO).items if i.type == "invoice"]
        assert (item.tenant, item.stranded[0].count) == (tenant, sending)
        assert tools_store.replay_moves(NOBODY, store, (), "invoice", None, GO).moves == moves


def test_without_a_tenant_nobody_is_said_to_stand_anywhere(
    guarded: Sample, open_store: OpenStore, place: Any
) -> None:
    store = open_store(guarded.url)
    changed_ = place(NO_SENDING)
    report = tools_store.lint(store, changed_, None, GO)
    (told,) = [f for f in report.findings if f.code == "tenant_required"]
    assert told.severity == "warning" and told.fix == "Open the source with a tenant." and told.count is None
    (item,) = [i for i in tools_store.impact(store, (), changed_, None, GO).items if i.type == "invoice"]
    assert item.stranded[0].count is None and tools_store.HIDDEN in item.notices
    with pytest.raises(UnsupportedError, match="no tenant is set"):
        tools_store.replay_moves(NOBODY, store, (), "invoice", None, GO)
