"""Loading, cascade and boot-time validation: every check, with its exact place."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from engine_bridge.engines.entity_state.engine import Finding, Known, load, load_texts
from engine_bridge.engines.entity_state.engine.errors import ConfigError, UnknownWorkflowError
from tests.engines.entity_state.engine.shop import CHAIN, INVOICE, catalogue, changed

Change = Callable[[dict[str, Any]], Any]


def findings(config: dict[str, Any], known: Known | None = None) -> tuple[Finding, ...]:
    return catalogue(config, known=known).findings


def step(index: int, **fields: Any) -> Change:
    return lambda config: config["steps"][index].update(fields)


def top(**fields: Any) -> Change:
    return lambda config: config.update(fields)


TABLE: list[tuple[str, str, str, str, Change]] = [
    ("missing_field", "", "lacks the field “initial”", "Add “initial”.", lambda c: c.pop("initial")),
    (
        "missing_field",
        "/steps/3",
        "lacks the field “successful_state”",
        "Add",
        lambda c: c["steps"][3].pop("successful_state"),
    ),
    (
        "unknown_field",
        "/steps/0/validatoin",
        "no field “validatoin”",
        "Did you mean “validation”?",
        step(0, validatoin="x"),
    ),
    (
        "unknown_field",
        "/entity/colour",
        "the entity has no field",
        "",
        lambda c: c["entity"].update(colour=1),
    ),
    (
        "wrong_type",
        "/status_types/1",
        "expected a text, got a whole number",
        "",
        lambda c: c["status_types"].insert(1, 7),
    ),
    (
        "wrong_type",
        "/steps/2/auto_advance",
        "expected true or false, got a text",
        "",
        step(2, auto_advance="yes"),
    ),
    ("wrong_type", "/steps/1/claim/ttl_s", "> 0", "", lambda c: c["steps"][1]["claim"].update(ttl_s=0)),
    ("wrong_type", "/steps", "steps must be a list", "", top(steps={"key": 1})),
    ("wrong_type", "/entity", "the entity must be an object", "", top(entity="invoices")),
    (
        "unknown_status",
        "/steps/2/successful_state",
        "“reminder” is not in status_types",
        "Did you mean “reminded”?",
        step(2, successful_state="reminder"),
    ),
    ("unknown_status", "/initial", "“new” is not in status_types", "", top(initial="new")),
    (
        "unknown_status",
        "/terminal/bad",
        "“gone”",
        "",
        top(terminal={"good": ["paid", "void"], "bad": ["lost", "gone"]}),
    ),
    (
        "unknown_status",
        "/steps/0/rejection_state/admin",
        "“dead”",
        "",
        step(0, rejection_state={"default": "void", "admin": "dead"}),
    ),
    ("duplicate_status", "/status_types/8", "listed twice", "", lambda c: c["status_types"].append("draft")),
    (
        "duplicate_step",
        "/steps/6/key",
        "“pay” is written twice",
        "",
        lambda c: c["steps"].append({**c["steps"][3], "when": {"kind": "x"}}),
    ),
    (
        "unknown_requester",
        "/steps/2/requesters/1",
        "“crom” is no requester type",
        "Did you mean “cron”?",
        step(2, requesters=["cron", "crom"]),
    ),
    (
        "dead_end",
        "/status_types/8",
        "no step leads away from “limbo”",
        "list it under terminal",
        lambda c: (c["status_types"].append("limbo"), c["steps"][5].update(successful_state="limbo")),
    ),
    (
        "unreachable_status",
        "/status_types/8",
        "no steps lead from the initial status to “limbo”",
        "",
        lambda c: c["status_types"].append("limbo"),
    ),
    (
        "endless_auto_advance",
        "/steps/3/auto_advance",
        "never ends for user",
        "",
        lambda c: (
            step(3, auto_advance=True, successful_state="reminded")(c),
            step(4, auto_advance=True, successful_state="sent")(c),
        ),
    ),
    (
        "per_requester",
        "/steps/0/action/robot",
        "“robot” is no requester",
        "",
        step(0, action={"user": "note", "robot": "note"}),
    ),
    (
        "per_requester",
        "/steps/0/action",
        "is no per-requester object",
        "user, admin",
        step(0, action={"robot": "note"}),
    ),
    (
        "per_requester",
        "/steps/0/action/user",
        "by requester within",
        "",
        step(0, action={"user": {"admin": "note"}, "default": "note"}),
    ),
    (
        "per_requester",
        "/steps/0/successful_state",
        "has no value for admin",
        "default",
        step(0, successful_state={"user": "approved"}),
    ),
    (
        "per_requester",
        "/steps/0/key",
        "same for every requester",
        "",
        step(0, key={"user": "a", "default": "b"}),
    ),
    (
        "ambiguous_step",
        "/steps/6/key",
        "steps pay and again both apply to sent for user",
        "",
        lambda c: c["steps"].append({**c["steps"][3], "key": "again", "when": {"kind": "card"}}),
    ),
    (
        "claim_without_way_back",
        "/steps/1/claim",
        "has no way back",
        "Add “release”: “approved”",
        step(1, claim={"status": "sending", "ttl_s": 5}),
    ),
    (
        "claim_status",
        "/steps/1/claim",
        "where it begins or ends",
        "",
        step(1, claim={"status": "approved", "ttl_s": 5, "release": "draft"}),
    ),
    (
        "rejection_without_state",
        "/steps/4/rejection_action",
        "never runs",
        "",
        step(4, rejection_action="note"),
    ),
    (
        "rejection_without_validation",
        "/steps/4/rejection_state",
        "never entered",
        "",
        step(4, rejection_state="lost"),
    ),
    (
        "terminal_twice",
        "/terminal/bad",
        "good and a bad end",
        "",
        top(terminal={"good": ["paid", "void", "lost"], "bad": ["lost"]}),
    ),
    ("initial_terminal", "/initial", "initial and terminal", "", top(initial="paid")),
    (
        "wrong_type",
        "/requester_types",
        "named like fields",
        "",
        top(requester_types=["user", "admin", "system", "cron", "status"]),
    ),
]


def test_the_configs_themselves_have_no_findings() -> None:
    assert catalogue(INVOICE, CHAIN).findings == ()


@pytest.mark.parametrize(
    ("code", "pointer", "reason", "fix", "change"), TABLE, ids=[f"{t[0]}{t[1]}" for t in TABLE]
)
def test_each_check_has_file_pointer_line_reason_and_fix(
    code: str, pointer: str, reason: str, fix: str, change: Change
) -> None:
    config = deepcopy(INVOICE)
    change(config)
    found = [f for f in findings(config) if (f.code, f.pointer) == (code, pointer) and reason in f.reason]
    assert found, findings(config)
    assert found[0].file == "0.json"
    assert fix in found[0].fix
    assert found[0].fix
    text = json.dumps(config, indent=2).splitlines()
    last = pointer.rsplit("/", 1)[-1]
    line = text[found[0].line - 1]
    if last and not last.isdigit():
        assert f'"{last}"' in line
    warning = code == "rejection_without_validation"
    assert found[0].severity == ("warning" if warning else "error")


def test_use_cases_and_janitors_must_be_registered() -> None:
    known = Known(frozenset({"note", "note_admin", "book", "tell_boss", "amount_is_positive"}), frozenset())
    assert {(f.code, f.pointer) for f in findings(INVOICE, known)} == {
        ("unknown_use_case", "/steps/1/action"),
        ("claim_without_janitor", "/owning_module"),
    }
    config = changed(INVOICE)
    config["steps"][0]["action"] = {"user": "note", "admin": "notee"}
    found = findings(
        config, Known(frozenset({"note", "send_mail", "book", "tell_boss", "amount_is_positive"}))
    )
    assert [(f.pointer, f.fix) for f in found] == [("/steps/0/action/admin", "Did you mean “note”?")]


def test_one_config_for_a_type_and_tenant() -> None:
    (found,) = catalogue(INVOICE, INVOICE).findings
    assert (found.code, found.file, found.pointer) == ("duplicate_config", "1.json", "/workflow_type")
    overlay = {"workflow_type": "invoice", "tenant": "acme"}
    (found,) = catalogue(INVOICE, overlay, overlay).findings
    assert (found.code, found.file, found.pointer) == ("duplicate_config", "2.json", "/tenant")
    (found,) = catalogue(overlay).findings
    assert found.code == "missing_base"
    with pytest.raises(ConfigError, match="without its base"):
        catalogue(overlay).require()


@pytest.mark.parametrize(
    ("text", "line", "column", "pointer", "reason"),
    [
        ("", 1, 1, "", "found the end of the file"),
        ('{"a": [1,\n 2,]}', 2, 4, "/a/2", "expected a value, found ]"),
        ('{"a" 1}', 1, 6, "/a", "expected a colon"),
        ('{"a": 1\n "b": 2}', 2, 2, "", "expected a comma or }"),
        ('{"a": NaN}', 1, 7, "/a", "expected a value"),
        ('{"a": 1e999}', 1, 7, "/a", "not a JSON value"),
        ('{"a": "\\ud800"}', 1, 7, "/a", "surrogate"),
        ('{"a/b": {"c~": tru}}', 1, 16, "/a~1b/c~0", "expected a value"),
        ("{} {}", 1, 4, "", "something follows"),
        ('{"a": ' + "[" * 60, 1, 47, "/a" + "/0" * 40, "nested deeper"),
        ("[1]", 1, 1, "", "a config must be an object"),
        ('{"a": ' + "1" * 5000 + "}", 1, 7, "/a", "not a JSON value"),
    ],
)
def test_broken_json_names_the_place(text: str, line: int, column: int, pointer: str, reason: str) -> None:
    found = load_texts([("x.json", text)]).findings[0]
    assert (found.line, found.column, found.pointer) == (line, column, pointer)
    assert reason in found.reason


def test_keys_written_twice_are_found() -> None:
    text = json.dumps(INVOICE, indent=1).replace(
        '"initial": "draft"', '"initial": "sent",\n "initial": "draft"'
    )
    found = [f for f in load_texts([("x.json", text)]).findings if f.code == "duplicate_key"]
    assert [(f.pointer, f.reason) for f in found] == [("/initial", "“initial” is written twice")]


def test_unreadable_files_are_findings(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes(b'{\n"a": "\xe9"}')
    (tmp_path / "good.json").write_text(json.dumps(CHAIN), encoding="utf-8")
    found = load([tmp_path / "latin.json", tmp_path / "none.json", tmp_path / "good.json"])
    assert {(Path(f.file).name, f.code, f.line) for f in found.findings} == {
        ("latin.json", "broken_json", 2), ("none.json", "unreadable", 0),
    }  # fmt: skip
    assert found.types == ("chain",)


OVERLAY: dict[str, Any] = {
    "workflow_type": "invoice",
    "tenant": "acme",
    "status_types": [*INVOICE["status_types"], "held"],
    "steps": [
        {
            "key": "approve",
            "successful_state": {"user": "held"},
            "rejection_state": None,
            "rejection_action": None,
        },
        {"key": "give_up", "remove": True},
        {"key": "release", "status": "held", "requesters": ["admin"], "successful_state": "approved"},
        {"key": "scrap", "status": "reminded", "requesters": ["admin"], "successful_state": "lost"},
        {"key": "void", "status": "held", "requesters": ["user"], "successful_state": "void"},
    ],
}


def test_an_overlay_changes_field_by_field_and_every_value_has_its_origin() -> None:
    found = catalogue(INVOICE, OVERLAY)
    assert found.findings == ()
    document = found.get("invoice", "acme")
    approve = {view.requester: view.workflow.steps[0] for view in document.views if view.workflow.steps}
    assert (approve["user"].successful_state, approve["admin"].successful_state) == ("held", "approved")
    assert approve["user"].rejection_state is None
    assert approve["user"].validation == "amount_is_positive"
    keys = [node.plain()["key"] for node in document.step_nodes]
    assert keys == ["approve", "send", "remind", "pay", "pay_late", "release", "scrap", "void"]
    origins = document.origins
    place = origins["/steps/0/successful_state/user"]
    assert (place.file, place.pointer, place.tenant) == ("1.json", "/steps/0/successful_state/user", "acme")
    assert origins["/steps/0/successful_state/default"].file == "0.json"
    assert origins["/steps/0/validation"].tenant is None
    assert (origins["/steps/5/key"].file, origins["/steps/5/key"].pointer) == ("1.json", "/steps/2/key")
    assert found.get("invoice", "other") is found.get("invoice")
    with pytest.raises(UnknownWorkflowError, match="Did you mean “invoice”"):
        found.get("invoic")


def test_faults_of_an_overlay_are_found_in_its_own_file_once() -> None:
    overlay = deepcopy(OVERLAY)
    overlay["steps"][2]["successful_state"] = "aproved"
    overlay["steps"][3]["colour"] = 1
    overlay["steps"][1]["remove"] = "yes"
    found = {(f.code, f.file, f.pointer) for f in catalogue(INVOICE, overlay).findings}
    assert ("unknown_field", "1.json", "/steps/3/colour") in found
    assert ("wrong_type", "1.json", "/steps/1/remove") in found
    overlay["steps"][3].pop("colour")
    overlay["steps"][1]["remove"] = True
    found = {(f.code, f.file, f.pointer) for f in catalogue(INVOICE, overlay).findings}
    assert ("unknown_status", "1.json", "/steps/2/successful_state") in found


def big_config(lines: int = 600) -> str:
    """A valid config of about ``lines`` lines: a long line of statuses."""
    count = lines // 9
    names = [f"s{i}" for i in range(count)]
    steps = [
        {"key": f"k{i}", "status": f"s{i}", "requesters": ["user", "admin"], "validation": {"user": "v", "admin": "w"},
         "action": "a", "successful_state": f"s{i + 1}"}
        for i in range(count - 1)
    ]  # fmt: skip
    config = {
        "workflow_type": "big", "entity": {"table": "t"}, "owning_module": "m", "status_types": names,
        "initial": "s0", "terminal": {"good": [names[-1]]}, "steps": steps,
    }  # fmt: skip
    body = json.dumps(config)
    return body.replace(", ", ",\n", max(0, lines - 1))


def test_lint_of_600_lines_takes_no_time() -> None:
    text = big_config()
    assert text.count("\n") >= 500
    best = min(_lint_ms(text) for _ in range(5))
    assert best < 1_000, "ms; tests/bench/bench_entity.py measures it"


def _lint_ms(text: str) -> float:
    start = time.process_time()
    found = load_texts([("big.json", text)], Known(frozenset({"v", "w", "a"}), frozenset()))
    spent = (time.process_time() - start) * 1000
    assert found.findings == ()
    return spent
