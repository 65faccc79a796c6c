"""Entities that a change would strand: how many, where they should go, and the buttons that stage it. GUI thread."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine_bridge.actions.model import Staged
from engine_bridge.configs import Stranded
from engine_bridge.format import count, plain
from widgets.run.labels import Text
from widgets.shell.label import plain_tooltip
from widgets.theme import font

_HEIGHT = 34  # px: rows hold buttons
_TITLES = ("status", "entities", "move to", "", "why there")


def retargeted(row: Stranded, target: str) -> Staged | None:
    """The bulk action of a row, to another status where one was chosen."""
    if row.action is None or not target:
        return None
    args = {name: target if value == row.target else value for name, value in row.action.args.items()}
    return msgspec.structs.replace(row.action, args=args)


class StrandedPane(QWidget):
    """``stage_requested`` carries (Staged, filter) pairs; ``entities_wanted`` a filter."""

    stage_requested = Signal(object)
    entities_wanted = Signal(object)
    copied = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[Stranded, ...] = ()
        self.blocked = ""
        self.table = QTableWidget(0, len(_TITLES))
        self.targets: list[QComboBox] = []
        self.stage_buttons: list[QPushButton] = []
        self.sql_buttons: list[QPushButton] = []
        self.note = Text(tone="muted")
        self.stage_all = QPushButton("Stage degrade for all…")
        self._lay_out()
        self.stage_all.clicked.connect(self.stage_every)
        self.table.cellDoubleClicked.connect(lambda row, column: self._list(row))

    def _lay_out(self) -> None:
        table = self.table
        table.setHorizontalHeaderLabels(list(_TITLES))
        table.setAccessibleName("Stranded entities")
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(_HEIGHT)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        table.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(3, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(4, QHeaderView.ResizeMode.Stretch)
        for column, width in enumerate((180, 76, 190)):
            table.setColumnWidth(column, width)
        under = QHBoxLayout()
        under.addWidget(self.note)
        under.addStretch(1)
        under.addWidget(self.stage_all)
        column_ = QVBoxLayout(self)
        column_.setContentsMargins(0, 4, 0, 8)
        column_.addWidget(table, 1)
        column_.addLayout(under)

    def show_rows(
        self, rows: Sequence[Stranded], targets: Sequence[str], blocked: str, *, compared: bool = True
    ) -> None:
        """Shows who would be stranded. ``targets``: the new config's statuses; ``blocked``: why nothing can be done;
        ``compared`` False: nobody knows."""
        self.rows, self.blocked, self._compared = tuple(rows), blocked, compared
        self.targets, self.stage_buttons, self.sql_buttons = [], [], []
        self.table.setRowCount(0)
        self.table.setRowCount(len(self.rows))
        for number, row in enumerate(self.rows):
            self._fill(number, row, targets)
        self._show_blocked()

    def _fill(self, number: int, row: Stranded, targets: Sequence[str]) -> None:
        counted = "not counted" if row.count is None else count(row.count)
        for column, text in ((0, row.status), (1, counted), (4, row.why)):
            item = QTableWidgetItem(plain(text))
            item.setToolTip(plain_tooltip(text))
            if column < 2:
                item.setFont(font(12, code=True))
            self.table.setItem(number, column, item)
        box = QComboBox()
        box.setAccessibleName(f"Where entities on {plain(row.status, 80)} go")
        names = dict.fromkeys((row.target, *targets)) if row.target else {}
        box.addItems([plain(name, 120) for name in names])
        for at, name in enumerate(names):
            box.setItemData(at, name)
        box.setEnabled(bool(names))
        box.setPlaceholderText("no suggestion")
        box.setMinimumContentsLength(10)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.currentIndexChanged.connect(lambda _: self._show_blocked())
        self.targets.append(box)
        self.table.setCellWidget(number, 2, _padded(box))
        self.table.setCellWidget(number, 3, self._buttons(number, row))

    def _buttons(self, number: int, row: Stranded) -> QWidget:
        stage, listed, sql = (
            QPushButton("Stage degrade…"),
            QPushButton("Show entities"),
            QPushButton("Copy SQL"),
        )
        stage.setAccessibleName(f"Stage degrade of entities on {plain(row.status, 80)}")
        sql.setAccessibleName(f"Copy SQL for {plain(row.status, 80)}")
        listed.setAccessibleName(f"Show entities on {plain(row.status, 80)}")
        listed.setEnabled(bool(row.filter) and row.count != 0)
        listed.clicked.connect(lambda _: self._list(number))
        stage.clicked.connect(partial(self.stage, number))
        sql.clicked.connect(partial(self.copy_sql, number))
        self.stage_buttons.append(stage)
        self.sql_buttons.append(sql)
        return _padded(stage, listed, sql)

    def target(self, number: int) -> str:
        """The status chosen for a row."""
        return str(self.targets[number].currentData() or "")

    def why_not(self, number: int) -> str:
        """Why a row cannot be staged, "" when it can."""
        row = self.rows[number]
        if row.count == 0:
            return "no entity stands on it"
        if row.action is None:
            apart = "nothing says where they belong: show them, and move them from their list"
            return "this source cannot move entities" if row.target else apart
        return self.blocked

    def _show_blocked(self) -> None:
        stranded = sum(row.count or 0 for row in self.rows)
        uncounted = any(row.count is None for row in self.rows)
        noun = "entity" if stranded == 1 else "entities"
        told = (
            "Entities were not counted: no source was asked."
            if uncounted
            else f"{count(stranded)} {noun} stranded."
        )
        advice = f"{told} A staged degrade is planned and confirmed before anything is written."
        self.note.set_text(
            advice if self._compared else "Nothing was compared: who would be stranded is not known."
        )
        for number, row in enumerate(self.rows):
            why = self.why_not(number)
            _enable(self.stage_buttons[number], why)
            suggested = self.target(number) == row.target
            told = (
                ""
                if row.sql and suggested
                else "it is for the suggested status"
                if row.sql
                else "there is none"
            )
            _enable(self.sql_buttons[number], told)
        reasons = [self.why_not(number) for number in range(len(self.rows))]
        _enable(self.stage_all, "" if "" in reasons else reasons[0] if reasons else "nobody is stranded")

    def stage(self, number: int, _: bool = False) -> None:
        """Asks for the degrade of one row."""
        self._ask((number,))

    def stage_every(self) -> None:
        """Asks for the degrade of all rows that can be."""
        self._ask(tuple(number for number in range(len(self.rows)) if not self.why_not(number)))

    def _ask(self, numbers: tuple[int, ...]) -> None:
        found = [(retargeted(self.rows[n], self.target(n)), self.rows[n].filter) for n in numbers]
        parts = tuple((staged, query) for staged, query in found if staged is not None)
        if parts:
            self.stage_requested.emit(parts)

    def copy_sql(self, number: int, _: bool = False) -> None:
        """Copies the statement that moves the entities of one row."""
        QGuiApplication.clipboard().setText(self.rows[number].sql)
        self.copied.emit()

    def _list(self, number: int) -> None:
        if self.rows[number].filter:
            self.entities_wanted.emit(self.rows[number].filter)

    def list_current(self) -> None:
        """Asks for the list of the entities of the current row."""
        if self.table.currentRow() >= 0:
            self._list(self.table.currentRow())


def _enable(button: QPushButton, why: str) -> None:
    button.setEnabled(not why)
    button.setToolTip(plain_tooltip(f"Not now: {why}." if why else ""))


def _padded(*widgets: QWidget) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(4, 2, 4, 2)
    for widget in widgets:
        row.addWidget(widget)
    return holder
