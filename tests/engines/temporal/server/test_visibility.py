"""Filters as List Filter queries: what is asked of the server, what stays for the predicate."""

from __future__ import annotations

import pytest

from engine_bridge.bridge import Bridge, Field, FieldType, Sort
from engine_bridge.engines.temporal.visibility import Visibility, split
from engine_bridge.engines.temporal.visibility_leaves import STATUSES
from engine_bridge.query import parse
from engine_bridge.query.ast import Node
from engine_bridge.query.predicate import predicate
from engine_bridge.query.text import duration, instant, quote
from tests.engines.temporal.server.conftest import NEVER
from tests.engines.temporal.shop import Shop

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
        ("created < 1h ago", "StartTime <= '2027-01-15T06:59:59.999999999Z'"),
        ("age < 1h", "StartTime > '2027-01-15T07:00:00.000000000Z'"),
        ("attributes.tenant == acme", "tenant = 'acme'"),
        ("attributes.tenant != acme", "(tenant is null or tenant != 'acme')"),
        ("attributes.items > 3", "items > 3"),
        ("attributes.amount <= 1.5", "amount <= 1.5"),
        ("attributes.express == true", "express = true"),
        ("attributes.remark exists", "remark is not null"),
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
        ("duration == 1s", "(ExecutionDuration >= 999999000 and ExecutionDuration < 1000001001)"),
        ("duration != 1s", ""),
        ("attributes.tags ~ red", "tags = 'red'"),
        ("attributes.tags ~ '%'", ""),
        ('id == "\'a"', ""),
        ('id == "a\'"', ""),
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
    exact = Visibility({"tags": "KeywordList"}, "elasticsearch")
    assert asked("attributes.tags ~ red", exact) == ("tags = 'red'", None)


def test_a_filter_by_a_cell_finds_its_run_on_a_server(shop: Shop, bridge: Bridge) -> None:
    """The store keeps microseconds, measures durations in nanoseconds, and drops quotes at the ends of a literal."""
    for name, more in (("'edge'", {}), ("edge-later", {"start_delay": 86_400})):
        shop.worker.ask("start", "send_invoice", name, "e", tenant="edge", **more)
        shop.worker.ask("terminate", name)
        shop.worker.ask("listed", name)
    fields = bridge.fields(NEVER)

    def found(text: str) -> list[str]:
        query = parse(text, fields)
        return [run.id for run in bridge.runs(query, Sort(), None, "forward", 1_000, NEVER).items]

    rows = bridge.runs(parse("attributes.tenant == edge", fields), Sort(), None, "forward", 9, NEVER).items
    assert [run.id for run in rows] == ["edge-later", "'edge'"] and rows[0].started_ns is None
    run, now_ns = rows[1], bridge.now_ns(NEVER)
    cells = [
        f"id == {quote(run.id)}",
        f"duration == {duration(run.duration_ns or 0)}",
        "started exists",
        "duration exists",
    ]
    for field, at in (("created", run.created_ns), ("started", run.started_ns), ("ended", run.ended_ns)):
        cells += [f"{field} {sign} {instant(at or 0)}" for sign in ("==", ">", ">=", "<", "<=")]
    for cell in (*cells, *(f"not ({cell})" for cell in cells)):
        query = parse(cell, fields)
        assert query is not None
        matches = predicate(query, now_ns)
        assert found(f"attributes.tenant == edge and {cell}") == [row.id for row in rows if matches(row)], (
            cell
        )
