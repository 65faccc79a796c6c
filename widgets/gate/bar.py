"""What a gate is asked for: whose code, and which runs. GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLineEdit, QPushButton, QSpinBox, QWidget

from engine_bridge.format import plain
from engine_bridge.replay.model import Project
from widgets.run.labels import Text, tip
from widgets.shell.label import label
from widgets.theme import font

_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class GateAsked:
    """Which runs: a filter ("" for the open ones), and how many of each workflow (None: all)."""

    filter_text: str
    sample: int | None


class GateBar(QWidget):
    """``run_requested`` carries a GateAsked; ``code_requested`` comes when other code is to be chosen."""

    run_requested = Signal(object)
    code_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        middle = Qt.TextElideMode.ElideMiddle
        self.code, self.by = (
            Text(code=True, least=180, elide=middle),
            Text(tone="muted", least=80, elide=middle),
        )
        self.choose, self.run = QPushButton("Choose Code …"), QPushButton("Replay")
        self.filter, self.sample = QLineEdit(), QSpinBox()
        self._lay_out()
        self.choose.clicked.connect(self.code_requested)
        self.run.clicked.connect(self.start)
        self.filter.returnPressed.connect(self.start)
        self.show_code(None, "")

    def _lay_out(self) -> None:
        self.filter.setFont(font(12, code=True))
        self.filter.setAccessibleName("Which runs")
        self.filter.setPlaceholderText("open runs, or a filter")
        self.filter.setClearButtonEnabled(True)
        self.sample.setRange(0, _MOST)
        self.sample.setSpecialValueText("all of them")
        self.sample.setPrefix("newest ")
        self.sample.setSuffix(" per workflow")
        self.sample.setMinimumWidth(190)
        self.sample.lineEdit().setTextMargins(6, 0, 0, 0)
        self.sample.setToolTip(tip("How many of each workflow: type a number, or use the arrow keys"))
        self.sample.setAccessibleName("How many of each workflow, the newest first")
        self.run.setProperty("primary", "true")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        grid.addWidget(label("Code", color="muted"), 0, 0)
        code = QHBoxLayout()
        code.setSpacing(8)
        code.addWidget(self.code)
        code.addWidget(self.by)
        code.addStretch(1)
        grid.addLayout(code, 0, 1, 1, 2)
        grid.addWidget(self.choose, 0, 3)
        for column, widget in enumerate((label("Runs", color="muted"), self.filter, self.sample, self.run)):
            grid.addWidget(widget, 1, column)
        grid.setColumnStretch(1, 1)

    def show_code(self, project: Project | None, how: str) -> None:
        """Whose code it is; None: not chosen yet."""
        if project is None:
            self.code.set_text("not chosen yet")
            self.by.set_text("")
            return
        modules = ", ".join(PurePath(name).name for name in project.modules)
        self.code.set_text(project.code, f"{project.code}\nimports {modules}")
        found = f" ({how})" if how else ""
        self.by.set_text(f"imports {plain(modules, 120)}, by {project.python}{found}")

    def asked(self) -> GateAsked:
        """What was entered."""
        return GateAsked(self.filter.text().strip(), self.sample.value() or None)

    def start(self) -> None:
        """As the button."""
        if self.run.isEnabled():
            self.run_requested.emit(self.asked())

    def show_running(self, running: bool) -> None:
        self.run.setEnabled(not running)
        self.choose.setEnabled(not running)
