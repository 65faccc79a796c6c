"""The small tools in the timeline's corner: live, fit, zoom, and what the axis counts. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from widgets import glyphs, theme
from widgets.timeline.paint_frame import AXIS, GUTTER
from widgets.timeline.state import TimelineState
from widgets.timeline.ticks import Mode


class Tools(QWidget):
    """Buttons over the gutter's head. Each is a real button, so that Tab and a screen reader find it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.live = self._button("live", "Follow the tail (LIVE)")
        self.fit = self._button("fit", "Fit the whole run (F)")
        self.wider = self._button("remove", "Zoom out (−)")
        self.closer = self._button("add", "Zoom in (+)")
        self.elapsed = self._button("hourglass", "Count time from the run's start", checkable=True)
        self.active = self._button("collapse_idle", "Squeeze idle time", checkable=True)
        self._shown: object = None
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 4, 4)
        row.setSpacing(2)
        for button in (self.live, self.fit, self.wider, self.closer, self.elapsed, self.active):
            row.addWidget(button)
        row.addStretch(1)
        self.setGeometry(0, 0, GUTTER, AXIS)
        self.retint()

    def _button(self, glyph: str, words: str, *, checkable: bool = False) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(glyph)
        button.setProperty("flat", True)
        button.setFixedSize(24, 24)
        button.setIconSize(QSize(14, 14))
        button.setToolTip(words)
        button.setAccessibleName(words)
        button.setCheckable(checkable)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setStyleSheet("padding: 0px; min-height: 0px;")
        return button

    def retint(self) -> None:
        """Icons in the colours of the theme in force; what is on, in the accent."""
        look = theme.theme()
        for button in self.findChildren(QToolButton):
            on = button.isChecked() or button.property("on")
            button.setIcon(glyphs.icon(button.objectName(), look.color("accent" if on else "muted"), 14))

    def show_state(self, state: TimelineState) -> None:
        """Follows the state: which tools make sense, and which are on."""
        live = state.position is None and bool(state.tracks) and state.main.open_run
        shown = (live, state.active, state.mode, state.empty)
        if shown == self._shown:
            return
        self._shown = shown
        self.setVisible(not state.empty)
        self.live.setProperty("on", live)
        for button, on in ((self.active, state.active), (self.elapsed, state.mode is Mode.ELAPSED)):
            button.blockSignals(True)
            button.setChecked(on)
            button.blockSignals(False)
        self.retint()
