"""What one staged action will do, in full. GUI thread."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QToolButton, QVBoxLayout, QWidget

from engine_bridge.actions.model import Danger, PlanItem
from engine_bridge.format import in_words, plain
from widgets.actions.notes import Changes, Code, Note, Pill
from widgets.shell.label import ElidedLabel, label
from widgets.theme import RADIUS, font, theme

COPY_AS: Final = ("SQL", "CLI", "Python")


class PlanCard(QWidget):
    """One item of a plan. ``removed`` and ``edited`` carry its staged action; ``copied`` what was copied."""

    removed = Signal(object)
    edited = Signal(object)
    copied = Signal(str)

    def __init__(self, item: PlanItem, *, can_edit: bool = True) -> None:
        super().__init__()
        self.item = item
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(12, 10, 12, 10)
        self._column.setSpacing(8)
        self._head()
        self._refused()
        if item.changes:
            self._column.addWidget(Changes(item.changes))
        if item.calls:
            self._column.addWidget(Code("\n".join(item.calls), "What will be sent"))
        for note in _notes(item):
            self._column.addWidget(note)
        self._buttons(can_edit)
        self.setAccessibleName(f"Plan: {item.title}")

    def _head(self) -> None:
        item, row = self.item, QHBoxLayout()
        row.setSpacing(6)
        title = ElidedLabel("text")
        title.setFont(font(13, bold=True))
        title.set_text(item.title)
        row.addWidget(title, 1)
        if not item.refused:
            row.addWidget(
                Pill("new run" if item.new_run else _where(item), "playhead" if item.new_run else "muted")
            )
        if item.danger is Danger.DESTROYS:
            row.addWidget(Pill("deletes data", "failed"))
        self._column.addLayout(row)

    def _refused(self) -> None:
        if self.item.refused:
            self._column.addWidget(Note("cancelled", "failed", f"Refused: {self.item.refused}", boxed=True))

    def _buttons(self, can_edit: bool) -> None:
        row = QHBoxLayout()
        row.setSpacing(6)
        self.copy_button = QToolButton(self)
        self.copy_button.setText("Copy as")
        self.copy_button.setProperty("drops", "true")
        self.copy_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.copy_button)
        for kind in COPY_AS:
            if kind in self.item.copy_as:
                menu.addAction(kind).triggered.connect(lambda _=False, k=kind: self.copy(k))
        self.copy_button.setMenu(menu)
        if menu.isEmpty():  # never shown here: without a parent it would be a window of its own for a moment
            self.copy_button.hide()
        row.addWidget(self.copy_button)
        row.addStretch(1)
        edit, remove = QPushButton("Edit…"), QPushButton("Remove")
        edit.setAccessibleName(f"Edit {self.item.title}")
        remove.setAccessibleName(f"Remove {self.item.title}")
        edit.clicked.connect(lambda: self.edited.emit(self.item.staged))
        remove.clicked.connect(lambda: self.removed.emit(self.item.staged))
        for button in (edit, remove) if can_edit else ():
            row.addWidget(button)
        self._column.addLayout(row)

    def copy(self, kind: str) -> bool:
        """Copies the item as SQL, CLI or Python; false where it has no such form."""
        text = self.item.copy_as.get(kind)
        if text is None:
            return False
        QGuiApplication.clipboard().setText(text)
        self.copied.emit(kind)
        return True

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(t.color("line"))
            painter.setBrush(t.color("panel"))
            painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), RADIUS, RADIUS)


def _where(item: PlanItem) -> str:
    target = item.staged.target
    entity = target.ref is not None and target.ref.kind == "entity"
    return "same run" if target.kind in ("run", "step") and not entity else "in place"


def _notes(item: PlanItem) -> list[Note]:
    """Warnings first, then what else an operator must know."""
    found = [Note("warning", "retrying", text) for text in item.warnings]
    found += [Note("right", "muted", text) for text in item.side_effects]
    if item.refused:
        return found
    if item.inverse is not None:
        by = plain(item.inverse.action, 60).replace("_", " ")
        found.append(Note("back", "completed", f"Can be undone, by: {by}."))
    elif item.irreversible:
        found.append(Note("lock", "muted", f"Cannot be undone: {item.irreversible}"))
    if item.preconditions:
        facts = ", ".join(f"{plain(p.what, 60)} = {plain(in_words(p.value), 60)}" for p in item.preconditions)
        found.append(Note("evidence", "muted", f"Only if still: {facts}", color="muted"))
    if item.race:
        found.append(Note("swap", "muted", item.race, color="muted"))
    if item.dedupes:
        found.append(
            Note(
                "completed", "muted", "The engine drops a second one with the same request id.", color="muted"
            )
        )
    return found


def refused_words(items: tuple[PlanItem, ...]) -> str:
    """ "2 of 3 refused", "" when none is."""
    refused = sum(bool(item.refused) for item in items)
    return f"{refused} of {len(items)} refused" if refused else ""


def summary(items: tuple[PlanItem, ...]) -> QWidget:
    """How many will run, for the head of a review."""
    ready = sum(not item.refused for item in items)
    words = f"{ready} {'action' if ready == 1 else 'actions'} ready"
    return label(" · ".join(part for part in (words, refused_words(items)) if part), color="muted")
