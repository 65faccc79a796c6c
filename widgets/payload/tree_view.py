"""The tree of a payload as a flat table with indents: arrows, Left and Right open and close. GUI thread."""

from __future__ import annotations

from typing import Any, cast

from PySide6.QtCore import QAbstractTableModel, QEvent, QModelIndex, QPersistentModelIndex, QPoint, QSize, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from widgets.payload.tree import Row, Tree, copy_text, words_of
from widgets.theme import font, theme

_ROW = 20
_INDENT = 16
_LEFT = 6
_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_DISPLAY = int(Qt.ItemDataRole.DisplayRole)
_CENTER = int(Qt.AlignmentFlag.AlignVCenter)


class TreeModel(QAbstractTableModel):
    """Visible rows of a tree, in one column."""

    def __init__(self) -> None:
        super().__init__()
        self.tree: Tree | None = None

    def set_value(self, value: Any, *, present: bool = True) -> None:
        """Shows another payload; ``present`` False: none at all."""
        self.beginResetModel()
        self.tree = Tree(value) if present else None
        self.endResetModel()

    def row(self, index: int) -> Row | None:
        rows = self.tree.rows if self.tree is not None else []
        return rows[index] if 0 <= index < len(rows) else None

    def open(self, index: int) -> None:
        """Opens a row, or lists more children."""
        if self.tree is None:
            return
        # The count is known only afterwards, and listing more replaces a row.
        self.layoutAboutToBeChanged.emit()
        self.tree.open(index)
        self.layoutChanged.emit()

    def close(self, index: int) -> None:
        if self.tree is None:
            return
        self.layoutAboutToBeChanged.emit()
        self.tree.close(index)
        self.layoutChanged.emit()

    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() or self.tree is None else len(self.tree.rows)

    def columnCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else 1

    def data(self, index: _Index, role: int = _DISPLAY) -> Any:
        row = self.row(index.row())
        if role != _DISPLAY or row is None:
            return None
        words = words_of(row)[0]
        return f"{row.key}: {words}" if row.key else words


class _Delegate(QStyledItemDelegate):
    def __init__(self, model: TreeModel) -> None:
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
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, t.color("selection"))
        painter.setFont(self._font)
        left = rect.left() + _LEFT + row.depth * _INDENT
        if row.expandable:
            painter.setPen(t.color("muted"))
            painter.drawText(left, rect.top(), _INDENT, rect.height(), _CENTER, "▾" if row.expanded else "▸")
        x = left + _INDENT
        metrics = painter.fontMetrics()
        if row.key:
            painter.setPen(t.color("signal"))
            key = metrics.elidedText(f"{row.key}: ", Qt.TextElideMode.ElideMiddle, rect.width() // 2)
            painter.drawText(x, rect.top(), rect.width(), rect.height(), _CENTER, key)
            x += metrics.horizontalAdvance(key)
        words, token = words_of(row)
        painter.setPen(t.color(token))
        shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, max(0, rect.right() - x - 4))
        painter.drawText(x, rect.top(), rect.width(), rect.height(), _CENTER, shown)
        painter.restore()


class TreeView(QTableView):
    """Shows a TreeModel. Enter or a click on an arrow opens and closes; the menu copies."""

    def __init__(self) -> None:
        super().__init__()
        self.tree_model = TreeModel()
        self._delegate = _Delegate(self.tree_model)
        self.setModel(self.tree_model)
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
        self.setAccessibleName("Payload tree")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu)
        self.doubleClicked.connect(lambda index: self.toggle(index.row()))

    def toggle(self, index: int) -> None:
        """Opens a closed row and closes an open one."""
        row = self.tree_model.row(index)
        if row is None:
            return
        if row.expanded:
            self.tree_model.close(index)
        else:
            self.tree_model.open(index)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        index = self.indexAt(event.position().toPoint())
        row = self.tree_model.row(index.row()) if index.isValid() else None
        if row is None:
            return
        arrow = _LEFT + row.depth * _INDENT
        if row.more or (row.expandable and arrow <= event.position().x() <= arrow + _INDENT):
            self.toggle(index.row())

    def event(self, event: QEvent) -> bool:
        # Home and End move the playhead on the page, but the current row here.
        override = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if override and cast(QKeyEvent, event).key() in (Qt.Key.Key_Home, Qt.Key.Key_End):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        here = self.currentIndex().row()
        row = self.tree_model.row(here)
        if row is None:
            super().keyPressEvent(event)
        elif event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(copy_text(row.value))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.toggle(here)
        elif event.key() == Qt.Key.Key_Right and not row.expanded:
            self.tree_model.open(here)
        elif event.key() == Qt.Key.Key_Left:
            self._leave(here, row)
        else:
            super().keyPressEvent(event)

    def _leave(self, here: int, row: Row) -> None:
        if row.expanded:
            self.tree_model.close(here)
        elif self.tree_model.tree is not None and row.parent is not None:
            self.setCurrentIndex(self.tree_model.index(self.tree_model.tree.parent(here), 0))

    def _on_menu(self, at: QPoint) -> None:
        row = self.tree_model.row(self.rowAt(at.y()))
        if row is not None and not row.more:
            menu = self.menu(row)
            menu.exec(self.viewport().mapToGlobal(at))
            menu.deleteLater()

    def menu(self, row: Row) -> QMenu:
        """What a row offers."""
        menu = QMenu(self)
        clipboard = QGuiApplication.clipboard()
        menu.addAction("Copy value").triggered.connect(lambda: clipboard.setText(copy_text(row.value)))
        menu.addAction("Copy path").triggered.connect(lambda: clipboard.setText(row.path))
        if row.key:
            menu.addAction("Copy key").triggered.connect(lambda: clipboard.setText(row.key))
        return menu
