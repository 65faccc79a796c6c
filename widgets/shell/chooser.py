"""The overlay behind the command palette and quick open: a line to type in, and what fits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFocusEvent, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from engine_bridge.format import plain
from widgets import glyphs
from widgets.shell.fuzzy import ranked
from widgets.shell.label import label
from widgets.theme import font, theme

Index = QModelIndex | QPersistentModelIndex
_ROW: Final = 32
_SHOWN: Final = 12
_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose. ``value`` is the caller's; ``reason`` says why it cannot be chosen now; ``pinned`` ones
    are shown whatever is typed (they were found by it)."""

    title: str
    value: Any
    group: str = ""
    note: str = ""
    keys: str = ""
    reason: str = ""
    icon: str = ""
    pinned: bool = False


class _Model(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.rows: list[Choice] = []

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  Qt's own signature
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return plain(self.rows[index.row()].title)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            row = self.rows[index.row()]
            return " ".join(filter(None, (plain(row.title), row.note, row.keys, row.reason)))
        return None

    def set_rows(self, rows: list[Choice]) -> None:
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()


class _Delegate(QStyledItemDelegate):
    """Paints icon, title, note or reason, and keys."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        assert isinstance(model, _Model)  # noqa: S101  narrows for mypy: the list has no other model
        row, rect = model.rows[index.row()], QRect(option.rect)
        t = theme()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, t.color("selection"))
        faded = bool(row.reason)
        ratio = painter.device().devicePixelRatioF()
        image = glyphs.pixmap(row.icon or "right", t.tokens["muted"], 14, ratio)
        painter.drawPixmap(rect.left() + 12, rect.center().y() - 6, image)
        rect = rect.adjusted(36, 0, -12, 0)
        rect = self._right(painter, rect, row.keys or row.group, "muted")
        painter.setFont(font(13))
        painter.setPen(t.color("muted" if faded else "text"))
        width = painter.fontMetrics().horizontalAdvance(plain(row.title))
        self._left(painter, rect, plain(row.title))
        note = row.reason or row.note
        if note and rect.width() > width + 60:
            painter.setFont(font(12))
            painter.setPen(t.color("retrying" if faded else "muted"))
            self._left(painter, rect.adjusted(width + 12, 0, 0, 0), plain(note))

    @staticmethod
    def _left(painter: QPainter, rect: QRect, text: str) -> None:
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)

    @staticmethod
    def _right(painter: QPainter, rect: QRect, text: str, token: str) -> QRect:
        if not text:
            return rect
        painter.setFont(font(12))
        painter.setPen(theme().color(token))
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, text)
        return rect.adjusted(0, 0, -painter.fontMetrics().horizontalAdvance(text) - 16, 0)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(100, _ROW)


class _Line(QLineEdit):
    """The line; it takes the keys that move through the list before any shortcut does."""

    def __init__(self, chooser: Chooser) -> None:
        super().__init__(chooser)
        self._chooser = chooser

    def event(self, event: QEvent) -> bool:
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() in _KEYS
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._chooser.take_key(Qt.Key(event.key())):
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() not in (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason):
            self._chooser.close_overlay()


_STEPS: Final = {
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_PageUp: -_SHOWN,
    Qt.Key.Key_PageDown: _SHOWN,
}
_KEYS: Final = frozenset((*_STEPS, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape))


class Chooser(QFrame):
    """An overlay at the top of its window. ``chosen`` carries a Choice's value, ``refused`` why one cannot be chosen.

    ``typed`` carries the text, so that its owner can find more and hand it to ``set_choices``.
    """

    chosen = Signal(object)
    refused = Signal(str)
    typed = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._choices: list[Choice] = []
        self._host = parent
        self._before: QWidget | None = None
        self.line = _Line(self)
        self.line.setFont(font(13))
        self.line.textChanged.connect(self._on_typed)
        self._model = _Model(self)
        self.list = QListView(self)
        self.list.setModel(self._model)
        self._delegate = _Delegate(self.list)
        self.list.setItemDelegate(self._delegate)
        self.list.setUniformItemSizes(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName("Matches")
        self.list.clicked.connect(lambda index: self._choose(index.row()))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.line)
        layout.addWidget(self.list)
        self.nothing = label(color="muted")
        self.nothing.setContentsMargins(12, 0, 0, 0)
        self.nothing.setFixedHeight(_ROW)
        layout.addWidget(self.nothing)
        self.setObjectName("overlay")
        self.setAutoFillBackground(True)
        self.hide()

    @property
    def shown(self) -> list[Choice]:
        """What the list shows now, best first."""
        return list(self._model.rows)

    def open_overlay(
        self, placeholder: str, choices: Sequence[Choice], text: str = "", nothing: str = ""
    ) -> None:
        """Shows the overlay with focus in its line. ``nothing`` is told where none fits, for good."""
        self.nothing.setText(nothing)
        self._before = self.window().focusWidget()
        self.line.setPlaceholderText(placeholder)
        self.line.setAccessibleName(placeholder)
        self.line.setText(text)
        self.line.selectAll()
        self.set_choices(choices)
        self.show()
        self.raise_()
        self.line.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def close_overlay(self) -> None:
        """Hides the overlay and gives the focus back."""
        if not self.isVisible():
            return
        had_focus = self.line.hasFocus()
        self.hide()
        if had_focus and self._before is not None:
            self._before.setFocus(Qt.FocusReason.OtherFocusReason)

    def set_choices(self, choices: Sequence[Choice]) -> None:
        """Replaces what can be chosen; the selected one stays selected when it is still there."""
        selected = self._selected()
        self._choices = list(choices)
        self._filter(selected)

    def _selected(self) -> Choice | None:
        row = self.list.currentIndex().row()
        return self._model.rows[row] if 0 <= row < len(self._model.rows) and row > 0 else None

    def _on_typed(self, text: str) -> None:
        self._filter(None)
        self.typed.emit(text)

    def _filter(self, keep: Choice | None) -> None:
        text = self.line.text()
        pinned = [choice for choice in self._choices if choice.pinned]
        rows = pinned + ranked(
            text, [c for c in self._choices if not c.pinned], lambda c: f"{c.title} {c.group}"
        )
        self._model.set_rows(rows[:_LIMIT])
        silent = bool(rows) or not self.nothing.text()
        self.list.setVisible(silent)
        self.nothing.setVisible(not silent)
        at = rows.index(keep) if keep in rows[:_LIMIT] else 0
        self.list.setCurrentIndex(self._model.index(at, 0))
        self._place()

    def _place(self) -> None:
        parent = self._host
        width = min(680, parent.width() - 32)
        rows = max(1, min(_SHOWN, len(self._model.rows)))
        height = min(self.line.sizeHint().height() + 24 + rows * _ROW + 4, parent.height() - 64)
        self.setGeometry((parent.width() - width) // 2, 44, width, height)

    def take_key(self, key: Qt.Key) -> bool:
        """Handles a key of the line; false when it is the line's own."""
        if key in _STEPS:
            rows = len(self._model.rows)
            step = _STEPS[key]
            row = self.list.currentIndex().row() + step
            row = row % rows if rows and abs(step) == 1 else min(max(row, 0), rows - 1)
            self.list.setCurrentIndex(self._model.index(row, 0))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose(self.list.currentIndex().row())
        elif key == Qt.Key.Key_Escape:
            self.close_overlay()
        else:
            return False
        return True

    def _choose(self, row: int) -> None:
        if not 0 <= row < len(self._model.rows):
            return
        choice = self._model.rows[row]
        if choice.reason:
            self.refused.emit(f"{choice.title}: {choice.reason}")
            return
        self.close_overlay()
        self.chosen.emit(choice.value)
