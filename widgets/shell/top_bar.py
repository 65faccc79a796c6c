"""The bar at the top: menu, back and forward, path of the focus, quick open, environment, lock."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QToolButton, QWidget

from widgets.shell.breadcrumb import Breadcrumb
from widgets.shell.label import fill, plain_tooltip
from widgets.theme import font, theme

#: Environment: its word, and the state whose colour it takes.
ENVIRONMENTS: Final = {
    "dev": ("DEV", "completed"),
    "test": ("TEST", "waiting"),
    "production": ("PRODUCTION", "failed"),
}


class Badge(QWidget):
    """A word in a coloured pill, with a glyph."""

    def __init__(self) -> None:
        super().__init__()
        self._text, self._state, self._glyph = "", "muted", ""
        self.setFont(font(11, bold=True))
        self.setFixedHeight(22)
        self.hide()

    @property
    def text(self) -> str:
        return self._text

    def set(self, text: str, state: str = "muted", glyph: str = "", tooltip: str = "") -> None:
        """An empty text hides it."""
        self._text, self._state, self._glyph = text, state, glyph
        self.setFixedWidth(self.fontMetrics().horizontalAdvance(text) + (36 if glyph else 20))
        self.setToolTip(plain_tooltip(tooltip))
        self.setAccessibleName(text)
        self.setAccessibleDescription(tooltip)
        self.setVisible(bool(text))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(t.color("line") if self._state == "muted" else Qt.PenStyle.NoPen)
            painter.setBrush(t.fill(self._state))
            painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), 11, 11)
            color = t.state(self._state)
            left = 10
            if self._glyph:
                from widgets import glyphs

                painter.drawPixmap(
                    10, 4, glyphs.pixmap(self._glyph, color.name(), 13, self.devicePixelRatioF())
                )
                left = 27
            painter.setPen(t.color("text"))
            painter.drawText(self.rect().adjusted(left, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, self._text)


class LockBadge(Badge):
    """A badge that is a button: ``clicked`` by mouse, Enter or Space."""

    clicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.clicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.hasFocus():
            with QPainter(self) as painter:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                painter.setPen(theme().color("accent"))
                painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), 11, 11)


def read_forwards(menu: QMenu) -> None:
    """A menu is not mirrored with a button that has its arrow behind its word: Qt would hand that on."""
    menu.aboutToShow.connect(lambda: menu.setLayoutDirection(Qt.LayoutDirection.LeftToRight))


class TopBar(QWidget):
    """``back``, ``forward`` and ``quick_open`` ask for what their names say."""

    back = Signal()
    forward = Signal()
    quick_open = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(44)
        self.menu_button = self._button("Playhead", "Menu (F10)")
        self.menu_button.setFont(font(13, bold=True))
        self.menu_button.setProperty("flat", "true")
        self.menu_button.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.menu_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.menu_button.setLayoutDirection(
            Qt.LayoutDirection.RightToLeft
        )  # the arrow stands behind the word
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self)
        self.menu_button.setMenu(self.menu)
        read_forwards(self.menu)
        self.back_button = self._button("", "Back (Alt+Left)")
        self.back_button.clicked.connect(self.back)
        self.forward_button = self._button("", "Forward (Alt+Right)")
        self.forward_button.clicked.connect(self.forward)
        self.path = Breadcrumb()
        self.open_button = self._button("Go to run, command…   Ctrl+P", "Quick open (Ctrl+P)")
        self.open_button.setMinimumWidth(216)
        self.open_button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.open_button.clicked.connect(self.quick_open)
        self.environment = Badge()
        self.lock = LockBadge()
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 12, 0)
        row.setSpacing(8)
        for widget in (self.menu_button, self.back_button, self.forward_button):
            row.addWidget(widget)
        row.addWidget(self.path, 1)
        row.addWidget(self.open_button)
        row.addWidget(self.environment)
        row.addWidget(self.lock)
        self._decorated = False

    @staticmethod
    def _button(text: str, tooltip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tooltip)
        button.setAccessibleName(tooltip)
        button.setIconSize(QSize(16, 16))
        return button

    def set_environment(self, name: str) -> None:
        """Shows an environment's badge; "" hides it."""
        word, state = ENVIRONMENTS.get(name, (name.upper(), "muted"))
        self.environment.set(word, state, "warning" if name == "production" else "")

    def decorate(self) -> None:
        """Gives the buttons their icons: after the first paint, which would wait for the SVG library."""
        self._decorated = True
        self._tint()

    def _tint(self) -> None:
        from widgets import glyphs

        color = theme().color("muted")
        self.menu_button.setIcon(glyphs.icon("expand", color))
        self.back_button.setIcon(glyphs.icon("back", color))
        self.forward_button.setIcon(glyphs.icon("forward", color))
        self.open_button.setStyleSheet(f"color: {color.name()}; text-align: left;")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._decorated:
            self._tint()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        production = self.environment.text == "PRODUCTION"
        with QPainter(self) as painter:
            fill(painter, self.rect(), t.color("panel"))
            edge = QRect(0, self.height() - 1, self.width(), 1)
            fill(painter, edge, t.color("failed" if production else "line"))
