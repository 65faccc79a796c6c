"""What comparisons mean, on runs as bridges give them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine_bridge.model import Blocked, Failure, Run, RunRef, Status
from engine_bridge.query import parse
from engine_bridge.query.predicate import DEFAULT, matches

from .strategies import FIELDS, NOW, S

RUN = Run(
    ref=RunRef("workflow", "o-1", "o-1"),
    id="order-00042",
    type="fulfil_order",
    status=Status.FAILED,
    engine_status="ERROR",
    engine="test",
    created_ns=NOW - 600 * S,
    started_ns=NOW - 500 * S,
    ended_ns=NOW - 490 * S,
    error="CardDeclined: Insufficient funds",
    failure=Failure(type="shop.errors.CardDeclined", message="Insufficient funds"),
    attributes={
        "tenant": "acme",
        "n": 5,
        "flag": True,
        "tags": ["Red", "blue"],
        "a.b": {"c": 1.5},
        "none": None,
    },
    extra={"debounced": False},
)


@pytest.mark.parametrize(
    "text",
    [
        "status == failed",
        "status ~ fail*",
        "status in (failed, cancelled)",
        "duration == 10s",
        "duration >= 10s and duration <= 10s",
        "age == 10m",
        "not exists(running_for)",
        "type ~ fulfil_*",
        'type ~ "*order"',
        "type ~ fulfil?order",
        "type !~ ulfil*",
        "type != Fulfil_Order",
        "type contains ORDER",
        "error contains insufficient",
        '"insufficient FUNDS"',
        '"00042"',
        "queue != orders",
        "queue !~ o*",
        "not queue == orders",
        "queue == null",
        "attributes.tenant == acme",
        "attributes.n == 5",
        "attributes.n < 5.5",
        'attributes.n != "5"',
        "attributes.flag == true",
        "attributes.flag != 1",
        "attributes.tags contains RED",
        "attributes.tags ~ b*e",
        'attributes."a.b".c >= 1.5',
        "not exists(attributes.none)",
        "not exists(attributes.absent)",
        "attributes contains ACM",
        "created < 5m ago",
        "created >= 10m ago",
        "debounced == false",
    ],
)
def test_matches(text: str) -> None:
    node = parse(text, FIELDS)
    assert node is not None and matches(node, RUN, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "queue == orders",
        "queue < z",
        'queue contains ""',
        "type ~ Fulfil*",
        "type ~ fulfil",
        'attributes.n == "5"',
        "attributes.n > abc",
        "attributes.tags == Red",
        "attributes.tenant.x == acme",
        "attempts > 0",
        "running_for > 0s",
        "ended > now",
    ],
)
def test_does_not_match(text: str) -> None:
    node = parse(text, FIELDS)
    assert node is not None and not matches(node, RUN, NOW)


def test_an_open_run_has_no_duration_but_runs_for_a_while() -> None:
    open_run = msgspec.structs.replace(RUN, ended_ns=None, status=Status.RUNNING)
    for text, wanted in (("duration > 0s", False), ("running_for == 500s", True), ("age > 9m", True)):
        node = parse(text, FIELDS)
        assert node is not None and matches(node, open_run, NOW) is wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<", (True, False, False)),
        ("<=", (True, True, False)),
        ("==", (False, True, False)),
        (">=", (False, True, True)),
        (">", (False, False, True)),
    ],
)
def test_a_day_is_before_within_or_after(text: str, wanted: tuple[bool, ...]) -> None:
    node = parse(f"created {text} 1970-01-02", FIELDS, None)
    day = parse("created == 1970-01-02", FIELDS, None)
    assert node is not None and day is not None
    quarters = [n for n in range(400) if matches(day, _created(n * 900 * S), NOW)]  # zones begin days at such
    assert len(quarters) == 96
    probes = (quarters[0] * 900 * S - 1, quarters[48] * 900 * S, (quarters[-1] + 1) * 900 * S)
    assert tuple(matches(node, _created(at), NOW) for at in probes) == wanted


def _created(at: int) -> Run:
    return msgspec.structs.replace(RUN, created_ns=at)


def test_an_engine_can_extend_and_override_fields() -> None:
    def lookup(run: Run, field: str, path: str) -> Any:
        return {"queue": "special", "attributes": f"path {path}"}.get(field, DEFAULT)

    for text in ("queue == special", 'attributes.x.y == "path x.y"', "type == fulfil_order"):
        node = parse(text, FIELDS)
        assert node is not None and matches(node, RUN, NOW, lookup)


def test_fields_behind_values_compare_by_their_text() -> None:
    run = msgspec.structs.replace(
        RUN, parent=RunRef("workflow", "p", "p-1"), blocked_on=Blocked(kind="signal", what="signal approve")
    )
    from engine_bridge.bridge import Field, FieldType

    names = ("parent", "blocked_on", "error.type", "error.message", "engine_status")
    fields = [Field(name=name, type=FieldType.TEXT) for name in names]
    for text in (
        "parent == p-1",
        "blocked_on contains approve",
        "error.type == CardDeclined",
        "error.message contains funds",
        "engine_status == ERROR",
    ):
        node = parse(text, fields)
        assert node is not None and matches(node, run, NOW), text
