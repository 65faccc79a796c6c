"""The gate's page: what is asked, how far it is, groups of findings in tabs, their runs, one finding. GUI thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from engine_bridge.format import count, plain
from engine_bridge.history import History
from engine_bridge.replay.gate_report import GateReport, Group, Result, Section
from widgets.code.intro import Intro
from widgets.configs.progress import ProgressLine
from widgets.gate.bar import GateBar
from widgets.gate.cells import HEADS, NONE, TITLES, WIDTHS, group_cells, member_cells, run_cells, verdict
from widgets.gate.finding import FindingView
from widgets.run.labels import Glyph, Text
from widgets.run.list_table import Cell, ListTable
from widgets.run.panes import Pane, Panes
from widgets.shell.label import label
from widgets.table.empty import EmptyState

ALL = "all"
_WHOLE = 1 << 14  # px: what it means is never cut in favour of what it was made of
_ASKED = {"replay": "again", "project": "code"}
_RUNS = ("run", "workflow", "how it fared", "where")
_RUN_WIDTHS = (260, 200, 260)
_MEMBERS = ("run", "at", "workflow")
_MEMBER_WIDTHS = (140, 84)


class GateView(QWidget):
    """``run_chosen`` carries the Result on show, ``opened`` (Result, step id), ``save_requested`` "json" or "junit"."""

    cancel_requested = Signal()
    run_chosen = Signal(object)
    opened = Signal(object)
    save_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None, *, whole: bool = True) -> None:
        super().__init__(parent)
        self.report: GateReport | None = None
        self.broken: Intro | None = None
        self.shown: tuple[Result, ...] = ()
        self.pieces = self._lay_out()
        """Makes the page a piece at a time, so that no frame is late; run to its end before it is used."""
        if whole:
            for _ in self.pieces:
                pass

    def _lay_out(self) -> Iterator[None]:
        self.bar, self.progress, self.empty = GateBar(), ProgressLine(), EmptyState()
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 8)
        column.setSpacing(8)
        column.addWidget(label("Replay", size=18, bold=True))
        column.addWidget(self.bar)
        column.addWidget(self.progress)
        self.stack, content = QStackedWidget(), QWidget()
        column.addWidget(self.stack, 1)
        self.stack.addWidget(self.empty)
        self.stack.addWidget(content)
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addLayout(self._head())
        split, self.below = QSplitter(Qt.Orientation.Vertical), QSplitter(Qt.Orientation.Horizontal)
        inner.addWidget(split, 1)
        yield
        yield from self._lay_out_tables(split)
        yield
        self.finding = FindingView()
        yield
        self.below.addWidget(self.runs)
        self.below.addWidget(self.finding)
        split.addWidget(self.below)
        self.below.setSizes([300, 800])
        split.setSizes([200, 460])
        for splitter in (split, self.below):
            splitter.setChildrenCollapsible(False)
        self._connect()
        self.show_nothing()

    def _head(self) -> QHBoxLayout:
        self.glyph, self.verdict, self.about = (
            Glyph(),
            Text(bold=True, least=_WHOLE),
            Text(tone="muted", least=60, elide=Qt.TextElideMode.ElideMiddle),
        )
        self.save_json, self.save_junit = QPushButton("Save JSON …"), QPushButton("Save JUnit …")
        head = QHBoxLayout()
        head.setSpacing(8)
        for widget in (self.glyph, self.verdict, self.about):
            head.addWidget(widget)
        head.addStretch(1)
        head.addWidget(self.save_json)
        head.addWidget(self.save_junit)
        return head

    def _lay_out_tables(self, split: QSplitter) -> Iterator[None]:
        self.panes = Panes("What was found", [])
        split.addWidget(self.panes)
        self.tables: dict[Section, ListTable] = {}
        for section in Section:
            table = self.tables[section] = ListTable(TITLES[section], HEADS[section], WIDTHS[section])
            table.set_placeholder(NONE[section])
            self.panes.add(Pane(section.value, TITLES[section], self.tables[section]))
        yield
        self.all = ListTable("All runs", _RUNS, _RUN_WIDTHS)
        self.panes.add(Pane(ALL, "All runs", self.all))
        self.runs = ListTable("Runs of the group", _MEMBERS, _MEMBER_WIDTHS)

    def _connect(self) -> None:
        self.progress.cancelled.connect(self.cancel_requested)
        self.save_json.clicked.connect(lambda: self.save_requested.emit("json"))
        self.save_junit.clicked.connect(lambda: self.save_requested.emit("junit"))
        for table in self.tables.values():
            table.chosen.connect(lambda _: self._on_group())
            table.opened.connect(lambda _: self.runs.setFocus())
        self.all.chosen.connect(lambda row: self._on_run(self.all, row))
        self.runs.chosen.connect(lambda row: self._on_run(self.runs, row))
        for table in (self.all, self.runs):
            table.opened.connect(lambda _: self.open_current())
        self.panes.currentChanged.connect(lambda _: self._on_pane())
        self.finding.opened.connect(self.opened)

    # -- states ---------------------------------------------------------------------------------------------

    def show_nothing(
        self,
        title: str = "Which runs would this code break?",
        text: str = "Choose the code that you are about to deploy, and replay every open run, or those of a filter,"
        " against it: in processes that can neither write nor reach the network. Nothing is executed twice.",
        *actions: tuple[str, str],
        glyph: str = "checked",
        color: str = "muted",
    ) -> None:
        """A message instead of a report."""
        self.report = None
        self.rest()
        self.empty.show_state(glyph, title, text, *actions, color=color)
        self.stack.setCurrentWidget(self.empty)

    def show_running(self, text: str) -> None:
        """Something is under way; what was shown stays until it is done."""
        self.bar.show_running(True)
        self.progress.show_far(text)

    def rest(self) -> None:
        """Nothing is under way any more."""
        self.progress.hide()
        self.bar.show_running(False)

    def show_report(self, report: GateReport) -> None:
        """Shows what was found, the gravest section first."""
        if report.error:
            self._show_broken(report)
            return
        self.rest()
        self.report = report
        glyph, tone, words = verdict(report)
        self.glyph.set_glyph(glyph, tone)
        self.verdict.set_text(words)
        self.about.set_text(_about(report), _guards(report))
        for section in Section:
            groups = report.of(section)
            _fill(self.tables[section], len(groups), partial(_group_row, groups))
            self.panes.set_count(section.value, count(sum(group.count for group in groups)) if groups else "")
        _fill(self.all, len(report.results), lambda row: run_cells(report.results[row]))
        self.panes.set_count(ALL, count(len(report.results)))
        self.stack.setCurrentIndex(1)
        first = next((section.value for section in Section if report.of(section)), ALL)
        self.panes.show_pane(first)
        self._on_pane()

    def _show_broken(self, report: GateReport) -> None:
        """The code could not be loaded: why, and its stack."""
        self.report = None
        self.rest()
        if self.broken is None:
            self.broken = Intro()
            self.broken.set_button("Try again")
            self.broken.asked.connect(lambda what: self.empty.chosen.emit(_ASKED.get(what)))
            self.stack.addWidget(self.broken)
        self.broken.show_words(
            "warning", "failed", "The code could not be loaded", report.error, report.hint,
            stack=report.detail.strip(), buttons=("replay", "project"),
        )  # fmt: skip
        self.stack.setCurrentWidget(self.broken)

    # -- what is chosen ---------------------------------------------------------------------------------------

    @property
    def shows_report(self) -> bool:
        return self.report is not None

    def groups(self) -> tuple[Group, ...]:
        """The groups of the tab in front; () for all runs."""
        pane = self.panes.current_id
        return self.report.of(Section(pane)) if self.report is not None and pane != ALL else ()

    def _on_pane(self) -> None:
        if self.report is None:
            return
        pane = self.panes.current_id
        self.runs.setVisible(pane != ALL)
        self.below.setVisible(pane == ALL or bool(self.groups()))
        if pane == ALL:
            self._choose_first(self.all, len(self.report.results), self.report.results)
        else:
            table = self.tables[Section(pane)]
            if self.groups() and not table.currentIndex().isValid():
                table.selectRow(0)
            self._on_group()

    def _on_group(self) -> None:
        groups = self.groups()
        table = self.tables[Section(self.panes.current_id)]
        row = table.currentIndex().row()
        results = self.report.results if self.report is not None else ()
        members = tuple(results[n] for n in groups[row].runs) if 0 <= row < len(groups) else ()
        _fill(self.runs, len(members), lambda row: member_cells(members[row]))
        self._choose_first(self.runs, len(members), members)

    def _choose_first(self, table: ListTable, rows: int, members: tuple[Result, ...]) -> None:
        self.shown = members
        if rows and not table.currentIndex().isValid():
            table.selectRow(0)
        self._on_run(table, table.currentIndex().row() if rows else -1)

    def _on_run(self, table: ListTable, row: int) -> None:
        result = self.shown[row] if 0 <= row < len(self.shown) else None
        self.finding.show_result(result)
        self.run_chosen.emit(result)

    def set_history(self, result: Result, history: History) -> None:
        """The history of a run that is on show has been read."""
        if self.finding.result is result:
            self.finding.show_result(result, history)

    def open_current(self) -> None:
        """Wants the run on show, at its finding."""
        result = self.finding.result
        if result is not None:
            step = result.divergence.step_id if result.divergence is not None else self.finding.other.step_id
            self.opened.emit((result, step))

    def step_pane(self, direction: int) -> None:
        """Goes to the next tab, or the one before."""
        self.panes.setCurrentIndex((self.panes.currentIndex() + direction) % self.panes.count())


def _fill(table: ListTable, rows: int, cells: Callable[[int], tuple[Cell, ...]]) -> None:
    table.list_model.set_rows(0, lambda row: ())
    table.list_model.set_rows(rows, cells)


def _group_row(groups: tuple[Group, ...], row: int) -> tuple[Cell, ...]:
    return group_cells(groups[row])


def _about(report: GateReport) -> str:
    runner = report.runner
    processes = f"{report.processes} processes" if report.processes != 1 else "1 process"
    return (
        f"{plain(report.code, 120)} · Python {runner.python} · {runner.engine} {runner.library}"
        f" · {report.took_s:.1f} s in {processes}"
    )


def _guards(report: GateReport) -> str:
    denied = ", ".join(report.runner.guards) or "nothing"
    lacks = "\n".join(report.runner.lacks)
    return f"{_about(report)}\nDenied by the system: {denied}." + (f"\n{lacks}" if lacks else "")
