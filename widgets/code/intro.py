"""What the pane says before there is a recording: what replay does, or why there is none. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from widgets.payload.sources import TextSource
from widgets.payload.text_view import TextView
from widgets.run.labels import Glyph, Text
from widgets.shell.label import Wrapped
from widgets.theme import font

_WIDE = 460  # px

WHAT = (
    "See the line, the stack and every local of your workflow at each event. Your code runs once, on this machine, "
    "against the recorded history: recorded steps answer with what they returned, no step is executed again, and it "
    "stops before the first step that has no record."
)


class Intro(QWidget):
    """``asked`` carries "replay", "project" or "cancel"."""

    asked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._glyph = Glyph("timeline", "accent", 32)
        self._title = Text(size=18, bold=True)
        self._words, self._hint = Wrapped(), Wrapped()
        for words in (self._words, self._hint):
            words.setFont(font(12))
            words.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._hint.setProperty("color", "muted")
        self.replay = QPushButton("Replay with your code …")
        self.replay.setProperty("primary", "true")
        self.project = QPushButton("Choose the project …")
        self.cancel = QPushButton("Cancel")
        for button, what in ((self.replay, "replay"), (self.project, "project"), (self.cancel, "cancel")):
            button.clicked.connect(lambda _=False, what=what: self.asked.emit(what))
        self.stack = TextView()
        self.stack.setAccessibleName("Stack")
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        for button in (self.project, self.cancel, self.replay):
            buttons.addWidget(button)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addStretch(2)
        for widget in (self._glyph, self._title, self._words, self._hint):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addLayout(buttons)
        column.addWidget(self.stack, 6)
        column.addStretch(3)
        self.show_words("timeline", "accent", "Replay", WHAT)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()
        super().resizeEvent(event)

    def _fit(self) -> None:
        # A layout gives centred words of several lines the height that they have at their widest.
        wide = max(160, min(_WIDE, self.width() - 40))
        for words in (self._words, self._hint):
            words.setMinimumHeight(0)  # it counts in the height for a width
            words.setFixedSize(wide, max(0, words.heightForWidth(wide)))

    @property
    def text(self) -> str:
        return "\n".join((self._title.text, self._words.text(), self._hint.text())).strip()

    def show_words(
        self,
        glyph: str,
        tone: str,
        title: str,
        words: str,
        hint: str = "",
        *,
        stack: str = "",
        buttons: tuple[str, ...] = ("replay",),
    ) -> None:
        """A state in words; ``buttons`` are some of replay, project and cancel."""
        self._glyph.set_glyph(glyph, tone)
        self._title.set_text(title)
        self._words.setText(words)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self._fit()
        self.replay.setVisible("replay" in buttons)
        self.project.setVisible("project" in buttons)
        self.cancel.setVisible("cancel" in buttons)
        self.stack.setVisible(bool(stack))
        self.stack.set_source(TextSource(stack.encode("utf-8", "replace"), "traceback" if stack else "text"))

    def set_button(self, title: str) -> None:
        """What the main button says."""
        self.replay.setText(title)
