"""The chances of a simulation: weights for each step, of what can become of it. GUI thread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from engine_bridge.format import plain
from widgets.shell.label import plain_tooltip
from widgets.theme import ROW, font

FATES: Final = ("success", "rejection", "failure", "death")
OTHERS: Final = "*"
Weights = dict[str, dict[str, float]]


class ChancesTable(QTableWidget):
    """One row for each step, the first for all without a weight of their own. An empty cell is the usual weight."""

    def __init__(self) -> None:
        super().__init__(0, 1 + len(FATES))
        self.setHorizontalHeaderLabels(["step", *FATES])
        self.setAccessibleName("Chances of each step")
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.setFont(font(12, code=True))
        self.setTabKeyNavigation(False)
        self.steps: tuple[str, ...] = ()
        for column in range(1, 1 + len(FATES)):
            self.setColumnWidth(column, 76)
        self.set_steps(())

    def set_steps(self, steps: Sequence[str]) -> None:
        """The steps of a config; weights of those that were here before are kept."""
        try:
            before = self.weights()
        except ValueError:
            before = {}
        self.steps = tuple(steps)
        self.setRowCount(0)
        self.setRowCount(1 + len(self.steps))
        for row, step in enumerate((OTHERS, *self.steps)):
            title = QTableWidgetItem("all others" if step == OTHERS else plain(step, 80))
            title.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            title.setToolTip(plain_tooltip(plain(step)))
            self.setItem(row, 0, title)
            for column, fate in enumerate(FATES, 1):
                weight = before.get(step, {}).get(fate)
                item = QTableWidgetItem("" if weight is None else f"{weight:g}")
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                item.setToolTip(plain_tooltip(f"Weight of {fate} for {plain(step, 80)}"))
                self.setItem(row, column, item)

    def weights(self) -> Weights:
        """The weights that were given. Raises ValueError that says which cell is no weight."""
        found: Weights = {}
        for row, step in enumerate((OTHERS, *self.steps)[: self.rowCount()]):
            for column, fate in enumerate(FATES, 1):
                item = self.item(row, column)
                text = item.text().strip() if item is not None else ""
                if text:
                    found.setdefault(step, {})[fate] = _weight(text, step, fate)
        return found


def _weight(text: str, step: str, fate: str) -> float:
    try:
        weight = float(text.replace(",", "."))
    except ValueError:
        weight = math.nan
    if not 0 <= weight < math.inf:
        name = "all others" if step == OTHERS else plain(step, 60)
        raise ValueError(
            f"{name}, {fate}: “{plain(text, 20)}” is no weight; write 0 or more, or leave it empty"
        )
    return weight
