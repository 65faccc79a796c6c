"""The events tab: a filter box over the events table. Its current row is the playhead. GUI thread."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

import msgspec
import numpy as np
from PySide6.QtCore import QEvent, QModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QMenu, QTableView, QVBoxLayout, QWidget

from engine_bridge import format as fmt
from engine_bridge.history import History
from engine_bridge.model import Event
from widgets.run.event_delegate import EventDelegate
from widgets.run.event_filter import EventFilter
from widgets.run.event_model import DETAIL, EventModel
from widgets.run.find_box import FindBox
from widgets.run.labels import Text
from widgets.theme import ROW

_WIDTHS = (56, 112, 186, 150)
_DAY_WIDTH = 160
_KIND_WIDTH = 132  # the least, of "task completed"
_PAUSE_MS = 50  # in typing: the first events are found 20 to 60 ms later, and a tenth of a second is felt
_SHORT_WIDTH, _SHORT_DAY_WIDTH = 78, 126  # of an entity's times, for their detail says most


class EventTable(QTableView):
    """The table itself: whole rows, no vertical header, fixed row height."""

    picked = Signal(object)  # table row that the user chose

    def __init__(self, model: EventModel) -> None:
        super().__init__()
        self._delegate = EventDelegate(model)
        self.events = model
        self.setModel(model)
        self.setItemDelegate(self._delegate)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW)
        self.horizontalHeader().setStretchLastSection(True)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setDefaultAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
        self._fitting = self._fitted_by_user = False
        self.horizontalHeader().sectionResized.connect(
            lambda section, _old, _new: self._on_section_resized(section)
        )
        self.horizontalHeader().setMinimumSectionSize(40)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setMouseTracking(True)
        self.setWordWrap(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setAccessibleName("Events")
        self.clicked.connect(lambda index: self.picked.emit(index.row()))

    @property
    def current(self) -> int:
        """The row that is drawn as the playhead's; -1 for none."""
        return self._delegate.current

    def show_current(self, row: int, *, scroll: bool) -> None:
        """Marks a row as the playhead's."""
        self._delegate.current = row
        if row >= 0:
            index = self.events.index(row, max(0, self.currentIndex().column()))
            if index != self.currentIndex():
                self.setCurrentIndex(index)
            if scroll:
                self.bring(index)
        self.viewport().update()

    def bring(self, index: QModelIndex) -> None:
        """Rows out of sight come to the middle; those in sight stay where they are."""
        rect = self.visualRect(index)
        if not self.viewport().rect().contains(rect.center()):
            self.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtCenter)
        else:
            self.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)

    def center_current(self) -> None:
        """Brings the playhead's row to the middle."""
        if 0 <= self.current < self.events.rowCount():
            self.scrollTo(self.events.index(self.current, 0), QAbstractItemView.ScrollHint.PositionAtCenter)

    def resizeEvent(self, event: QResizeEvent) -> None:
        if not self._fitted_by_user:
            self.fit_columns()
        super().resizeEvent(event)

    def fit_columns(self) -> None:
        """Shares the width between step and detail; times keep what they need."""
        self._fitting = True
        number, time, kind, step = _WIDTHS
        time = _DAY_WIDTH if self.events.with_day else time
        if self.events.of_entity:
            number, time = 40, _SHORT_DAY_WIDTH if self.events.with_day else _SHORT_WIDTH
        rest = self.viewport().width() - number - time
        kind = min(kind, max(_KIND_WIDTH, rest // 3))
        step = max(60, min(260, (rest - kind) * 2 // 5))
        for column, width in enumerate((number, time, kind, step)):
            self.setColumnWidth(column, width)
        self._fitting = False

    def _on_section_resized(self, section: int) -> None:
        # The last column follows the others.
        if not self._fitting and section != DETAIL:
            self._fitted_by_user = True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.row_text(self.currentIndex()))
            return
        before = self.currentIndex().row()
        super().keyPressEvent(event)
        after = self.currentIndex().row()
        if after != before or event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.picked.emit(after)

    def row_text(self, index: QModelIndex) -> str:
        """A row's cells, separated by tabs."""
        if not index.isValid():
            return ""
        return "\t".join(self.events.text(index.row(), column) for column in range(DETAIL + 1))


class EventsPane(QWidget):
    """``event_picked`` carries the Event that a click or the keyboard chose."""

    event_picked = Signal(object)
    filter_requested = Signal(object)  # (field, value)

    def __init__(self) -> None:
        super().__init__()
        self.model = EventModel()
        self.table = EventTable(self.model)
        self.finder = FindBox("Find in events", pause_ms=_PAUSE_MS)
        self._count = Text(tone="muted", size=11)
        self._empty = Text("", tone="muted")
        self._filter = EventFilter(self)
        self._filter.found.connect(self._on_found)
        self._filter.finished.connect(self._show_count)
        self.finder.text_changed.connect(self._on_text)
        self.finder.stepped.connect(self._step_to_match)
        self.table.picked.connect(self._on_picked)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._on_menu)
        bar = QHBoxLayout()
        bar.setContentsMargins(8, 4, 8, 4)
        bar.addWidget(self.finder, 1)
        bar.addWidget(self._count)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(bar)
        layout.addWidget(self._empty, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self.table, 1)
        self.filter_fields: frozenset[str] = frozenset()
        self._empty.hide()

    def set_history(self, history: History | None) -> None:
        """Another history, from its start."""
        self._filter.stop()
        self.table.show_current(-1, scroll=False)
        self.model.set_history(history)
        self.table.fit_columns()
        self._restart()
        # The page may not be laid out yet.
        QTimer.singleShot(0, self.table, self._bring)

    def _bring(self) -> None:
        """The playhead's row comes into sight; when LIVE the selected step's first, else the newest."""
        if self.model.position is not None:
            self.table.center_current()
        elif not self._bring_step():
            self.table.scrollToBottom()

    def _bring_step(self) -> bool:
        history, step_row = self.model.history, self.model.step_row
        if history is None or step_row < 0:
            return False
        row = self.model.row_of(int(history.steps["first"][step_row]))
        if not 0 <= row < self.model.rowCount():
            return False
        self.table.bring(self.model.index(row, 0))
        return True

    def set_zone(self, zone: tzinfo | None) -> None:
        self.model.set_zone(zone)
        self.table.fit_columns()
        self.table.viewport().update()

    def retell(self) -> None:
        """Events read otherwise now."""
        self.model.retell()

    def refresh(self) -> None:
        """The history grew: follows its tail when LIVE and at the end, else moves nothing."""
        bar = self.table.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - ROW and self.model.position is None
        self.model.grow()
        if self.finder.needle:
            self._filter.resume()
        if at_end:
            self.table.scrollToBottom()
        self._show_count()

    def set_position(self, position: int | None) -> None:
        """Moves the playhead's row, and fades what comes later."""
        self.model.position = position
        row = -1 if position is None else self.model.row_of(position)
        self.table.show_current(row, scroll=True)
        if position is None and self.table.isVisible():
            self.table.scrollToBottom()

    def set_selected(self, step_row: int) -> None:
        """Marks the events of a step (by its row; -1: none), and brings its first one into sight when LIVE."""
        changed, self.model.step_row = self.model.step_row != step_row, step_row
        if changed and self.model.position is None:
            self._bring_step()
        self.table.viewport().update()

    def _restart(self) -> None:
        history = self.model.history
        if self.finder.needle and history is not None:
            self.model.set_rows(np.zeros(0, np.int64))
            self._filter.start(history, self.finder.needle)
        else:
            self._filter.stop()
            self.model.set_rows(None)
        self.set_position(self.model.position)
        self._show_count()

    def _on_text(self, text: str) -> None:
        self._restart()

    def _on_found(self, rows: Any) -> None:
        self.model.add_rows(rows)
        if self.model.position is not None:
            self.table.show_current(self.model.row_of(self.model.position), scroll=False)
        self._show_count()

    def _show_count(self) -> None:
        shown, history = self.model.rowCount(), self.model.history
        total = len(history) if history is not None else 0
        looking = "…" if self._filter.running else ""
        self._count.set_text(
            f"{fmt.count(shown)} of {fmt.count(total)}{looking}" if self.finder.needle else ""
        )
        self._empty.set_text(self._empty_words(total))
        self._empty.setVisible(shown == 0 and not self._filter.running)

    def _empty_words(self, total: int) -> str:
        if total:
            return "No event holds these words. Clear the box with Escape."
        return "No events are recorded for this run yet."

    def _step_to_match(self, direction: int) -> None:
        row = self.table.current + direction
        if 0 <= row < self.model.rowCount():
            self._on_picked(row)

    def _on_picked(self, row: int) -> None:
        event = self.model.event_at(row)
        if event is not None:
            self.event_picked.emit(event)

    def _on_menu(self, at: QPoint) -> None:
        index = self.table.indexAt(at)
        event = self.model.event_at(index.row()) if index.isValid() else None
        if event is not None:
            menu = self.menu(index, event)
            menu.exec(self.table.viewport().mapToGlobal(at))
            menu.deleteLater()

    def menu(self, index: QModelIndex, event: Event) -> QMenu:
        """What a cell offers."""
        menu = QMenu(self)
        for title, text in (
            ("Copy cell", self.model.text(index.row(), index.column())),
            ("Copy row", self.table.row_text(index)),
            ("Copy exact time", str(event.time_ns) if event.time_ns is not None else ""),
            ("Copy event as JSON", msgspec.json.format(msgspec.json.encode(event)).decode()),
        ):
            action = menu.addAction(title)
            action.setEnabled(bool(text))
            action.triggered.connect(lambda _=False, text=text: QGuiApplication.clipboard().setText(text))
        self._add_filters(menu, event)
        return menu

    def _add_filters(self, menu: QMenu, event: Event) -> None:
        menu.addSeparator()
        offers: list[tuple[str, str]] = []
        if event.failure is not None and "error" in self.filter_fields:
            offers.append(("error", event.failure.type or event.failure.message))
        if event.step_name and "step" in self.filter_fields:
            offers.append(("step", event.step_name))
        for field, value in offers:
            action = QAction(fmt.plain(f"Filter runs by {field} {value}", 80), menu)
            action.triggered.connect(lambda _=False, pair=(field, value): self.filter_requested.emit(pair))
            menu.addAction(action)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self.table.viewport().update()
        super().changeEvent(event)
