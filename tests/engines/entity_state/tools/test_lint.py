"""Lint of configs: findings with place and fix, graphs, origins, entities on statuses that nobody knows."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from engine_bridge.cancel import CancelToken
from engine_bridge.configs import Finding, LintReport
from engine_bridge.engines.entity_state.tools import EntityConfigs
from engine_bridge.populations import Flow
from tests.engines.entity_state.engine.test_config import big_config
from tests.engines.entity_state.tools.conftest import SIMPLE, Folder, changed, without

ACME: dict[str, Any] = {
    "workflow_type": "order",
    "tenant": "acme",
    "status_types": [*SIMPLE["status_types"], "audited"],
    "steps": [
        {"key": "close", "successful_state": "audited"},
        {"key": "audit", "status": "audited", "requesters": ["admin"], "successful_state": "done"},
    ],
}


def told(report: LintReport) -> list[tuple[str, str, str]]:
    return [(f.code, f.severity, f.pointer) for f in report.findings]


def test_a_good_config_has_no_findings(folder: Folder) -> None:
    report = folder.lint(SIMPLE, ACME)
    assert report.findings == () and report.usable
    assert [(d.type, d.tenant) for d in report.declared] == [("order", ""), ("order", "acme")]


def test_a_finding_has_file_pointer_line_reason_and_fix(folder: Folder) -> None:
    text = json.dumps(SIMPLE, indent=2).replace('"owning_module"', '"owning_modul"')
    report = folder.lint(text)
    line = text[: text.index('"owning_modul"')].count("\n") + 1
    assert not report.usable
    assert report.findings[1] == Finding(
        code="unknown_field",
        severity="error",
        file=str(folder.path / "0.json"),
        pointer="/owning_modul",
        reason="the config has no field “owning_modul”",
        line=line,
        column=19,
        fix="Did you mean “owning_module”?",
    )


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ('{"workflow_type": "x",', [("broken_json", "error", "")]),
        ("", [("broken_json", "error", "")]),
        ("[1]", [("wrong_type", "error", "")]),
        (changed(SIMPLE, initial="nwe"), [("unknown_status", "error", "/initial"),
                                           *[("unreachable_status", "error", f"/status_types/{i}") for i in range(6)]]),
        (without(SIMPLE, "", "close"), [("unreachable_status", "error", "/status_types/4"),
                                        ("dead_end", "error", "/status_types/3")]),
        (changed(SIMPLE, steps=SIMPLE["steps"] + [SIMPLE["steps"][2]]),
         [("duplicate_step", "error", "/steps/4/key"), *[("ambiguous_step", "error", "/steps/4/key")] * 2]),
        (changed(SIMPLE, steps=[*SIMPLE["steps"][:2],
                                SIMPLE["steps"][2] | {"auto_advance": True},
                                SIMPLE["steps"][3],
                                {"key": "again", "status": "done", "requesters": ["user"], "auto_advance": True,
                                 "successful_state": "shipped"}]),
         [("endless_auto_advance", "error", "/steps/2/auto_advance")]),
        (changed(SIMPLE, steps=[SIMPLE["steps"][0] | {"action": {"usr": "x"}}, *SIMPLE["steps"][1:]]),
         [("per_requester", "error", "/steps/0/action")]),
    ],
)  # fmt: skip
def test_each_fault_is_a_finding(
    folder: Folder, config: dict[str, Any] | str, expected: list[tuple[str, str, str]]
) -> None:
    assert sorted(told(folder.lint(config))) == sorted(expected)


def test_two_configs_for_one_type_and_tenant(folder: Folder) -> None:
    report = folder.lint(SIMPLE, SIMPLE, ACME, ACME)
    assert told(report) == [
        ("duplicate_config", "error", "/workflow_type"),
        ("duplicate_config", "error", "/tenant"),
    ]
    assert str(folder.path / "0.json") in report.findings[0].reason


def test_unreadable_places_are_findings_beside_the_rest(folder: Folder) -> None:
    good = folder.write("order.json", SIMPLE)
    report = EntityConfigs().lint((good, "/nowhere/x.json"), CancelToken())
    assert [(f.file, f.code) for f in report.findings] == [("/nowhere/x.json", "unreadable")]
    assert [d.type for d in report.declared] == ["order"]


def test_the_graph_has_roles_rejections_and_requesters(folder: Folder) -> None:
    (declared,) = folder.lint(SIMPLE).declared
    assert {node.status: node.role for node in declared.nodes} == {
        "new": "initial", "checked": "waiting", "shipping": "claim", "shipped": "waiting", "done": "good",
        "failed": "bad",
    }  # fmt: skip
    assert declared.flows == (
        Flow(source="new", target="checked", steps=("check",), requesters=("user", "admin")),
        Flow(source="new", target="failed", steps=("check",), requesters=("user", "admin"), rejection=True),
        Flow(source="checked", target="shipping", steps=("ship",), requesters=("system",)),
        Flow(source="shipping", target="shipped", steps=("ship",), requesters=("system",)),
        Flow(source="shipping", target="checked", steps=("ship",), requesters=("system",)),
        Flow(source="shipped", target="done", steps=("close",), requesters=("user", "system")),
        Flow(source="checked", target="shipped", steps=("skip",), requesters=("admin",)),
    )
    assert declared.requesters == ("user", "admin", "system", "cron")


def test_two_steps_between_two_statuses_are_one_flow(folder: Folder) -> None:
    more = {"key": "close_late", "status": "shipped", "requesters": ["cron"], "successful_state": "done"}
    (declared,) = folder.lint(changed(SIMPLE, steps=[*SIMPLE["steps"], more])).declared
    (flow,) = [f for f in declared.flows if f.target == "done"]
    assert (flow.steps, flow.requesters) == (("close", "close_late"), ("user", "system", "cron"))


def test_a_cancelled_end_has_its_own_role(folder: Folder) -> None:
    config = json.loads(json.dumps(SIMPLE).replace("failed", "cancelled"))
    (declared,) = folder.lint(config).declared
    assert declared.nodes[-1].role == "cancelled"


def test_findings_about_a_status_stand_on_its_node(folder: Folder) -> None:
    (declared,) = folder.lint(without(SIMPLE, "", "close")).declared
    wrong = {node.status: node.findings for node in declared.nodes if node.findings}
    assert wrong == {
        "shipped": ("no step leads away from “shipped”, and it is not terminal",),
        "done": ("no steps lead from the initial status to “done”",),
    }


def test_a_status_that_is_not_listed_still_has_a_node(folder: Folder) -> None:
    (declared,) = folder.lint(without(SIMPLE, "shipped")).declared
    strange = declared.nodes[-1]
    assert (strange.status, strange.role, strange.declared) == ("shipped", "unknown", False)


def test_paths_loops_and_overrides(folder: Folder) -> None:
    back = {"key": "back", "status": "shipped", "requesters": ["admin"], "successful_state": "checked"}
    (declared,) = folder.lint(changed(SIMPLE, steps=[*SIMPLE["steps"], back])).declared
    paths = declared.paths
    assert [(p.statuses, p.good) for p in paths.paths] == [
        (("new", "failed"), False),
        (("new", "checked", "shipped", "done"), True),
        (("new", "checked", "shipping", "shipped", "done"), True),
    ]
    assert paths.shortest == paths.paths[0] and paths.longest == paths.paths[-1]
    assert paths.paths[1].steps == ("check", "skip", "close")
    assert paths.loops == (("checked", "shipped", "checked"), ("checked", "shipping", "shipped", "checked"))
    assert paths.overrides == ("skip: checked → shipped", "back: shipped → checked")
    assert not paths.truncated


def test_of_too_many_paths_some_are_listed_and_the_shortest_is_found(folder: Folder) -> None:
    names = [f"s{i}" for i in range(12)]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    steps = [
        {"key": f"{a}-{b}", "status": a, "requesters": ["user"], "successful_state": b, "when": {"to": b}}
        for a, b in pairs
    ]
    config = changed(
        SIMPLE, status_types=names, initial="s0", terminal={"good": ["s11"], "bad": []}, steps=steps[::-1]
    )
    (declared,) = folder.lint(config).declared
    paths = declared.paths
    assert paths.truncated and len(paths.paths) == 500
    assert paths.shortest is not None and paths.shortest.statuses == ("s0", "s11")
    assert paths.shortest.steps == ("s0-s11",)


def test_every_value_has_its_origin(folder: Folder) -> None:
    base, acme = folder.lint(SIMPLE, ACME).declared
    first, second = str(folder.path / "0.json"), str(folder.path / "1.json")
    assert base.origins["/owning_module"] == f"{first}:7"
    assert acme.origins["/owning_module"] == f"{first}:7"
    assert acme.origins["/steps/2/requesters"].startswith(f"{first}:")
    assert acme.origins["/steps/2/successful_state"].startswith(f"{second}:")
    assert acme.origins["/status_types"].startswith(f"{second}:")
    assert json.loads(acme.merged)["steps"][2]["successful_state"] == "audited"


def test_one_tenant_sees_its_own_config_alone(folder: Folder) -> None:
    broken = changed(ACME, tenant="globex", initial="nowhere")
    asked = folder.lint(SIMPLE, ACME, broken, tenant="acme")
    assert asked.findings == ()
    assert [(d.type, d.tenant) for d in asked.declared] == [("order", "acme")]
    other = folder.lint(SIMPLE, ACME, broken, tenant="initech")
    assert [(d.type, d.tenant) for d in other.declared] == [("order", "")]


def test_entities_on_unknown_statuses_are_counted(folder: Folder) -> None:
    report = folder.lint(
        SIMPLE, counts={("order", ""): {"new": 5, "archived": 3, "shiped": 1}, ("other", ""): {"x": 9}}
    )
    assert not report.usable
    assert [(f.code, f.severity, f.pointer, f.line, f.count, f.reason, f.fix) for f in report.findings] == [
        (
            "entities_on_unknown_status", "error", "/status_types", 8, 3,
            "3 entities stand on the status “archived”, which the config does not know",
            "Keep the status, or move the entities first.",
        ),
        (
            "entities_on_unknown_status", "error", "/status_types", 8, 1,
            "1 entity stands on the status “shiped”, which the config does not know",
            "Did you mean “shipped”?",
        ),
    ]  # fmt: skip
    assert report.findings[0].filter == 'type == "order" and state == "archived"'


COUNTS = {
    ("order", ""): {"audited": 1},
    ("order", "acme"): {"audited": 7, "gone": 2},
    ("order", "globex"): {"audited": 4, "gone": 8},
}


def test_each_tenant_counts_where_its_config_is(folder: Folder) -> None:
    report = folder.lint(SIMPLE, ACME, counts=COUNTS)
    assert [(f.file[-6:], f.count, f.filter) for f in report.findings] == [
        ("0.json", 8, 'type == "order" and state == "gone" and tenant != "acme"'),
        ("0.json", 5, 'type == "order" and state == "audited" and tenant != "acme"'),
        ("1.json", 2, 'type == "order" and state == "gone" and tenant == "acme"'),
    ]


def test_tenants_that_share_the_list_of_statuses_are_counted_together(folder: Folder) -> None:
    acme, initech = (
        {"workflow_type": "order", "tenant": t, "owning_module": "x"} for t in ("acme", "initech")
    )
    counts = {("order", t): {"gone": n} for t, n in (("", 1), ("acme", 2), ("initech", 4), ("globex", 8))}
    (found,) = folder.lint(SIMPLE, acme, initech, counts=counts).findings
    assert (found.count, found.filter) == (15, 'type == "order" and state == "gone"')
    knows = acme | {"status_types": [*SIMPLE["status_types"], "gone"]}
    (some,) = [f for f in folder.lint(SIMPLE, knows, initech, counts=counts).findings if f.count]
    assert (some.count, some.filter) == (13, 'type == "order" and state == "gone" and tenant != "acme"')
    (two,) = folder.lint(
        SIMPLE, acme, initech, counts={k: v for k, v in counts.items() if k[1] in ("acme", "initech")}
    ).findings
    assert (two.count, two.filter) == (
        6,
        'type == "order" and state == "gone" and tenant in ("acme", "initech")',
    )


def test_one_tenant_counts_its_own_entities_alone(folder: Folder) -> None:
    acme = folder.lint(SIMPLE, ACME, counts=COUNTS, tenant="acme")
    assert [f.count for f in acme.findings] == [2]
    globex = folder.lint(SIMPLE, ACME, counts=COUNTS, tenant="globex")
    assert [(f.count, f.filter) for f in globex.findings] == [
        (8, 'type == "order" and state == "gone" and tenant == "globex"'),
        (4, 'type == "order" and state == "audited" and tenant == "globex"'),
    ]


def test_counts_on_known_statuses_are_no_findings(folder: Folder) -> None:
    report = folder.lint(SIMPLE, counts={("order", ""): {"new": 10**9, "gone": 0}})
    assert report.findings == ()


def test_a_revision_is_linted_like_a_file(repository: Folder) -> None:
    repository.write("order.json", without(SIMPLE, "", "close"))
    repository.commit("dead end")
    repository.write("order.json", SIMPLE)
    tools = EntityConfigs()
    assert tools.lint(("order.json",), CancelToken()).findings == ()
    old = tools.lint(("HEAD:order.json",), CancelToken())
    assert [f.file for f in old.findings] == ["HEAD:order.json"] * 2


def test_configs_are_recognised_in_any_shape(folder: Folder) -> None:
    tools = EntityConfigs()
    assert tools.recognises((folder.write("a.json", SIMPLE),))
    assert tools.recognises((folder.write("b.json", '{"workflow_type": "x", '),))
    assert tools.recognises((str(folder.path),))
    assert not tools.recognises((folder.write("c.json", "{}"),))
    assert not tools.recognises(("/nowhere.json",))


def test_lint_of_600_lines_takes_no_time(folder: Folder) -> None:
    place = folder.write("big.json", big_config())
    tools = EntityConfigs()
    spent = []
    for _ in range(5):
        start = time.process_time()
        assert tools.lint((place,), CancelToken()).findings == ()
        spent.append(time.process_time() - start)
    assert min(spent) < 1, "s; tests/bench/bench_entity.py measures it"
