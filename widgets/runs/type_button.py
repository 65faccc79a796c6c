"""Chooses a workflow type: a button that says which is listed, with a menu of all and how many runs each has."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from engine_bridge.format import count, plain
from widgets import glyphs
from widgets.theme import theme

_LONGEST = 24


class TypeButton(QToolButton):
    """``chosen`` carries a type, or None for all. Hidden where there is nothing to choose."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._types: tuple[str, ...] = ()
        self._counts: dict[str, int] = {}
        self._active: str | None = None
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setIcon(glyphs.icon("filter", theme().color("muted")))
        self.setIconSize(QSize(14, 14))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.clicked.connect(self.open_menu)
        self._show()

    def set_types(self, types: tuple[str, ...]) -> None:
        """The types there are."""
        if types != self._types:
            self._types, self._counts = types, {}
            self._show()

    def set_counts(self, counts: dict[str, int]) -> None:
        """How many runs of each type match the rest of the filter."""
        self._counts = counts

    def set_active(self, name: str | None) -> None:
        """The type that the filter asks for; None: all."""
        self._active = name
        self._show()

    def _show(self) -> None:
        self.setVisible(len(self._types) > 1)
        words = "All types" if self._active is None else plain(self._active, _LONGEST)
        self.setText(f" {words}".replace("&", "&&"))
        self.setAccessibleName(f"Workflow type: {words}")

    def menu_of_types(self) -> QMenu:
        """All types with their counts; it deletes itself when closed."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name in (None, *self._types):
            number = self._counts.get(name) if name is not None else None
            words = "All types" if name is None else plain(name, 80)
            action = menu.addAction(
                (words if number is None else f"{words}   {count(number)}").replace("&", "&&")
            )
            action.setCheckable(True)
            action.setChecked(name == self._active)
            action.triggered.connect(partial(self._choose, name))
        return menu

    def _choose(self, name: str | None, _: bool = False) -> None:
        self.chosen.emit(name)

    def open_menu(self) -> None:
        self.menu_of_types().popup(self.mapToGlobal(QPoint(0, self.height())))
