"""The bar at the bottom: what is true of the data, what is under way, the keys in reach, the zone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QRect, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QSizePolicy, QToolButton, QWidget

from engine_bridge.format import count, plain
from widgets.shell.label import ElidedLabel, fill
from widgets.theme import theme

_NOTE_MS: Final = 6_000
_STATES: Final = {
    "live": ("live", "completed", "live"),
    "opening": ("hourglass", "waiting", "opening"),
    "stale": ("warning", "retrying", "stale"),
    "failed": ("failed", "failed", "not connected"),
    "closed": ("database", "muted", "closed"),
}


class _State(QWidget):
    """A glyph and a word for the source's state."""

    def __init__(self) -> None:
        super().__init__()
        self._state = ""
        self.setFixedHeight(22)
        self.hide()

    def set_state(self, state: str, text: str) -> None:
        self._state = state
        self.text = text or _STATES.get(state, ("", "", ""))[2]
        self.setAccessibleName(f"Source is {self.text}")
        self.setFixedWidth(self.fontMetrics().horizontalAdvance(self.text) + 22)
        self.setVisible(bool(state))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        from widgets import glyphs  # the first paint has no source yet

        glyph, token, _ = _STATES.get(self._state, ("unknown", "muted", ""))
        color = theme().color(token)
        with QPainter(self) as painter:
            painter.drawPixmap(0, 4, glyphs.pixmap(glyph, color.name(), 14, self.devicePixelRatioF()))
            painter.setPen(color)
            painter.drawText(self.rect().adjusted(19, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, self.text)


class ProgressChip(QWidget):
    """What takes longer than 200 ms, with Cancel."""

    def __init__(self) -> None:
        super().__init__()
        self._cancel: Callable[[], None] | None = None
        self.words = ElidedLabel("muted")
        self.bar = QProgressBar()
        self.bar.setFixedSize(80, 6)
        self.bar.setTextVisible(False)
        self.button = QToolButton()
        self.button.setText("Cancel")
        self.button.setAccessibleName("Cancel what is under way")
        self.button.clicked.connect(self._on_cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for widget in (self.words, self.bar, self.button):
            row.addWidget(widget)
        self.hide()

    def show_progress(
        self, text: str, done: int, total: int | None, cancel: Callable[[], None] | None
    ) -> None:
        self._cancel = cancel
        amount = f" {count(done)} of {count(total)}" if total else f" {count(done)}" if done else ""
        self.words.set_text(plain(text, 60) + amount)
        # Qt's bar counts in 32 bits; per mille is enough.
        self.bar.setRange(0, 1000 if total else 0)
        self.bar.setValue(min(1000, done * 1000 // total) if total else 0)
        self.button.setVisible(cancel is not None)
        self.show()

    def _on_cancel(self) -> None:
        if self._cancel is not None:
            self._cancel()


class StatusBar(QWidget):
    """``zone_clicked`` asks for the other time zone, ``staged_clicked`` for the review of what is staged."""

    zone_clicked = Signal()
    staged_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(28)
        self.state = _State()
        self.page = ElidedLabel("muted")
        self.note = ElidedLabel("accent")
        self.chip = ProgressChip()
        self.keys = ElidedLabel("muted")
        self.keys.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.zone = QToolButton()
        self.zone.setProperty("flat", "true")
        self.zone.setAccessibleName("Time zone of shown times")
        self.zone.clicked.connect(self.zone_clicked)
        self.staged = QToolButton()
        self.staged.setProperty("staged", "true")
        self.staged.clicked.connect(self.staged_clicked)
        self.staged.hide()
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 8, 0)
        row.setSpacing(16)
        for widget in (self.state, self.staged, self.page, self.note, self.chip):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.keys)
        row.addWidget(self.zone)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(lambda: self.note.set_text(""))

    def set_state(self, state: str, text: str = "") -> None:
        self.state.set_state(state, text)

    def set_staged(self, number: int) -> None:
        """How many actions are staged on the focused source; 0 hides it."""
        self.staged.setText(f"{count(number)} staged")
        self.staged.setAccessibleName(f"{number} actions are staged: review them")
        self.staged.setToolTip("Nothing of it has been sent. Click or Ctrl+E reviews it.")
        self.staged.setVisible(number > 0)

    def notify(self, text: str) -> None:
        """Shows a short message for a few seconds."""
        self.note.set_text(text)
        self._timer.start(_NOTE_MS)

    def stop(self) -> None:
        self._timer.stop()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        with QPainter(self) as painter:
            fill(painter, self.rect(), t.color("panel"))
            fill(painter, QRect(0, 0, self.width(), 1), t.color("line"))
