"""Pickles as they are recorded, shown without being loaded."""

from __future__ import annotations

import base64
import collections
import decimal
import enum
import pathlib
import pickle
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_bridge.payloads import Limits, Opaque, decode
from engine_bridge.payloads.pickle_view import view


@dataclass
class Order:
    id: str
    total: decimal.Decimal


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self) -> None:
        self.a, self.b = 1, "two"


class Colour(enum.Enum):
    RED = "red"


Point = collections.namedtuple("Point", "x y")
WEST, BERLIN = timezone(timedelta(hours=-5, minutes=-30)), ZoneInfo("Europe/Berlin")
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(-(2**40), 2**40), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(plain, st.sampled_from(PROTOCOLS))
def test_plain_data_is_what_loading_would_give(value: Any, protocol: int) -> None:
    raw = pickle.dumps(value, protocol)
    assert view(raw).tree == value == pickle.loads(raw)
    assert decode(base64.b64encode(raw), "py_pickle").tree == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("value", "type_name", "shown"),
    [
        (datetime(2026, 11, 20, 5, 27, 12), "datetime.datetime", "2026-11-20T05:27:12"),
        (datetime(2026, 11, 20, 5, 27, 12, 345, UTC), "datetime.datetime", "2026-11-20T05:27:12.000345+00:00"),
        (datetime(2026, 1, 2, tzinfo=WEST), "datetime.datetime", "2026-01-02T00:00:00-05:30"),
        (datetime(2026, 1, 2, tzinfo=BERLIN), "datetime.datetime", "2026-01-02T00:00:00[Europe/Berlin]"),
        (date(2026, 11, 20), "datetime.date", "2026-11-20"),
        (time(5, 27, 12), "datetime.time", "05:27:12"),
        (timedelta(days=2, seconds=3), "datetime.timedelta", "2 days, 0:00:03"),
        (decimal.Decimal("1.10"), "decimal.Decimal", "1.10"),
        (uuid.UUID(int=5), "uuid.UUID", "00000000-0000-0000-0000-000000000005"),
        (pathlib.PurePosixPath("/a/b"), "pathlib.PurePosixPath", "/a/b"),
        (complex(1, -2), "complex", "1-2j"),
    ],
)  # fmt: skip
def test_well_known_data_is_readable_and_keeps_its_type(
    value: Any, type_name: str, shown: str, protocol: int
) -> None:
    tree = view(pickle.dumps(value, protocol)).tree
    assert (tree.type, tree.value) == (type_name, shown)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_collections_show_their_items(protocol: int) -> None:
    def items(value: Any) -> tuple[str, list[Any]]:
        tree = view(pickle.dumps(value, protocol)).tree
        return tree.type, tree.items

    assert items({1}) == ("set", [1])
    assert items(frozenset([2])) == ("frozenset", [2])
    assert items(collections.deque([1, 2])) == ("collections.deque", [1, 2])
    assert items(collections.OrderedDict(a=1)) == ("collections.OrderedDict", [("a", 1)])
    assert items(collections.Counter("aa")) == ("collections.Counter", [("a", 2)])
    assert items(collections.defaultdict(list, a=[1]))[1] == [("a", [1])]
    assert items({(1, 2): "tuple key"}) == ("dict", [((1, 2), "tuple key")])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_objects_show_their_type_and_state(protocol: int) -> None:
    order = view(pickle.dumps(Order("o-1", decimal.Decimal("9.90")), protocol)).tree
    assert order.type == f"{__name__}.Order"
    assert order.state["id"] == "o-1" and order.state["total"].value == "9.90"
    red = view(pickle.dumps(Colour.RED, protocol)).tree
    assert red.type == f"{__name__}.Colour.RED" or (red.type == f"{__name__}.Colour" and "red" in red.args)
    assert view(pickle.dumps(Point(1, 2), protocol)).tree.args[-2:] in ((1, 2), ((1, 2),))
    error = view(pickle.dumps(ValueError("bad", 5), protocol)).tree
    assert (error.type, error.args) == ("ValueError", ("bad", 5))


def test_a_member_that_was_pickled_by_name_is_called_by_it() -> None:
    by_name = b"c__builtin__\ngetattr\n(cshop.orders\nColour\nVRED\ntR."  # Python 3.11.0 to 3.11.3
    found = view(by_name)
    assert (found.tree.type, found.tree.args) == ("shop.orders.Colour.RED", ())
    assert view(b"cbuiltins\ngetattr\n(VRED\nI1\ntR.").tree.args == ("RED", 1)


def test_slots_are_shown_as_state() -> None:
    assert view(pickle.dumps(Slotted(), 4)).tree.state == {"a": 1, "b": "two"}


def test_globals_are_named_in_order_and_never_imported() -> None:
    raw = pickle.dumps([Order("a", decimal.Decimal(1)), ValueError("x")])
    assert view(raw).globals == (f"{__name__}.Order", "decimal.Decimal", "ValueError")
    foreign = raw.replace(__name__.encode(), b"x" * len(__name__))
    assert view(foreign).tree[0].type == "x" * len(__name__) + ".Order"


def test_shared_values_are_repeated_and_cycles_marked() -> None:
    shared = [1]
    cycle: list[Any] = [shared, shared]
    cycle.append(cycle)
    tree = view(pickle.dumps(cycle)).tree
    assert tree[:2] == [[1], [1]]
    assert tree[2] == Opaque("recursive reference", value="list")


def test_pretty_text_reads_like_the_data() -> None:
    value = {
        "order": Order("o-1", decimal.Decimal("9.90")),
        "when": date(2026, 11, 20),
        "none": None,
        "t": (1,),
    }
    decoded = decode(base64.b64encode(pickle.dumps(value)), "py_pickle")
    assert decoded.text.replace(f"{__name__}.", "") == (
        '{\n  "order": Order(\n    id="o-1",\n    total=decimal.Decimal("9.90")\n  ),\n'
        '  "when": datetime.date("2026-11-20"),\n  "none": null,\n  "t": (\n    1\n  )\n}'
    )
    assert decoded.error is None and not decoded.truncated


def test_limits_cut_and_say_so() -> None:
    raw = pickle.dumps({"long": "x" * 1000, "many": list(range(1000)), "deep": [[[[[[1]]]]]]})
    seen = view(raw, Limits(max_string=10, max_nodes=50))
    assert seen.truncated and seen.tree["long"] == "x" * 10
    assert seen.tree["many"][-1].cut and "more" in seen.tree["many"][-1].value
    shallow = view(raw, Limits(max_depth=3)).tree["deep"][0]
    assert shallow[0].cut and shallow[0].value == "deeper than 3 levels"


def test_what_was_understood_of_a_broken_pickle_is_shown() -> None:
    raw = pickle.dumps({"a": [1, 2, {"b": "kept"}], "text": "y" * 300})
    half = view(raw[: raw.index(b"yyy") + 100])
    assert half.error.startswith("This pickle is malformed at byte ") and "kept" in str(half.tree)
    assert "y" * 50 in str(half.tree)
    assert view(b"\x80\x04]\xff").tree == []
