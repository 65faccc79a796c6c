"""The panel on the left: sources, the focused source's pages, saved views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QContextMenuEvent, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from engine_bridge.format import plain
from widgets.shell.label import plain_tooltip
from widgets.theme import RADIUS, font, theme

Index = QModelIndex | QPersistentModelIndex
_ROW: Final = 28
_HEADER: Final = 34

#: What stands before a source: a drawn dot, or a glyph, with its colour.
_STATES: Final = {
    "live": ("dot", "completed"),
    "closed": ("ring", "muted"),
    "opening": ("hourglass", "waiting"),
    "stale": ("warning", "retrying"),
    "failed": ("failed", "failed"),
}


class PanelRow(NamedTuple):
    """One row. ``kind`` is header, source, page, view or hint; ``value`` the caller's; ``current``: it is in the focus.

    ``state`` (of sources) is closed, opening, live, stale or failed; ``note`` stands at the right; ``reason`` says
    why the row cannot be opened now; ``warn`` draws the note in the colour of failures.
    """

    kind: str
    title: str
    value: Any = None
    note: str = ""
    state: str = ""
    current: bool = False
    reason: str = ""
    tooltip: str = ""
    warn: bool = False


class _Model(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.rows: list[PanelRow] = []

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  Qt's own signature
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return plain(row.title)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip("\n".join(filter(None, (row.tooltip or row.title, row.reason))))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(filter(None, (row.title, row.state, row.note, row.reason)))
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        inert = self.rows[index.row()].kind in ("header", "hint")
        return Qt.ItemFlag.NoItemFlags if inert else Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def set_rows(self, rows: list[PanelRow]) -> None:
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()


class _Delegate(QStyledItemDelegate):
    """Paints headers in small capitals, and rows with state, title and note."""

    def __init__(self, panel: SourcesPanel) -> None:
        super().__init__(panel)
        self._panel = panel

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        kind = _row(index).kind
        return QSize(80, _HEADER if kind == "header" else _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row, rect, t = _row(index), QRect(option.rect), theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if row.kind == "header":
            painter.setFont(font(11, bold=True))
            painter.setPen(t.color("muted"))
            _text(painter, rect.adjusted(16, 8, -12, 0), plain(row.title).upper(), Qt.AlignmentFlag.AlignLeft)
            return
        box = QRectF(rect.adjusted(8, 1, -8, -1))
        if row.current:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(t.color("selection"))
            painter.drawRoundedRect(box, RADIUS, RADIUS)
        if self._panel.hasFocus() and self._panel.currentIndex().row() == index.row():
            painter.setPen(t.color("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
        self._content(painter, row, rect.adjusted(18, 0, -18, 0))

    def _content(self, painter: QPainter, row: PanelRow, rect: QRect) -> None:
        t = theme()
        if row.kind == "source":
            _mark(painter, row.state, rect)
            rect = rect.adjusted(18, 0, 0, 0)
        painter.setFont(font(12))
        if row.note:
            note = painter.fontMetrics().elidedText(row.note, Qt.TextElideMode.ElideRight, rect.width() // 2)
            painter.setPen(t.color("failed" if row.warn else "muted"))
            _text(painter, rect, note, Qt.AlignmentFlag.AlignRight)
            rect = rect.adjusted(0, 0, -painter.fontMetrics().horizontalAdvance(note) - 8, 0)
        painter.setFont(font(12 if row.kind == "hint" else 13))
        quiet = row.kind == "hint" or row.reason or row.state == "closed"
        painter.setPen(t.color("muted" if quiet else "text"))
        _text(painter, rect, plain(row.title), Qt.AlignmentFlag.AlignLeft)


def _row(index: Index) -> PanelRow:
    model = index.model()
    assert isinstance(model, _Model)  # noqa: S101  narrows for mypy: the list has no other model
    return model.rows[index.row()]


def _text(painter: QPainter, rect: QRect, text: str, side: Qt.AlignmentFlag) -> None:
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, rect.width())
    painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter | side, shown)


def _mark(painter: QPainter, state: str, rect: QRect) -> None:
    shape, token = _STATES.get(state, ("ring", "muted"))
    color: QColor = theme().color(token)
    center = rect.center().y() + 1
    if shape in ("dot", "ring"):
        painter.setPen(QPen(color, 1.5))
        painter.setBrush(color if shape == "dot" else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QRectF(rect.left() + 1, center - 4, 8, 8))
    else:
        from widgets import glyphs  # the first paint has no sources yet

        ratio = painter.device().devicePixelRatioF()
        painter.drawPixmap(rect.left() - 1, center - 6, glyphs.pixmap(shape, color.name(), 12, ratio))


class SourcesPanel(QListView):
    """The list. ``activated_row`` and ``menu_requested`` (row, global point) carry PanelRows; F2 and Delete ask for
    ``rename_requested`` and ``remove_requested``."""

    activated_row = Signal(object)
    menu_requested = Signal(object, object)
    rename_requested = Signal(object)
    remove_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = _Model(self)
        self.setModel(self._model)
        self._delegate = _Delegate(self)
        self.setItemDelegate(self._delegate)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Sources")
        self.setMinimumWidth(140)
        self.clicked.connect(self._on_clicked)

    @property
    def rows(self) -> list[PanelRow]:
        return list(self._model.rows)

    def set_rows(self, rows: Sequence[PanelRow]) -> None:
        """Replaces the rows; the keyboard's place stays on the same thing."""
        if list(rows) == self._model.rows:
            return
        at = self.currentIndex().row()
        held = self._identity(at)
        self._model.set_rows(list(rows))
        again = next((i for i in range(len(rows)) if held is not None and self._identity(i) == held), -1)
        if again >= 0:
            self.setCurrentIndex(self._model.index(again, 0))

    def _identity(self, row: int) -> tuple[str, Any] | None:
        if not 0 <= row < len(self._model.rows):
            return None
        return self._model.rows[row].kind, self._model.rows[row].value

    def _on_clicked(self, index: QModelIndex) -> None:
        self.activated_row.emit(_row(index))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        point: QPoint = self.viewport().mapFromGlobal(event.globalPos())
        index = self.indexAt(point)
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            index = self.currentIndex()
            point = self.visualRect(index).center()
        row = _row(index) if index.isValid() else None
        self.menu_requested.emit(row, self.viewport().mapToGlobal(point))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        signal = {
            Qt.Key.Key_Return: self.activated_row,
            Qt.Key.Key_Enter: self.activated_row,
            Qt.Key.Key_Space: self.activated_row,
            Qt.Key.Key_F2: self.rename_requested,
            Qt.Key.Key_Delete: self.remove_requested,
        }.get(Qt.Key(event.key()))
        if signal is None or not index.isValid():
            super().keyPressEvent(event)
        else:
            signal.emit(_row(index))
