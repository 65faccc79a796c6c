"""The journal's page: search, entries newest first, one entry in full. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from widgets import glyphs
from widgets.actions.notes import Note
from widgets.failures.page import SearchLine
from widgets.journal.detail import EntryDetail
from widgets.journal.table import EntryTable
from widgets.table.empty import EmptyState
from widgets.theme import theme


class JournalView(QWidget):
    """``verify_requested``, ``export_requested`` and ``more_requested`` ask for what their names say."""

    verify_requested = Signal()
    export_requested = Signal()
    more_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.search = SearchLine()
        self.search.setPlaceholderText(
            "Search who, target, action, reason, outcome or request    ( / to come here)"
        )
        self.search.setAccessibleName("Search the journal")
        self.only_source = QPushButton("This source only")
        self.only_source.setCheckable(True)
        self.verify = self._button("Verify", "completed", self.verify_requested)
        self.verify.setToolTip("Checks the hash chain of every row, and the anchor outside the file.")
        self.export = self._button("Export …", "export", self.export_requested)
        self.more = QPushButton("Older entries")
        self.more.clicked.connect(self.more_requested)
        self.told = Note("info", "muted", "", boxed=True)
        self.told.hide()
        self.table, self.detail = EntryTable("Journal, newest first"), EntryDetail()
        self.empty = EmptyState(self)
        self._body = QStackedWidget()
        self._lay_out()
        self.search.left.connect(self.table.setFocus)
        self.home = self.table
        self.setAccessibleName("Journal")

    @staticmethod
    def _button(text: str, icon: str, signal: object) -> QPushButton:
        button = QPushButton(text)
        button.setIcon(glyphs.icon(icon, theme().color("muted")))
        button.setIconSize(QSize(14, 14))
        button.clicked.connect(signal)
        return button

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.search, 1)
        for button in (self.only_source, self.verify, self.export):
            top.addWidget(button)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.table)
        split.addWidget(self.detail)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        split.setSizes([340, 300])
        split.setChildrenCollapsible(False)
        self._body.addWidget(split)
        self._body.addWidget(self.empty)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(12)
        column.addLayout(top)
        column.addWidget(self.told)
        column.addWidget(self._body, 1)
        column.addWidget(self.more, 0, Qt.AlignmentFlag.AlignHCenter)

    def show_rows(self, *, more: bool) -> None:
        """Shows the entries; ``more``: older ones can be read."""
        self.more.setVisible(more)
        self._body.setCurrentIndex(0)

    def show_nothing(self, title: str, text: str) -> None:
        """Shows why there are no entries."""
        self.more.hide()
        self.empty.show_state("journal", title, text)
        self._body.setCurrentWidget(self.empty)

    def tell(self, glyph: str, state: str, text: str) -> None:
        """Shows the result of a check above the entries; "" hides it."""
        self.told.set_note(glyph, state, text)
        self.told.setVisible(bool(text))
