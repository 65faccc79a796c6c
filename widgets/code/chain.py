"""The edits that were made, turn by turn: each can be changed or taken out. GUI thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from engine_bridge.replay.model import Edit, EditKind
from engine_bridge.replay.turns import numbered
from widgets.code.would import edit_words
from widgets.run.labels import Link, Text
from widgets.shell.label import clear


@dataclass(frozen=True, slots=True)
class Made:
    """One edit with what it was made by; ``words`` tell it."""

    edit: Edit
    kind: EditKind

    @property
    def words(self) -> str:
        return edit_words(self.edit, self.kind.title)


def kind_of(edit: Edit, words: str) -> EditKind:
    """What an edit could have been made by, where nobody chose it in the editor; ``words`` are all that tell it."""
    value = edit.value
    title = words.removesuffix(edit_words(edit, "-").removeprefix("-"))
    needs = (*(("name",) if edit.name else ()), *(("value",) if value else ()))
    names = (edit.name,) if edit.name else ()
    return EditKind(
        kind=edit.kind,
        title=title,
        needs=needs,
        names=names,
        value=value,
        position=edit.position,
        step_id=edit.step_id,
    )


class Chain(QWidget):
    """``changed`` comes when one was taken out, ``picked`` carries the Made that the user wants to change."""

    changed = Signal()
    picked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.made: tuple[Made, ...] = ()
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(4)
        self.setAccessibleName("Edits so far")
        self.hide()

    @property
    def edits(self) -> tuple[Edit, ...]:
        return tuple(one.edit for one in self.made)

    @property
    def text(self) -> str:
        """All edits, a line each."""
        return "\n".join(f"{_when(one.edit)} {one.words}" for one in self.made)

    def set_made(self, made: Sequence[Made]) -> None:
        """All of them, in any order."""
        self.made = tuple(sorted(made, key=lambda one: one.edit.turn))
        self._show()

    def put(self, edit: Edit, kind: EditKind, instead: Made | None = None) -> None:
        """Adds one, in the place of another: of ``instead``, or of one of the same step in the same turn."""
        same = next((one for one in self.made if _same_place(one.edit, edit)), None)
        old = instead if instead in self.made else same
        new = Made(msgspec.structs.replace(edit, turn=old.edit.turn) if old is not None else edit, kind)
        kept = [new if one is old else one for one in self.made] if old is not None else [*self.made, new]
        self.set_made(kept)

    def make_room(self, turn: int) -> None:
        """Later turns move by one: a new one comes before them."""
        self.set_made([
            Made(msgspec.structs.replace(one.edit, turn=one.edit.turn + 1), one.kind)
            if one.edit.turn >= turn else one
            for one in self.made
        ])  # fmt: skip

    def _remove(self, one: Made) -> None:
        left = [other for other in self.made if other is not one]
        edits = numbered(other.edit for other in left)
        self.set_made([Made(edit, other.kind) for edit, other in zip(edits, left, strict=True)])
        self.changed.emit()

    def _show(self) -> None:
        clear(self._rows)
        for one in self.made:
            self._rows.addWidget(self._line(one))
        self.setVisible(bool(self.made))

    def _line(self, one: Made) -> QWidget:
        line, change, remove = QWidget(), Link("Change", size=11), Link("Remove", size=11)
        change.setAccessibleName(f"Change: {one.words}")
        remove.setAccessibleName(f"Remove: {one.words}")
        change.activated.connect(lambda: self.picked.emit(one))
        remove.activated.connect(lambda: self._remove(one))
        row = QHBoxLayout(line)
        row.setContentsMargins(24, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(Text(_when(one.edit), tone="muted", size=11, least=28))
        row.addWidget(Text(one.words, least=80, elide=Qt.TextElideMode.ElideRight))
        row.addWidget(change)
        row.addWidget(remove)
        row.addStretch(1)
        return line


def _when(edit: Edit) -> str:
    return "then" if edit.turn else "if"


def _same_place(one: Edit, other: Edit) -> bool:
    """Whether two edits give the same step an end in the same turn."""
    ends = one.step_id and one.step_id == other.step_id and one.position == other.position
    return one == other or bool(ends and one.turn == other.turn)
