"""Replay: recorded moves against configs, what diverges in groups, and each entity's first divergence. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine_bridge.configs import Divergence, DivergenceGroup, ReplayReport
from engine_bridge.errors import PlayheadError
from engine_bridge.format import count, plain
from widgets.configs.place_picker import PlacePicker
from widgets.configs.progress import ProgressLine
from widgets.run.labels import Text
from widgets.run.list_table import Cell, ListTable
from widgets.shell.label import label
from widgets.table.empty import EmptyState
from widgets.theme import font


class ReplayPane(QWidget):
    """``run_requested`` carries places and a filter's text; ``entity_opened`` a Divergence."""

    run_requested = Signal(object)
    cancel_requested = Signal()
    entity_opened = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.place = PlacePicker("Configs to replay against")
        self.filter = QLineEdit()
        self.run = QPushButton("Replay")
        self.progress = ProgressLine()
        self.note = Text(tone="muted")
        self.groups = ListTable(
            "Groups of divergences", ("entities", "what", "recorded", "the configs allow"), (80, 130, 220)
        )
        self.entities = ListTable("Entities that diverge", ("entity", "event", "step"), (160, 56))
        self.empty = EmptyState()
        self.report: ReplayReport | None = None
        self._lay_out()
        self.run.clicked.connect(self.start)
        self.place.entered.connect(self.start)
        self.filter.returnPressed.connect(self.start)
        self.progress.cancelled.connect(self.cancel_requested)
        self.groups.chosen.connect(self._on_group)
        self.groups.opened.connect(lambda _: self.entities.setFocus())
        self.entities.opened.connect(self._on_opened)
        self.show_nothing()

    def _lay_out(self) -> None:
        self.filter.setFont(font(12, code=True))
        self.filter.setAccessibleName("Which entities")
        self.filter.setPlaceholderText("all entities, or a filter")
        self.filter.setClearButtonEnabled(True)
        self.run.setProperty("primary", "true")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 8)
        top = QHBoxLayout()
        column.addLayout(top)
        top.addWidget(label("Against", color="muted"))
        top.addWidget(self.place, 3)
        top.addWidget(label("of", color="muted"))
        top.addWidget(self.filter, 2)
        top.addWidget(self.run)
        column.addWidget(self.progress)
        self._body, self._tables = QStackedWidget(), QSplitter(Qt.Orientation.Horizontal)
        column.addWidget(self._body, 1)
        column.addWidget(self.note)
        self._body.addWidget(self._tables)
        self._body.addWidget(self.empty)
        self._tables.addWidget(self.groups)
        self._tables.addWidget(self.entities)
        self._tables.setSizes([800, 400])
        self._tables.setChildrenCollapsible(False)

    def start(self) -> None:
        """As the button."""
        self.run_requested.emit((self.place.places(), self.filter.text().strip()))

    def show_running(self) -> None:
        self.progress.show_far("Replaying")
        self.run.setEnabled(False)
        self.note.set_text("")

    def show_nothing(
        self,
        title: str = "Nothing was replayed yet",
        text: str = "Replay runs every recorded move through configs: today's, changed ones, or REV:path in git.",
        glyph: tuple[str, str] = ("timeline", "muted"),
    ) -> None:
        """No report: not yet, cancelled, or failed."""
        self.report = None
        self._rest()
        self.note.set_text("")
        self.empty.show_state(glyph[0], title, text, color=glyph[1])
        self._body.setCurrentWidget(self.empty)

    def show_error(self, error: PlayheadError) -> None:
        self.show_nothing(error.message, error.hint, ("warning", "failed"))

    def show_report(self, report: ReplayReport, against: str) -> None:
        """Shows what diverged, most first."""
        looked = f"{count(report.moves)} moves of {count(report.entities)} entities against {against}"
        if not report.groups:
            end = (
                "Every recorded move is one that they allow."
                if report.complete
                else "It was cancelled before the end."
            )
            self.show_nothing("No divergence", f"{looked}. {end}", ("completed", "completed"))
            self.report = report
            return
        self.report = report
        self._rest()
        diverged = sum(group.count for group in report.groups)
        cut = "" if report.complete else " · cancelled before the end"
        self.note.set_text(f"{looked} · {count(diverged)} entities diverge, each counted once{cut}")
        self.groups.list_model.set_rows(0, lambda row: ())
        self.groups.list_model.set_rows(len(report.groups), lambda row: _group(report.groups[row]))
        self._body.setCurrentWidget(self._tables)
        self.groups.selectRow(0)
        self._on_group(0)

    def _rest(self) -> None:
        self.progress.hide()
        self.run.setEnabled(True)

    def _on_group(self, row: int) -> None:
        group = self.report.groups[row] if self.report is not None else None
        entities = group.entities if group is not None else ()
        self.entities.list_model.set_rows(0, lambda row: ())
        self.entities.list_model.set_rows(len(entities), lambda row: _entity(entities[row]))

    def _on_opened(self, row: int) -> None:
        at = self.groups.currentIndex().row()
        if self.report is not None and 0 <= at < len(self.report.groups):
            self.entity_opened.emit(self.report.groups[at].entities[row])


def _group(group: DivergenceGroup) -> tuple[Cell, ...]:
    shown = len(group.entities)
    more = f"the first {shown} are listed" if shown < group.count else ""
    return (
        Cell(count(group.count), code=True, tooltip=more),
        Cell(plain(group.kind), "failed", glyph="warning"),
        Cell(plain(group.recorded), code=True, tooltip=group.recorded),
        Cell(plain(group.expected) or "nothing", code=True, tone="muted", tooltip=group.expected),
    )


def _entity(found: Divergence) -> tuple[Cell, ...]:
    told = f"recorded: {found.recorded}\nallowed: {found.expected or 'nothing'}"
    return (
        Cell(plain(found.ref.run), code=True, tooltip=str(found.ref)),
        Cell(count(found.position), code=True),
        Cell(plain(found.step), code=True, tone="muted", tooltip=told),
    )
