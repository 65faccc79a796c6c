"""The runs page: filter bar, chips, charts, table. It shows and emits intent; it reads nothing itself."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QToolButton, QVBoxLayout, QWidget

from engine_bridge.model import Run, RunRef
from widgets import glyphs
from widgets.runs.charts import Charts
from widgets.runs.chips import StatusChips
from widgets.runs.columns import COLUMNS, attribute_columns
from widgets.runs.filter_bar import FilterBar
from widgets.runs.type_button import TypeButton
from widgets.table.bars import NewAbove, ScanBar
from widgets.table.choose import column_menu, show_columns, shown_columns
from widgets.table.empty import EmptyState
from widgets.table.model import PagedModel
from widgets.table.view import PagedView
from widgets.theme import theme


class RunsView(QWidget):
    """The page's widgets, put together. Controllers talk to its parts."""

    columns_changed = Signal(object)  # ids of the shown columns

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Runs")
        self.model = PagedModel(COLUMNS, lambda run: run.ref, self)
        self._of_entities = False
        self.filter_bar = FilterBar(self)
        self.chips = StatusChips(self)
        self.table = PagedView(self.model, self)
        self.empty = EmptyState(self)
        self.scan = ScanBar(self)
        self.new_above = NewAbove(self.table)
        self.types = TypeButton(self)
        self.columns_button = QToolButton(self)
        self.charts = Charts(self)
        self._stack = QStackedLayout()
        self._lay_out()
        self.table.setAccessibleName("Runs")
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
        tools = QHBoxLayout()
        tools.addWidget(self.types)
        tools.addWidget(self.chips, 1)
        tools.addWidget(self.columns_button)
        self._stack.addWidget(self.table)
        self._stack.addWidget(self.empty)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(12)
        column.addWidget(self.filter_bar)
        column.addLayout(tools)
        column.addWidget(self.charts)
        column.addLayout(self._stack, 1)
        column.addWidget(self.scan)

    def show_rows(self) -> None:
        """Shows the table."""
        self._stack.setCurrentWidget(self.table)

    def show_empty(self) -> None:
        """Shows the empty state instead of the table."""
        self._stack.setCurrentWidget(self.empty)

    @property
    def showing_rows(self) -> bool:
        return self._stack.currentWidget() is self.table

    def selected_refs(self) -> list[RunRef]:
        """Selected runs that are at hand, top to bottom."""
        return [run.ref for run in self.table.selected_items()]

    def select(self, refs: frozenset[RunRef]) -> None:
        """Selects those of some runs that are at hand."""
        rows = [row for row in map(self.model.blocks.row_of, refs) if row is not None]
        self.table.select_rows(rows)

    def current_run(self) -> Run | None:
        """The run of the current row, None when there is none or it is not at hand."""
        run = self.table.current_item
        return run if isinstance(run, Run) else None

    def shown_columns(self) -> list[str]:
        """Ids of the columns that are shown."""
        return shown_columns(self.table)

    def show_columns(self, ids: frozenset[str]) -> None:
        """Shows these columns and hides the others; unknown ids are ignored."""
        show_columns(self.table, ids)

    @property
    def of_entities(self) -> bool:
        """Whether the table has the columns of entities."""
        return self._of_entities

    def use_columns(
        self, *, entities: bool, attributes: Sequence[str] = (), lacking: frozenset[str] = frozenset()
    ) -> bool:
        """Takes the columns of entities or those of other runs, with their attributes; whether they are others.

        ``lacking`` are the ids of columns for which the source has no values. The rows go where the columns change.
        """
        wanted = (*(c for c in COLUMNS if c.id not in lacking), *attribute_columns(attributes))
        if entities:
            from widgets.runs.entity_columns import ENTITY_COLUMNS

            wanted = ENTITY_COLUMNS
        self._of_entities = entities
        if [column.id for column in wanted] == [column.id for column in self.model.columns]:
            return False
        self.model.set_columns(wanted)
        self.table.lay_out_columns()
        return True

    def choose_columns(self) -> None:
        """Opens the columns chooser."""
        menu = column_menu(self, self.table, self.columns_changed.emit)
        menu.popup(self.columns_button.mapToGlobal(self.columns_button.rect().bottomLeft()))
