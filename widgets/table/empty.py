"""What a page shows instead of rows: loading, nothing there, nothing matches, an error. Each says what to do next."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from engine_bridge.errors import PlayheadError
from engine_bridge.format import safe_lines
from widgets import glyphs
from widgets.shell.label import Wrapped
from widgets.theme import font, theme


class EmptyState(QWidget):
    """A glyph, a title, a sentence, and buttons. ``chosen`` carries the id of the button pressed."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._glyph = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self._title = _label(13, bold=True)
        self._text = _label(12)
        self._buttons = QHBoxLayout()
        self._icon = ("runs", "muted")
        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addStretch()
        for widget in (self._glyph, self._title, self._text):
            column.addWidget(widget)
        column.addLayout(self._buttons)
        column.addStretch()

    @property
    def message(self) -> str:
        """Title and text as shown."""
        return f"{self._title.text()}\n{self._text.text()}".strip()

    def show_state(
        self, glyph: str, title: str, text: str = "", *actions: tuple[str, str], color: str = "muted"
    ) -> None:
        """Shows one state; ``actions`` are (id, title) of its buttons."""
        self._icon = (glyph, color)
        self._title.setText(safe_lines(title))
        self._text.setText(safe_lines(text))
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
        while (item := self._buttons.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._buttons.addStretch()
        for action, caption in actions:
            button = QPushButton(caption)
            button.clicked.connect(lambda _=False, a=action: self.chosen.emit(a))
            self._buttons.addWidget(button)
        self._buttons.addStretch()
        self._tint()

    def show_error(self, error: PlayheadError) -> None:
        """Shows an error with its hint; offers ``retry`` and ``copy``."""
        actions = (("retry", "Try again"), ("copy", "Copy details"))
        self.show_state("warning", error.message, error.hint, *actions, color="failed")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._tint()

    def _tint(self) -> None:
        name, color = self._icon
        self._glyph.setPixmap(glyphs.pixmap(name, theme().color(color).name(), 28, self.devicePixelRatioF()))
        self._text.setStyleSheet(f"color: {theme().tokens['muted']}")


def _label(size: int, *, bold: bool = False) -> QLabel:
    label = Wrapped()
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setFont(font(size, bold=bold))
    return label


def error_details(error: PlayheadError) -> str:
    """What "Copy details" puts on the clipboard."""
    return "\n".join(part for part in (type(error).__name__, error.message, error.hint, error.detail) if part)
