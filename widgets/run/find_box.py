"""A find box: text, previous and next match; Escape clears it. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QIcon, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from widgets import glyphs
from widgets.theme import theme

_PAUSE_MS = 120
_OWN_KEYS = (Qt.Key.Key_Escape, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_Backspace)


class FindBox(QLineEdit):
    """``text_changed`` comes after a short pause in typing; ``stepped`` carries +1 (Enter, Down) or -1."""

    text_changed = Signal(str)
    stepped = Signal(int)

    def __init__(self, placeholder: str, parent: QWidget | None = None, *, pause_ms: int = _PAUSE_MS) -> None:
        super().__init__(parent)
        self.setPlaceholderText(placeholder)
        self.setAccessibleName(placeholder)
        self.setClearButtonEnabled(True)
        self._tinted = theme().name
        self._glyph = self.addAction(_icon(), QLineEdit.ActionPosition.LeadingPosition)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(pause_ms)
        self._pause.timeout.connect(self._tell)
        self._told = ""
        self.textChanged.connect(lambda _: self._pause.start())

    def _tell(self) -> None:
        self._pause.stop()
        if self.needle != self._told:
            self._told = self.needle
            self.text_changed.emit(self._told)

    @property
    def needle(self) -> str:
        """What is looked for, without surrounding blanks."""
        return self.text().strip()

    def begin(self) -> None:
        """Takes the keyboard, all text selected."""
        self.setFocus()
        self.selectAll()

    def event(self, event: QEvent) -> bool:
        # The page's own shortcuts would take these keys away from the text.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if event.key() == Qt.Key.Key_Escape and not self.text():
                return super().event(event)
            if event.key() in _OWN_KEYS:
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key == Qt.Key.Key_Escape and self.text():
            self.clear()
            self._tell()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Down, Qt.Key.Key_Up):
            self._tell()
            back = key == Qt.Key.Key_Up or bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.stepped.emit(-1 if back else 1)
        else:
            super().keyPressEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self._pause.stop()
        super().hideEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        # Every new parent brings one too.
        if event.type() == QEvent.Type.PaletteChange and self._tinted != theme().name:
            self._tinted = theme().name
            self._glyph.setIcon(_icon())


def _icon() -> QIcon:
    return glyphs.icon("search", theme().color("muted"), 14)
