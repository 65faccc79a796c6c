"""Runner part, and ours: local activities of a hypothetical end: asked for by the code, and known to no server yet."""

from __future__ import annotations

from typing import Any, NamedTuple


class Local(NamedTuple):
    """A local activity that the code waits for. ``cancels``: the code asked to cancel it; ``n``: its step."""

    seq: int
    name: str
    cancels: bool = False
    n: int = -1

    def named(self, script: Any) -> str:
        return f"local activity {self.name}"

    def called(self, script: Any) -> str:
        """As ``Thing.called``."""
        return self.name

    def known_by(self, script: Any) -> str:
        """As ``Thing.known_by``."""
        return str(self.seq)


class LocalEnd(NamedTuple):
    """How one ended: ``kind`` result, failure or cancelled; ``what`` is a payload, or a failure."""

    seq: int
    kind: str
    what: Any


class LocalMark:
    """A local activity of an answer that was given an end: its command, which activation brought the end, and when."""

    what, type, tells = "local_end", "", False

    def __init__(self, asked: Any, end: LocalEnd, index: int, time: Any) -> None:
        self.asked = asked
        self.end = end
        self.index = index
        self.time = time
        self.event: Any = None
