"""Pushed and unpushed filters agree, on real databases and over anything a row may hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine_bridge.query import parse
from engine_bridge.query.ast import Compare, Node, Not
from engine_bridge.query.predicate import matches
from engine_bridge.query.sql import split
from engine_bridge.query.text import to_text

from .strategies import EMPTY, FIELDS, METADATA, NOW, columns, nodes, rows, run_of, table

LITE = table("runs_lite", sa.Text, sa.Integer)


@pytest.fixture(scope="module")
def lite() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        METADATA.create_all(connection, tables=[LITE])
        yield connection
    engine.dispose()


def fill(connection: sa.Connection, t: sa.Table, drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    numbered = [{"id": f"Run-{i:03d}{'é' if i % 7 == 3 else ''}", **row} for i, row in enumerate(drawn)]
    connection.execute(sa.delete(t))
    connection.execute(sa.insert(t), numbered)
    return numbered


def pushed_ids(connection: sa.Connection, t: sa.Table, node: Node, stored: list[dict[str, Any]]) -> set[str]:
    clause, residual = split(node, columns(t), NOW)
    query = sa.select(t.c.id) if clause is None else sa.select(t.c.id).where(clause)
    found = set(connection.execute(query).scalars())
    runs = [run_of(row) for row in stored if row["id"] in found]
    return {run.id for run in runs if residual is None or matches(residual, run, NOW)}


def check(connection: sa.Connection, t: sa.Table, drawn: list[dict[str, Any]], tree: Node) -> None:
    stored = fill(connection, t, drawn)
    wanted = {run.id for run in map(run_of, stored) if matches(tree, run, NOW)}
    assert pushed_ids(connection, t, tree, stored) == wanted, to_text(tree)


SETTINGS = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@SETTINGS
@given(drawn=st.lists(rows(), min_size=1, max_size=12), tree=nodes)
def test_pushed_and_residual_return_what_the_predicate_does(
    lite: sa.Connection, drawn: list[dict[str, Any]], tree: Node
) -> None:
    check(lite, LITE, drawn, tree)


@pytest.mark.long
@pytest.mark.parametrize(
    "_part", range(20)
)  # hypothesis remembers what one part drew: 15 GB of 20,000 examples
@settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=st.lists(rows(), min_size=1, max_size=12), tree=nodes)
def test_pushed_and_residual_return_what_the_predicate_does_at_length(
    lite: sa.Connection, _part: int, drawn: list[dict[str, Any]], tree: Node
) -> None:
    check(lite, LITE, drawn, tree)


TEXTS = [
    "Straße",
    "STRASSE",
    "strasse",
    "\u212aelvin",
    "kelvin",
    "a%b",
    "a_b",
    "axb",
    "a[b]c",
    "abc",
    "é",
    "É",
    "e\u0301",
]
TEXTS += ["", "order", "Order", "orders-1", "it's", "back\\slash", "İ", "i̇", "*", "?"]
CASES = ["strasse", "ß", "K", "k", "a%", "_", "[b]", "É", "é", "e", "ORDER", "'", "\\", "i", "", "*"]


@pytest.mark.parametrize("field", ["type", "queue"])
@pytest.mark.parametrize("op", ["contains", "~", "==", "<", ">="])
def test_texts_at_the_edge_of_case_and_patterns(lite: sa.Connection, op: str, field: str) -> None:
    edge_texts(lite, LITE, ["a\0b", "a\0é", "\0"], op, field)


def edge_texts(connection: sa.Connection, t: sa.Table, more: list[str], op: str, field: str) -> None:
    texts: list[str | None] = [None, *TEXTS, *more]
    drawn = [{**EMPTY, "name": text or "", "queue": text} for text in texts]
    stored = fill(connection, t, drawn)
    for word in CASES:
        for pattern in (word, f"*{word}", f"{word}*", f"*{word}*", f"?{word}") if op == "~" else (word,):
            for tree in (Compare(field, op, pattern), Not(Compare(field, op, pattern))):
                wanted = {run.id for run in map(run_of, stored) if matches(tree, run, NOW)}
                assert pushed_ids(connection, t, tree, stored) == wanted, to_text(tree)


def plan(connection: sa.Connection, text: str) -> str:
    clause, residual = split(_parsed(text), columns(LITE), NOW)
    assert clause is not None
    query = sa.select(LITE.c.id).where(clause)
    sql = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
    steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    return " ".join(str(step[3]) for step in steps) + (" + residual" if residual else "")


def _parsed(text: str) -> Node:
    node = parse(text, FIELDS)
    assert node is not None
    return node


def sql_of(text: str) -> tuple[str, str]:
    clause, residual = split(_parsed(text), columns(LITE), NOW)
    shown = (
        ""
        if clause is None
        else str(clause.compile(compile_kwargs={"literal_binds": True}, dialect=_dialect()))
    )
    return shown.replace("runs_lite.", ""), "" if residual is None else to_text(residual)


def _dialect() -> sa.Dialect:
    return sa.create_engine("sqlite://").dialect


def test_a_conjunct_is_pushed_only_where_all_its_leaves_are_exact() -> None:
    clause, residual = sql_of('queue == orders and (created > now or error contains "x")')
    assert (
        clause == "queue = 'orders' AND (created_at >= 1800000000001 OR status IN ('ERROR', 'MAX_RECOVERY'))"
    )
    assert residual == 'created > now or error contains "x"'


def test_what_sql_knows_nothing_about_stays_whole() -> None:
    assert sql_of('not error contains "x"') == ("", 'not error contains "x"')
    assert sql_of('not (queue == a or error contains "x")')[1] == 'not (queue == "a" or error contains "x")'
    assert sql_of('not (queue == a or error contains "x")')[0] == "coalesce(queue = 'a', 0) = 0"


def test_status_and_provers_reach_the_partial_index(lite: sa.Connection) -> None:
    assert "failed_runs_lite" in plan(lite, "status == failed")
    assert "failed_runs_lite" in plan(lite, 'error contains "Timeout"')


def test_bounds_between_two_stored_units_are_rounded_so_that_nothing_is_lost() -> None:
    at = "2027-01-15T08:00:00.0000005Z"
    assert sql_of(f"created > {at}")[0] == "created_at >= 1800000000001"
    assert sql_of(f"created < {at}")[0] == "created_at < 1800000000001"
    assert sql_of(f"created == {at}")[0] in ("0 = 1", "false")
    assert sql_of("created >= 2027-01-15T08:00:00Z")[0] == "created_at >= 1800000000000"


def test_age_becomes_a_range_over_created() -> None:
    assert sql_of("age > 5m") == ("created_at < 1799999700000", "")
    assert sql_of("running_for >= 1h") == ("started_at < 1799996400001 AND completed_at IS NULL", "")


def test_text_that_no_database_can_hold_is_not_sent_to_one() -> None:
    clause, residual = sql_of(r'queue == "\ud800"')
    assert clause == "" and residual == r'queue == "\ud800"'


def test_glob_keeps_a_prefix_open_to_an_index() -> None:
    assert sql_of('type ~ "order*"')[0] == "(name GLOB 'order*')"
    assert sql_of('type ~ "a[b]*"')[0] == "(name GLOB 'a[[]b]*')"


@pytest.mark.parametrize(
    "text",
    [
        f"type in ({', '.join(f'a{i}' for i in range(2_800))})",
        f"not (type in ({', '.join(f'a{i}' for i in range(2_800))}))",
        " or ".join(f"id == a{i}" for i in range(1_400)),
        " and ".join(f"id != a{i}" for i in range(1_300)),
        f"status in ({', '.join(['failed'] * 2_400)})",
        "not " * 55 + "type == x",
        "(" * 50 + "type == x" + "".join(f" {'and' if i % 2 else 'or'} queue == y)" for i in range(50)),
    ],
)
def test_the_longest_filters_run(lite: sa.Connection, text: str) -> None:
    clause, residual = split(_parsed(text), columns(LITE), NOW)
    assert clause is not None and residual is None
    lite.execute(sa.select(LITE.c.id).where(clause)).all()
