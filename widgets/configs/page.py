"""The config page: graph, findings beside the text, paths, simulation, replay. GUI thread."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from engine_bridge.configs import ConfigFile, Declared, Finding, LintReport, Simulation
from engine_bridge.format import count, plain
from widgets.configs.graph import ConfigGraph
from widgets.configs.graph_paint import Overlay
from widgets.configs.header import ConfigHeader
from widgets.configs.lint_pane import LintPane
from widgets.configs.paths_pane import PathsPane
from widgets.configs.places import Places
from widgets.configs.replay_pane import ReplayPane
from widgets.configs.simulation_pane import SimulationPane
from widgets.run.panes import Pane, Panes
from widgets.table.empty import EmptyState

PANES: Final = ("findings", "paths", "simulation", "replay")


class ConfigView(QWidget):
    """Shows a lint report's workflow type as one tenant sees it.

    Unless it is made ``whole``, the caller goes through ``pieces``: each makes a part, and none takes a frame's time.
    """

    def __init__(self, parent: QWidget | None = None, *, whole: bool = True) -> None:
        super().__init__(parent)
        self.setAccessibleName("Config")
        self.declared: Declared | None = None
        self.files: tuple[ConfigFile, ...] = ()
        self._way: dict[str, tuple[str, ...]] = {}
        self.pieces = self._build()
        if whole:
            for _ in self.pieces:
                pass

    def _build(self) -> Iterator[None]:
        # From the outside in: a style sheet makes every change of parent dear, and dearer the more is below it.
        self._stack, self._content, self.empty = QStackedWidget(self), QWidget(), EmptyState()
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)
        self._stack.addWidget(self._content)
        self._stack.addWidget(self.empty)
        self.show_empty()
        column = QVBoxLayout(self._content)
        column.setContentsMargins(16, 12, 16, 0)
        column.setSpacing(10)
        self.header, self.split = ConfigHeader(), QSplitter(Qt.Orientation.Vertical)
        column.addWidget(self.header)
        column.addWidget(self.split, 1)
        self.graph, self.panes = ConfigGraph(), Panes("Config", [])
        self.split.addWidget(self.graph)
        self.split.addWidget(self.panes)
        yield
        self.lint = LintPane()
        self.panes.add(Pane("findings", "Findings", self.lint))
        yield
        self.paths = PathsPane()
        self.panes.add(Pane("paths", "Paths", self.paths))
        yield
        self.simulation = SimulationPane()
        yield
        self.panes.add(Pane("simulation", "Simulation", self.simulation))
        yield
        self.replay = ReplayPane()
        yield
        self.panes.add(Pane("replay", "Replay", self.replay))
        self._connect()

    def _connect(self) -> None:
        self.split.setStretchFactor(0, 2)
        self.split.setStretchFactor(1, 3)
        self.split.setSizes([300, 460])
        self.split.setChildrenCollapsible(False)
        self.home = self.lint.table
        self.graph.toggled.connect(lambda told: self.go_to_status(told[0]))
        self.paths.way_chosen.connect(lambda way: self._show_way("paths", way))
        self.simulation.life_chosen.connect(lambda life: self._show_way("simulation", life))
        self.panes.currentChanged.connect(lambda _: self._show_overlay())

    @property
    def shows_config(self) -> bool:
        """Whether a config is on show, and no message instead of it."""
        return self._stack.currentWidget() is self._content

    def show_empty(self) -> None:
        """Shows the message instead of a config."""
        self._stack.setCurrentWidget(self.empty)

    def show_report(self, report: LintReport, type_: str, tenant: str) -> None:
        """Shows one workflow type of a report; what was chosen stays where it still is."""
        before = self.declared
        self.declared = declared = declared_of(report, type_, tenant)
        self.files = files_of(report, type_)
        findings = findings_of(report, type_)
        tenants = tenants_of(report, type_)
        self.header.show_names(types_of(report), type_, tenants, declared.tenant if declared else "")
        self.header.show_verdict(findings, _facts(self.files))
        self.lint.show_report(self.files, findings, declared)
        self.panes.set_count("findings", count(len(findings)) if findings else "")
        self._show_declared(before, declared)
        self._stack.setCurrentWidget(self._content)

    def _show_declared(self, before: Declared | None, declared: Declared | None) -> None:
        if declared == before and before is not None:
            return
        self._way.clear()
        self.graph.show_declared(
            declared, "No graph can be drawn: the config is not usable. See the findings."
        )
        if declared is None:
            return
        self.paths.show_paths(declared.paths)
        self.panes.set_count("paths", count(len(declared.paths.paths)) if declared.paths.paths else "")
        self.simulation.set_steps(tuple(dict.fromkeys(s for flow in declared.flows for s in flow.steps)))
        self.simulation.show_nothing()
        if before is None or before.type != declared.type:
            self.replay.show_nothing()
        self._show_overlay()

    def show_simulation(self, found: Simulation) -> None:
        """Shows the lives of a simulation, on the graph too."""
        self._way.pop("simulation", None)
        self.simulation.show_result(found)
        self._show_overlay()

    def _show_way(self, pane: str, way: tuple[str, ...]) -> None:
        self._way[pane] = way
        self._show_overlay()

    def _show_overlay(self) -> None:
        """What lies over the graph is what the pane in front is about."""
        pane, found = self.panes.current_id, self.simulation.result
        way = self._way.get(pane, ())
        if pane == "simulation" and found is not None:
            lives: dict[tuple[str, str], int] = {}
            for source, target, _, number in found.edges:
                lives[source, target] = lives.get((source, target), 0) + number
            self.graph.set_overlay(Overlay(way=way, lives=lives, ends=found.statuses))
        else:
            self.graph.set_overlay(Overlay(way=way))

    def go_to_status(self, status: str) -> None:
        """Opens the text where a status is declared."""
        place = status_place(self.declared, status) if self.declared is not None else None
        self.panes.show_pane("findings")
        if place is not None:
            self.lint.go_to(*place)

    def step_pane(self, direction: int) -> None:
        """Goes to the next tab, or the one before."""
        self.panes.setCurrentIndex((self.panes.currentIndex() + direction) % len(PANES))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "replay"):
            self.replay.place.tint()


def types_of(report: LintReport) -> tuple[str, ...]:
    """The workflow types of a report, also those whose configs are not usable."""
    names = [declared.type for declared in report.declared] + [file.type for file in report.files]
    return tuple(dict.fromkeys(name for name in names if name))


def tenants_of(report: LintReport, type_: str) -> tuple[str, ...]:
    """The tenants of a type, "" for the base."""
    return tuple(dict.fromkeys(d.tenant for d in report.declared if d.type == type_))


def declared_of(report: LintReport, type_: str, tenant: str) -> Declared | None:
    """A type as a tenant sees it, else as the first one there is."""
    mine = [declared for declared in report.declared if declared.type == type_]
    return next((declared for declared in mine if declared.tenant == tenant), mine[0] if mine else None)


def files_of(report: LintReport, type_: str) -> tuple[ConfigFile, ...]:
    """The files of a type, the base first; those that tell no type belong to each."""
    mine = [file for file in report.files if file.type in (type_, "")]
    return tuple(sorted(mine, key=lambda file: (file.type == "", file.tenant)))


def findings_of(report: LintReport, type_: str) -> tuple[Finding, ...]:
    """The findings about a type: those of its files, and of places that are no file of another type."""
    others = {file.name for file in report.files if file.type not in (type_, "")}
    return tuple(found for found in report.findings if found.file not in others)


def status_place(declared: Declared, status: str) -> tuple[str, int] | None:
    """The file and line that declare a status."""
    try:
        names = json.loads(declared.merged)["status_types"]
        pointer = f"/status_types/{names.index(status)}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    origin = declared.origins.get(pointer, "")
    file, _, line = origin.rpartition(":")
    return (file, int(line)) if file and line.isdigit() else ("", Places(declared.merged).line_of(pointer))


def _facts(files: tuple[ConfigFile, ...]) -> str:
    revision = next((file.revision for file in files if file.revision), "")
    at = f" · {plain(revision, 12)}" if revision else ""
    noun = "file" if len(files) == 1 else "files"
    return f"{count(len(files))} {noun}{at}"
