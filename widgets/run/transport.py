"""Buttons that move the playhead: previous, play, next, speed, LIVE. GUI thread."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLayout, QToolButton, QWidget

from widgets import glyphs
from widgets.run.labels import tip
from widgets.theme import theme

SPEEDS: Final = (1, 4, 16)
_SPACE: Final = 4


class Transport(QWidget):
    """``stepped`` carries +1 or -1; ``live_requested`` and ``play_toggled`` say what was pressed."""

    stepped = Signal(int)
    play_toggled = Signal()
    speed_changed = Signal(int)
    live_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._speed = SPEEDS[0]
        self._playing = False
        self._tinted = ""
        self.previous = self._button("back", "Previous event  ,")
        self.play = self._button("running", "Play  Space")
        self.next = self._button("forward", "Next event  .")
        self.speed = QToolButton()
        self.speed.setToolTip(tip("Speed of playing: waits are cut to one second"))
        self.live = QToolButton()
        self.live.setText("Live")
        self.live.setCheckable(True)
        self.live.setToolTip(tip("Follow the newest event  L"))
        self.live.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(_SPACE)
        layout.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        for button in (self.previous, self.play, self.next, self.speed, self.live):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            layout.addWidget(button)
        self.previous.clicked.connect(lambda: self.stepped.emit(-1))
        self.next.clicked.connect(lambda: self.stepped.emit(1))
        self.play.clicked.connect(self.play_toggled)
        self.speed.clicked.connect(self.next_speed)
        self.live.clicked.connect(self._on_live)
        self._show_speed()
        self._live = True
        self._tint()
        self.setAccessibleName("Playhead")

    @property
    def _by_need(self) -> tuple[QToolButton, ...]:
        return self.live, self.play, self.next, self.previous, self.speed

    def sizeHint(self) -> QSize:
        hints = [button.sizeHint() for button in self._by_need]
        wide = sum(hint.width() for hint in hints) + _SPACE * (len(hints) - 1)
        return QSize(wide, max(hint.height() for hint in hints))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Buttons that have no room are hidden, the dispensable ones first: the keys do the same."""
        super().resizeEvent(event)
        room = self.width()
        for button in self._by_need:
            room -= button.sizeHint().width()
            button.setVisible(room >= 0)
            room -= _SPACE

    def _button(self, glyph: str, doc: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(glyph)
        button.setToolTip(tip(doc))
        button.setAccessibleName(doc.split("  ")[0])
        return button

    def set_live(self, live: bool) -> None:
        """Whether the playhead follows the tail now."""
        self._live = live
        self._tint()

    def set_playing(self, playing: bool) -> None:
        self._playing = playing
        self.play.setToolTip(tip("Pause  Space" if playing else "Play  Space"))
        self._tint()

    def _tint(self) -> None:
        t = theme()
        self._tinted = t.name
        for button in (self.previous, self.play, self.next):
            name = "paused" if button is self.play and self._playing else button.objectName()
            button.setIcon(glyphs.icon(name, t.color("text"), 14))
        self.live.setChecked(self._live)
        self.live.setIcon(glyphs.icon("live", t.state("completed") if self._live else t.color("muted"), 14))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        # Every new parent brings one too.
        if event.type() == QEvent.Type.PaletteChange and self._tinted != theme().name:
            self._tint()

    def next_speed(self) -> None:
        """Goes to the next speed, after the fastest to the slowest."""
        self._speed = SPEEDS[(SPEEDS.index(self._speed) + 1) % len(SPEEDS)]
        self._show_speed()
        self.speed_changed.emit(self._speed)

    def _show_speed(self) -> None:
        self.speed.setText(f"{self._speed}×")
        self.speed.setAccessibleName(f"Speed {self._speed} times")

    def _on_live(self) -> None:
        # Pressing it while LIVE must not leave it: only grabbing the playhead does.
        self.live.setChecked(self._live)
        self.live_requested.emit()
