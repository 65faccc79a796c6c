"""The completion popup under the filter editor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtWidgets import QLineEdit, QListWidget, QListWidgetItem

from engine_bridge.format import plain
from widgets.theme import font, theme

if TYPE_CHECKING:
    from engine_bridge.query.complete import Completion
    from widgets.runs.filter_line import FilterLine

_SHOWN: Final = 10
_LIMIT: Final = 60
_ROW: Final = 24
_WIDTH: Final = 480
_KEYS: Final = frozenset({int(Qt.Key.Key_Down), int(Qt.Key.Key_Tab), int(Qt.Key.Key_Escape)})
_MOVING: Final = _KEYS | {int(Qt.Key.Key_Up), int(Qt.Key.Key_Return), int(Qt.Key.Key_Enter)}


class CompletionPopup(QListWidget):
    """A list that never takes the keyboard from its editor. ``accepted`` carries the Completion taken."""

    accepted = Signal(object)
    shown = Signal(bool)

    def __init__(self, line: FilterLine) -> None:
        super().__init__(line)
        self._line = line
        self._offers: list[Completion] = []
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFont(font(12, code=True))
        self.setAccessibleName("Completions")
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._tint()
        self.hide()
        line.popup_key.connect(self._key)
        self.itemClicked.connect(lambda item: self._take(self.row(item)))

    @property
    def offers(self) -> list[Completion]:
        """What is offered now, top to bottom."""
        return list(self._offers)

    def offer(self, completions: list[Completion]) -> None:
        """Shows completions under the editor's cursor; none closes the popup."""
        self._offers = completions[:_LIMIT]
        self.clear()
        if not self._offers:
            self.close_popup()
            return
        for completion in self._offers:
            item = QListWidgetItem(f"{plain(completion.label, 40):<18}  {plain(completion.doc, 80)}")
            item.setSizeHint(QSize(0, _ROW))
            self.addItem(item)
        self.setCurrentRow(-1)
        self._tint()
        self._place()
        self.show()
        self.raise_()
        self._line.popup_keys = _KEYS
        self.shown.emit(True)

    def close_popup(self) -> None:
        """Hides the popup and gives its keys back to the editor."""
        self.hide()
        self._line.popup_keys = frozenset()
        self.shown.emit(False)

    def _place(self) -> None:
        window = self._line.window()
        if self.parent() is not window:
            self.setParent(window)
        rows = min(_SHOWN, self.count())
        height = rows * _ROW + 2 * self.frameWidth()
        corner = self._line.mapTo(window, QPoint(_cursor_x(self._line), self._line.height() + 2))
        width = min(_WIDTH, window.width())
        x = max(0, min(corner.x(), window.width() - width))
        self.setGeometry(x, corner.y(), width, height)

    def _tint(self) -> None:
        tokens = theme().tokens
        self.setStyleSheet(
            f"QListWidget {{ background: {tokens['raised']}; border: 1px solid {tokens['line']}; }}"
            f" QListWidget::item:selected {{ background: {tokens['selection']}; color: {tokens['text']}; }}"
            " QListWidget::item { padding: 0 8px; }"
        )

    def _key(self, key: int) -> None:
        row = self.currentRow()
        if key == Qt.Key.Key_Escape:
            self.close_popup()
        elif key == Qt.Key.Key_Down:
            self._select(min(row + 1, self.count() - 1))
        elif key == Qt.Key.Key_Up:
            self._select(row - 1)
        else:
            self._take(max(0, row))

    def _select(self, row: int) -> None:
        self.setCurrentRow(row)
        self._line.popup_keys = _MOVING if row >= 0 else _KEYS

    def _take(self, row: int) -> None:
        chosen = self._offers[row]
        self.close_popup()
        self.accepted.emit(chosen)


def _cursor_x(line: QLineEdit) -> int:
    return line.cursorRect().left()
