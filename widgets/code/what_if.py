"""Edits of a history before it is replayed: what could have happened, by a form for each kind of edit. GUI thread."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from engine_bridge.format import plain, safe_lines
from engine_bridge.replay.model import Edit, EditKind
from widgets.actions.notes import Note
from widgets.code.chain import Chain, Made
from widgets.code.json_edit import JsonEdit
from widgets.run.labels import Glyph, Text
from widgets.shell.label import label
from widgets.theme import font


class WhatIfEditor(QWidget):
    """``run_requested`` carries the edits to replay with, ``closed`` comes when the user is done with it.

    The caller shows the kinds of the event under the playhead, or those of what the code would do then (a later turn);
    edits that were made before stay in ``chain``.
    """

    run_requested = Signal(object)
    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._kinds: tuple[EditKind, ...] = ()
        self._touched = False
        self._chosen = False  # what is in the form is meant as it is
        self._turn = 0
        self._instead: Made | None = None
        self.chain = Chain()
        self.chain.changed.connect(self._on_chain)
        self.chain.picked.connect(self.show_made)
        self.where = Text(bold=True, size=13, least=120)
        self.kind = QComboBox()
        self.kind.setAccessibleName("What could have happened")
        self.kind.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.kind.setMinimumContentsLength(24)
        self.name = QComboBox()
        self.name.setEditable(True)
        self.name.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.name.setFont(font(12, code=True))
        self.name.setAccessibleName("Its name")
        self.value = JsonEdit("Its value")
        self.doc, self.error = (
            label(color="muted", size=11, wrap=True),
            label(color="failed", size=11, wrap=True),
        )
        self.name_title, self.value_title = label("Name", bold=True), label("Value", bold=True)
        self.note = Note("info", "muted", "")
        self.run = QPushButton("Show What the Code Would Do")
        self.run.setProperty("primary", "true")
        self.more = QPushButton("Add, and Edit More")
        self.more.setToolTip("Keeps this edit, and edits another event as well.")
        self.close_button = QPushButton("Close")
        self._lay_out()
        self.kind.currentIndexChanged.connect(lambda _: self._show_kind())
        self.kind.activated.connect(lambda _: self._on_typed())
        self.value.checked.connect(self._on_checked)
        self.value.textChanged.connect(self._on_typed)
        self.name.editTextChanged.connect(lambda _: self._on_typed())
        self.run.clicked.connect(self.submit)
        self.more.clicked.connect(self._keep)
        self.close_button.clicked.connect(self.closed)
        self.setAccessibleName("What if")

    def _lay_out(self) -> None:
        inner = QWidget()
        rows = QVBoxLayout(inner)
        rows.setContentsMargins(14, 10, 14, 8)
        rows.setSpacing(6)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Glyph("fork", "signal", 16))
        head.addWidget(self.where)
        head.addStretch(1)
        rows.addLayout(head)
        rows.addWidget(self.chain)
        for widget in (
            self.kind,
            self.doc,
            self.name_title,
            self.name,
            self.value_title,
            self.value,
            self.error,
        ):
            rows.addWidget(widget)
        rows.addWidget(self.note)
        rows.addStretch(1)
        area = QScrollArea()
        area.setWidget(inner)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(14, 6, 14, 10)
        buttons.addWidget(self.close_button)
        buttons.addStretch(1)
        buttons.addWidget(self.more)
        buttons.addWidget(self.run)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(area, 1)
        column.addLayout(buttons)

    # -- what is shown ------------------------------------------------------------------------------------

    def show_loading(self, where: str) -> None:
        """The kinds of another event are being asked for."""
        self.where.set_text(where)
        self.run.setEnabled(bool(self.edits))

    def show_kinds(
        self, where: str, kinds: Sequence[EditKind], turn: int = 0, wanted: EditKind | None = None
    ) -> None:
        """What can be edited at an event, or of a later turn; ``wanted`` is the one to begin with."""
        before, self._turn, self._instead = self._kind, turn, None
        self._chosen = turn > 0 or wanted is not None
        self.where.set_text(where)
        self._kinds = tuple(kinds)
        touched = self._touched and wanted is None
        typed = (self.name.currentText(), self.value.toPlainText()) if touched else None
        self.kind.blockSignals(True)
        self.kind.clear()
        for kind in self._kinds:
            self.kind.addItem(plain(kind.title, 160))
        like = (n for n, k in enumerate(kinds) if before and (k.kind, k.needs) == (before.kind, before.needs))
        same = self._kinds.index(wanted) if wanted in self._kinds else next(like, 0)
        self.kind.setCurrentIndex(same if self._kinds else -1)
        self.kind.blockSignals(False)
        self._show_kind()
        now = self._kind
        if typed is not None and before is not None and now is not None and now.kind == before.kind:
            self.name.setEditText(typed[0])
            self.value.setPlainText(typed[1])
        if self._kinds and self.close_button.hasFocus():
            self.kind.setFocus()
        words = "" if self._kinds else "Nothing can be edited at this event: choose another on the timeline."
        self.show_note(words)

    def show_note(self, words: str, *, failed: bool = False) -> None:
        """What is wrong, or to be known; "" for nothing."""
        self.note.set_note("failed" if failed else "info", "failed" if failed else "muted", words)
        self.note.setVisible(bool(words))

    @property
    def _kind(self) -> EditKind | None:
        row = self.kind.currentIndex()
        return self._kinds[row] if 0 <= row < len(self._kinds) else None

    def _show_kind(self) -> None:
        kind = self._kind
        needs = kind.needs if kind is not None else ()
        self.kind.setVisible(kind is not None)
        self.doc.setText(safe_lines(kind.doc) if kind is not None else "")
        self.doc.setVisible(bool(kind is not None and kind.doc))
        for widgets, need in (
            ((self.name_title, self.name), "name"),
            ((self.value_title, self.value), "value"),
        ):
            for widget in widgets:
                widget.setVisible(need in needs)
        self.name.blockSignals(True)
        self.name.clear()
        self.name.addItems(list(kind.names) if kind is not None else [])
        self.name.blockSignals(False)
        self.value_title.setText("Value, as text" if kind is not None and kind.text else "Value, as JSON")
        self.value.show_value(kind.value if kind is not None else "", is_text=kind is not None and kind.text)
        self._touched = False
        for button in (self.run, self.more):
            button.setEnabled(kind is not None)

    def _on_typed(self) -> None:
        self._touched = True

    def _on_checked(self, words: str) -> None:
        self.error.setText(words)
        self.error.setVisible(bool(words))

    # -- edits --------------------------------------------------------------------------------------------

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The edits that were kept."""
        return self.chain.edits

    def titles(self) -> dict[Edit, str]:
        """What the kept edits are called."""
        return {one.edit: one.words for one in self.chain.made}

    def forget(self) -> None:
        """Another run: no edit is kept."""
        self._instead = None
        self.chain.set_made(())

    def show_made(self, made: Made) -> None:
        """An edit in the form, to be changed."""
        edit = made.edit
        kind = msgspec.structs.replace(made.kind, value=edit.value)
        if edit.name:
            kind = msgspec.structs.replace(kind, names=tuple(dict.fromkeys((edit.name, *kind.names))))
        self.show_kinds(f"Change: {made.words}", (kind,), edit.turn, kind)
        self._instead = made
        self.begin()

    def _current(self) -> tuple[Edit, EditKind] | None:
        """The edit that is in the form; None where it is not whole, which is said."""
        kind = self._kind
        if kind is None:
            return None
        name = self.name.currentText().strip() if "name" in kind.needs else ""
        if "name" in kind.needs and not name:
            self.show_note("Give its name, as the code declares it.", failed=True)
            self.name.setFocus()
            return None
        if "value" in kind.needs and self.value.check():
            self.value.setFocus()
            return None
        value = self.value.text if "value" in kind.needs else ""
        at, step = kind.position, kind.step_id
        edit = Edit(kind=kind.kind, position=at, step_id=step, name=name, value=value, turn=self._turn)
        return edit, kind

    def _take(self, made: tuple[Edit, EditKind]) -> None:
        self.chain.put(*made, self._instead)
        self._touched, self._chosen, self._instead = False, False, None

    def _keep(self) -> None:
        made = self._current()
        if made is None:
            return
        self._take(made)
        self.show_note("Kept. Choose another event, or another edit.")

    def submit(self) -> None:
        """As the button: replays with the edits that were kept and the one in the form."""
        wanted = self._touched or self._chosen or self._instead is not None or not self.edits
        made = self._current() if wanted else None
        if made is not None:
            self._take(made)
        if self.edits and (made is not None or not wanted):
            self.run_requested.emit(self.edits)

    def _on_chain(self) -> None:
        """An edit was taken out."""
        self.show_kinds("What if, without that …", ())
        self.show_note("Taken out. Choose an event of the record to edit more.")
        self.run.setEnabled(bool(self.edits))

    def begin(self, *, filled: bool = False) -> None:
        """Gives the keyboard to the first field, or to the first to fill in where the kind has been chosen."""
        wanted = [w for w in (self.name, self.value) if filled and not w.isHidden()]
        first = wanted[0] if wanted else self.kind if self._kinds else self.close_button
        first.setFocus()

    def stop(self) -> None:
        self.value.stop()
