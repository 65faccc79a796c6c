"""The first screen: what Playhead is, and the three ways in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

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


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A recorded history that comes along; ``id`` is handed back, ``key`` opens it too."""

    id: str
    title: str
    note: str
    key: str = ""


class Welcome(QScrollArea):
    """``chosen`` carries "demo", "connect" or "open"; ``recent_chosen`` a URL; ``sample_chosen`` an id."""

    chosen = Signal(str)
    recent_chosen = Signal(str)
    sample_chosen = Signal(str)

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
        self._samples_title = label("SAMPLES, WITHOUT A SERVER", color="muted", size=11, bold=True)
        self._column.addWidget(self._samples_title)
        self._samples = QVBoxLayout()
        self._samples.setSpacing(4)
        self._column.addLayout(self._samples)
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
        self.set_samples([])

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

    def set_samples(self, samples: Sequence[SampleRow]) -> None:
        """The histories that come along."""
        clear(self._samples)
        for sample in samples:
            note = f"{sample.note}  ·  {sample.key}" if sample.key else sample.note
            button = self._line("timeline", f"{plain(sample.title, 60)}    {plain(note, 300)}")
            button.setAccessibleName(f"Open the sample {plain(sample.title)}: {plain(note)}")
            button.clicked.connect(partial(self.sample_chosen.emit, sample.id))
            self._samples.addWidget(button)
        self._samples_title.setVisible(bool(samples))

    def _recent(self, recent: RecentRow) -> QToolButton:
        button = self._line("database", f"{plain(recent.title, 60)}    {plain(recent.url, 300)}")
        button.setToolTip(plain_tooltip(f"{recent.url}\n{recent.note}"))
        button.setAccessibleName(f"Open {plain(recent.title)}, {recent.note}")
        button.clicked.connect(lambda: self.recent_chosen.emit(recent.url))
        return button

    @staticmethod
    def _line(glyph: str, text: str) -> QToolButton:
        """One row that opens something."""
        button = QToolButton()
        button.setFont(font(12))
        button.setText(
            button.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, 560).replace("&", "&&")
        )
        button.setProperty("flat", "true")
        button.setIcon(glyphs.icon(glyph, theme().color("muted")))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setMinimumHeight(28)
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
