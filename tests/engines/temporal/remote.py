"""Bridges of servers as tests use them: in one child process that all of them share, as in a session.

The client may abort while an interpreter finalises, so no test process imports it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from engine_bridge.bridge import Bridge, load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.host import ProcessHost
from engine_bridge.model import Event, Step
from engine_bridge.session import Call
from tests.waiting import LIMIT_S


class Rooms:
    """Lives in the child: bridges by number."""

    concurrent = True

    def __init__(self) -> None:
        self._bridges: dict[int, Bridge] = {}

    def ready(self, cancel: CancelToken) -> None:
        """Answers once the child runs."""

    def make(self, number: int, url: str, secret: str | None, cancel: CancelToken) -> None:
        self._bridges[number] = load_engine("temporal").bridge(url, secret)

    def ask(self, number: int, method: str, args: tuple[Any, ...], cancel: CancelToken) -> Any:
        return getattr(self._bridges[number], method)(*args, cancel)

    def leave(self, number: int, cancel: CancelToken) -> None:
        self._bridges[number].close()

    def close(self) -> None:
        for bridge in self._bridges.values():
            bridge.close()


class Child:
    """The shared child process."""

    def __init__(self) -> None:
        self.host = ProcessHost(Rooms)
        self._numbers = itertools.count()
        self.call("ready", (), CancelToken())

    def bridge(self, url: str, secret: str | None = None) -> Remote:
        """An unopened bridge in the child."""
        return Remote(self, next(self._numbers), url, secret)

    def call(self, method: str, args: tuple[Any, ...], token: CancelToken, on_item: Any = None) -> Any:
        call = Call(method, token)
        self.host.start(call, args, on_item)
        return call.result(LIMIT_S)

    def close(self) -> None:
        self.host.close()


class _Remote(Bridge):
    engine = "temporal"

    def __init__(self, child: Child, number: int, url: str, secret: str | None) -> None:
        self._child, self._number = child, number
        child.call("make", (number, url, secret), CancelToken())

    def pass_on(self, method: str, *args: Any) -> Any:
        """One call of a method; its last argument is the token."""
        if method in _YIELD:
            return self._items(method, args)
        return self._child.call("ask", (self._number, method, args[:-1]), args[-1])

    def _items(self, method: str, args: tuple[Any, ...]) -> Iterator[Any]:
        items: list[Any] = []
        self._child.call("ask", (self._number, method, args[:-1]), args[-1], items.append)
        yield from items

    def close(self) -> None:
        self._child.call("leave", (self._number,), CancelToken())

    @staticmethod
    def decode_event(record: Any) -> Event:
        decode = load_engine("temporal").decode_event
        assert decode is not None
        return decode(record)

    @staticmethod
    def decode_step(record: Any) -> Step:
        decode = load_engine("temporal").decode_step
        assert decode is not None
        return decode(record)


_YIELD = ("history", "tail", "search")
_OWN = ("close", "decode_event", "decode_step")


def _passed_on(method: str) -> Any:
    return lambda self, *args: self.pass_on(method, *args)


Remote: Any = type(
    "Remote",
    (_Remote,),
    {
        name: _passed_on(name)
        for name, value in vars(Bridge).items()
        if callable(value) and not name.startswith("_") and name not in _OWN
    },
)
