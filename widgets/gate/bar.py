"""What a gate is asked for: the code, the interpreter, which runs. GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QSpinBox,
    QToolButton,
    QWidget,
)

from widgets import glyphs
from widgets.run.labels import Text
from widgets.shell.label import label
from widgets.theme import font, theme

_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class GateAsked:
    """The bar's fields as they are; "", () and None stand for what is saved or found, and for all runs."""

    code: str
    python: str
    modules: tuple[str, ...]
    filter_text: str
    sample: int | None


class GateBar(QWidget):
    """``run_requested`` carries a GateAsked; ``place_changed`` comes when another code or interpreter was entered."""

    run_requested = Signal(object)
    place_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.code = _line("The code to replay against", "the file or folder that you are about to deploy")
        self.python = _line("Interpreter", "the project's own")
        self.modules = _line("Modules to import", "found from the code")
        self.filter = _line("Which runs", "open runs, or a filter")
        self.sample = QSpinBox()
        self.run = QPushButton("Replay")
        self.note = Text(tone="muted", least=80)
        self.browse, self.browse_python = QToolButton(), QToolButton()
        self.dialog: QFileDialog | None = None
        self._lay_out()
        self._connect()
        self._tint()

    def _lay_out(self) -> None:
        self.sample.setRange(0, _MOST)
        self.sample.setSpecialValueText("all")
        self.sample.setPrefix("newest ")
        self.sample.setSuffix(" per workflow")
        self.sample.setAccessibleName("How many of each workflow, the newest first")
        self.run.setProperty("primary", "true")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        row = (label("Code", color="muted"), self.code, self.browse, label("by", color="muted"))
        for column, widget in enumerate((*row, self.python, self.browse_python)):
            grid.addWidget(widget, 0, column)
        grid.addWidget(label("Runs", color="muted"), 1, 0)
        grid.addWidget(self.filter, 1, 1, 1, 2)
        grid.addWidget(label("of", color="muted"), 1, 3)
        grid.addWidget(self.sample, 1, 4)
        grid.addWidget(self.run, 1, 5, 1, 2)
        self.import_title = label("Import", color="muted")
        grid.addWidget(self.import_title, 2, 0)
        grid.addWidget(self.modules, 2, 1, 1, 2)
        grid.addWidget(self.note, 3, 1, 1, 5)
        grid.setColumnStretch(1, 3)
        grid.setColumnStretch(4, 2)
        self.show_import(False)

    def _connect(self) -> None:
        for button, name in (
            (self.browse, "Choose the code"),
            (self.browse_python, "Choose the interpreter"),
        ):
            button.setAccessibleName(name)
            button.setToolTip(f"{name} …")
        menu = QMenu(self)
        menu.addAction("Choose a File …", lambda: self._ask(self.code, "The workflows' file", folder=False))
        menu.addAction(
            "Choose a Folder …", lambda: self._ask(self.code, "The workflows' folder", folder=True)
        )
        self.browse.setMenu(menu)
        self.browse.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.browse_python.clicked.connect(
            lambda: self._ask(self.python, "The project's Python", folder=False)
        )
        self.run.clicked.connect(self.start)
        for line in (self.code, self.python, self.modules, self.filter):
            line.returnPressed.connect(self.start)
        for line in (self.code, self.python):
            line.editingFinished.connect(self.place_changed)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "browse"):
            self._tint()

    def _tint(self) -> None:
        for button in (self.browse, self.browse_python):
            button.setIcon(glyphs.icon("folder", theme().color("text")))

    def asked(self) -> GateAsked:
        """What was entered."""
        return GateAsked(
            self.code.text().strip(),
            self.python.text().strip(),
            tuple(self.modules.text().split()) if not self.modules.isHidden() else (),
            self.filter.text().strip(),
            self.sample.value() or None,
        )

    def start(self) -> None:
        """As the button."""
        if self.run.isEnabled():
            self.run_requested.emit(self.asked())

    def show_import(self, shown: bool, text: str = "") -> None:
        """Asks for modules too: it is unclear which of them hold the workflows."""
        self.import_title.setVisible(shown)
        self.modules.setVisible(shown)
        self.modules.setText(text)

    def show_note(self, text: str, tone: str = "muted") -> None:
        """What was found about the code."""
        self.note.set_tone(tone)
        self.note.set_text(text)

    def show_running(self, running: bool) -> None:
        self.run.setEnabled(not running)

    def _ask(self, line: QLineEdit, title: str, *, folder: bool) -> None:
        dialog = self.dialog = QFileDialog(self, title)
        mode = QFileDialog.FileMode.Directory if folder else QFileDialog.FileMode.ExistingFile
        dialog.setFileMode(mode)
        if line is self.code and not folder:
            dialog.setNameFilters(["Python files (*.py)", "All files (*)"])
        if line.text():
            dialog.setDirectory(str(Path(line.text()).expanduser().parent))
        dialog.fileSelected.connect(lambda path: self._take(line, path))
        dialog.open()

    def _take(self, line: QLineEdit, path: str) -> None:
        line.setText(path)
        self.place_changed.emit()


def _line(name: str, placeholder: str) -> QLineEdit:
    line = QLineEdit()
    line.setFont(font(12, code=True))
    line.setAccessibleName(name)
    line.setPlaceholderText(placeholder)
    line.setClearButtonEnabled(True)
    return line
