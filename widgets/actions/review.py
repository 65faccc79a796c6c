"""The review of a draft: every plan, the reason, the typed confirmation, Execute. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QScrollArea, QVBoxLayout, QWidget

from engine_bridge.actions.model import Plan, PlanItem
from engine_bridge.format import plain, safe_lines
from widgets.actions.notes import Note
from widgets.actions.plan_card import PlanCard, refused_words
from widgets.shell.label import clear, label

_SHOWN = 20
_AT_ONCE = 2


class ReviewView(QWidget):
    """Shows a plan and asks to execute it; whether it may be executed is told by ``set_blocked``.

    ``removed`` and ``edited`` carry a staged action, ``copied`` the form that was copied.
    """

    execute_requested = Signal()
    export_requested = Signal()
    undo_requested = Signal()
    discard_requested = Signal()
    removed = Signal(object)
    edited = Signal(object)
    copied = Signal(str)
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.cards: list[PlanCard] = []
        self.count = label(bold=True, size=13)
        self.undo_button, self.discard_button = QPushButton("Undo last"), QPushButton("Discard")
        self.reason, self.confirm = QLineEdit(), QLineEdit()
        self.export_button, self.execute_button = QPushButton("Export first…"), QPushButton("Execute")
        self.blocked = Note("lock", "retrying", "")
        self.wait = label("Planning …", color="muted", size=13)
        self._cards = QVBoxLayout()
        self._needed = ""
        self._items: tuple[PlanItem, ...] = ()
        self._left: list[PlanItem] = []
        self._later = QTimer(self)
        self._later.setInterval(0)
        self._later.timeout.connect(self._add_cards)
        self._lay_out()
        self._connect()
        self.setAccessibleName("Review of staged actions")

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(16, 8, 16, 0)
        head.addWidget(self.count, 1)
        head.addWidget(self.undo_button)
        inner = QWidget()
        self._cards.setContentsMargins(16, 8, 16, 8)
        self._cards.setSpacing(10)
        outer = QVBoxLayout(inner)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addLayout(self._cards)
        outer.addWidget(self.wait)
        outer.addStretch(1)
        self.wait.setContentsMargins(16, 4, 16, 4)
        self.area = QScrollArea()
        self.area.setWidget(inner)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QScrollArea.Shape.NoFrame)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        column.addWidget(self.area, 1)
        column.addLayout(self._foot())

    def _foot(self) -> QVBoxLayout:
        self.reason.setAccessibleName("Reason")
        self.reason.setPlaceholderText("Reason: why is this done? It stands in the journal.")
        self.confirm.setAccessibleName("Confirmation")
        self.execute_button.setProperty("primary", "true")
        self.export_button.setToolTip("Writes the run with its history into a file before it is changed.")
        self.export_button.hide()
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        row.addWidget(self.export_button)
        row.addWidget(self.discard_button)
        row.addWidget(self.execute_button)
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 8, 16, 12)
        foot.setSpacing(8)
        foot.addWidget(self.reason)
        foot.addWidget(self.confirm)
        foot.addWidget(self.blocked)
        foot.addLayout(row)
        return foot

    def _connect(self) -> None:
        self.reason.textChanged.connect(lambda _: self.changed.emit())
        self.confirm.textChanged.connect(lambda _: self.changed.emit())
        for line in (self.reason, self.confirm):
            line.returnPressed.connect(self.execute_requested)
        self.execute_button.clicked.connect(self.execute_requested)
        self.export_button.clicked.connect(self.export_requested)
        self.undo_button.clicked.connect(self.undo_requested)
        self.discard_button.clicked.connect(self.discard_requested)

    def show_planning(self, staged: int) -> None:
        """The draft changed; its plan is being made."""
        self.count.setText(f"Staged: {staged}")
        self.wait.setText(
            "Planning …" if staged else "Nothing is staged. Choose an action on a run, a queue or a schedule."
        )
        self.wait.show()
        self.execute_button.setEnabled(False)
        if not staged:
            self._set_cards(())

    def show_error(self, text: str) -> None:
        """The plan could not be made."""
        self._set_cards(())
        self.wait.setText(safe_lines(text))
        self.wait.show()

    def show_plan(self, plan: Plan, needed: str) -> None:
        """Every item; ``needed`` is what must be typed, "" for nothing."""
        self.wait.hide()
        count = len(plan.items)
        verb, noun = _words(plan.items)
        words = f"Staged: {count} {noun if count == 1 else f'{noun}s'}"
        self.count.setText(" · ".join(part for part in (words, refused_words(plan.items)) if part))
        self._set_cards(plan.items)
        if needed != self._needed:
            self.confirm.clear()
        self._needed = needed
        self.confirm.setVisible(bool(needed))
        self.confirm.setPlaceholderText(f"type {plain(needed, 60)} to confirm")
        ready = len(plan.runnable)
        self.execute_button.setText(f"{verb} {ready} {noun}s" if ready > 1 else verb)

    def _set_cards(self, items: tuple[PlanItem, ...]) -> None:
        bar = self.area.verticalScrollBar()
        place = bar.value()
        clear(self._cards)
        self.cards, self._items = [], items
        self._left = list(items[:_SHOWN])
        self._add_cards()
        bar.setValue(place)
        if self._left:
            self._later.start()

    def _add_cards(self) -> None:
        """The next few: a card takes milliseconds, and a frame has sixteen."""
        for item in self._left[:_AT_ONCE]:
            card = PlanCard(item)
            card.removed.connect(self.removed)
            card.edited.connect(self.edited)
            card.copied.connect(self.copied)
            self.cards.append(card)
            self._cards.addWidget(card)
        del self._left[:_AT_ONCE]
        if self._left:
            return
        self._later.stop()
        if len(self._items) > _SHOWN:
            words = f"and {len(self._items) - _SHOWN} more like these"
            self._cards.addWidget(label(words, color="muted"))

    def set_blocked(self, why: str, glyph: str = "lock") -> None:
        """Why it cannot be executed now; "" when it can."""
        self.execute_button.setEnabled(not why)
        self.execute_button.setToolTip(why)
        self.blocked.set_note(glyph, "retrying", why)
        self.blocked.setVisible(bool(why))

    def begin(self) -> None:
        """Gives the keyboard to the reason."""
        self.reason.setFocus()

    def copy_as(self, kind: str) -> str:
        """All items in one form, "" when none has it."""
        return "\n".join(item.copy_as[kind] for item in self._items if kind in item.copy_as)

    def stop(self) -> None:
        """It is put away."""
        self._later.stop()


def _words(items: tuple[PlanItem, ...]) -> tuple[str, str]:
    """What is done, and to what: moves of entities are applied, other actions executed."""
    moves = all(item.staged.action == "move" for item in items)
    return ("Apply", "move") if items and moves else ("Execute", "action")
