"""Work under way, as a page shows it: what is done, how far it is, and a button that ends it. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from engine_bridge.format import count, plain
from widgets.run.labels import Text


class ProgressLine(QWidget):
    """Hidden until something runs. ``cancelled`` comes from its button."""

    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = Text(tone="muted")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setAccessibleName("Progress")
        self.button = QPushButton("Cancel")
        self.button.clicked.connect(self.cancelled)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.words)
        row.addWidget(self.bar, 1)
        row.addWidget(self.button)
        self.hide()

    def show_far(self, text: str, done: int = 0, total: int | None = None) -> None:
        """How far it is; without a total the bar only moves."""
        far = f" {count(done)} of {count(total)}" if total else f" {count(done)}" if done else ""
        self.words.set_text(f"{plain(text, 80)}{far}")
        self.bar.setRange(0, min(total, 1 << 30) if total else 0)
        self.bar.setValue(min(done, 1 << 30) if total else 0)
        self.show()
