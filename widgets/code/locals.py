"""Locals at a step as flat rows that open and close, each with what changed since the step before. Pure; no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from engine_bridge.format import count
from engine_bridge.replay.model import Picture
from widgets.code.pictures import MISSING, changed, children, secret_name, unrecorded, words

Path = tuple[str, ...]
AUTO_ROWS: Final = 40  # values open by themselves while all rows together are no more than this
_AUTO_PARTS: Final = 12


@dataclass(slots=True, eq=False)
class Row:
    """One visible line. ``change`` is as of :func:`changed`; ``before`` what the value was; ``note`` stands for parts
    that were not recorded."""

    path: Path
    value: Picture
    before: Picture
    depth: int
    change: str
    secret: str = ""
    expandable: bool = False
    expanded: bool = False
    note: str = ""
    _words: dict[bool, tuple[str, str]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.path[-1] if self.path else ""

    def text(self, *, reveal: bool = False) -> tuple[str, str]:
        """Words and theme token."""
        if reveal not in self._words:
            found = words(self.value, self.secret, reveal=reveal)
            self._words[reveal] = (self.note, "muted") if self.note else found
        return self._words[reveal]

    def was(self, *, reveal: bool = False) -> str:
        """The value before, in words; "" when it is as it was."""
        if self.change in ("", "inside"):
            return ""
        return words(self.before, self.secret, reveal=reveal)[0]


class Locals:
    """Rows in the order shown. What the user opened or closed stays so from step to step."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._now: dict[str, Picture] = {}
        self._before: Mapping[str, Picture] | None = None
        self._wish: dict[Path, bool] = {}

    def show(self, now: Mapping[str, Picture], before: Mapping[str, Picture] | None) -> None:
        """Another step; ``before`` None: nothing is known of the step before, so nothing is marked."""
        self._now, self._before = dict(now), before
        self._build()

    def toggle(self, index: int) -> None:
        """Opens a closed row and closes an open one."""
        row = self.rows[index]
        if row.expandable:
            self._wish[row.path] = not row.expanded
            self._build()

    def parent(self, index: int) -> int:
        """The index of the row that holds a row; -1 at the top."""
        path = self.rows[index].path[:-1]
        return next((i for i in range(index, -1, -1) if self.rows[i].path == path), -1)

    @property
    def changes(self) -> int:
        """How many locals are not as they were."""
        return sum(1 for row in self.rows if row.depth == 0 and row.change)

    def _build(self) -> None:
        before = self._now if self._before is None else self._before
        gone = [name for name in before if name not in self._now]
        top = [
            self._row((name,), self._now.get(name, MISSING), before.get(name, MISSING), "")
            for name in [*self._now, *gone]
        ]
        room = AUTO_ROWS - len(top)
        self.rows = []
        for row in top:
            room = self._add(row, room)

    def _row(self, path: Path, value: Picture, before: Picture, inherited: str) -> Row:
        secret = secret_name(path[-1], inherited)
        return Row(path, value, before, len(path) - 1, changed(value, before), secret, bool(children(value)))

    def _add(self, row: Row, room: int) -> int:
        self.rows.append(row)
        if not row.expandable:
            return room
        parts = children(row.value)
        wish = self._wish.get(row.path)
        fits = row.depth < 2 and len(parts) <= min(room, _AUTO_PARTS)
        row.expanded = (fits or row.change == "inside") if wish is None else wish
        if not row.expanded:
            return room
        room -= len(parts)
        was: Any = dict(children(row.before)) if row.change != "new" else None
        for key, part in parts:
            then = part if was is None else was.get(key, MISSING)
            room = self._add(self._row((*row.path, key), part, then, row.secret), room)
        if more := unrecorded(row.value):
            words_ = f"… {count(more)} more, not recorded"
            self.rows.append(Row((*row.path, ""), MISSING, MISSING, row.depth + 1, "", note=words_))
        return room


def named(pairs: tuple[tuple[str, Picture], ...]) -> dict[str, Picture]:
    """Locals of a frame by name."""
    return dict(pairs)
