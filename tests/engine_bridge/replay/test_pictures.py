"""Pictures of values: bounded, and no code of the user's runs for one."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import sys
import types
import uuid
import zoneinfo
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from engine_bridge.replay.runners.frames import user_locals
from engine_bridge.replay.runners.pictures import NODES, Painter, picture

RAN: list[str] = []


def boom(*_: Any, **__: Any) -> Any:
    RAN.append("user code")
    raise SystemExit("user code ran")


@pytest.fixture(autouse=True)
def _no_user_code() -> Iterator[None]:
    RAN.clear()
    yield
    assert not RAN


ALL_NAMES = (
    "__repr__", "__str__", "__len__", "__iter__", "__getitem__", "__eq__", "__bool__", "__contains__", "__reversed__",
    "__getattr__", "__getattribute__", "__dir__", "__format__", "__index__", "__int__", "__float__", "__bytes__",
    "__instancecheck__", "__subclasscheck__", "items", "keys", "values", "get", "name", "value", "args", "isoformat",
    "utcoffset", "tzname", "dst", "__reduce__", "__sizeof__", "__call__", "__get__", "cancelled", "done", "result",
)  # fmt: skip
HOSTILE = dict.fromkeys(ALL_NAMES, boom)


class Meta(type):
    """A metaclass that no question about its classes survives."""

    __name__ = __mro__ = __module__ = __dict__ = property(boom)  # type: ignore[assignment]
    __getattribute__ = __instancecheck__ = __subclasscheck__ = __repr__ = __eq__ = boom  # type: ignore[assignment]
    __hash__ = type.__hash__


def hostile(*bases: type, metaclass: type = type, **more: Any) -> Any:
    properties = {name: property(boom) for name in ("__class__", "__doc__", "__annotations__")}
    return metaclass("Hostile", bases, {**HOSTILE, **properties, "__hash__": object.__hash__, **more})


PLAIN = [
    (None, None), (True, True), (3, 3), (-2.5, -2.5), ("text", "text"),
    (1 << 60, {"t": "int", "r": str(1 << 60)}),
    (10**5000, {"t": "int", "r": "about 2**16609"}),
    (math.inf, {"t": "float", "r": "inf"}),
    (b"\x00a", {"t": "bytes", "n": 2, "r": "b'\\x00a'"}),
    ([1, 2], {"t": "list", "n": 2, "i": [1, 2]}),
    ({"a": 1}, {"t": "dict", "n": 1, "m": [["a", 1]]}),
    (types.MappingProxyType({"a": 1}), {"t": "mappingproxy", "n": 1, "m": [["a", 1]]}),
    (collections.deque([1]), {"t": "deque", "n": 1, "i": [1]}),
    (ValueError("no", 3), {"t": "ValueError", "n": 2, "i": ["no", 3]}),
    (decimal.Decimal("1.50"), {"t": "Decimal", "r": "1.50"}),
    (uuid.UUID(int=5), {"t": "UUID", "r": str(uuid.UUID(int=5))}),
    (dt.date(2026, 1, 2), {"t": "date", "r": "2026-01-02"}),
    (dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC), {"t": "datetime", "r": "2026-01-02T03:00:00+00:00"}),
    (
        dt.datetime(2026, 1, 2, 3, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        {"t": "datetime", "r": "2026-01-02T03:00:00+01:00"},
    ),
    (dt.timedelta(hours=1), {"t": "timedelta", "r": "1:00:00"}),
    (json, {"t": "module", "r": "json"}),
    (json.dumps, {"t": "function", "r": "dumps"}),
    (int, {"t": "type", "r": "builtins.int"}),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), PLAIN, ids=lambda value: type(value).__name__)
def test_what_a_user_sees(value: object, expected: object) -> None:
    assert picture(value) == expected


class Colour(enum.Enum):
    RED = 1


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Order:
    id: str
    lines: list[int]


class Slots:
    __slots__ = ("__hidden", "a", "never")

    def __init__(self) -> None:
        self.a = 1


class Amount(int):
    pass


class Later(dt.datetime):
    pass


def test_classes_of_the_user() -> None:
    assert picture(Colour.RED) == {"t": "Colour", "r": "RED"}
    assert picture(Point(1, 2)) == {"t": "Point", "o": [["x", 1], ["y", 2]]}
    assert picture(Order("o1", [7])) == {
        "t": "Order",
        "o": [["id", "o1"], ["lines", {"t": "list", "n": 1, "i": [7]}]],
    }
    assert picture(Slots()) == {"t": "Slots", "o": [["a", 1]]}
    assert picture(Amount(7)) == {"t": "Amount", "r": "7"}
    assert picture(Later(2026, 1, 2)) == {"t": "Later", "r": "2026-01-02T00:00:00"}


def test_running_things_are_named() -> None:
    async def wait() -> None:
        await asyncio.sleep(0)

    coroutine = wait()
    assert picture(coroutine)["r"].endswith("wait")
    coroutine.close()
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        future = loop.create_future()
        assert picture(future) == {"t": "Future", "r": "pending"}
        future.cancel()
        assert picture(future) == {"t": "Future", "r": "cancelled"}


BASES = (
    object,
    list,
    tuple,
    dict,
    set,
    frozenset,
    str,
    int,
    float,
    bytes,
    bytearray,
    Exception,
    dt.datetime,
    dt.date,
)


@pytest.mark.parametrize("metaclass", [type, Meta])
@pytest.mark.parametrize("base", BASES)
def test_hostile_classes_are_shown_and_not_asked(base: type, metaclass: type) -> None:
    kind = hostile(base, metaclass=metaclass)
    value = base.__new__(kind, *((2026, 1, 2) if issubclass(base, dt.date) else ()))
    painted = picture(value)
    assert painted["t"] == "Hostile"
    assert "unreadable" not in str(painted)
    assert picture(kind)["t"] in ("type", "Meta")
    assert picture([{"k": value}, (value,)])


def test_hostile_attributes_are_not_read() -> None:
    kind = hostile(object, lazy=property(boom), field=type("D", (), {"__get__": boom, "__set__": boom})())
    value = object.__new__(kind)
    own = object.__getattribute__(value, "__dict__")
    own["shown"] = 1
    own[hostile(str)("key")] = 2
    own[3] = 4
    assert picture(value) == {"t": "Hostile", "o": [["shown", 1]]}
    hidden = object.__new__(hostile(object, __dict__=property(boom), __slots__=()))
    assert picture(hidden) == {"t": "Hostile", "o": []}


class Zone(dt.tzinfo):
    utcoffset = tzname = dst = boom


def test_things_that_answer_by_others_are_not_asked() -> None:
    assert picture(dt.datetime(2026, 1, 2, tzinfo=Zone()))["r"] == "2026-01-02T00:00:00 (in Zone)"
    assert picture(types.MethodType(object.__new__(hostile(object)), 1))["t"] == "method"
    proxy = types.MappingProxyType(collections.UserDict(a=1))
    assert picture(proxy)["t"] == "mappingproxy"
    module = types.ModuleType("m")
    del module.__name__
    module.__getattr__ = boom
    assert picture(module) == {"t": "module", "r": "?"}
    assert picture(list.append.__get__(list.__new__(hostile(list, metaclass=Meta))))["r"] == "append"
    assert picture(type("Odd", (), {"__module__": object.__new__(hostile(object))}))["r"] == "Odd"


def test_hostile_keys_and_classes_of_namedtuples() -> None:
    key = object.__new__(hostile(object))
    assert picture({key: 1})["m"][0][0]["t"] == "Hostile"
    odd = type("Odd", (tuple,), {"_fields": hostile(list)()})
    assert picture(odd((1,))) == {"t": "Odd", "n": 1, "i": [1]}


BIG: list[Any] = [
    list(range(1_000_000)),
    "x" * 5_000_000,
    dict.fromkeys(range(1000), "y" * 10000),
    [[[["z" * 1000] * 100] * 100] * 100] * 100,
    b"b" * 5_000_000,
    types.SimpleNamespace(**{f"a{n}": ["v" * 1000] * 1000 for n in range(1000)}),
    type("N" * 100_000, (), {})(),
]


@pytest.mark.parametrize("value", BIG, ids=lambda value: type(value).__name__[:20])
def test_size_is_bounded(value: object) -> None:
    assert len(json.dumps(picture(value))) < NODES * 300


def test_true_lengths_are_told() -> None:
    assert picture(list(range(1_000_000)))["n"] == 1_000_000
    assert picture("x" * 5_000_000) == {"t": "str", "n": 5_000_000, "r": "x" * 240}


def test_values_that_contain_themselves() -> None:
    own: list[Any] = []
    own.append(own)
    assert picture(own) == {"t": "list", "n": 1, "i": [{"t": "list", "r": "…"}]}
    ring: dict[str, Any] = {}
    ring["ring"] = [ring]
    assert "…" in str(picture(ring))


def test_all_pictures_of_a_step_share_a_bound() -> None:
    painter = Painter(500)
    sizes = [len(json.dumps(painter([list(range(20))] * 20))) for _ in range(10)]
    assert sizes[0] > 500
    assert sizes[-1] < 50


def test_locals_of_a_class_body_with_a_mapping_of_its_own_are_left_alone() -> None:
    found: list[Any] = []

    class Space(collections.UserDict[str, Any]):
        items = keys = values = boom  # type: ignore[assignment]

    class Preparing(type):
        @classmethod
        def __prepare__(cls, name: str, bases: Any) -> Any:  # type: ignore[override]
            return Space()

        def __new__(cls, name: str, bases: Any, space: Any) -> Any:
            return type.__new__(cls, name, bases, {})

    def look() -> None:
        found.append(user_locals(sys._getframe(1), picture))

    class Body(metaclass=Preparing):
        x = 1
        look()

    assert found == [[]]


def test_a_module_shows_its_values_and_not_its_definitions() -> None:
    code = "import json, sys\nvalue = 3\nclass C: pass\ndef f(): pass\nodd = Odd()\nfound = look(sys._getframe())\n"
    space: dict[str, Any] = {"look": lambda frame: user_locals(frame, picture)}
    space["Odd"] = type("Odd", (), {"__class__": property(boom)})
    exec(code, space)
    assert [name for name, _ in space["found"]] == ["value", "odd"]
