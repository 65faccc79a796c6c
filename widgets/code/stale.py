"""Says that the code was changed after the replay that is on show, and what can be done. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from widgets.run.labels import Glyph, Link, Text
from widgets.theme import theme


class StaleBand(QWidget):
    """Hidden while nothing is stale. ``asked`` carries "again"."""

    asked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._words = Text(least=120, elide=Qt.TextElideMode.ElideMiddle)
        self._words.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.again = Link("Replay again")
        self.again.activated.connect(lambda: self.asked.emit("again"))
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 4, 10, 4)
        row.setSpacing(8)
        row.addWidget(Glyph("warning", "retrying", 14))
        row.addWidget(self._words, 1)
        row.addWidget(self.again)
        self.hide()

    @property
    def text(self) -> str:
        return self._words.text if not self.isHidden() else ""

    def show_words(self, words: str, doc: str = "") -> None:
        """What was changed; "" hides the band."""
        self._words.set_text(f"{words}." if words else "", doc)
        self.setVisible(bool(words))

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as p:
            p.fillRect(self.rect(), theme().fill("retrying", 0.16))
