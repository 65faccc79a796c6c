"""The line above the code: how the replay went or goes, whose code it was, and what can be done. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from widgets.actions.notes import Note
from widgets.run.labels import Glyph, Link, Text, tip
from widgets.theme import theme


class ReplayBar(QWidget):
    """``asked`` carries "again", "cancel", "on_save", or what the menu offers."""

    asked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._share: float | None = None
        self._glyph = Glyph("clock", "waiting", 16)
        self._title = Text(least=80)
        self._title.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._stale = Link("", least=60)
        self._stale.activated.connect(lambda: self.asked.emit("again"))
        self._stale.hide()
        self._project = Text(tone="muted", size=11, elide=Qt.TextElideMode.ElideMiddle, least=40, most=260)
        self.again = _button("Replay again", "Run the code against the history once more")
        self.again.clicked.connect(lambda: self.asked.emit("again"))
        self.on_save = _button("On save", "Replay again whenever a file that is shown is saved")
        self.on_save.setCheckable(True)
        self.on_save.clicked.connect(lambda: self.asked.emit("on_save"))
        self.cancel = _button("Cancel", "End the replay; what was recorded stays")
        self.cancel.clicked.connect(lambda: self.asked.emit("cancel"))
        self.cancel.hide()
        self.more = _button("More", "What if, queries, debugger, project, output, consent")
        self.more.clicked.connect(self._open_menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 4, 8, 4)
        row.setSpacing(8)
        row.addWidget(self._glyph)
        row.addWidget(self._title, 1)
        for widget in (self._stale, self._project, self.again, self.cancel, self.on_save, self.more):
            row.addWidget(widget)
        self.setAccessibleName("Replay")
        self.setAutoFillBackground(True)
        self.setBackgroundRole(QPalette.ColorRole.Base)

    @property
    def text(self) -> str:
        """The whole line as words."""
        return " ".join(part.text for part in (self._title, self._stale) if part.text)

    def show_words(
        self, glyph: str, tone: str, title: str, *, running: bool = False, share: float | None = None
    ) -> None:
        """How it goes, or went; ``share`` is how much of it is done, where that is known."""
        self._share = share
        self.update()
        self._glyph.set_glyph(glyph, tone)
        self._title.set_text(title)
        self.again.setVisible(not running)
        self.cancel.setVisible(running)

    def show_project(self, words: str, doc: str) -> None:
        """Whose code it is."""
        self._project.set_text(words, doc)

    def set_on_save(self, on: bool) -> None:
        """Whether every save replays again."""
        self.on_save.setChecked(on)

    def show_stale(self, words: str) -> None:
        """What happened since the replay; "" for nothing."""
        self._stale.set_text(words, f"{words}: replay again" if words else "")
        self._stale.setVisible(bool(words))

    def _open_menu(self) -> None:
        menu = self.menu()
        menu.exec(self.more.mapToGlobal(self.more.rect().bottomLeft()))
        menu.deleteLater()

    def menu(self) -> QMenu:
        """What else can be done."""
        menu = QMenu(self)
        for title, what in (
            ("What if …", "what_if"),
            ("Queries at the playhead …", "questions"),
            ("Replay under a debugger", "debug"),
            ("Choose the project …", "project"),
            ("Show or hide what the code printed", "output"),
            ("Withdraw the consent for this project and source", "forget"),
        ):
            menu.addAction(title).triggered.connect(lambda _=False, what=what: self.asked.emit(what))
        return menu

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as p:
            p.setPen(theme().color("line"))
            p.drawLine(0, self.height() - 1, self.width(), self.height() - 1)
            if self._share is not None:
                p.fillRect(
                    0, self.height() - 3, round(self.width() * self._share), 3, theme().color("running")
                )


class Band(QWidget):
    """What went wrong and what to do, with links; hidden when all is well. ``asked`` carries a link's name."""

    asked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._note = Note("warning", "failed", "", boxed=True)
        self._links: dict[str, Link] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 4)
        column.setSpacing(2)
        column.addWidget(self._note)
        self._row = QHBoxLayout()
        self._row.setContentsMargins(30, 0, 0, 2)
        self._row.setSpacing(14)
        for name, title in (("place", "Go there"), ("sides", "Side by side"), ("stack", "Show the stack")):
            link = self._links[name] = Link(title)
            link.activated.connect(lambda name=name: self.asked.emit(name))
            self._row.addWidget(link)
        self._row.addStretch(1)
        column.addLayout(self._row)
        self.hide()

    @property
    def text(self) -> str:
        return self._note.words.text() if not self.isHidden() else ""

    def show_note(self, glyph: str, tone: str, text: str, links: tuple[str, ...]) -> None:
        """Shows words and some of the links (place, sides, stack); no words: nothing."""
        self.setVisible(bool(text))
        self._note.set_note(glyph, tone, text)
        for name, link in self._links.items():
            link.setVisible(name in links)


def _button(title: str, doc: str) -> QToolButton:
    button = QToolButton()
    button.setText(title)
    button.setToolTip(tip(doc))
    button.setAccessibleName(doc)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
