"""Asks before a project's code is run against a source for the first time, and says what that means. GUI thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPushButton, QVBoxLayout, QWidget

from engine_bridge.errors import PlayheadError
from engine_bridge.format import count, plain
from engine_bridge.replay.model import Project, RunnerSpec
from engine_bridge.replay.protocol import Hello
from engine_bridge.replay.versions import fits
from widgets.actions.notes import Code, Note, fit
from widgets.shell.label import label

_WIDE: Final = 560
_NAMED: Final = 40
_GUARDS: Final = {
    "network": "use the network",
    "writes": "write files outside a scratch folder",
    "processes": "start other programs",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: whose code, by which interpreter and how that was found, against which source.

    ``globals`` are the names that the run's payloads would import; ``known`` how many of them were agreed to before.
    ``stranger``: the source is a file that may come from somebody else.
    """

    spec: RunnerSpec
    project: Project
    how: str
    source: str
    globals: tuple[str, ...] = ()
    stranger: bool = False
    again: bool = False


class ConsentDialog(QDialog):
    """``agreed`` comes when the user said yes; ``other_project`` when it is not the right code."""

    agreed = Signal()
    other_project = Signal()

    def __init__(self, parent: QWidget | None, question: Question) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._question = question
        code = PurePath(question.project.code).name
        self.setWindowTitle(f"Run {plain(code, 60)}?")
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(10)
        title = f"Run {plain(code, 60)} against what {plain(question.source, 60)} recorded?"
        column.addWidget(label(title, bold=True, size=13, wrap=True))
        for glyph, state, text, boxed in _meaning(question):
            column.addWidget(Note(glyph, state, text, boxed=boxed))
        names = list(question.globals[:_NAMED])
        names += [f"… {count(len(question.globals) - _NAMED)} more"] if len(question.globals) > _NAMED else []
        if names:
            column.addWidget(Code("\n".join(names), "Names that the payloads mention"))
        self.denied = Note("clock", "muted", "Asking the interpreter what it can deny …")
        self.lacking = Note("warning", "retrying", "", boxed=True)
        self.lacking.hide()
        column.addWidget(self.denied)
        column.addWidget(self.lacking)
        column.addWidget(Note("info", "muted", _ONCE))
        self._add_buttons(column)
        fit(self, _WIDE)

    def _add_buttons(self, column: QVBoxLayout) -> None:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.run_button = QPushButton("Run it")
        self.run_button.setProperty("primary", "true")
        self.run_button.setEnabled(False)
        self.other = QPushButton("Another project …")
        buttons.addButton(self.run_button, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(self.other, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.other.clicked.connect(self._on_other)
        cancel = buttons.button(QDialogButtonBox.StandardButton.Cancel)
        # What a stranger's file would run is not agreed to by a stray Enter.
        first = cancel if self._question.stranger else self.run_button
        first.setDefault(True)
        first.setFocus()
        column.addSpacing(4)
        column.addWidget(buttons)

    @property
    def text(self) -> str:
        """All that the dialog says."""
        notes = [note.words.text() for note in self.findChildren(Note) if not note.isHidden()]
        return "\n".join([*notes, *(code.toPlainText() for code in self.findChildren(Code))])

    def set_hello(self, hello: Hello | PlayheadError) -> None:
        """What the interpreter's runner is, and denies; or why it did not come up."""
        if isinstance(hello, PlayheadError):
            self.denied.set_note("failed", "failed", f"{hello.message} {hello.hint}".strip())
            return
        denied = [_GUARDS.get(guard, guard) for guard in hello.guards]
        words = f"The kernel lets that process neither {' nor '.join(denied)}. " if len(denied) > 1 else ""
        words = words or (f"The kernel does not let that process {denied[0]}. " if denied else "")
        self.denied.set_note("lock", "completed" if denied else "muted", words + _HOOK)
        self._show_lacks(hello)
        self.run_button.setEnabled(True)

    def _show_lacks(self, hello: Hello) -> None:
        spec = self._question.spec
        lacks = [f"Not denied here: {text}." for text in hello.lacks]
        if spec.supported and not fits(hello.library, spec.supported):
            lacks.append(f"{spec.library} {hello.library} is not supported ({spec.supported}): it may fail.")
        self.lacking.setVisible(bool(lacks))
        self.lacking.set_note("warning", "retrying", "\n".join(lacks))

    def event(self, event: QEvent) -> bool:
        if event.type() != QEvent.Type.LayoutRequest:
            return super().event(event)
        done, layout = super().event(event), self.layout()
        if layout is not None:
            # Qt's own least height knows nothing of how words wrap.
            self.resize(self.width(), max(self.height(), layout.totalHeightForWidth(self.width())))
        return done

    def _on_other(self) -> None:
        self.other_project.emit()
        super().reject()

    def accept(self) -> None:
        if self.run_button.isEnabled():
            self.agreed.emit()
            super().accept()


_ONCE: Final = (
    "You are asked once for each project, source and interpreter, and again when payloads mention other names. "
    "Withdraw it under More in the Code tab."
)
_HOOK: Final = (
    "Whatever else it tries (other programs, sockets, writing) is stopped with its line by a hook in Python: a net, "
    "not a jail. No password and no variable of your environment reaches it."
)


def _meaning(question: Question) -> list[tuple[str, str, str, bool]]:
    """Glyph, state, words and whether they stand in a box."""
    project, source = question.project, plain(question.source, 80)
    notes: list[tuple[str, str, str, bool]] = []
    if question.again:
        notes.append(
            (
                "warning",
                "retrying",
                "This run's payloads mention names that you have not agreed to yet.",
                True,
            )
        )
    if question.stranger:
        words = (
            f"{source} is a file. If somebody else gave it to you, its payloads are theirs: unpickling them can run "
            "whatever they chose, as you. Replay only what you trust."
        )
        notes.append(("warning", "failed", words, True))
    how = f" ({question.how})" if question.how else ""
    entry = project.options.get(question.spec.entry[0])
    modules = plain(", ".join(project.modules) or "its modules", 200)
    begins = (
        f"{plain(str(entry), 200)} is run until it makes its workers, with nothing connected" if entry
        else f"{modules} of {project.code} is imported"
    )  # fmt: skip
    notes += [
        ("running", "muted", f"Your code runs: {begins}, and the workflow function called, in a process of "
         f"{project.python}{how}.", False),
        ("step", "muted", "Recorded steps answer with what they returned; none is executed again. It stops before the "
         "first step without a record, and works on a scratch copy: the source is not touched.", False),
        ("database", "muted", f"The payloads that {source} recorded are " + (
            "unpickled there. They mention these names, which unpickling imports and calls:" if question.globals
            else "decoded there. This run's mention no names to import."), False),
    ]  # fmt: skip
    return notes
