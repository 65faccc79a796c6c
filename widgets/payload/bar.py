"""The tools over a payload: how it is shown, find, reveal, more; in two rows where one is too short. GUI thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QHBoxLayout, QToolButton, QWidget

from widgets.run.find_box import FindBox
from widgets.run.labels import tip

_PAGES: Final = (("Tree", "Decoded values"), ("Text", "Decoded, as text"), ("Raw", "Bytes as stored"))
_GAP: Final = 4
_SIDE: Final = 8
_FIND: Final = 96  # px that are enough to see what is looked for


class PayloadBar(QWidget):
    """``pages`` is the group of the buttons Tree, Text and Raw. No button is ever cut short."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = QButtonGroup(self)
        self.pages.setExclusive(True)
        for index, (title, doc) in enumerate(_PAGES):
            self.pages.addButton(_button(title, doc, checkable=True), index)
        self.finder = FindBox("Find in payload")
        self.reveal = _button("Reveal", "Show values that look like secrets", checkable=True)
        self.menu = _button("More", "Copy or save this payload")
        first, second = [*self.pages.buttons()], [self.finder, self.reveal, self.menu]
        self._first, self._second = _row(first), _row(second)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(_SIDE, _GAP, _SIDE, _GAP)
        self._grid.setSpacing(_GAP)
        self._grid.setHorizontalSpacing(_SIDE)
        self._grid.setColumnStretch(1, 1)
        self._grid.addWidget(self._first, 0, 0)
        self._grid.addWidget(self._second, 0, 1)
        buttons = (*first, self.reveal, self.menu)
        for button in buttons:
            button.setMinimumWidth(button.sizeHint().width())
        tools = _FIND + 2 * _GAP + sum(button.minimumWidth() for button in (self.reveal, self.menu))
        pages = sum(button.minimumWidth() for button in first) + 2 * _GAP
        self._least, self._room = max(tools, pages) + 2 * _SIDE, tools + pages + 3 * _SIDE
        self._narrow = False

    def set_shown(self, shown: bool) -> None:
        """Shows all tools, or none where there is nothing to show."""
        self._first.setVisible(shown)
        self._second.setVisible(shown)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._least, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = self.width() < self._room
        if narrow != self._narrow:
            self._narrow = narrow
            self._grid.removeWidget(self._second)
            self._grid.addWidget(self._second, *((1, 0, 1, 2) if narrow else (0, 1)))


def _row(widgets: Sequence[QWidget]) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(_GAP)
    for widget in widgets:
        layout.addWidget(widget)
    return row


def _button(title: str, doc: str, *, checkable: bool = False) -> QToolButton:
    button = QToolButton()
    button.setText(title)
    button.setToolTip(tip(doc))
    button.setAccessibleName(doc)
    button.setCheckable(checkable)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
