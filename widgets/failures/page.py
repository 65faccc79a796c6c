"""The failures page: search, conditions, counts by week, log or groups, and what the chosen failure says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from PySide6.QtCore import QEvent, QItemSelectionModel, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine_bridge.bridge import FailureRow
from widgets import glyphs
from widgets.failures.bar import SieveBar
from widgets.failures.columns import COLUMNS, GROUP_COLUMNS, OPTIONAL, told_by
from widgets.failures.detail import FailureDetail
from widgets.failures.groups import FailureGroup
from widgets.failures.sieve import Sieve
from widgets.failures.tally import Tally
from widgets.failures.weeks import WeekStrip
from widgets.table.bars import NewAbove, ScanBar
from widgets.table.empty import EmptyState
from widgets.table.model import PagedModel
from widgets.table.view import PagedView
from widgets.theme import theme

_SEARCH_MS = 350


def row_key(row: FailureRow) -> tuple[object, ...]:
    """What tells one failure from another."""
    return row.ref, row.step_id, row.time_ns, row.id


class SearchLine(QLineEdit):
    """``searched`` carries the text shortly after typing stopped, at once on Enter; Escape leaves."""

    searched = Signal(str)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText("Search type, message, step or run    ( / to come here)")
        self.setAccessibleName("Search failures")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SEARCH_MS)
        self._timer.timeout.connect(self.search)
        self.textEdited.connect(lambda _: self._timer.start())
        self.returnPressed.connect(self._entered)

    def search(self) -> None:
        """Searches for what is written now."""
        self._timer.stop()
        self.searched.emit(self.text().strip())

    def _entered(self) -> None:
        self.search()
        self.left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)


class FailuresView(QWidget):
    """The page's widgets, put together. ``opened`` carries the FailureRow whose run is wanted."""

    opened = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Failures")
        self.model = PagedModel(COLUMNS, row_key, self)
        self.groups = PagedModel(GROUP_COLUMNS, lambda g: g.key, self)
        self.groups.clock = self.model.clock
        self.search = SearchLine(self)
        self.filter = QPushButton("Filter", self)
        self.grouped = QPushButton("Group by cause", self)
        self.bar = SieveBar(self)
        self.weeks = WeekStrip(self)
        self.tally: Tally | None = None
        self.sieve = Sieve()
        self._seen: frozenset[str] = frozenset()
        self.table = PagedView(self.model, self)
        self.group_table = PagedView(self.groups, self)
        self.detail = FailureDetail(self)
        self.empty = EmptyState(self)
        self.scan = ScanBar(self)
        self.new_above = NewAbove(self.table)
        self._lists = QStackedWidget(self)
        self._split = QSplitter(Qt.Orientation.Vertical, self)
        self._body = QStackedWidget(self)
        self._lay_out()
        self._connect()
        self.home = self.table

    def _lay_out(self) -> None:
        self.grouped.setCheckable(True)
        self._tint()
        self.table.setAccessibleName("Failures, newest first")
        self.group_table.setAccessibleName("Failures by cause")
        self._lists.addWidget(self.table)
        self._lists.addWidget(self.group_table)
        self._split.addWidget(self._lists)
        self._split.addWidget(self.detail)
        self._split.setStretchFactor(0, 3)
        self._split.setStretchFactor(1, 2)
        self._split.setChildrenCollapsible(False)
        self._body.addWidget(self._split)
        self._body.addWidget(self.empty)
        top = QHBoxLayout()
        top.addWidget(self.search, 1)
        top.addWidget(self.filter)
        top.addWidget(self.grouped)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(12)
        column.addLayout(top)
        column.addWidget(self.bar)
        column.addWidget(self.weeks)
        column.addWidget(self._body, 1)
        column.addWidget(self.scan)

    def _connect(self) -> None:
        self.search.left.connect(self.table.setFocus)
        self.grouped.toggled.connect(self.show_grouped)
        self.table.opened.connect(self.opened)
        self.group_table.opened.connect(lambda found: self.opened.emit(found.sample))
        self.table.current_moved.connect(self._show_detail)
        self.group_table.current_moved.connect(self._show_detail)
        self.detail.opened.connect(self.opened)

    def show_rows(self) -> None:
        """Shows the list and the detail: of the newest failure, until the user chooses one."""
        table = self.group_table if self.is_grouped else self.table
        if not table.currentIndex().isValid() and table.paged.rowCount():
            flags = QItemSelectionModel.SelectionFlag.NoUpdate
            table.selectionModel().setCurrentIndex(table.paged.index(0, 0), flags)
        self._body.setCurrentWidget(self._split)

    def show_empty(self) -> None:
        """Shows the empty state instead."""
        self._body.setCurrentWidget(self.empty)

    @property
    def is_grouped(self) -> bool:
        return self._lists.currentWidget() is self.group_table

    def show_grouped(self, on: bool) -> None:
        """Shows groups instead of single failures, or single ones again."""
        self.grouped.setChecked(on)
        self._lists.setCurrentWidget(self.group_table if on else self.table)
        self.regroup()
        if self._body.currentWidget() is self._split:
            self.show_rows()
        self._show_detail()
        (self.group_table if on else self.table).setFocus()

    def show_sieve(self, sieve: Sieve, zone: tzinfo | None) -> None:
        """What the list is narrowed by."""
        self.sieve = sieve
        self.bar.set_sieve(sieve, zone)
        self.weeks.set_span(sieve.span)
        self.regroup()

    def show_tally(self, tally: Tally | None) -> None:
        """What has been counted of the log; None: nothing."""
        self.tally = tally
        self.bar.set_tally(tally)
        if tally is not None:
            self.weeks.set_weeks(tally.weeks(), tally.zone, whole=tally.whole)
        else:
            self.weeks.set_weeks([], None, whole=True)
        self.regroup()

    def regroup(self) -> None:
        """Shows the causes of what was counted, as far as the sieve lists it."""
        tally = self.tally
        if self.is_grouped:
            self.group_table.setColumnHidden(1, tally is None or not tally.keeps_resolutions)
            self.groups.show_all([] if tally is None else tally.groups(self.sieve))

    def fit_columns(self, rows: Iterable[FailureRow]) -> None:
        """Shows the columns that these rows, or earlier ones of this log, have something to say in."""
        self._show_columns(self._seen.union(*map(told_by, rows)))

    def forget_columns(self) -> None:
        """Another log: none of the optional columns is shown until a row has a value."""
        self._show_columns(frozenset())

    @property
    def shown_optional(self) -> frozenset[str]:
        """Ids of the optional columns that are shown."""
        return self._seen

    def _show_columns(self, seen: frozenset[str]) -> None:
        if seen != self._seen:
            self._seen = seen
            for number, column in enumerate(COLUMNS):
                if column.id in OPTIONAL:
                    self.table.setColumnHidden(number, column.id not in seen)
            self.table.fit_columns()

    def current(self) -> FailureRow | None:
        """The failure in the detail, None when there is none."""
        item = (self.group_table if self.is_grouped else self.table).current_item
        return item.sample if isinstance(item, FailureGroup) else item

    def _show_detail(self) -> None:
        self.detail.show_row(self.current(), self.model.clock.zone)

    def _tint(self) -> None:
        for button, glyph in ((self.grouped, "collapse"), (self.filter, "filter")):
            button.setIcon(glyphs.icon(glyph, theme().color("muted")))
            button.setIconSize(QSize(14, 14))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._tint()
