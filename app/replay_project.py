"""Asks whose code a replay runs: file or folder, interpreter, modules. GUI thread; looks at files in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath
from typing import Any, Final

import msgspec
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine_bridge.errors import PlayheadError
from engine_bridge.format import plain
from engine_bridge.replay import options
from engine_bridge.replay.interpreter import Interpreter
from engine_bridge.replay.model import Project, RunnerSpec
from engine_bridge.replay.modules import Modules, entry_point
from engine_bridge.replay.project import candidates, chosen, new_project
from widgets.actions.notes import Note
from widgets.payload.background import Background
from widgets.run.labels import tip
from widgets.shell.label import label

_SETTLE_MS: Final = 250
_OFFERED: Final = 8
_WIDE: Final = 620
_OPTIONS_HIGH: Final = 64


@dataclass(frozen=True, slots=True)
class Found:
    """What some code looks like from outside; ``error`` when there is nothing to replay."""

    project: Project | None = None
    pythons: tuple[Interpreter, ...] = ()
    modules: Modules | None = None
    entry: Path | None = None
    error: PlayheadError | None = None


def look(code: Path, spec: RunnerSpec) -> Found:
    """Looks at a file or folder as an IDE would; runs nothing. Does I/O."""
    try:
        project, _, modules = new_project(code, spec.library)
        entry = entry_point(Path(project.code), spec.entry[1])
        return Found(project, tuple(islice(candidates(code), _OFFERED)), modules, entry)
    except PlayheadError as error:
        return Found(error=error)


class ProjectDialog(QDialog):
    """``chosen`` carries the Project."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None, spec: RunnerSpec, project: Project | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Whose code is replayed?")
        self._spec = spec
        self._before = project
        self._found = Found()
        self._looker = Background(self)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._look)
        self._build()
        self.resize(_WIDE, 440)
        self.code.setText(project.code if project is not None else "")

    def _build(self) -> None:
        self.code, self.python, self.modules = QLineEdit(), QComboBox(), QListWidget()
        self.options = QPlainTextEdit()
        self.options.setAccessibleName("Options of the project, NAME=VALUE, one a line")
        self.options.setPlaceholderText("NAME=VALUE, one a line: " + ", ".join(self._spec.options))
        self.options.setTabChangesFocus(True)
        self.options.setMaximumHeight(_OPTIONS_HIGH)
        self.options.textChanged.connect(self._show_ready)
        self.entry = self._button("", self._take_entry)
        self.entry.hide()
        self.code.setAccessibleName("File or folder of the workflows' code")
        self.code.setPlaceholderText("/path/to/project or /path/to/workflows.py")
        self.code.textChanged.connect(lambda _: self._settle.start())
        self.python.setEditable(True)
        self.python.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.python.setAccessibleName("Interpreter")
        self.python.editTextChanged.connect(lambda _: self._show_ready())
        self.modules.setAccessibleName("Modules to import")
        self.modules.setSpacing(2)
        self.modules.itemChanged.connect(lambda _: self._show_ready())
        self.how = label("", color="muted", size=11, wrap=True)
        self.modules_how = label("", color="muted", size=11, wrap=True)
        self.note = Note("info", "muted", "Choose the file or the folder that holds your workflows.")
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        grid.addWidget(label("Code"), 0, 0)
        pick = (self._button("File …", self._pick_file), self._button("Folder …", self._pick_folder))
        grid.addLayout(_beside(self.code, *pick), 0, 1)
        grid.addWidget(label("Python"), 1, 0)
        grid.addLayout(_beside(self.python, self._button("Browse …", self._pick_python)), 1, 1)
        grid.addWidget(self.how, 2, 1)
        grid.addWidget(label("Modules"), 3, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.modules, 3, 1)
        grid.addWidget(self.modules_how, 4, 1)
        grid.addWidget(label("Options"), 5, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.options, 5, 1)
        grid.addWidget(self.entry, 6, 1, Qt.AlignmentFlag.AlignLeft)
        grid.setRowStretch(3, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(10)
        title = f"Your {self._spec.title} workflows, as they are on this machine"
        column.addWidget(label(title, bold=True, size=13, wrap=True))
        column.addLayout(grid, 1)
        column.addWidget(self.note)
        column.addWidget(self._buttons())

    def _buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.use = QPushButton("Use it")
        self.use.setProperty("primary", "true")
        self.use.setDefault(True)
        self.use.setEnabled(False)
        buttons.addButton(self.use, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        return buttons

    @staticmethod
    def _button(title: str, act: object) -> QPushButton:
        button = QPushButton(title)
        button.setAutoDefault(False)
        button.clicked.connect(act)
        return button

    # -- choosing -----------------------------------------------------------------------------------------

    def _pick_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "The file with your workflows", self.code.text(), "*.py")
        if name:
            self.code.setText(name)

    def _pick_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "The folder of your project", self.code.text())
        if name:
            self.code.setText(name)

    def _pick_python(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "The project's Python", self.python.currentText())
        if name:
            self.python.setEditText(name)

    def _look(self) -> None:
        text, spec = self.code.text().strip(), self._spec
        if not text:
            self._show(Found())
            return
        self.note.set_note("clock", "muted", "Looking …")
        self._looker.run(lambda: look(Path(text), spec), self._show)

    def _show(self, found: Found) -> None:
        self._found = found
        before = self._before if found.project is not None and self._same_code(found.project) else None
        self.python.blockSignals(True)
        self.python.clear()
        self.python.addItems([str(python.python) for python in found.pythons])
        self.python.setEditText(before.python if before else found.project.python if found.project else "")
        self.python.blockSignals(False)
        self.modules.blockSignals(True)
        self.modules.clear()
        for name in _offered(found, before):
            item = QListWidgetItem(plain(_beneath(name, found.project), 200))
            item.setToolTip(tip(name))
            item.setData(Qt.ItemDataRole.UserRole, name)
            picked = name in (before.modules if before else found.project.modules if found.project else ())
            item.setCheckState(Qt.CheckState.Checked if picked else Qt.CheckState.Unchecked)
            self.modules.addItem(item)
        self.modules.blockSignals(False)
        self.modules_how.setText(found.modules.how if found.modules is not None else "")
        if before is not None and not self.options.toPlainText():
            self.options.setPlainText(options.text(before.options))
        self._show_ready()

    def _same_code(self, project: Project) -> bool:
        return self._before is not None and Path(self._before.code).resolve() == Path(project.code)

    def _picked(self) -> tuple[str, ...]:
        items = [self.modules.item(row) for row in range(self.modules.count())]
        checked = [item for item in items if item.checkState() == Qt.CheckState.Checked]
        return tuple(str(item.data(Qt.ItemDataRole.UserRole)) for item in checked)

    def _show_ready(self) -> None:
        python = self.python.currentText().strip()
        known = next((p for p in self._found.pythons if str(p.python) == python), None)
        self.how.setText(_how(known) if known is not None else "chosen by you" if python else "")
        ready = self._found.project is not None and bool(python) and bool(self._picked())
        error = self._found.error or self._wrong_options()
        self.use.setEnabled(ready and error is None)
        self._show_entry()
        if error is not None:
            self.note.set_note("failed", "failed", f"{error.message} {error.hint}".strip())
        elif self._found.project is not None and not self._picked():
            self.note.set_note("info", "waiting", "Choose the modules that hold your workflows.")
        elif self._found.project is None:
            self.note.set_note("info", "muted", "Choose the file or the folder that holds your workflows.")
        else:
            self.note.set_note("info", "muted", "Nothing has been run yet: you are asked before that.")

    def _show_entry(self) -> None:
        """Offers what starts the workers, whose settings a replay should have."""
        name, entry = self._spec.entry[0], self._found.entry
        self.entry.setVisible(entry is not None and name not in self.options.toPlainText())
        if entry is not None:
            self.entry.setText(f"Replay as the workers of {plain(entry.name, 40)} would".replace("&", "&&"))
            self.entry.setToolTip(
                tip(f"Converter, codec, interceptors, plugins: taken from {entry} when it is run")
            )

    def _take_entry(self) -> None:
        if (entry := self._found.entry) is not None:
            line = f"{self._spec.entry[0]}={_beneath(str(entry), self._found.project)}"
            lines = [*self.options.toPlainText().splitlines(), line]
            self.options.setPlainText("\n".join(filter(None, lines)))

    def _given_options(self) -> dict[str, Any]:
        return options.parse(
            self.options.toPlainText().splitlines(), self._spec, Path(self.code.text().strip())
        )

    def _wrong_options(self) -> PlayheadError | None:
        try:
            self._given_options()
        except PlayheadError as error:
            return error
        return None

    def accept(self) -> None:
        project = self._found.project
        if project is None or not self.use.isEnabled():
            return
        project = msgspec.structs.replace(project, options=self._given_options())
        self.use.setEnabled(False)
        picked, python = self._picked(), self.python.currentText().strip()
        self._looker.run(lambda: _made(project, picked, python), self._on_made)

    def _on_made(self, project: Project) -> None:
        self.chosen.emit(project)
        super().accept()

    def done(self, result: int) -> None:
        self._settle.stop()
        self._looker.cancel()
        super().done(result)


def _made(project: Project, picked: tuple[str, ...], python: str) -> Project:
    """The project with what the user picked. Does I/O."""
    paths, cwd = project.paths, project.cwd
    if picked != project.modules:
        modules = chosen(Path(project.code), picked)
        paths, cwd = tuple(dict.fromkeys((*modules.paths, *project.paths))), modules.cwd
    return msgspec.structs.replace(project, python=python, modules=picked, paths=paths, cwd=cwd)


def _offered(found: Found, before: Project | None) -> list[str]:
    """Modules to choose from; those chosen before are among them."""
    names = list(found.modules.choices or found.modules.modules) if found.modules is not None else []
    return list(dict.fromkeys([*names, *(before.modules if before is not None else ())]))


def _beneath(name: str, project: Project | None) -> str:
    """A file's path below the project's code; a dotted name as it is."""
    code = PurePath(project.code) if project is not None else PurePath()
    folder = code.parent if code.suffix == ".py" else code
    path = PurePath(name)
    return str(path.relative_to(folder)) if path.is_absolute() and path.is_relative_to(folder) else name


def _how(python: Interpreter) -> str:
    version = f"Python {python.version}, " if python.version else ""
    wanted = "" if python.fits else f"; the project asks for {python.wanted}"
    return f"{version}{python.how}{wanted}"


def _beside(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(6)
    for number, widget in enumerate(widgets):
        row.addWidget(widget, 0 if number else 1)
    return row
