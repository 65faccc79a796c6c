"""The first screen: what Playhead is, and the three ways in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from engine_bridge.format import plain
from widgets import glyphs
from widgets.shell.label import clear, label, plain_tooltip
from widgets.theme import font, theme

ABOUT = (
    "See what happened to any durable workflow run, put the playhead on any moment, and see the state there."
)


@dataclass(frozen=True, slots=True)
class RecentRow:
    """A source that was opened before; ``url`` is handed back, ``note`` says when or where."""

    title: str
    url: str
    note: str


class Welcome(QScrollArea):
    """``chosen`` carries "demo", "connect" or "open"; ``recent_chosen`` a URL."""

    chosen = Signal(str)
    recent_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._decorated = False
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setAccessibleName("Welcome")
        inner = QWidget()
        self._column = QVBoxLayout()
        self._column.setSpacing(12)
        self.buttons = {
            "demo": self._way("demo", "Open the demo", "a real engine, live workers"),
            "connect": self._way("database", "Connect…", "database or server · Ctrl+N"),
            "open": self._way("file", "Open file…", "database or history · Ctrl+O"),
        }
        self._head()
        ways = QHBoxLayout()
        ways.setSpacing(12)
        for way in self.buttons.values():
            ways.addWidget(way, 1)
        self._column.addLayout(ways)
        self._column.addSpacing(12)
        self._recents_title = label("RECENT", color="muted", size=11, bold=True)
        self._column.addWidget(self._recents_title)
        self._recents = QVBoxLayout()
        self._recents.setSpacing(4)
        self._column.addLayout(self._recents)
        self._hint = label("Files dropped anywhere on the window are opened.", color="muted")
        self._column.addWidget(self._hint)
        self._frame(inner)
        self.setWidget(inner)
        self.set_recents([])

    def _head(self) -> None:
        self._column.addWidget(label("Playhead", size=18, bold=True))
        self._column.addWidget(label(ABOUT, color="muted", size=13, wrap=True))
        self._column.addSpacing(12)

    def _frame(self, inner: QWidget) -> None:
        holder = QWidget()
        holder.setLayout(self._column)
        holder.setMaximumWidth(760)
        across = QHBoxLayout(inner)
        across.setContentsMargins(32, 0, 32, 0)
        across.addStretch(1)
        down = QVBoxLayout()
        down.addStretch(2)
        down.addWidget(holder)
        down.addStretch(3)
        across.addLayout(down, 8)
        across.addStretch(1)

    def _way(self, glyph: str, title: str, note: str) -> QToolButton:
        button = QToolButton()
        button.setText(f"{title}\n{note}")
        button.setProperty("glyph", glyph)
        button.setIconSize(QSize(24, 24))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        button.setMinimumHeight(96)
        button.setAccessibleName(f"{title} {note}")
        name = {"demo": "demo", "database": "connect", "file": "open"}[glyph]
        button.clicked.connect(lambda: self.chosen.emit(name))
        return button

    def set_recents(self, recents: Sequence[RecentRow]) -> None:
        clear(self._recents)
        for recent in recents:
            self._recents.addWidget(self._recent(recent))
        self._recents_title.setVisible(bool(recents))

    def _recent(self, recent: RecentRow) -> QToolButton:
        button = QToolButton()
        button.setFont(font(12))
        metrics = button.fontMetrics()
        text = f"{plain(recent.title, 60)}    {plain(recent.url, 300)}"
        button.setText(metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, 560).replace("&", "&&"))
        button.setToolTip(plain_tooltip(f"{recent.url}\n{recent.note}"))
        button.setAccessibleName(f"Open {plain(recent.title)}, {recent.note}")
        button.setProperty("flat", "true")
        button.setIcon(glyphs.icon("database", theme().color("muted")))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setMinimumHeight(28)
        button.clicked.connect(lambda: self.recent_chosen.emit(recent.url))
        return button

    def set_demo(self, reason: str) -> None:
        """Disables the demo with a reason, "" enables it."""
        self.buttons["demo"].setEnabled(not reason)
        self.buttons["demo"].setToolTip(plain_tooltip(reason))

    def decorate(self) -> None:
        """Gives the buttons their icons: after the first paint, which would wait for the SVG library."""
        self._decorated = True
        self._tint()

    def _tint(self) -> None:
        for button in self.buttons.values():
            button.setIcon(glyphs.icon(button.property("glyph"), theme().color("accent"), 24))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._decorated:
            self._tint()
