"""The impact page: old configs against new, what changes, and whom it strands. GUI thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine_bridge.configs import Impact, ImpactReport, LintReport
from engine_bridge.format import count, plain
from widgets.configs.changes import ChangeTable, overlays
from widgets.configs.graph import ConfigGraph
from widgets.configs.header import verdict
from widgets.configs.lint_pane import LintPane
from widgets.configs.page import findings_of
from widgets.configs.place_picker import PlacePicker
from widgets.configs.progress import ProgressLine
from widgets.configs.stranded import StrandedPane
from widgets.run.labels import Glyph, Text
from widgets.run.panes import Pane, Panes
from widgets.shell.label import label
from widgets.table.empty import EmptyState

PANES: Final = ("stranded", "changes", "findings")


class ImpactView(QWidget):
    """``compare_requested`` comes from the button and from Enter; ``item_chosen`` carries a number of the report.

    Unless it is made ``whole``, the caller goes through ``pieces``: each makes a part, and none takes a frame's time.
    """

    compare_requested = Signal()
    cancel_requested = Signal()
    item_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None, *, whole: bool = True) -> None:
        super().__init__(parent)
        self.setAccessibleName("Impact of a change")
        self.impact: Impact | None = None
        self.pieces = self._build()
        if whole:
            for _ in self.pieces:
                pass

    def _build(self) -> Iterator[None]:
        # From the outside in: a style sheet makes every change of parent dear, and dearer the more is below it.
        whole = QVBoxLayout(self)
        whole.setContentsMargins(16, 12, 16, 0)
        whole.setSpacing(8)
        self.old, self.new = PlacePicker("Old configs"), PlacePicker("New configs")
        self.compare, self.progress = QPushButton("Compare"), ProgressLine()
        top = QHBoxLayout()
        whole.addLayout(top)
        self._lay_out_pickers(top)
        whole.addWidget(self.progress)
        yield
        self._stack, self._content, self.empty = QStackedWidget(), QWidget(), EmptyState()
        whole.addWidget(self._stack, 1)
        self._stack.addWidget(self._content)
        self._stack.addWidget(self.empty)
        self._stack.setCurrentWidget(self.empty)
        column = QVBoxLayout(self._content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.items, self.verdict, self.glyph = QComboBox(), Text(least=200), Glyph()
        self.notices = label(color="muted", wrap=True)
        summary = QHBoxLayout()
        column.addLayout(summary)
        self._lay_out_summary(summary)
        column.addWidget(self.notices)
        split = QSplitter(Qt.Orientation.Vertical)
        column.addWidget(split, 1)
        self._lay_out_split(split)
        yield
        self.stranded, self.changes = StrandedPane(), ChangeTable()
        self.panes.add(Pane("stranded", "Stranded", self.stranded))
        self.panes.add(Pane("changes", "Changes", self.changes))
        yield
        self.lint = LintPane()
        self.panes.add(Pane("findings", "Findings", self.lint))
        self._connect()

    def _connect(self) -> None:
        self.home = self.new
        self.compare.clicked.connect(self.compare_requested)
        for picker in (self.old, self.new):
            picker.entered.connect(self.compare_requested)
        self.progress.cancelled.connect(self.cancel_requested)
        self.items.activated.connect(lambda row: self.item_chosen.emit(row))

    def _lay_out_pickers(self, row: QHBoxLayout) -> None:
        self.compare.setProperty("primary", "true")
        row.setSpacing(8)
        row.addWidget(label("Impact of a change", size=18, bold=True))
        row.addSpacing(12)
        for title, picker in (("Old", self.old), ("New", self.new)):
            row.addWidget(label(title, color="muted"))
            row.addWidget(picker, 1)
        row.addWidget(self.compare)

    def _lay_out_summary(self, row: QHBoxLayout) -> None:
        self.items.setAccessibleName("Workflow type and tenant")
        self.items.setMaximumWidth(300)
        self.items.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        row.setSpacing(8)
        row.addWidget(self.items)
        row.addWidget(self.glyph)
        row.addWidget(self.verdict)
        row.addStretch(1)

    def _lay_out_split(self, split: QSplitter) -> None:
        self.graphs, self.panes = QSplitter(Qt.Orientation.Vertical), Panes("What changes", [])
        split.addWidget(self.graphs)
        split.addWidget(self.panes)
        self.old_graph, self.new_graph = ConfigGraph("Old graph"), ConfigGraph("New graph")
        for title, graph in (("Old", self.old_graph), ("New", self.new_graph)):
            self.graphs.addWidget(_titled(title, graph))
        split.setSizes([420, 300])
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        for splitter in (self.graphs, split):
            splitter.setChildrenCollapsible(False)

    @property
    def shows_impact(self) -> bool:
        """Whether an impact is on show, and no message instead of it."""
        return self._stack.currentWidget() is self._content

    def turn(self) -> None:
        """Puts the graphs beside each other, or one above the other."""
        above = self.graphs.orientation() == Qt.Orientation.Vertical
        self.graphs.setOrientation(Qt.Orientation.Horizontal if above else Qt.Orientation.Vertical)

    def show_running(self) -> None:
        self.progress.show_far("Comparing")
        self.compare.setEnabled(False)

    def rest(self) -> None:
        """Nothing is under way any more."""
        self.progress.hide()
        self.compare.setEnabled(True)

    def show_message(
        self, title: str, text: str, *actions: tuple[str, str], glyph: str = "swap", color: str = "muted"
    ) -> None:
        """Shows a message instead of an impact."""
        self.impact = None
        self.empty.show_state(glyph, title, text, *actions, color=color)
        self._stack.setCurrentWidget(self.empty)

    def show_item(self, report: ImpactReport, number: int, blocked: str) -> None:
        """Shows one workflow type and tenant of a report. ``blocked`` says why entities cannot be moved."""
        item = self.impact = report.items[number]
        self._name_items(report.items, number)
        self._show_verdict(item)
        self._show_graphs(item)
        targets = tuple(node.status for node in item.new.nodes) if item.new is not None else ()
        self.stranded.show_rows(item.stranded, targets, blocked, compared=not item.problem)
        self.changes.show_changes(item.changes)
        self.panes.set_count("stranded", count(len(item.stranded)) if item.stranded else "")
        self.panes.set_count("changes", count(len(item.changes)) if item.changes else "")
        self._show_findings(report, item.type)
        if item.problem:
            self.panes.show_pane("findings")
        self._stack.setCurrentWidget(self._content)

    def show_findings_only(self, report: ImpactReport) -> None:
        """Neither side has a usable config: only the findings are there."""
        self.impact = None
        self._name_items((), 0)
        self.glyph.set_glyph("failed", "failed")
        self.verdict.set_text("Nothing could be compared: see the findings of both sides.")
        self.notices.setVisible(False)
        for graph in (self.old_graph, self.new_graph):
            graph.show_declared(None, "No usable config.")
        self.stranded.show_rows((), (), "", compared=False)
        self.changes.show_changes(())
        self._show_findings(report, "")
        self.panes.show_pane("findings")
        self._stack.setCurrentWidget(self._content)

    def _name_items(self, items: Sequence[Impact], number: int) -> None:
        with QSignalBlocker(self.items):
            self.items.clear()
            self.items.addItems([f"{item_words(item)}{_lost_words(item)}" for item in items])
            self.items.setCurrentIndex(number)
        self.items.setVisible(bool(items))

    def _show_verdict(self, item: Impact) -> None:
        glyph, tone, words = verdict_of(item)
        self.glyph.set_glyph(glyph, tone)
        self.verdict.set_text(words)
        notices = [plain(notice) for notice in item.notices if notice != item.problem]
        self.notices.setText("\n".join(notices))
        self.notices.setVisible(bool(notices))

    def _show_graphs(self, item: Impact) -> None:
        sides = ((self.old_graph, item.old, "old"), (self.new_graph, item.new, "new"))
        for (graph, declared, side), overlay in zip(sides, overlays(item), strict=True):
            graph.set_overlay(overlay)
            graph.show_declared(declared, f"The {side} configs have no usable {plain(item.type, 60)}.")

    def _show_findings(self, report: ImpactReport, type_: str) -> None:
        merged, sides = both(report, type_)
        self.lint.show_report(merged.files, merged.findings, None, sides)
        self.panes.set_count("findings", count(len(merged.findings)) if merged.findings else "")

    def step_pane(self, direction: int) -> None:
        """Goes to the next tab, or the one before."""
        self.panes.setCurrentIndex((self.panes.currentIndex() + direction) % len(PANES))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "new"):
            self.old.tint()
            self.new.tint()


def item_words(item: Impact) -> str:
    """ "registration · acme"."""
    return f"{plain(item.type, 60)} · {plain(item.tenant, 60)}" if item.tenant else plain(item.type, 60)


def _lost_words(item: Impact) -> str:
    if item.problem:
        return " · not compared"
    entities = sum(row.count or 0 for row in item.stranded)
    return f" · {count(entities)} stranded" if entities else ""


def verdict_of(item: Impact) -> tuple[str, str, str]:
    """Glyph, colour and words of what a change means."""
    if item.problem:
        return "failed", "failed", plain(item.problem, 300)
    if item.old is None and item.new is None:
        return "failed", "failed", "Nothing could be compared: see the findings of both sides."
    stranded = _stranded_words(item)
    if item.migration:
        return "warning", "failed", f"A migration is needed: {stranded}."
    if item.stranded:
        return (
            "warning",
            "retrying",
            f"Every status remains, but {stranded}: neither config knows where they stand.",
        )
    same = "Every status remains: no migration is needed." if item.changes else "Nothing differs."
    return "completed", "completed", same


def _stranded_words(item: Impact) -> str:
    lost = f"{count(len(item.stranded))} {'status' if len(item.stranded) == 1 else 'statuses'}"
    if any(row.count is None for row in item.stranded):
        return f"{lost} would be unknown, and nobody was counted"
    entities = sum(row.count or 0 for row in item.stranded)
    return f"{count(entities)} {'entity' if entities == 1 else 'entities'} on {lost} would be stranded"


def both(report: ImpactReport, type_: str) -> tuple[LintReport, dict[str, str]]:
    """The files and findings of both sides about a type ("" for all), and the side of each file."""
    sides: dict[str, str] = {}
    for side, lint in (("new", report.new), ("old", report.old)):
        names = [file.name for file in lint.files] + [found.file for found in lint.findings]
        for name in dict.fromkeys(names):
            sides[name] = "" if name in sides else side
    files = {file.name: file for file in (*report.old.files, *report.new.files) if type_ in ("", file.type)}
    found = dict.fromkeys(
        finding
        for lint in (report.old, report.new)
        for finding in (findings_of(lint, type_) if type_ else lint.findings)
    )
    return LintReport(files=tuple(files.values()), findings=tuple(found)), sides


def findings_words(report: ImpactReport) -> str:
    """ "old: lint clean, new: 2 errors", for the status bar."""
    return f"old: {verdict(report.old.findings)}, new: {verdict(report.new.findings)}"


def _titled(title: str, widget: QWidget) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    name = label(title, color="muted", bold=True)
    name.setFixedWidth(32)
    row.addWidget(name)
    row.addWidget(widget, 1)
    return holder
