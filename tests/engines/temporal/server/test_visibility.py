"""Filters as List Filter queries: what is asked of the server, what stays for the predicate."""

from __future__ import annotations

import pytest

from engine_bridge.bridge import Field, FieldType
from engine_bridge.engines.temporal.visibility import Visibility, split
from engine_bridge.engines.temporal.visibility_leaves import STATUSES
from engine_bridge.query import parse
from engine_bridge.query.ast import Node

NOW = 1_800_000_000_000_000_000
CUSTOM = {"tenant": "Keyword", "amount": "Double", "items": "Int", "express": "Bool", "tags": "KeywordList"}
SQL = Visibility(CUSTOM | {"remark": "Text", "dueAt": "Datetime"}, "sqlite")
_TYPES = {
    "status": FieldType.STATUS, "duration": FieldType.DURATION, "age": FieldType.DURATION, "created": FieldType.TIME,
    "started": FieldType.TIME, "ended": FieldType.TIME, "attributes": FieldType.JSON,
}  # fmt: skip
FIELDS = [
    Field(
        name=name,
        type=_TYPES.get(name, FieldType.TEXT),
        values=(*STATUSES, "delayed") if name == "status" else (),
    )
    for name in ("id", "type", "queue", "parent", "error", *_TYPES)
]


def asked(text: str, visibility: Visibility = SQL) -> tuple[str, Node | None]:
    node = parse(text, FIELDS)
    return split(node, visibility, NOW)


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("status == failed", "(ExecutionStatus = 'Failed')"),
        ("status in (failed, timed_out)", "((ExecutionStatus = 'Failed') or (ExecutionStatus = 'TimedOut'))"),
        ('type == "it\'s"', r"WorkflowType = 'it\'s'"),
        ("type != order", "WorkflowType != 'order'"),
        ("parent != x", "(ParentRunId is null or ParentRunId != 'x')"),
        ("not parent exists", "ParentRunId is null"),
        ("id in (a, b)", "WorkflowId IN ('a', 'b')"),
        ("duration > 1s", "ExecutionDuration >= 1000000001"),
        ("not duration > 1s", "(ExecutionDuration is null or ExecutionDuration < 1000000001)"),
        ("created < 1h ago", "StartTime < '2027-01-15T07:00:00.000000000Z'"),
        ("age < 1h", "StartTime >= '2027-01-15T07:00:00.000000001Z'"),
        ("attributes.tenant == acme", "tenant = 'acme'"),
        ("attributes.tenant != acme", "(tenant is null or tenant != 'acme')"),
        ("attributes.items > 3", "items > 3"),
        ("attributes.amount <= 1.5", "amount <= 1.5"),
        ("attributes.express == true", "express = true"),
        ("attributes.remark exists", "remark is not null"),
        ("attributes.tags ~ red", "tags = 'red'"),
        ("queue == a or queue == b", "(TaskQueue = 'a' or TaskQueue = 'b')"),
    ],
)
def test_what_the_server_answers_exactly_is_asked_of_it(text: str, clause: str) -> None:
    assert asked(text) == (clause, None)


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("id ~ 'order-*'", "WorkflowId STARTS_WITH 'order-'"),
        ("error contains 'x'", "ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut')"),
        ("attributes.items > 3.5", ""),
        ("attributes.memo.note == x", ""),
        ("attributes.unknown == x", ""),
        ("attributes.remark == x", ""),
        ("type contains 'x'", ""),
        ("'x'", ""),
        ("id ~ '*x'", ""),
        ("status == failed or error contains 'x'",
         "((ExecutionStatus = 'Failed') or ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut'))"),
        ("status == failed or type contains 'x'", ""),
    ],
)  # fmt: skip
def test_what_it_cannot_answer_stays_for_the_predicate(text: str, clause: str) -> None:
    found, left = asked(text)
    assert found == clause and left is not None


def test_a_conjunction_is_asked_in_parts() -> None:
    clause, left = asked("status == failed and type contains 'x' and queue == a")
    assert clause == "(ExecutionStatus = 'Failed') and TaskQueue = 'a'" and left == parse(
        "type contains 'x'", FIELDS
    )


def test_running_and_delayed_are_told_apart_by_the_time_of_execution() -> None:
    clause, left = asked("status == running")
    assert "ExecutionStatus = 'Running' and ExecutionTime <= " in clause and left is None
    clause, left = asked("status == delayed")
    assert "ExecutionStatus = 'Running' and ExecutionTime > " in clause and left is None


def test_a_store_that_may_ignore_case_is_asked_and_not_believed() -> None:
    clause, left = asked("type == order", Visibility({}, "mysql8"))
    assert clause == "WorkflowType = 'order'" and left is not None
    assert asked("type != order", Visibility({}, "mysql8"))[0] == ""
