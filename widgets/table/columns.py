"""What a column of a paged table shows, and in which style."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Final, Literal

Kind = Literal["text", "muted", "warning", "link"]


READABLE: Final = 210  # px that a stretching column gets before others keep their full width


@dataclass(slots=True)
class Clock:
    """What times are shown against: the engine's now (nanoseconds UTC; this machine's until it is known) and the
    chosen zone (None: local)."""

    now_ns: int = field(default_factory=time.time_ns)
    zone: tzinfo | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``text`` is what the cell shows, ``full`` what tooltip and copy give (``text`` when None).

    ``field`` names the filter field behind it, "" for none; ``value`` gives that field's value of an item.
    ``state`` gives the status whose glyph and colour the cell carries. ``least`` (px) is what the column
    may shrink to where room is short, 0 for not at all; ``stretch`` columns take what is left. ``live`` cells
    change while time passes. ``check`` columns show whether a row is selected; ``tone`` gives the theme token of an
    item's text; ``tail`` is what is staged for the item, written behind the text.
    """

    id: str
    title: str
    text: Callable[[Any, Clock], str]
    width: int = 100
    least: int = 0
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
    check: bool = False
    tone: Callable[[Any], str] | None = None
    tail: Callable[[Any], str] | None = None

    def whole(self, item: Any, clock: Clock) -> str:
        """The cell's full text, for tooltip and copy."""
        text = (self.full or self.text)(item, clock)
        tail = self.tail(item) if self.tail is not None else ""
        return f"{text} {tail}" if tail else text


def fitted(
    columns: Sequence[Column], wanted: Sequence[int], shown: Sequence[int], room: int
) -> dict[int, int]:
    """Widths of the shown columns in a viewport ``room`` px wide; more than it only when nothing can give way."""
    stretch = [n for n in shown if columns[n].stretch]
    widths = {n: min(wanted[n], READABLE) if n in stretch else wanted[n] for n in shown}
    short = sum(widths.values()) - room
    slack = {n: widths[n] - columns[n].least for n in shown if 0 < columns[n].least < widths[n]}
    share = min(1.0, short / sum(slack.values())) if short > 0 and slack else 0.0
    for n, most in slack.items():
        widths[n] -= round(most * share)
    left = room - sum(widths.values())
    if left < 0 and share < 1.0:  # what rounding took too little of
        widths[max(slack, key=lambda n: widths[n] - columns[n].least)] += left
    if stretch and left > 0:
        widths[stretch[0]] += left
    return widths


def row_text(columns: Sequence[Column], item: Any, clock: Clock) -> str:
    """A row as tab-separated text, for the clipboard."""
    return "\t".join(column.whole(item, clock) for column in columns)
