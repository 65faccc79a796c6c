"""Simulation: synthetic lives through a config, their ends and some of them in full. GUI thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QPushButton, QSpinBox, QSplitter, QVBoxLayout, QWidget

from engine_bridge.configs import Simulation
from engine_bridge.errors import PlayheadError
from engine_bridge.format import count, plain
from widgets.configs.chances import ChancesTable
from widgets.configs.progress import ProgressLine
from widgets.run.labels import Text
from widgets.run.list_table import Cell, ListTable
from widgets.shell.label import label

_END: dict[str, tuple[str, str, str]] = {
    "good": ("completed", "completed", "good end"),
    "bad": ("failed", "failed", "bad end"),
    "stuck": ("warning", "retrying", "stuck: nothing applied"),
    "bound": ("clock", "waiting", "beyond the bound of steps"),
}


class SimulationPane(QSplitter):
    """``run_requested`` carries the settings; ``life_chosen`` the statuses of a sample life to draw on the graph."""

    run_requested = Signal(object)
    cancel_requested = Signal()
    life_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.lives, self.seed = QSpinBox(), QSpinBox()
        self.chances = ChancesTable()
        self.run = QPushButton("Simulate")
        self.progress = ProgressLine()
        self.note = Text(tone="muted")
        self.ends = ListTable("Where lives ended", ("ended on", "lives", "share"), (220, 90))
        self.samples = ListTable("Sample lives", ("steps", "life"), (56,))
        self.result: Simulation | None = None
        self._lay_out()
        self.run.clicked.connect(self.start)
        self.progress.cancelled.connect(self.cancel_requested)
        self.samples.chosen.connect(self._on_sample)
        self.show_nothing()

    def _lay_out(self) -> None:
        self.lives.setRange(1, 1_000_000)
        self.lives.setValue(10_000)
        self.lives.setAccessibleName("Number of lives")
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setAccessibleName("Seed")
        self.seed.setToolTip("The same seed gives the same lives.")
        self.run.setProperty("primary", "true")
        left, right = QWidget(), QWidget()
        self.addWidget(left)
        self.addWidget(right)
        form = QGridLayout(left)
        form.setContentsMargins(0, 8, 8, 8)
        for column, (title, widget) in enumerate((("Lives", self.lives), ("Seed", self.seed))):
            form.addWidget(label(title, color="muted"), 0, 2 * column)
            form.addWidget(widget, 0, 2 * column + 1)
        form.addWidget(self.run, 0, 4)
        form.setColumnStretch(1, 1)
        form.setColumnStretch(3, 1)
        told = label("What becomes of each step: weights, the usual ones where empty", color="muted")
        form.addWidget(told, 1, 0, 1, 5)
        form.addWidget(self.chances, 2, 0, 1, 5)
        self._lay_out_results(QVBoxLayout(right))
        self.setSizes([460, 800])
        self.setChildrenCollapsible(False)

    def _lay_out_results(self, rows: QVBoxLayout) -> None:
        rows.setContentsMargins(8, 8, 0, 8)
        rows.addWidget(self.note)
        rows.addWidget(self.progress)
        tables = QSplitter(Qt.Orientation.Horizontal)
        rows.addWidget(tables, 1)
        tables.addWidget(self.ends)
        tables.addWidget(self.samples)
        tables.setSizes([420, 420])
        tables.setChildrenCollapsible(False)

    def set_steps(self, steps: Sequence[str]) -> None:
        """The steps that chances can be given for."""
        if tuple(steps) != self.chances.steps:
            self.chances.set_steps(steps)

    def settings(self) -> dict[str, Any]:
        """What was asked for. Raises ValueError for a cell that is no weight."""
        return {
            "count": self.lives.value(),
            "seed": self.seed.value(),
            "chances": self.chances.weights() or None,
        }

    def start(self) -> None:
        """As the button; a wrong weight is told instead."""
        try:
            settings = self.settings()
        except ValueError as error:
            self.note.set_text(f"Not run: {error}.")
            self.note.set_tone("failed")
            return
        self.run_requested.emit(settings)

    def show_running(self) -> None:
        self.note.set_tone("muted")
        self.note.set_text("Simulating …")
        self.progress.show_far("Simulating")
        self.run.setEnabled(False)

    def show_nothing(
        self, text: str = "No use case runs: lives are drawn by chance.", tone: str = "muted"
    ) -> None:
        """No result: not yet, cancelled, or failed."""
        self.result = None
        self._rest()
        self.note.set_tone(tone)
        self.note.set_text(text)
        self.ends.list_model.set_rows(0, lambda row: ())
        self.samples.list_model.set_rows(0, lambda row: ())

    def show_error(self, error: PlayheadError) -> None:
        self.show_nothing(f"{error.message} {error.hint}".strip(), "failed")

    def show_result(self, found: Simulation) -> None:
        """Shows counts by last status, the kinds of end, and sample lives."""
        self.result = found
        self._rest()
        least, median, most = found.hops
        self.note.set_tone("muted")
        self.note.set_text(
            f"{count(found.n)} lives with seed {found.seed} · {least} to {most} steps, median {median}"
        )
        rows = _rows(found)
        self.ends.list_model.set_rows(0, lambda row: ())
        self.ends.list_model.set_rows(len(rows), lambda row: rows[row])
        lives = [_life(life) for life in found.samples]
        self.samples.list_model.set_rows(0, lambda row: ())
        self.samples.list_model.set_rows(len(lives), lambda row: lives[row])

    def _rest(self) -> None:
        self.progress.hide()
        self.run.setEnabled(True)

    def _on_sample(self, row: int) -> None:
        if self.result is not None and row < len(self.result.samples):
            self.life_chosen.emit(self.result.samples[row])


def _life(statuses: Sequence[str]) -> tuple[Cell, ...]:
    whole = " → ".join(statuses)
    return Cell(count(max(0, len(statuses) - 1)), code=True), Cell(plain(whole, 2_000), tooltip=whole)


def _share(part: int, whole: int) -> str:
    share = 100 * part / whole if whole else 0.0
    return f"{share:.1f} %" if share < 99.95 or part == whole else "< 100 %"


def _rows(found: Simulation) -> list[tuple[Cell, ...]]:
    """Kinds of end first, then the statuses that lives ended on, most first."""
    rows: list[tuple[Cell, ...]] = []
    for end, lives in found.ends.items():
        glyph, tone, words = _END.get(end, ("info", "waiting", end))
        share = _share(lives, found.n)
        rows.append((Cell(words, tone, glyph=glyph), Cell(count(lives), code=True), Cell(share)))
    for status, lives in sorted(found.statuses.items(), key=lambda item: -item[1]):
        name = Cell(plain(status), code=True, tooltip=status)
        rows.append((name, Cell(count(lives), code=True), Cell(_share(lives, found.n))))
    return rows
