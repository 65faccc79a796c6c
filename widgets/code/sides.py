"""A divergence in place of the code, with a way back. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from widgets.code.divergence import DivergenceView
from widgets.code.parts import column_of
from widgets.code.store import SourceStore
from widgets.run.labels import Link


class SidesPage(QWidget):
    """``left`` comes when the user wants the code back."""

    left = Signal()

    def __init__(self, store: SourceStore) -> None:
        super().__init__()
        self.view, back = DivergenceView(store), Link("‹ Back to the code")
        back.activated.connect(self.left)
        column = column_of(self)
        column.setContentsMargins(8, 6, 0, 0)
        column.addWidget(back)
        column.addWidget(self.view, 1)
