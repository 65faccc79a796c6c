"""Notes that the user must see about what is shown: skew, a bad row, lost live updates. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from widgets.run.labels import Glyph, Text, tip
from widgets.theme import theme

_SHOWN = 3


class Notices(QWidget):
    """At most three lines; the others are counted, and listed in the tooltip."""

    def __init__(self) -> None:
        super().__init__()
        self._notes: tuple[str, ...] = ()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(12, 4, 12, 4)
        self._layout.setSpacing(2)
        self.setAccessibleName("Notices")
        self.hide()

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    def set_notes(self, notes: tuple[str, ...]) -> None:
        """Replaces what is shown."""
        if notes == self._notes:
            return
        self._notes = notes
        while self._layout.count():
            item = self._layout.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.setParent(None)
                widget.deleteLater()
        for note in notes[:_SHOWN]:
            self._layout.addWidget(_line(note))
        if len(notes) > _SHOWN:
            self._layout.addWidget(_line(f"and {len(notes) - _SHOWN} more notices"))
        self.setToolTip(tip("\n".join(notes)))
        self.setVisible(bool(notes))

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as p:
            p.fillRect(self.rect(), theme().fill("retrying", 0.12))


def _line(note: str) -> QWidget:
    line = QWidget()
    layout = QHBoxLayout(line)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(8)
    layout.addWidget(Glyph("warning", "retrying", 14), 0, Qt.AlignmentFlag.AlignVCenter)
    layout.addWidget(Text(note), 1)
    layout.addStretch(1)
    return line
