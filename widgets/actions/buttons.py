"""The actions of a run as buttons: as many as there is room for, the others in a menu. GUI thread."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QMenu, QPushButton, QSizePolicy, QToolButton, QWidget

from engine_bridge.actions.model import ActionSpec
from engine_bridge.format import plain
from widgets import glyphs
from widgets.actions.menu import add_actions
from widgets.shell.label import plain_tooltip
from widgets.theme import theme

_GAP: Final = 8
_HEIGHT: Final = 28
_MOST: Final = 4


class ActionButtons(QWidget):
    """``chosen`` carries the id of an action; a disabled one's tooltip says why."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: list[tuple[ActionSpec, str]] = []
        self.buttons: dict[str, QPushButton] = {}
        self.more = QToolButton(self)
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.more.setAccessibleName("More actions (A)")
        self.more.setToolTip("More actions (A)")
        self.menu = QMenu(self.more)
        self.menu.setToolTipsVisible(True)
        self.more.setMenu(self.menu)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Actions")
        self._tint()
        self.hide()

    def set_actions(self, actions: list[tuple[ActionSpec, str]], primary: str = "") -> None:
        """Actions with why they cannot be done now, most wanted first; ``primary`` is drawn as the one to take."""
        if actions != self._shown:
            focused = next((name for name, button in self.buttons.items() if button.hasFocus()), None)
            self._shown = actions
            self._make()
            if focused in self.buttons:
                self.buttons[focused].setFocus()
        for name, button in self.buttons.items():
            wanted = "true" if name == primary and button.isEnabled() else "false"
            if button.property("primary") != wanted:
                button.setProperty("primary", wanted)
                button.style().unpolish(button)
                button.style().polish(button)
        self.setVisible(bool(actions))

    def _make(self) -> None:
        for button in self.buttons.values():
            button.hide()
            button.deleteLater()
        self.buttons = {spec.id: self._button(spec, why) for spec, why in self._shown[:_MOST]}
        self.updateGeometry()
        self._place()

    def _button(self, spec: ActionSpec, why: str) -> QPushButton:
        button = QPushButton(plain(spec.title, 40).replace("&", "&&"), self)
        button.setEnabled(not why)
        button.setToolTip(plain_tooltip(f"Not now: {why}." if why else spec.effect))
        button.setAccessibleDescription(why or spec.effect)
        button.clicked.connect(lambda: self.chosen.emit(spec.id))
        button.show()
        return button

    def _place(self) -> None:
        """Buttons from the right, as many as fit beside the menu."""
        height = _HEIGHT
        room = self.width() - self._more_width()
        self.menu.clear()
        fits, used = 0, 0
        for button in self.buttons.values():
            wide = button.sizeHint().width() + _GAP
            if used + wide > room:
                break
            fits, used = fits + 1, used + wide
        left = room - used
        for number, button in enumerate(self.buttons.values()):
            button.setVisible(number < fits)
            if number < fits:
                button.setGeometry(left, 0, button.sizeHint().width(), height)
                left += button.sizeHint().width() + _GAP
        add_actions(self.menu, self._shown[fits:], self.chosen.emit)
        self.more.setVisible(bool(self.menu.actions()))
        self.more.setGeometry(self.width() - self._more_width(), 0, self._more_width(), height)

    @staticmethod
    def _more_width() -> int:
        return 34

    def sizeHint(self) -> QSize:
        wide = sum(button.sizeHint().width() + _GAP for button in self.buttons.values())
        return QSize(wide + self._more_width(), _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._more_width(), _HEIGHT)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _tint(self) -> None:
        self.more.setIcon(glyphs.icon("more", theme().color("muted")))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._tint()
            self._place()
