"""The resources page: one tab a kind, one table."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, Signal
from PySide6.QtWidgets import QStackedWidget, QTabBar, QVBoxLayout, QWidget

from engine_bridge.bridge import Resource
from widgets.resources.rows import ResourceRow, columns, flat
from widgets.table.empty import EmptyState
from widgets.table.model import PagedModel
from widgets.table.view import PagedView


class ResourcesView(QWidget):
    """The page's widgets. ``kind_chosen`` carries a kind, ``runs_wanted`` the Resource whose runs are wanted."""

    kind_chosen = Signal(str)
    runs_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Resources")
        self.tabs = QTabBar(self)
        self.tabs.setAccessibleName("Kinds of resources")
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.model = PagedModel((), lambda row: row.path, self)
        self.table = PagedView(self.model, self)
        self.table.setAccessibleName("Resources")
        self.empty = EmptyState(self)
        self._kinds: tuple[str, ...] = ()
        self._body = QStackedWidget(self)
        self._body.addWidget(self.table)
        self._body.addWidget(self.empty)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 16, 8)
        column.addWidget(self.tabs)
        column.addWidget(self._body, 1)
        self.tabs.currentChanged.connect(self._on_tab)
        self.table.opened.connect(self._on_opened)
        self.table.clicked.connect(self._on_clicked)
        self.home = self.table

    @property
    def kind(self) -> str:
        """The kind that is shown, "" when there is none."""
        index = self.tabs.currentIndex()
        return self._kinds[index] if 0 <= index < len(self._kinds) else ""

    def set_kinds(self, kinds: tuple[str, ...]) -> None:
        """The tabs; the kind that was shown stays when it is still there."""
        if kinds == self._kinds:
            return
        shown = self.kind
        self.tabs.blockSignals(True)
        while self.tabs.count():
            self.tabs.removeTab(0)
        self._kinds = kinds
        for kind in kinds:
            self.tabs.addTab(kind.capitalize())
        self.tabs.setCurrentIndex(kinds.index(shown) if shown in kinds else 0)
        self.tabs.blockSignals(False)

    def step(self, direction: int) -> None:
        """Goes to the next tab, or the one before."""
        if self._kinds:
            self.tabs.setCurrentIndex((self.tabs.currentIndex() + direction) % len(self._kinds))

    def show_resources(self, resources: Sequence[Resource]) -> None:
        """Shows the resources of the chosen kind; rows stay where they are when only their cells changed."""
        rows = list(flat(resources))
        made = columns(rows)
        kept, place = self.current(), self.table.verticalScrollBar().value()
        if [c.id for c in made if not c.hidden] != [c.id for c in self.model.columns if not c.hidden]:
            self.model.set_columns(made)
            self.table.lay_out_columns()
        self.model.show_all(rows)
        row = self.model.blocks.row_of(kept.path) if kept is not None else None
        if row is not None and self.current() is None:
            self.table.selectRow(row)
            self.table.verticalScrollBar().setValue(place)
        self._body.setCurrentWidget(self.table)

    def show_empty(self) -> None:
        """Shows the empty state instead of rows."""
        self._body.setCurrentWidget(self.empty)

    def current(self) -> ResourceRow | None:
        """The chosen row, None when there is none."""
        row = self.table.current_item
        return row if isinstance(row, ResourceRow) else None

    def _on_tab(self, index: int) -> None:
        if 0 <= index < len(self._kinds):
            self.kind_chosen.emit(self._kinds[index])

    def _on_clicked(self, index: QModelIndex) -> None:
        if self.model.columns[index.column()].id == "runs":
            self._on_opened(self.model.item(index.row()))

    def _on_opened(self, row: ResourceRow) -> None:
        if row.resource.filter:
            self.runs_wanted.emit(row.resource)
