"""The table view of a paged model: keys, header sorting, visible range, hover, cell menu."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from widgets.table.columns import fitted
from widgets.table.model import PagedModel
from widgets.table.painting import RowPainter, Section
from widgets.theme import ROW

_AHEAD = 100  # rows fetched beyond the visible ones, so that the wheel meets no placeholder


class PagedView(QTableView):
    """Shows a PagedModel. GUI thread.

    ``opened`` carries the item of Enter or a double click; ``menu_requested`` the global point at which a menu of the
    current cell is wanted; ``sort_requested`` a column number.
    """

    opened = Signal(object)
    menu_requested = Signal(object)
    sort_requested = Signal(object)
    selection_moved = Signal()
    current_moved = Signal()

    def __init__(self, model: PagedModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.paged = model
        self._hover_row = -1
        self._fitting = False
        self._wanted: dict[str, int] = {}  # widths that the user gave, by column id
        self.setModel(model)
        self._configure()
        self._configure_header()
        self._look = QTimer(self)
        self._look.setSingleShot(True)
        self._look.setInterval(0)
        self._look.timeout.connect(self._looked)
        self.verticalScrollBar().valueChanged.connect(self._schedule)
        model.rowsInserted.connect(self._schedule)
        model.modelReset.connect(self._schedule)
        self.selectionModel().currentChanged.connect(lambda *_: self.current_moved.emit())
        model.modelReset.connect(self.current_moved)
        self.selectionModel().selectionChanged.connect(lambda *_: self.selection_moved.emit())

    def _configure(self) -> None:
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.doubleClicked.connect(self._open)

    def _configure_header(self) -> None:
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsMovable(True)
        header.setSectionsClickable(True)
        header.setMinimumSectionSize(48)
        header.sectionClicked.connect(lambda column: self.sort_requested.emit(column))
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.sectionResized.connect(self._on_section_resized)
        self.lay_out_columns()

    def lay_out_columns(self) -> None:
        """Gives every column of the model its width; called again when the model has other columns."""
        for number, column in enumerate(self.paged.columns):
            self.setColumnHidden(number, column.hidden)
        self.fit_columns()

    def fit_columns(self) -> None:
        """Shares the width out: flexible columns give way before the widest one becomes too narrow to read."""
        columns = self.paged.columns
        shown = [n for n in range(len(columns)) if not self.isColumnHidden(n)]
        wanted = [self._wanted.get(column.id, column.width) for column in columns]
        widths = fitted(columns, wanted, shown, self.viewport().width())
        self._fitting = True
        for number, width in widths.items():
            self.setColumnWidth(number, width)
        self._fitting = False

    def _on_section_resized(self, number: int, old: int, new: int) -> None:
        # A column that is shown again comes back in a width of Qt's, not of the user's.
        if not self._fitting and old > 0 and new > 0 and number < len(self.paged.columns):
            self._wanted[self.paged.columns[number].id] = new

    @property
    def visible_rows(self) -> tuple[int, int]:
        """First and last table row in sight; last < first when there is none."""
        rows = self.paged.rowCount()
        first = max(0, self.rowAt(0))
        last = self.rowAt(self.viewport().height() - 1)
        return first, rows - 1 if last < 0 else last

    def visible_refs(self) -> tuple[Any, ...]:
        """Refs of the rows in sight that are at hand."""
        first, last = self.visible_rows
        items = (self.paged.item(row) for row in range(first, last + 1))
        return tuple(item.ref for item in items if item is not None)

    @property
    def at_top(self) -> bool:
        return self.verticalScrollBar().value() == 0

    @property
    def current_item(self) -> Any:
        """The item of the current cell, None when there is none."""
        index = self.currentIndex()
        return self.paged.item(index.row()) if index.isValid() else None

    @property
    def selected_count(self) -> int:
        """Selected rows, at hand or not."""
        return sum(r.bottom() - r.top() + 1 for r in self.selectionModel().selection().toList())

    def selected_items(self) -> list[Any]:
        """Selected items that are at hand, top to bottom; placeholders have none yet."""
        ranges = [(r.top(), r.bottom()) for r in self.selectionModel().selection().toList()]
        held = self.paged.blocks.loaded()
        chosen = [(row, item) for row, item in held if any(top <= row <= bottom for top, bottom in ranges)]
        return [item for _, item in sorted(chosen, key=lambda pair: pair[0])]

    def select_rows(self, rows: list[int]) -> None:
        """Selects exactly these rows."""
        chosen = QItemSelection()
        for row in rows:
            chosen.select(self.paged.index(row, 0), self.paged.index(row, 0))
        flags = QItemSelectionModel.SelectionFlag
        self.selectionModel().select(chosen, flags.ClearAndSelect | flags.Rows)

    def scroll_to_row(self, row: int) -> None:
        """Makes a row current and visible."""
        self.updateGeometries()  # rows may have come since the scroll bar was told how many there are
        index = self.paged.index(row, max(0, self.currentIndex().column()))
        self.setCurrentIndex(index)

    def _schedule(self, *_: object) -> None:
        self._look.start()

    def _looked(self) -> None:
        first, last = self.visible_rows
        if last >= first:
            self.paged.want(max(0, first - _AHEAD), last + _AHEAD)

    def _open(self, index: QModelIndex) -> None:
        item = self.paged.item(index.row())
        if item is not None:
            self.opened.emit(item)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        # The keyboard's menu belongs to the current cell, the mouse's to the one under it.
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            index = self.currentIndex()
            corner = self.viewport().mapToGlobal(self.visualRect(index).bottomLeft())
        else:
            index, corner = self.indexAt(event.pos()), event.globalPos()
        if index.isValid() and self.paged.item(index.row()) is not None:
            self.menu_requested.emit(corner)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self._open(self.currentIndex())
            return
        if key in (Qt.Key.Key_Home, Qt.Key.Key_End) and self.paged.rowCount():
            self._jump(0 if key == Qt.Key.Key_Home else self.paged.rowCount() - 1)
            return
        if key == Qt.Key.Key_Escape and self.selectionModel().hasSelection():
            self.clearSelection()
            return
        super().keyPressEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """Type-ahead would walk millions of rows; the filter bar is for that."""

    def _jump(self, row: int) -> None:
        self.scroll_to_row(row)
        self.selectRow(row)

    def paintEvent(self, event: QPaintEvent) -> None:
        first, last = self.visible_rows
        chosen = self.selectionModel()
        current = self.currentIndex() if self.hasFocus() else QModelIndex()
        with QPainter(self.viewport()) as painter:
            rows = RowPainter(painter, self._sections(), self.paged.clock)
            for row in range(first, last + 1):
                selected = chosen.isRowSelected(row, QModelIndex())
                background = "selection" if selected else "raised" if row == self._hover_row else ""
                column = current.column() if row == current.row() else -1
                rows.row(row, self.rowViewportPosition(row), self.paged.item(row), background, column)

    def _sections(self) -> list[Section]:
        header = self.horizontalHeader()
        return [
            Section(number, column, header.sectionViewportPosition(number), header.sectionSize(number))
            for number, column in enumerate(self.paged.columns)
            if not header.isSectionHidden(number)
        ]

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hover(self.rowAt(event.position().toPoint().y()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def _hover(self, row: int) -> None:
        if row != self._hover_row:
            self._hover_row = row
            self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit_columns()
        self._schedule()
