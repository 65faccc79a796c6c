"""The entities page: header, status graph, list; what is staged stands beside the list. It shows and emits intent."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QStackedLayout, QToolButton, QVBoxLayout, QWidget

from engine_bridge.model import RunRef
from engine_bridge.populations import Population
from widgets import glyphs
from widgets.actions.notes import Note
from widgets.entities.graph import StatusGraph
from widgets.entities.header import EntitiesHeader
from widgets.entities.table import EntityTable
from widgets.runs.filter_bar import FilterBar
from widgets.table.bars import NewAbove, ScanBar
from widgets.table.choose import column_menu, show_columns, shown_columns
from widgets.table.empty import EmptyState
from widgets.theme import theme

_GRAPH_SHARE: Final = 0.42
_PLACEHOLDER: Final = "state == pending_approval and here_for > 1d    ( / to come here)"


class EntitiesView(QWidget):
    """The page's widgets, put together. Controllers talk to its parts.

    ``splitter`` holds the list; whoever shows staged moves adds a widget at its right.
    """

    columns_changed = Signal(object)  # ids of the shown columns

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Entities")
        self.header = EntitiesHeader(self)
        self.notices = Note("info", "waiting", "", boxed=True)
        self.graph = StatusGraph(self)
        self.filter_bar = FilterBar(self)
        self.filter_bar.line.setPlaceholderText(_PLACEHOLDER)
        self.table = EntityTable(self)
        self.model = self.table.paged
        self.empty = EmptyState(self)
        self.problem = EmptyState(self)
        self.scan = ScanBar(self)
        self.new_above = NewAbove(self.table)
        self.columns_button = QToolButton(self)
        self.splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self._halves = QSplitter(Qt.Orientation.Vertical, self)  # without a parent it would flash as a window
        self._rows = QStackedLayout()
        self._body = QStackedLayout()
        self._divided = False
        self._lay_out()
        self.filter_bar.left.connect(self.table.setFocus)
        self.home = self.table

    def _lay_out(self) -> None:
        self.columns_button.setText(" Columns")
        self.columns_button.setIcon(glyphs.icon("columns", theme().color("muted")))
        self.columns_button.setIconSize(QSize(14, 14))
        self.columns_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.columns_button.clicked.connect(self.choose_columns)
        header = self.table.horizontalHeader()
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self.choose_columns)
        self.splitter.setHandleWidth(9)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setStyleSheet("QSplitter::handle { background: transparent; }")
        self.splitter.addWidget(self._list())
        self._halves.setHandleWidth(9)
        self._halves.setChildrenCollapsible(False)
        self._halves.setStyleSheet("QSplitter::handle { background: transparent; }")
        self._halves.addWidget(self.graph)
        self._halves.addWidget(self.splitter)
        self._halves.setStretchFactor(1, 1)
        self._halves.splitterMoved.connect(self._on_divided)
        self.graph.placed.connect(self.share_height)
        self.notices.hide()
        self._body.addWidget(self._halves)
        self._body.addWidget(self.problem)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(10)
        column.addWidget(self.header)
        column.addWidget(self.notices)
        column.addLayout(self._body, 1)

    def _list(self) -> QWidget:
        holder = QWidget()
        tools = QHBoxLayout()
        tools.setSpacing(8)
        tools.addWidget(self.filter_bar, 1)
        tools.addWidget(self.columns_button)
        self._rows.addWidget(self.table)
        self._rows.addWidget(self.empty)
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(tools)
        column.addLayout(self._rows, 1)
        column.addWidget(self.scan)
        return holder

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.share_height()

    def share_height(self) -> None:
        """Gives the graph what it needs, up to its share of the page, until the user divides the page."""
        if self._divided or not self.isVisible() or self.graph.scene is None:
            return
        whole = self._halves.height()
        high = min(self.graph.sizeHint().height(), int(whole * _GRAPH_SHARE))
        self._halves.setSizes([high, whole - high])

    def _on_divided(self) -> None:
        self._divided = True

    # -- what is shown --------------------------------------------------------------------------------------

    def set_population(self, population: Population | None, empty: str = "") -> None:
        """The graph, and what the source says about it."""
        self.graph.set_population(population, empty)
        notices = population.notices if population is not None else ()
        self.notices.set_note("info", "waiting", " · ".join(notices))
        self.notices.setVisible(bool(notices))

    def show_rows(self) -> None:
        """Shows graph and table."""
        self._body.setCurrentWidget(self._halves)
        self._rows.setCurrentWidget(self.table)

    def show_empty(self) -> None:
        """Shows the empty state instead of the table; the graph stays."""
        self._body.setCurrentWidget(self._halves)
        self._rows.setCurrentWidget(self.empty)

    def show_problem(self) -> None:
        """Shows why there is nothing to see, instead of graph and table."""
        self._body.setCurrentWidget(self.problem)

    @property
    def showing_rows(self) -> bool:
        return self._body.currentWidget() is self._halves and self._rows.currentWidget() is self.table

    @property
    def showing_problem(self) -> bool:
        return self._body.currentWidget() is self.problem

    # -- rows and columns -----------------------------------------------------------------------------------

    def selected_refs(self) -> list[RunRef]:
        """Selected entities that are at hand, top to bottom."""
        return [run.ref for run in self.table.selected_items()]

    def select(self, refs: frozenset[RunRef]) -> None:
        """Selects those of some entities that are at hand."""
        rows = [row for row in map(self.model.blocks.row_of, refs) if row is not None]
        self.table.select_rows(rows)

    def shown_columns(self) -> list[str]:
        """Ids of the columns that are shown."""
        return shown_columns(self.table)

    def show_columns(self, ids: frozenset[str]) -> None:
        """Shows these columns and hides the others; unknown ids are ignored."""
        show_columns(self.table, ids)

    def choose_columns(self) -> None:
        """Opens the columns chooser."""
        menu = column_menu(self, self.table, self.columns_changed.emit)
        menu.popup(self.columns_button.mapToGlobal(self.columns_button.rect().bottomLeft()))
