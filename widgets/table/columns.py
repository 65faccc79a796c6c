"""What a column of a paged table shows, and in which style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Literal

Kind = Literal["text", "muted", "warning", "link"]


@dataclass(slots=True)
class Clock:
    """What times are shown against: the engine's now (nanoseconds UTC) and the chosen zone (None: local)."""

    now_ns: int = 0
    zone: tzinfo | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``text`` is what the cell shows, ``full`` what tooltip and copy give (``text`` when None).

    ``field`` names the filter field behind it, "" for none; ``value`` gives that field's value of an item.
    ``state`` gives the status whose glyph and colour the cell carries. ``live`` cells change while time passes.
    """

    id: str
    title: str
    text: Callable[[Any, Clock], str]
    width: int = 100
    kind: Kind = "text"
    code: bool = False
    right: bool = False
    stretch: bool = False
    hidden: bool = False
    live: bool = False
    field: str = ""
    value: Callable[[Any], Any] | None = None
    full: Callable[[Any, Clock], str] | None = None
    state: Callable[[Any], str] | None = None
    doc: str = ""

    def whole(self, item: Any, clock: Clock) -> str:
        """The cell's full text, for tooltip and copy."""
        return (self.full or self.text)(item, clock)


def row_text(columns: Sequence[Column], item: Any, clock: Clock) -> str:
    """A row as tab-separated text, for the clipboard."""
    return "\t".join(column.whole(item, clock) for column in columns)
