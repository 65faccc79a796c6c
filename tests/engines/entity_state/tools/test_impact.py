"""The impact of a change: what differs, renames with evidence, whom it strands, where they should go and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine_bridge.actions.model import Staged, Target
from engine_bridge.cancel import CancelToken
from engine_bridge.configs import Impact, ImpactReport, StatusChange
from engine_bridge.engines.entity_state.tools import EntityConfigs
from tests.engines.entity_state.tools.conftest import SIMPLE, Folder, changed, renamed, without

Config = dict[str, Any] | str


def compared(folder: Folder, old: list[Config], new: list[Config], **options: Any) -> ImpactReport:
    before = [folder.write(f"old/{i}.json", config) for i, config in enumerate(old)]
    after = [folder.write(f"new/{i}.json", config) for i, config in enumerate(new)]
    return EntityConfigs().impact(tuple(before), tuple(after), CancelToken(), **options)


def one(folder: Folder, old: Config, new: Config, **options: Any) -> Impact:
    (item,) = compared(folder, [old], [new], **options).items
    return item


def changes(item: Impact) -> list[tuple[str, str, str, str]]:
    return [(c.what, c.kind, c.name, c.to) for c in item.changes]


def steps(*changed_: dict[str, Any], base: dict[str, Any] = SIMPLE) -> list[dict[str, Any]]:
    """The steps of a config, those of the same key replaced, new ones at the end."""
    by_key = {step["key"]: step for step in base["steps"]}
    return list((by_key | {step["key"]: step for step in changed_}).values())


def test_nothing_differs(folder: Folder) -> None:
    item = one(folder, SIMPLE, SIMPLE, counts={("order", ""): {"new": 4}})
    assert (item.changes, item.stranded, item.migration, item.notices) == ((), (), False, ())
    assert item.old is not None and item.new is not None and item.old.type == "order"


def test_a_status_that_is_added_needs_no_migration(folder: Folder) -> None:
    new = changed(
        SIMPLE,
        status_types=[*SIMPLE["status_types"], "returned"],
        steps=steps({"key": "return", "status": "shipped", "requesters": ["user"], "successful_state": "returned"},
                    {"key": "refund", "status": "returned", "requesters": ["user"], "successful_state": "done"}),
    )  # fmt: skip
    item = one(folder, SIMPLE, new, counts={("order", ""): {"shipped": 4}})
    assert item.changes == (
        StatusChange(what="status", kind="added", name="returned", detail="it is a status between"),
        StatusChange(what="step", kind="added", name="return", detail="shipped → returned"),
        StatusChange(what="step", kind="added", name="refund", detail="returned → done"),
    )
    assert not item.migration and item.stranded == ()


NO_CLAIM = without(SIMPLE, "shipping") | {
    "steps": steps({k: v for k, v in SIMPLE["steps"][1].items() if k != "claim"})
}


def test_a_removed_status_strands_exactly_those_on_it(folder: Folder) -> None:
    counts = {("order", ""): {"new": 10, "shipping": 5, "shipped": 2}, ("other", ""): {"shipping": 99}}
    item = one(folder, SIMPLE, NO_CLAIM, counts=counts)
    assert item.migration
    assert changes(item) == [("status", "removed", "shipping", ""), ("step", "changed", "ship", "")]
    assert item.changes[0].detail == "it was a claim"
    (found,) = item.stranded
    assert (found.status, found.count, found.target) == ("shipping", 5, "checked")
    assert found.why == "the release of the claim that step ship held"
    assert found.filter == 'type == "order" and state == "shipping"'
    assert found.action is not None
    config = found.action.args.pop("config")
    assert config.startswith(str(folder.path)) and "shipping" not in Path(config).read_text()
    assert found.action == Staged(
        target=Target(kind="run", id="", title="5 entities of order on shipping"),
        action="degrade",
        args={"to": "checked"},
    )
    assert found.sql == (
        'UPDATE "orders" SET "status" = \'checked\', "version" = "version" + 1 WHERE "status" = \'shipping\';'
    )


def test_without_a_source_the_count_is_unknown(folder: Folder) -> None:
    (found,) = one(folder, SIMPLE, NO_CLAIM).stranded
    assert found.count is None
    assert found.action is not None and found.action.target.title == "entities of order on shipping"


def test_where_nobody_stands_there_is_nothing_to_do(folder: Folder) -> None:
    item = one(folder, SIMPLE, NO_CLAIM, counts={("order", ""): {"new": 1}})
    (found,) = item.stranded
    assert item.migration and (found.count, found.action) == (0, None)


def test_a_source_that_has_no_such_entities_counts_nothing(folder: Folder) -> None:
    (found,) = one(folder, SIMPLE, NO_CLAIM, counts={("other", ""): {"x": 1}}).stranded
    assert found.count is None


def test_a_renamed_status_is_seen_by_its_ways(folder: Folder) -> None:
    item = one(folder, SIMPLE, renamed(SIMPLE, "checked", "verified"), counts={("order", ""): {"checked": 3}})
    assert changes(item) == [("status", "renamed", "checked", "verified")]
    assert item.changes[0].detail == (
        "steps check, ship led to checked and now to verified; steps ship, skip led on from checked and now from"
        " verified (4 of 4 ways are the same)"
    )
    (found,) = item.stranded
    assert item.migration
    assert (found.status, found.count, found.target) == ("checked", 3, "verified")
    assert found.why == f"renamed: {item.changes[0].detail}"
    assert found.sql.startswith('UPDATE "orders" SET "status" = \'verified\'')


def test_two_renamed_at_once(folder: Folder) -> None:
    new = renamed(renamed(SIMPLE, "checked", "verified"), "shipped", "sent")
    item = one(folder, SIMPLE, new)
    assert changes(item) == [
        ("status", "renamed", "checked", "verified"),
        ("status", "renamed", "shipped", "sent"),
    ]


def test_a_status_that_is_replaced_by_another_thing_is_not_renamed(folder: Folder) -> None:
    # “audit” comes where “shipped” goes, but nothing that led there leads to it.
    new = changed(
        without(SIMPLE, "shipped"),
        status_types=["new", "checked", "shipping", "done", "failed", "audit"],
        steps=[
            SIMPLE["steps"][0],
            SIMPLE["steps"][1] | {"successful_state": "done"},
            {"key": "look", "status": "new", "requesters": ["cron"], "successful_state": "audit"},
            {"key": "pass", "status": "audit", "requesters": ["cron"], "successful_state": "checked"},
        ],
    )
    item = one(folder, SIMPLE, new)
    assert ("status", "removed", "shipped", "") in changes(item)
    assert ("status", "added", "audit", "") in changes(item)


def test_of_two_that_fit_alike_none_is_a_rename(folder: Folder) -> None:
    split = changed(
        SIMPLE,
        status_types=["new", "left", "right", "done", "failed"],
        steps=[
            {"key": "go_left", "status": "new", "requesters": ["user"], "successful_state": "left"},
            {"key": "go_right", "status": "new", "requesters": ["admin"], "successful_state": "right"},
            {"key": "end_left", "status": "left", "requesters": ["user"], "successful_state": "done"},
            {"key": "end_right", "status": "right", "requesters": ["user"], "successful_state": "done"},
            {"key": "fail", "status": "new", "requesters": ["cron"], "successful_state": "failed"},
        ],
    )
    single = changed(
        SIMPLE,
        status_types=["new", "middle", "done", "failed"],
        steps=[
            {"key": "go", "status": "new", "requesters": ["user"], "successful_state": "middle"},
            {"key": "end", "status": "middle", "requesters": ["user"], "successful_state": "done"},
            {"key": "fail", "status": "new", "requesters": ["cron"], "successful_state": "failed"},
        ],
    )
    kinds = [c[:3] for c in changes(one(folder, single, split)) if c[0] == "status"]
    assert kinds == [
        ("status", "removed", "middle"),
        ("status", "added", "left"),
        ("status", "added", "right"),
    ]


def test_an_end_is_not_renamed_to_a_status_between(folder: Folder) -> None:
    new = renamed(SIMPLE, "done", "closed") | {"terminal": {"good": ["shipped"], "bad": ["failed"]}}
    new["steps"] = [s for s in new["steps"] if s["key"] != "close"]
    new["status_types"] = ["new", "checked", "shipping", "shipped", "failed"]
    item = one(folder, SIMPLE, new, counts={("order", ""): {"done": 6}})
    assert changes(item) == [
        ("status", "changed", "shipped", ""),
        ("status", "removed", "done", ""),
        ("step", "removed", "close", ""),
    ]
    assert item.changes[0].detail == "it was a status between and becomes a good end"
    (found,) = item.stranded
    assert (found.count, found.target) == (6, "shipped")
    assert found.why == "done was a good end, and so is shipped"


def test_a_status_between_goes_back_to_the_nearest_one_that_remains(folder: Folder) -> None:
    new = without(SIMPLE, "shipped") | {
        "steps": [SIMPLE["steps"][0], SIMPLE["steps"][1] | {"successful_state": "done"}]
    }
    (found,) = one(folder, SIMPLE, new, counts={("order", ""): {"shipped": 1}}).stranded
    # “shipping” is nearer, but a claim is nowhere to put an entity.
    assert found.target == "checked"
    assert found.why == "the nearest status before it that remains: from there the steps lead on again"
    assert found.action is not None and found.action.target.title == "1 entity of order on shipped"


def test_the_first_status_goes_forward_and_a_lone_one_to_the_initial(folder: Folder) -> None:
    later = changed(SIMPLE, status_types=SIMPLE["status_types"][1:], initial="checked", steps=SIMPLE["steps"][1:],
                    terminal={"good": ["done"], "bad": []})  # fmt: skip
    later["status_types"].remove("failed")
    stranded = {s.status: s for s in one(folder, SIMPLE, later).stranded}
    assert stranded["new"].target == "checked"
    assert stranded["new"].why == "the nearest status after it that remains: none before it does"
    assert stranded["failed"].target == "checked"
    assert stranded["failed"].why == "the initial status: the new config has no bad end"


def test_entities_that_neither_config_knows_are_told_too(folder: Folder) -> None:
    item = one(folder, SIMPLE, SIMPLE, counts={("order", ""): {"ghost": 2, "new": 1}})
    (found,) = item.stranded
    assert not item.migration
    assert (found.status, found.count, found.target, found.action) == ("ghost", 2, "", None)
    assert found.why == "neither config knows it, so nothing says where it belongs"


@pytest.mark.parametrize(
    ("step", "detail"),
    [
        ({"requesters": ["user"]}, "requesters: user, system → user"),
        ({"action": "archive"}, "action: none → archive"),
        ({"successful_state": "failed"}, "successful_state: done → failed"),
        ({"auto_advance": True}, "auto_advance: none → true"),
        ({"when": {"kind": ["a"]}}, 'when: none → {"kind": ["a"]}'),
    ],
)
def test_a_changed_step_says_what_changed(folder: Folder, step: dict[str, Any], detail: str) -> None:
    item = one(folder, SIMPLE, changed(SIMPLE, steps=steps(SIMPLE["steps"][2] | step)))
    assert item.changes == (StatusChange(what="step", kind="changed", name="close", detail=detail),)
    assert not item.migration


def test_a_description_is_no_change(folder: Folder) -> None:
    new = changed(SIMPLE, steps=steps(SIMPLE["steps"][2] | {"description": "At the door."}))
    assert one(folder, SIMPLE, new).changes == ()


def test_a_renamed_step_strands_nobody(folder: Folder) -> None:
    item = one(folder, SIMPLE, renamed(SIMPLE, "close", "deliver"), counts={("order", ""): {"shipped": 3}})
    assert item.changes == (
        StatusChange(
            what="step", kind="renamed", name="close", to="deliver",
            detail="the same from shipped by the same requesters",
        ),
    )  # fmt: skip
    assert item.stranded == () and not item.migration


def test_another_initial_status_and_table_are_told(folder: Folder) -> None:
    new = changed(SIMPLE, initial="checked", entity={"table": "purchases", "tenant": "tenant_id"})
    item = one(folder, SIMPLE, new)
    assert [c.detail for c in item.changes] == [
        "it was the initial status and becomes a status between",
        "it was a status between and becomes the initial status",
    ]
    assert len(item.notices) == 1 and "purchases" in item.notices[0]


ACME: dict[str, Any] = {
    "workflow_type": "order",
    "tenant": "acme",
    "status_types": [*SIMPLE["status_types"], "audited"],
    "steps": [
        {"key": "close", "successful_state": "audited"},
        {"key": "audit", "status": "audited", "requesters": ["admin"], "successful_state": "done"},
    ],
}
COUNTS = {
    ("order", ""): {"shipping": 1},
    ("order", "acme"): {"shipping": 2, "audited": 7},
    ("order", "globex"): {"shipping": 4},
}


def test_each_tenant_is_compared_by_its_own_config(folder: Folder) -> None:
    items = compared(
        folder, [SIMPLE, ACME], [NO_CLAIM, ACME | {"status_types": ACME["status_types"]}], counts=COUNTS
    ).items
    # The overlay lists “shipping” itself, so for acme it stays.
    assert [(i.tenant, i.migration) for i in items] == [("", True), ("acme", False)]
    (found,) = items[0].stranded
    assert (found.count, found.filter) == (5, 'type == "order" and state == "shipping" and tenant != "acme"')
    assert found.sql.endswith("WHERE \"status\" = 'shipping' AND \"tenant_id\" IS DISTINCT FROM 'acme';")


def test_an_overlay_that_goes_strands_its_tenant_alone(folder: Folder) -> None:
    items = compared(folder, [SIMPLE, ACME], [SIMPLE], counts=COUNTS).items
    assert [(i.tenant, i.migration, [(s.status, s.count) for s in i.stranded]) for i in items] == [
        ("", False, []),
        ("acme", True, [("audited", 7)]),
    ]
    (found,) = items[1].stranded
    assert found.filter == 'type == "order" and state == "audited" and tenant == "acme"'
    assert found.sql.endswith("WHERE \"status\" = 'audited' AND \"tenant_id\" = 'acme';")


def test_one_tenant_is_asked_about(folder: Folder) -> None:
    (item,) = compared(folder, [SIMPLE, ACME], [NO_CLAIM], counts=COUNTS, tenant="acme").items
    assert item.tenant == "acme"
    assert [(s.status, s.count, s.target) for s in item.stranded] == [
        ("shipping", 2, "checked"),
        ("audited", 7, "shipped"),
    ]


def test_a_workflow_that_goes_strands_all_and_a_new_one_nobody(folder: Folder) -> None:
    other = changed(SIMPLE, workflow_type="return")
    items = compared(folder, [SIMPLE], [other], counts=COUNTS).items
    assert [(i.type, i.migration, i.notices) for i in items] == [
        ("order", True, ("The new configs have no workflow order.",)),
        ("return", False, ("The workflow return is new.",)),
    ]
    assert sum(s.count or 0 for s in items[0].stranded) == 7 + 7
    assert {s.action for s in items[0].stranded} == {None}
    assert items[1].stranded == ()


@pytest.mark.parametrize("broken", ['{"workflow_type": "order",', '{"workflow_type": "order"}', "nonsense"])
def test_a_broken_side_is_never_taken_for_an_empty_one(folder: Folder, broken: str) -> None:
    report = compared(folder, [SIMPLE], [broken], counts=COUNTS)
    (item,) = report.items
    assert (
        item.problem == "The new config of order cannot be used, so nothing was compared: see its findings."
    )
    assert item.notices == (item.problem,)
    assert (item.changes, item.stranded, item.migration) == ((), (), False)
    assert not report.new.usable and report.old.usable
    (back,) = compared(folder, [broken], [SIMPLE], counts=COUNTS).items
    assert back.problem.startswith("The old config of order cannot be used")


def test_a_broken_overlay_does_not_fall_back_to_the_base(folder: Folder) -> None:
    items = compared(folder, [SIMPLE, ACME], [SIMPLE, ACME | {"initial": 5}], counts=COUNTS).items
    assert [(i.tenant, bool(i.problem), i.migration) for i in items] == [
        ("", False, False),
        ("acme", True, False),
    ]


def test_two_revisions_side_by_side(repository: Folder) -> None:
    repository.write("order.json", SIMPLE)
    repository.commit("first")
    repository.write("order.json", NO_CLAIM)
    repository.commit("second")
    report = EntityConfigs().impact(
        ("HEAD~1:order.json",), ("HEAD:order.json",), CancelToken(), counts={("order", ""): {"shipping": 5}}
    )
    assert [(s.status, s.count) for s in report.items[0].stranded] == [("shipping", 5)]
    assert [f.name for f in (*report.old.files, *report.new.files)] == [
        "HEAD~1:order.json",
        "HEAD:order.json",
    ]


def test_names_and_values_are_quoted_in_the_update(folder: Folder) -> None:
    odd = renamed(SIMPLE, "shipping", "ship\"ping's")
    odd["entity"] = {"table": 'or"ders', "schema": "sh op"}
    new = without(odd, "ship\"ping's") | {"steps": NO_CLAIM["steps"]}
    (found,) = one(folder, odd, new).stranded
    assert found.sql == (
        'UPDATE "sh op"."or""ders" SET "status" = \'checked\', "version" = "version" + 1'
        " WHERE \"status\" = 'ship\"ping''s';"
    )
    assert found.filter == 'type == "order" and state == "ship\\"ping\'s"'
