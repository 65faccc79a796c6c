"""What the page area shows when there is nothing to show yet: opening, failed, closed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from engine_bridge.format import safe_lines
from widgets import glyphs
from widgets.shell.label import clear, label
from widgets.theme import theme

Button = tuple[str, Callable[[], None]]


class _Glyph(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.name, self.state = "database", "muted"
        self.setFixedSize(40, 40)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            color = theme().state(self.state).name()
            painter.drawPixmap(4, 4, glyphs.pixmap(self.name, color, 32, self.devicePixelRatioF()))


class Placeholder(QWidget):
    """A glyph, what happened, what to do, and buttons; the first button is the primary one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._glyph = _Glyph()
        self.title = label(size=18, bold=True, wrap=True)
        self.text = label(color="muted", size=13, wrap=True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setMaximumWidth(320)
        self._owner = ("", "")
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(8)
        holder = QWidget()
        holder.setMaximumWidth(720)
        column = QVBoxLayout(holder)
        column.setSpacing(12)
        for widget in (self._glyph, self.title, self.text, self.bar):
            column.addWidget(widget)
        column.addLayout(self._buttons)
        across = QHBoxLayout(self)
        across.setContentsMargins(32, 32, 32, 32)
        across.addStretch(1)
        down = QVBoxLayout()
        down.addStretch(2)
        down.addWidget(holder)
        down.addStretch(3)
        across.addLayout(down, 8)
        across.addStretch(1)

    def show_state(
        self,
        glyph: str,
        state: str,
        title: str,
        text: str,
        buttons: Sequence[Button] = (),
        *,
        busy: bool = False,
    ) -> None:
        self._glyph.name, self._glyph.state = glyph, state
        self._glyph.update()
        self.title.setText(safe_lines(title))
        self.text.setText(safe_lines(text))
        self.text.setVisible(bool(text))
        self.bar.setVisible(busy)
        self.setAccessibleName(f"{title} {text}")
        # Progress repaints this often: the same buttons stay, so that a click on one is not lost.
        names = [name for name, _ in buttons]
        if names == self.button_names and self._owner == (title, glyph):
            return
        self._owner = (title, glyph)
        clear(self._buttons)
        for number, (name, run) in enumerate(buttons):
            self._buttons.addWidget(self._button(name, run, primary=number == 0))
        self._buttons.addStretch(1)

    @property
    def button_names(self) -> list[str]:
        return [b.text() for b in self.findChildren(QPushButton) if self._buttons.indexOf(b) >= 0]

    @staticmethod
    def _button(name: str, run: Callable[[], None], *, primary: bool) -> QPushButton:
        button = QPushButton(name)
        button.setProperty("primary", "true" if primary else "false")
        button.clicked.connect(lambda: run())
        return button
