"""The context menu of a table cell: open, filter by it, copy it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QWidget

from engine_bridge.format import plain

Entry = tuple[str, Callable[[], None]]
_LONGEST: Final = 80


def cell_menu(parent: QWidget, groups: Sequence[Sequence[Entry]]) -> QMenu:
    """A menu that deletes itself when closed; groups are parted by lines, titles are shown as plain text."""
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    for group in groups:
        if group and not menu.isEmpty():
            menu.addSeparator()
        for title, run in group:
            action = menu.addAction(plain(title, _LONGEST).replace("&", "&&"))
            action.triggered.connect(lambda _=False, run=run: run())
    return menu
