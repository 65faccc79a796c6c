"""Which queries are answered at every event of a replay. GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine_bridge.format import plain
from engine_bridge.replay.model import Question
from widgets.code.answers import words
from widgets.code.json_edit import JsonEdit
from widgets.shell.label import label
from widgets.theme import font

if TYPE_CHECKING:
    from app.replay_page import RunReplay

_QUESTION = int(Qt.ItemDataRole.UserRole)
_ABOUT = (
    "Each is asked behind every event, in a replay of its own: one that raises or changes something disturbs nothing. "
    "The answers follow the playhead."
)


class QuestionsDialog(QDialog):
    """``chosen`` carries the questions that are ticked."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None, names: tuple[str, ...], before: tuple[Question, ...]) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Queries at the playhead")
        self.list, self.name, self.args = QListWidget(), QLineEdit(), JsonEdit("Arguments, as JSON")
        self.list.setAccessibleName("Queries")
        self.list.setSpacing(2)
        self.name.setFont(font(12, code=True))
        self.name.setAccessibleName("Name of a query")
        self.name.setPlaceholderText("name")
        self.args.setPlaceholderText('arguments as a JSON array: ["EUR"]')
        self.add = QPushButton("Add")
        self.add.setAutoDefault(False)
        self.error = label(color="failed", size=11, wrap=True)
        self._lay_out()
        for question in before:
            self._add(question, ticked=True)
        for name in names:
            self._add(Question(name=name), ticked=False)
        self.args.checked.connect(self.error.setText)
        self.add.clicked.connect(self._on_add)
        self.resize(480, 420)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(8)
        column.addWidget(
            label("What does the workflow answer, at every event?", bold=True, size=13, wrap=True)
        )
        column.addWidget(label(_ABOUT, color="muted", wrap=True))
        column.addWidget(self.list, 1)
        grid = QGridLayout()
        grid.addWidget(self.name, 0, 0)
        grid.addWidget(self.add, 0, 1)
        grid.addWidget(self.args, 1, 0, 1, 2)
        column.addLayout(grid)
        column.addWidget(self.error)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)

    def _add(self, question: Question, *, ticked: bool) -> None:
        shown = [self.list.item(row).data(_QUESTION) for row in range(self.list.count())]
        if question in shown:
            return
        item = QListWidgetItem(plain(words(question), 160))
        item.setData(_QUESTION, question)
        item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
        self.list.addItem(item)

    def _on_add(self) -> bool:
        if self.args.check():
            return False
        if self.name.text().strip():
            self._add(Question(name=self.name.text().strip(), args=self.args.text or "[]"), ticked=True)
            self.name.clear()
            self.args.clear()
        return True

    def accept(self) -> None:
        if not self._on_add():
            return
        items = [self.list.item(row) for row in range(self.list.count())]
        ticked = [item.data(_QUESTION) for item in items if item.checkState() == Qt.CheckState.Checked]
        self.chosen.emit(tuple(ticked))
        super().accept()

    def done(self, result: int) -> None:
        self.args.stop()
        super().done(result)


class Questions(QObject):
    """Remembers what is asked of each type of workflow until the window closes."""

    def __init__(self, replay: RunReplay) -> None:
        super().__init__(replay)
        self._replay = replay
        self._chosen: dict[str, tuple[Question, ...]] = {}
        self.dialog: QuestionsDialog | None = None

    def _type(self) -> str:
        run = self._replay.page.feed.history.run
        return run.type if run is not None else ""

    def chosen(self) -> tuple[Question, ...]:
        """What is asked of runs such as the open one."""
        return self._chosen.get(self._type(), ())

    def why_not(self) -> str:
        """Why nothing can be asked; "" when something can."""
        recording = self._replay.recording
        loaded = recording.loaded if recording is not None else None
        if loaded is None:
            return self._replay.why_not() or "replay first: the code says which queries it answers"
        return (
            ""
            if any("query" in kinds for kinds in loaded.handlers.values())
            else "the workflows of this code answer no queries"
        )

    def choose(self) -> None:
        """Asks what to ask; what is chosen is answered by another replay."""
        if why := self.why_not():
            self._replay.page.context.notify(f"Queries: {why}.")
            return
        recording = self._replay.recording
        loaded = recording.loaded if recording is not None else None
        names = loaded.handlers.get(self._type(), {}).get("query", ()) if loaded is not None else ()
        dialog = self.dialog = QuestionsDialog(self._replay.page.view.window(), names, self.chosen())
        dialog.chosen.connect(self._on_chosen)
        dialog.finished.connect(self._on_finished)
        dialog.open()

    def _on_chosen(self, questions: tuple[Question, ...]) -> None:
        if questions != self.chosen():
            self._chosen[self._type()] = questions
            self._replay.replay()

    def _on_finished(self) -> None:
        self.dialog = None

    def stop(self) -> None:
        """Asks no more."""
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.close()
