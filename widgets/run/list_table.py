"""A small flat table whose cells are made as they are seen: failures and relations. GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import (
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from widgets import glyphs
from widgets.run.labels import draw_glyph, tip
from widgets.theme import ROW, font, theme

_MEASURED = 60  # rows whose texts tell how wide their columns should be
_PADDING = 18  # px beside a cell's text
_GLYPH = 20  # px of a state's glyph and the gap after it
_LONGEST = 200  # characters of a text that are measured
_GROWS = 3  # times its width that a column takes at most: one endless name leaves the others their room
_NARROW = 96  # px that a column has at least, if it needs them
_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_DISPLAY = int(Qt.ItemDataRole.DisplayRole)
_TOOLTIP = int(Qt.ItemDataRole.ToolTipRole)
_CENTER = int(Qt.AlignmentFlag.AlignVCenter)


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell shows; ``status`` puts a state's glyph first, ``tooltip`` is the exact or whole value.

    ``glyph`` is drawn instead of the state's own.
    """

    text: str
    status: str = ""
    code: bool = False
    tone: str = "text"
    tooltip: str = ""
    glyph: str = ""


class ListModel(QAbstractTableModel):
    """``cells`` makes the cells of a row; nothing is kept."""

    def __init__(self, titles: tuple[str, ...]) -> None:
        super().__init__()
        self._titles = titles
        self._count = 0
        self._cells: Callable[[int], tuple[Cell, ...]] = lambda row: ()
        self._last: tuple[int, tuple[Cell, ...]] = (-1, ())

    def set_rows(self, count: int, cells: Callable[[int], tuple[Cell, ...]]) -> None:
        """Replaces all rows; when only some came at the end, what is shown stays where it is."""
        self._last = (-1, ())
        if count > self._count > 0:
            self.beginInsertRows(QModelIndex(), self._count, count - 1)
            self._count, self._cells = count, cells
            self.endInsertRows()
            return
        self.beginResetModel()
        self._count, self._cells = count, cells
        self.endResetModel()

    def renew(self, cells: Callable[[int], tuple[Cell, ...]]) -> None:
        """The same rows say something else now; what is chosen stays chosen."""
        self._last, self._cells = (-1, ()), cells
        if self._count:
            self.dataChanged.emit(self.index(0, 0), self.index(self._count - 1, len(self._titles) - 1))

    def cell(self, row: int, column: int) -> Cell:
        if self._last[0] != row:
            self._last = (row, self._cells(row))
        return self._last[1][column]

    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else self._count

    def columnCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._titles)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _DISPLAY) -> Any:
        if role == _DISPLAY and orientation == Qt.Orientation.Horizontal:
            return self._titles[section]
        return None

    def data(self, index: _Index, role: int = _DISPLAY) -> Any:
        if role == _DISPLAY:
            return self.cell(index.row(), index.column()).text
        if role == _TOOLTIP:
            cell = self.cell(index.row(), index.column())
            return tip(cell.tooltip or cell.text)
        return None


class _Delegate(QStyledItemDelegate):
    def __init__(self, model: ListModel) -> None:
        super().__init__()
        self._model = model
        self._words, self._code = font(12), font(12, code=True)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(80, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        cell = self._model.cell(index.row(), index.column())
        rect, t = option.rect, theme()
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, t.color("selection"))
        inner = rect.adjusted(8, 0, -8, 0)
        if cell.status:
            color = t.state(cell.status).name()
            name = cell.glyph or glyphs.state_glyph(cell.status)
            draw_glyph(painter, name, color, inner.left(), inner.center().y() - 6, 13)
            inner = inner.adjusted(20, 0, 0, 0)
        painter.setFont(self._code if cell.code else self._words)
        painter.setPen(t.color(cell.tone))
        shown = painter.fontMetrics().elidedText(cell.text, Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(inner, _CENTER, shown)
        painter.restore()


class ListTable(QTableView):
    """``chosen`` carries the row that became current; ``opened`` that of Enter or a double click.

    ``widths`` are those of all columns but the last, or more where their texts need it; where room is short columns get
    what their texts need as far as it goes, and ``firm`` ones keep their widths.
    """

    chosen = Signal(int)
    opened = Signal(int)

    def __init__(
        self, name: str, titles: tuple[str, ...], widths: tuple[int, ...], firm: tuple[int, ...] = ()
    ) -> None:
        super().__init__()
        self.list_model = ListModel(titles)
        self._delegate = _Delegate(self.list_model)
        self.setModel(self.list_model)
        self.setItemDelegate(self._delegate)
        self.setAccessibleName(name)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW)
        header = self.horizontalHeader()
        header.setStretchLastSection(True)
        header.resizeSection(
            len(titles) - 1, header.minimumSectionSize()
        )  # else it never gets narrower than 100 px
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._widths, self._firm = widths, firm
        self._needs: dict[int, int] = {}
        self.list_model.modelReset.connect(self._measure)
        self.list_model.rowsInserted.connect(self._measure)
        self._placeholder = ""
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.clicked.connect(lambda index: self.chosen.emit(index.row()))
        self.doubleClicked.connect(lambda index: self.opened.emit(index.row()))

    def set_placeholder(self, text: str) -> None:
        """What stands in the middle of a table without rows."""
        self._placeholder = text
        self.setAccessibleDescription(text if not self.list_model.rowCount() else "")
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._placeholder and not self.list_model.rowCount():
            with QPainter(self.viewport()) as p:
                p.setFont(font(12))
                p.setPen(theme().color("muted"))
                flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
                p.drawText(self.viewport().rect().adjusted(16, 0, -16, 0), int(flags), self._placeholder)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()
        super().resizeEvent(event)

    def _measure(self) -> None:
        """What the texts of the first rows need, by column; empty tables keep what the last rows needed."""
        model, words, code = self.list_model, QFontMetrics(font(12)), QFontMetrics(font(12, code=True))
        rows = range(min(_MEASURED, model.rowCount()))
        if not rows:
            return
        for column in set(range(model.columnCount())).difference(self._firm):
            need = words.horizontalAdvance(str(model.headerData(column, Qt.Orientation.Horizontal)))
            for cell in (model.cell(row, column) for row in rows):
                wide = (code if cell.code else words).horizontalAdvance(cell.text[:_LONGEST])
                need = max(need, wide + (_GLYPH if cell.status else 0))
            most = _GROWS * self._widths[column] if column < len(self._widths) else need + _PADDING
            self._needs[column] = min(need + _PADDING, most)
        self._fit()

    def _fit(self) -> None:
        """Gives columns their widths; the last one is stretched over what is left, if anything is."""
        room = self.viewport().width() - sum(self._widths[column] for column in self._firm)
        last = len(self._widths)
        free = [column for column in range(last) if column not in self._firm]
        wanted = {column: max(self._widths[column], self._needs.get(column, 0)) for column in free}
        least = self._needs.get(last, _PADDING)
        if sum(wanted.values()) + least > room:
            needs = {column: self._needs.get(column, self._widths[column]) for column in free}
            wanted = _shared(needs | {last: least}, room)
        widths = [wanted.get(column, width) for column, width in enumerate((*self._widths, least))]
        self.horizontalHeader().setStretchLastSection(sum(widths) <= self.viewport().width())
        for column, width in enumerate(widths):
            self.setColumnWidth(column, width)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        before = self.currentIndex().row()
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.row_text(before))
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if before >= 0:
                self.opened.emit(before)
            return
        super().keyPressEvent(event)
        after = self.currentIndex().row()
        if after != before:
            self.chosen.emit(after)

    def row_text(self, row: int) -> str:
        """A row's cells, separated by tabs."""
        columns = range(self.list_model.columnCount())
        return "\t".join(self.list_model.cell(row, c).text for c in columns) if row >= 0 else ""


def _shared(needs: dict[int, int], room: int) -> dict[int, int]:
    """``room`` px shared out: who needs less than an equal share gets that, the others share the rest.

    None gets so little that nothing can be read: the table scrolls then.
    """
    given: dict[int, int] = {}
    for number, (column, need) in enumerate(sorted(needs.items(), key=lambda item: item[1])):
        given[column] = max(min(need, _NARROW), min(need, room // (len(needs) - number)))
        room -= given[column]
    return given
