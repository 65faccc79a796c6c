"""JUnit XML of a gate: the elements and attributes of the usual schema, and any text within them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_bridge.errors import PermissionDeniedError
from engine_bridge.replay import junit
from engine_bridge.replay.gate_report import Drifted, GateReport, Result
from engine_bridge.replay.grouping import group
from engine_bridge.replay.model import Blocked, Divergence, Drift, Outcome, Place

AT = Place(file="/shop/orders.py", line=93, function="fulfil_order")
PARTS = Divergence(kind="extra step", expected="ship", actual="check_fraud", step_id="4", at=AT)
# jenkins-junit.xsd: attributes that each element may and must have, and its children in order.
SCHEMA = {
    "testsuites": ({"name", "time", "tests", "failures", "disabled", "errors"}, set(), ("testsuite",)),
    "testsuite": (
        {
            "name",
            "tests",
            "failures",
            "errors",
            "time",
            "disabled",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
        },
        {"name", "tests"},
        ("properties", "testcase", "system-out", "system-err"),
    ),
    "testcase": (
        {"name", "assertions", "time", "classname", "status"},
        {"name"},
        ("skipped", "error", "failure", "system-out", "system-err"),
    ),
    "failure": ({"type", "message"}, set(), ()),
    "error": ({"type", "message"}, set(), ()),
    "skipped": ({"message"}, set(), ()),
    "system-out": (set(), set(), ()),
}


def check(element: ET.Element) -> None:
    may, must, children = SCHEMA[element.tag]
    assert must <= set(element.keys()) <= may
    assert all(child.tag in children for child in element)
    order = [children.index(child.tag) for child in element]
    assert order == sorted(order)
    for child in element:
        check(child)


def report(*results: Result, **more: object) -> GateReport:
    return GateReport(code="/shop", interpreter="python", results=results, groups=group(results), **more)


def result(number: int = 0, outcome: Outcome = Outcome.SAME, **more: object) -> Result:
    return Result(
        number=number, run_id=f"order-{number}", type="fulfil_order", outcome=outcome, at=AT, **more
    )


def parsed(given: GateReport, **more: bool) -> ET.Element:
    root = ET.fromstring(junit.to_junit(given, **more))
    check(root)
    return root


def test_one_case_a_run_grouped_by_workflow() -> None:
    other = Result(number=2, run_id="r", type="refund", outcome=Outcome.STOPPED)
    root = parsed(report(result(0), result(1, Outcome.DIVERGED, divergence=PARTS), other))
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root] == [
        ("fulfil_order", "2", "1"),
        ("refund", "1", "0"),
    ]
    assert [case.get("classname") for case in root.iter("testcase")] == [
        "fulfil_order",
        "fulfil_order",
        "refund",
    ]
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "0")


def test_a_failure_names_event_line_and_both_sides() -> None:
    root = parsed(report(result(0, Outcome.DIVERGED, divergence=PARTS)))
    failure = root.find(".//failure")
    assert failure is not None and failure.get("type") == "extra step"
    message = failure.get("message") or ""
    assert message == "step 4: expected ship, the code has check_fraud at /shop/orders.py:93"
    assert "event: step 4" in (failure.text or "") and "line: /shop/orders.py:93" in (failure.text or "")


def test_what_could_not_be_replayed_is_an_error_and_a_side_effect_a_failure() -> None:
    blocked = Blocked(what="opens a socket to 10.0.0.1", at=AT)
    root = parsed(
        report(
            result(0, Outcome.HUNG, error="It held the interpreter."),
            result(1, Outcome.BLOCKED, blocked=(blocked,)),
            result(2, Outcome.FAILED, error="No such workflow."),
        )
    )
    assert [error.get("type") for error in root.iter("error")] == ["hung", "failed"]
    (failure,) = root.iter("failure")
    assert failure.get("message") == "the workflow's code opens a socket to 10.0.0.1 at /shop/orders.py:93"


def test_drift_is_told_and_fails_when_strict() -> None:
    drifted = result(0, drift=(Drifted(drift=Drift(what="result", recorded=1, replayed=2), at=AT),))
    told = parsed(report(drifted))
    assert "recorded 1, replayed 2" in (told.findtext(".//system-out") or "")
    assert told.find(".//failure") is None
    assert parsed(report(drifted), strict_drift=True).find(".//failure") is not None


def test_a_gate_that_did_not_end_is_no_success() -> None:
    root = parsed(report(complete=False, error="No module named 'shop'.", hint="Name the right interpreter."))
    error = root.find(".//error")
    assert root.get("errors") == "1"
    assert error is not None and error.get("message") == "No module named 'shop'."


@given(st.text(), st.text())
def test_any_text_is_escaped_and_comes_back(name: str, said: str) -> None:
    found = Result(
        number=0, run_id=name, type=said, outcome=Outcome.CRASHED, error=said + "\x00\ud800]]><a>&"
    )
    root = parsed(report(found))
    (case,) = root.iter("testcase")
    # Line ends and tabs in attributes come back as they are only because they are written as references.
    assert case.get("name") == junit.clean(name)
    assert root.find(".//error") is not None


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(PermissionDeniedError, match="cannot be written"):
        junit.write(report(result()), tmp_path / "no" / "out.xml")
    junit.write(report(result()), tmp_path / "out.xml")
    check(ET.parse(tmp_path / "out.xml").getroot())
