"""Rows of a run table as an engine could store them, their runs, and random filters over them."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st

from engine_bridge.bridge import Field, FieldType
from engine_bridge.model import Run, RunRef, Status
from engine_bridge.query.ast import Ago, And, Compare, Day, Duration, Instant, Node, Not, Or, Text
from engine_bridge.query.sql import SqlColumn, enum_column, literal_in
from engine_bridge.query.text import join_path

S = 1_000_000_000
NOW = 1_800_000_000 * S
STORED = {
    "SUCCESS": Status.COMPLETED,
    "ERROR": Status.FAILED,
    "MAX_RECOVERY": Status.FAILED,
    "PENDING": Status.RUNNING,
    "ENQUEUED": Status.QUEUED,
}
FIELDS = [
    Field(name="id", type=FieldType.TEXT),
    Field(name="status", type=FieldType.STATUS, values=tuple(Status)),
    Field(name="type", type=FieldType.TEXT),
    Field(name="queue", type=FieldType.TEXT),
    Field(name="error", type=FieldType.TEXT),
    Field(name="created", type=FieldType.TIME),
    Field(name="started", type=FieldType.TIME),
    Field(name="ended", type=FieldType.TIME),
    Field(name="duration", type=FieldType.DURATION),
    Field(name="age", type=FieldType.DURATION),
    Field(name="running_for", type=FieldType.DURATION),
    Field(name="attempts", type=FieldType.INTEGER),
    Field(name="debounced", type=FieldType.BOOLEAN),
    Field(name="attributes", type=FieldType.JSON),
]
METADATA = sa.MetaData()


def table(name: str, json_type: Any, boolean: Any) -> sa.Table:
    return sa.Table(
        name,
        METADATA,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("status", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("queue", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.BigInteger),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("completed_at", sa.BigInteger),
        sa.Column("attempts", sa.BigInteger),
        sa.Column("debounced", boolean),
        sa.Column("attributes", json_type),
        sa.Index(f"failed_{name}", "status", sqlite_where=sa.text("status IN ('ERROR', 'MAX_RECOVERY')")),
    )


def columns(t: sa.Table) -> dict[str, SqlColumn]:
    """Times in ms; ``error`` is encoded, so SQL knows no more than that an error implies a failed status."""

    def failed(node: Compare) -> sa.ColumnElement[bool] | None:
        return literal_in(t.c.status, ["ERROR", "MAX_RECOVERY"]) if node.op in ("contains", "==") else None

    stored: dict[str, list[str]] = {}
    for raw, status in STORED.items():
        stored.setdefault(status.value, []).append(raw)
    return {
        "id": SqlColumn(t.c.id),
        "status": enum_column(t.c.status, stored, "unknown"),
        "type": SqlColumn(t.c.name),
        "queue": SqlColumn(t.c.queue),
        "error": SqlColumn(t.c.error, exact=frozenset({"exists"}), prover=failed),
        "created": SqlColumn(t.c.created_at, "time_ms"),
        "started": SqlColumn(t.c.started_at, "time_ms"),
        "ended": SqlColumn(t.c.completed_at, "time_ms"),
        "duration": SqlColumn(t.c.completed_at - t.c.started_at, "duration_ms"),
        "attempts": SqlColumn(t.c.attempts, "int"),
        "debounced": SqlColumn(t.c.debounced, "bool"),
        "attributes": SqlColumn(t.c.attributes, "json"),
    }


EMPTY: dict[str, Any] = {
    "status": "SUCCESS",
    "name": "",
    **dict.fromkeys(
        ("queue", "error", "created_at", "started_at", "completed_at", "attempts", "debounced", "attributes")
    ),
}


def ns(ms: int | None) -> int | None:
    return None if ms is None else ms * 1_000_000


def run_of(row: dict[str, Any]) -> Run:
    raw = row["attributes"]
    attributes = json.loads(raw) if raw and raw != "{broken" else {}
    error = row["error"]
    return Run(
        ref=RunRef("workflow", row["id"], row["id"]),
        id=row["id"],
        type=row["name"],
        status=STORED.get(row["status"], Status.UNKNOWN),
        engine_status=row["status"],
        engine="test",
        created_ns=ns(row["created_at"]),
        started_ns=ns(row["started_at"]),
        ended_ns=ns(row["completed_at"]),
        queue=row["queue"],
        error=bytes.fromhex(error).decode() if error else None,
        attempts=row["attempts"],
        attributes=attributes if isinstance(attributes, dict) else {},
        extra={"debounced": row["debounced"]},
    )


WORDS = [
    "order",
    "Order",
    "orders*",
    "a%b",
    "a_b",
    "a[b]c",
    "it's",
    'say "x"',
    "Straße",
    "STRASSE",
    "K",
    "\u212a",
]
WORDS += ["ı", "back\\slash", "", " ", "*", "?", "%", "null", "é", "e\u0301", "🎉", "acme", "Timeout"]
words = st.sampled_from(WORDS) | st.text(st.sampled_from("aAbBkKßs*?%_[]^\\'\" é🎉İ"), max_size=6)
millis = st.sampled_from([0, 1, 999, NOW // 1_000_000 - 5_000, NOW // 1_000_000]) | st.integers(
    -(10**13), 10**13
)
json_values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words
)
keys = st.sampled_from(["tenant", "a.b", "with space", "ключ", "plain", 'q"q', "0"])
objects = st.dictionaries(
    keys,
    json_values | st.lists(json_values, max_size=3) | st.dictionaries(keys, json_values, max_size=2),
    max_size=4,
)


@st.composite
def rows(draw: st.DrawFn, *, nul: bool = True, broken: bool = True) -> dict[str, Any]:
    status = draw(st.sampled_from([*STORED, "FUTURE_STATUS"]))
    texts = words | st.just("a\0b") if nul else words
    failed = STORED.get(status) is Status.FAILED
    attributes = draw(
        st.none() | st.just("null") | objects.map(lambda o: json.dumps(o, ensure_ascii=draw(st.booleans())))
    )
    return {
        "status": status,
        "name": draw(texts),
        "queue": draw(st.none() | texts),
        "error": draw(words).encode().hex() or None if failed else None,
        "created_at": draw(st.none() | millis),
        "started_at": draw(st.none() | millis),
        "completed_at": draw(st.none() | millis),
        "attempts": draw(st.none() | st.integers(-3, 5) | st.sampled_from([2**62, -(2**62)])),
        "debounced": draw(st.none() | st.booleans()),
        "attributes": draw(st.just("{broken") | st.just(attributes)) if broken else attributes,
    }


ORDER = ["==", "!=", "<", "<=", ">", ">="]
durations = st.builds(
    Duration, st.sampled_from([0, 1, 5 * S, 999_999, 1_000_000, 90 * S]) | st.integers(-(10**18), 10**18)
)
zones = st.sampled_from(["", "Europe/Berlin", "+05:30", "-02:00"])
days = st.builds(Day, st.sampled_from(["today", "yesterday", "2027-01-15", "1970-01-01"]), zones)
times = (
    st.builds(Instant, st.integers(-(10**19), 10**19) | millis.map(lambda ms: ms * 1_000_000))
    | st.builds(Ago, st.integers(0, 10**18) | st.just(5 * S))
    | days
)
integers = st.integers(-4, 6) | st.sampled_from([2**62, 2**63, -(2**70)])
VALUES: dict[str, tuple[st.SearchStrategy[Any], list[str]]] = {
    **dict.fromkeys(("id", "type", "queue", "error"), (words, [*ORDER, "~", "!~", "contains"])),
    "status": (st.sampled_from([s.value for s in Status]), ["==", "!="]),
    **dict.fromkeys(("created", "started", "ended"), (times, ORDER)),
    **dict.fromkeys(("duration", "age", "running_for"), (durations, ORDER)),
    "attempts": (integers, ORDER),
    "debounced": (st.booleans(), ["==", "!="]),
}


@st.composite
def leaves(draw: st.DrawFn) -> Node:
    if draw(st.integers(0, 9)) == 0:
        return Text(draw(words))
    if draw(st.integers(0, 4)) == 0:
        return draw(json_leaves())
    field = draw(st.sampled_from(sorted(VALUES)))
    values, operators = VALUES[field]
    op = draw(st.sampled_from([*operators, "in", "exists"]))
    if op == "exists":
        return Compare(field, "exists", None)
    if op == "in":
        return Compare(field, "in", tuple(draw(st.lists(values, min_size=1, max_size=3))))
    return Compare(field, op, draw(values))


@st.composite
def json_leaves(draw: st.DrawFn) -> Node:
    path = join_path("", *draw(st.lists(keys, min_size=1, max_size=2))).removeprefix(".")
    op = draw(st.sampled_from([*ORDER, "~", "!~", "contains", "in", "exists"]))
    if op == "exists":
        return Compare("attributes", "exists", None, path)
    if op in ("~", "!~", "contains"):
        return Compare("attributes", op, draw(words), path)
    value = json_values.filter(lambda value: value is not None)
    if op == "in":
        return Compare("attributes", "in", tuple(draw(st.lists(value, min_size=1, max_size=3))), path)
    return Compare("attributes", op, draw(value), path)


def _tree(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(inner, min_size=2, max_size=4).map(tuple)
    return st.builds(Not, inner) | st.builds(And, several) | st.builds(Or, several)


nodes: st.SearchStrategy[Node] = st.recursive(leaves(), _tree, max_leaves=6)
