"""The locals of a frame as a tree in a flat table, with marks on what changed. GUI thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from engine_bridge.format import plain
from engine_bridge.replay.model import Picture
from widgets.code.locals import Locals, Row
from widgets.run.labels import tip
from widgets.theme import Theme, font, theme

_ROW: Final = 20
_INDENT: Final = 14
_LEFT: Final = 18  # px, room for the mark of a change
_Index = QModelIndex | QPersistentModelIndex
_ROOT: Final = QModelIndex()
_DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
_TOOLTIP: Final = int(Qt.ItemDataRole.ToolTipRole)
_ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)
_CENTER: Final = int(Qt.AlignmentFlag.AlignVCenter)
SIGNS: Final = {"new": "+", "changed": "●", "inside": "◦", "gone": "−"}
"""What stands before a row that is not as it was."""


class LocalsModel(QAbstractTableModel):
    """Visible rows in one column."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = Locals()
        self.reveal = False

    def show(self, now: Mapping[str, Picture], before: Mapping[str, Picture] | None) -> None:
        """Another step's locals."""
        self.beginResetModel()
        self.tree.show(now, before)
        self.endResetModel()

    def toggle(self, index: int) -> None:
        """Opens or closes a row."""
        self.layoutAboutToBeChanged.emit()
        self.tree.toggle(index)
        self.layoutChanged.emit()

    def row(self, index: int) -> Row | None:
        return self.tree.rows[index] if 0 <= index < len(self.tree.rows) else None

    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.tree.rows)

    def columnCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else 1

    def data(self, index: _Index, role: int = _DISPLAY) -> Any:
        row = self.row(index.row())
        if row is None or role not in (_DISPLAY, _TOOLTIP, _ACCESSIBLE):
            return None
        if role == _TOOLTIP:
            return tip(self.words(row, was=True))
        return self.words(row, was=role == _ACCESSIBLE)

    def words(self, row: Row, *, was: bool) -> str:
        """ "order: Order[3]", with how it changed where that is asked for."""
        text = row.text(reveal=self.reveal)[0]
        line = f"{plain(row.key, 120)}: {text}" if row.key else text
        if was and row.change == "new":
            line += "  (new)"
        elif was and (before := row.was(reveal=self.reveal)):
            line += f"  (was {before})"
        return line


class _Delegate(QStyledItemDelegate):
    def __init__(self, model: LocalsModel) -> None:
        super().__init__()
        self._model = model
        self._font = font(12, code=True)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(100, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row = self._model.row(index.row())
        if row is None:
            return
        rect, t = option.rect, theme()
        painter.save()
        painter.setFont(self._font)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, t.color("selection"))
        elif row.change in ("new", "changed", "gone"):
            painter.fillRect(rect, t.fill("playhead", 0.18))
        self._paint_row(painter, t, rect, row)
        painter.restore()

    def _paint_row(self, p: QPainter, t: Theme, rect: QRect, row: Row) -> None:
        def words(x: int, text: str, token: str, room: int) -> int:
            p.setPen(t.color(token))
            shown = p.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, max(0, room))
            p.drawText(x, rect.top(), max(0, room), rect.height(), _CENTER, shown)
            return p.fontMetrics().horizontalAdvance(shown)

        if row.change:
            words(rect.left() + 5, SIGNS[row.change], "playhead", _LEFT)
        x = rect.left() + _LEFT + row.depth * _INDENT
        if row.expandable:
            words(x, "▾" if row.expanded else "▸", "muted", _INDENT)
        x += _INDENT
        if row.key:
            x += words(x, f"{plain(row.key, 120)}: ", "signal", rect.width() * 2 // 3)
        text, token = row.text(reveal=self._model.reveal)
        words(x, text, token, rect.right() - x - 4)


class LocalsView(QTableView):
    """Enter, Left, Right or a click on an arrow open and close; the menu copies."""

    def __init__(self) -> None:
        super().__init__()
        self.locals_model = LocalsModel()
        self._delegate = _Delegate(self.locals_model)
        self.setModel(self.locals_model)
        self.setItemDelegate(self._delegate)
        self.horizontalHeader().hide()
        self.horizontalHeader().setStretchLastSection(True)
        self.verticalHeader().hide()
        self.verticalHeader().setMinimumSectionSize(_ROW)
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Locals")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu)
        self.doubleClicked.connect(lambda index: self.locals_model.toggle(index.row()))

    def show_locals(self, now: Mapping[str, Picture], before: Mapping[str, Picture] | None) -> None:
        """Another step's locals; scroll and selection stay where they are."""
        bar = self.verticalScrollBar()
        at = bar.value()
        self.locals_model.show(now, before)
        bar.setValue(at)

    def set_reveal(self, on: bool) -> None:
        """Shows or masks what looks like a secret."""
        self.locals_model.reveal = on
        self.viewport().update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        index = self.indexAt(event.position().toPoint())
        row = self.locals_model.row(index.row()) if index.isValid() else None
        if row is None:
            return
        arrow = _LEFT + row.depth * _INDENT
        if row.expandable and arrow <= event.position().x() <= arrow + _INDENT:
            self.locals_model.toggle(index.row())

    def event(self, event: QEvent) -> bool:
        # Home and End move the playhead on the page, but the current row here.
        override = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if override and cast(QKeyEvent, event).key() in (Qt.Key.Key_Home, Qt.Key.Key_End):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        here = self.currentIndex().row()
        row, model = self.locals_model.row(here), self.locals_model
        key = event.key()
        if row is None:
            super().keyPressEvent(event)
        elif event.matches(QKeySequence.StandardKey.Copy):
            self._copy(model.words(row, was=False))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) or (
            row.expandable and key == (Qt.Key.Key_Left if row.expanded else Qt.Key.Key_Right)
        ):
            model.toggle(here)
        elif key == Qt.Key.Key_Left and (parent := model.tree.parent(here)) >= 0:
            self.setCurrentIndex(model.index(parent, 0))
        else:
            super().keyPressEvent(event)

    @staticmethod
    def _copy(text: str) -> None:
        QGuiApplication.clipboard().setText(text)

    def _on_menu(self, at: QPoint) -> None:
        row = self.locals_model.row(self.rowAt(at.y()))
        if row is not None:
            menu = self.menu(row)
            menu.exec(self.viewport().mapToGlobal(at))
            menu.deleteLater()

    def menu(self, row: Row) -> QMenu:
        """What a row offers."""
        menu, reveal = QMenu(self), self.locals_model.reveal
        menu.addAction("Copy value").triggered.connect(lambda: self._copy(row.text(reveal=reveal)[0]))
        menu.addAction("Copy path").triggered.connect(lambda: self._copy(".".join(row.path)))
        if was := row.was(reveal=reveal):
            menu.addAction("Copy the value before").triggered.connect(lambda: self._copy(was))
        return menu
