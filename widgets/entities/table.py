"""The entities list: rows with check boxes, which are the selection. GUI thread."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QWidget

from engine_bridge.model import Run, RunRef
from widgets.entities.columns import columns
from widgets.table.model import PagedModel
from widgets.table.view import PagedView


class EntityTable(PagedView):
    """A paged list of entities. A click on a box, or Space, takes a row to the selected ones or from them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self.staged: dict[RunRef, str] = {}
        # The view does not own its model: the attribute of the base class keeps it.
        super().__init__(PagedModel(columns(self.staged), lambda run: run.ref), parent)
        self.paged.setParent(self)
        self.horizontalHeader().setMinimumSectionSize(28)
        self.fit_columns()
        self.setAccessibleName("Entities")

    def set_staged(self, moves: Mapping[RunRef, str]) -> None:
        """Where staged moves take entities."""
        self.staged.clear()
        self.staged.update(moves)
        self.viewport().update()

    @property
    def current_run(self) -> Run | None:
        """The entity of the current row, None when there is none or it is not at hand."""
        run = self.current_item
        return run if isinstance(run, Run) else None

    def toggle(self, row: int) -> None:
        """Takes a row to the selected ones, or from them; it becomes the current one."""
        flags = QItemSelectionModel.SelectionFlag
        index = self.paged.index(row, max(1, self.currentIndex().column()))
        self.selectionModel().setCurrentIndex(index, flags.NoUpdate)
        self.selectionModel().select(index, flags.Toggle | flags.Rows)

    def _box(self, event: QMouseEvent) -> QModelIndex:
        """The cell with a box under the mouse, an invalid one elsewhere."""
        index = self.indexAt(event.position().toPoint())
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        boxed = plain and event.button() == Qt.MouseButton.LeftButton and index.isValid()
        return index if boxed and self.paged.columns[index.column()].check else QModelIndex()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self._box(event)
        if index.isValid():
            self.toggle(index.row())
        else:
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._box(event).isValid():
            super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self._box(event)
        if index.isValid():
            self.toggle(index.row())
        else:
            super().mouseDoubleClickEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and self.currentIndex().isValid():
            self.toggle(self.currentIndex().row())
        else:
            super().keyPressEvent(event)
