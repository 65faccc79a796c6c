"""The paged table model: rows come when they are looked at; until then they are placeholders."""

from __future__ import annotations

import html
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from engine_bridge.bridge import Page
from widgets.table.blocks import Blocks, Fetch
from widgets.table.columns import Clock, Column

Index = QModelIndex | QPersistentModelIndex
_DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
_TOOLTIP: Final = int(Qt.ItemDataRole.ToolTipRole)
_ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)
_ALIGNMENT: Final = int(Qt.ItemDataRole.TextAlignmentRole)
_RIGHT: Final = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_ARROWS: Final = {True: " ↓", False: " ↑"}
_LEFT: Final = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


class PagedModel(QAbstractTableModel):
    """Rows of millions, of which a few thousand are held. GUI thread.

    ``wanted`` carries a list of Fetch that the owner reads and brings back through ``put``, or gives up
    through ``fail``.
    """

    wanted = Signal(object)
    unwanted = Signal(object)  # list of Fetch that nobody looks at any more

    def __init__(
        self, columns: Sequence[Column], key: Callable[[Any], Hashable], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.columns = tuple(columns)
        self.clock = Clock()
        self.blocks = Blocks(key)
        self.key = key
        self._rows = 0
        self._sorted: tuple[int, bool] | None = None

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  Qt's own default
        return 0 if parent.isValid() else self._rows

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  Qt's own default
        return 0 if parent.isValid() else len(self.columns)

    def item(self, row: int) -> Any:
        """The item of a row, None while it is a placeholder."""
        return self.blocks.item(row)

    def find(self, key: Hashable) -> Any:
        """The item of a key, None when it is not at hand."""
        row = self.blocks.row_of(key)
        return None if row is None else self.blocks.item(row)

    def data(self, index: Index, role: int = _DISPLAY) -> Any:
        if role in (_DISPLAY, _ACCESSIBLE):
            item = self.blocks.item(index.row())
            return "" if item is None else self.columns[index.column()].text(item, self.clock)
        if role == _TOOLTIP:
            return self._tooltip(index)
        if role == _ALIGNMENT:
            return _RIGHT if self.columns[index.column()].right else _LEFT
        return None

    def _tooltip(self, index: Index) -> str | None:
        item = self.blocks.item(index.row())
        if item is None:
            return None
        # Qt guesses whether a tooltip is rich text, so foreign text is escaped and declared as HTML.
        text = html.escape(self.columns[index.column()].whole(item, self.clock))
        return f"<span>{text}</span>" if text else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _DISPLAY) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == _DISPLAY:
            arrow = "" if self._sorted is None or self._sorted[0] != section else _ARROWS[self._sorted[1]]
            return column.title + arrow
        if role == _TOOLTIP:
            return column.doc or None
        if role == _ALIGNMENT:
            return _RIGHT if column.right else _LEFT
        return None

    def show_sort(self, column: int, descending: bool) -> None:
        """Puts the sort arrow into a column's title; -1 takes it away."""
        self._sorted = (column, descending) if column >= 0 else None
        if self.columns:
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self.columns) - 1)

    def start(self) -> None:
        """Empties the table and asks for the first page."""
        self.clear()
        self.wanted.emit([self.blocks.first()])

    def clear(self) -> None:
        """Empties the table."""
        self.beginResetModel()
        self.blocks.clear()
        self._rows = 0
        self.endResetModel()

    def restart(self, fetch: Fetch, page: Page) -> None:
        """Replaces everything by a first page that is already at hand, in one step."""
        self.beginResetModel()
        self.blocks.clear()
        self.blocks.put(fetch, page)
        self._rows = len(self.blocks)
        self.endResetModel()

    def show_all(self, items: Sequence[Any]) -> None:
        """Shows a list that is at hand as a whole; rows keep their place when only their content changed."""
        keys = [self.key(item) for item in items]
        if keys == [self.key(self.blocks.item(row)) for row in range(self._rows)]:
            self.update_items(items)
            return
        self.beginResetModel()
        self.blocks.fill(items)
        self._rows = len(items)
        self.endResetModel()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Other columns, and no rows."""
        self.beginResetModel()
        self.columns = tuple(columns)
        self.blocks.clear()
        self._rows = 0
        self.endResetModel()

    def want(self, first: int, last: int) -> None:
        """Rows ``first`` to ``last`` are, or will soon be, visible."""
        far = self.blocks.far(first, last)
        for fetch in far:
            self.blocks.give_up(fetch)
        if far:
            self.unwanted.emit(far)
        fetches = self.blocks.plan(first, last) if self._rows else []
        if fetches:
            self.wanted.emit(fetches)

    def put(self, fetch: Fetch, page: Page) -> None:
        """Takes in a page that was wanted."""
        first, end = self.blocks.put(fetch, page)
        self._resize()
        self._touch(first, end - 1)

    def fail(self, fetch: Fetch) -> None:
        """The page could not be read; scrolling there asks again."""
        self.blocks.give_up(fetch)

    def set_count(self, count: int) -> None:
        """The true length of the list, which arrives later than its first page."""
        self.blocks.set_count(count)
        self._resize()

    def set_anchors(self, cursors: Sequence[bytes], every: int, shift: int = 0) -> None:
        """Cursors that let the view jump anywhere."""
        self.blocks.set_anchors(cursors, every, shift)
        self._resize()

    def continue_scan(self) -> bool:
        """Goes on with a scan that stopped early; false when there is none."""
        fetch = self.blocks.continued()
        if fetch is not None:
            self.wanted.emit([fetch])
        return fetch is not None

    def update_items(self, items: Iterable[Any]) -> int:
        """Replaces items in place; how many were at hand. No row moves."""
        rows = [row for row in map(self.blocks.replace, items) if row is not None]
        for row in rows:
            self._touch(row, row)
        return len(rows)

    def prepend(self, items: Sequence[Any]) -> None:
        """Inserts new items at the very top."""
        self.beginInsertRows(QModelIndex(), 0, len(items) - 1)
        self.blocks.prepend(items)
        self._rows = len(self.blocks)
        self.endInsertRows()

    def tick(self, now_ns: int, first: int, last: int) -> None:
        """Time has passed: live cells of visible rows are painted again."""
        self.clock.now_ns = now_ns
        for number, column in enumerate(self.columns):
            if column.live and self._rows:
                self.dataChanged.emit(
                    self.index(first, number), self.index(min(last, self._rows - 1), number)
                )

    def _touch(self, first: int, last: int) -> None:
        last = min(last, self._rows - 1)
        if first <= last:
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(self.columns) - 1))

    def _resize(self) -> None:
        rows = len(self.blocks)
        if rows > self._rows:
            self.beginInsertRows(QModelIndex(), self._rows, rows - 1)
            self._rows = rows
            self.endInsertRows()
        elif rows < self._rows:
            self.beginRemoveRows(QModelIndex(), rows, self._rows - 1)
            self._rows = rows
            self.endRemoveRows()
