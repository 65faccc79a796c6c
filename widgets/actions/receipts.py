"""What became of an execution, item by item, while it runs and after. GUI thread."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from engine_bridge.actions.model import Outcome, PlanItem, Receipt, Verdict
from engine_bridge.format import duration, plain
from widgets.actions.notes import Changes, Note, whole
from widgets.shell.label import ElidedLabel, label
from widgets.theme import RADIUS, font, theme

#: Verdict: glyph, the state whose colour it takes, words.
_VERDICTS: Final = {
    Verdict.APPLIED: ("completed", "completed", "Applied"),
    Verdict.NOT_APPLIED: ("cancelled", "failed", "Not applied"),
    Verdict.UNKNOWN: ("unknown", "retrying", "Cannot be known whether it was applied"),
}


def verdict_words(outcome: Outcome) -> tuple[str, str, str]:
    """Glyph, state and words of an outcome; a stale one says that nothing was sent."""
    glyph, state, words = _VERDICTS[outcome.verdict]
    if outcome.stale:
        return "warning", "retrying", "Not applied: the target moved meanwhile, nothing was sent"
    if outcome.pending:
        applied = outcome.verdict is Verdict.APPLIED
        return "clock", "waiting", "Applied, still awaited" if applied else "Not known yet"
    return glyph, state, words


class ItemRow(QWidget):
    """One item of an execution. ``undo_requested`` carries the inverse, ``run_opened`` the new run."""

    undo_requested = Signal(object)
    run_opened = Signal(object)
    plan_again = Signal(object)

    def __init__(self, item: PlanItem) -> None:
        super().__init__()
        self.item = item
        self.receipt: Receipt | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(12, 10, 12, 10)
        self._column.setSpacing(6)
        title = ElidedLabel("text")
        title.setFont(font(13, bold=True))
        title.set_text(item.title)
        self._column.addWidget(title)
        self.state = Note("pending", "muted", "waiting for its turn")
        self._column.addWidget(self.state)
        self._rest = QWidget()
        self._column.addWidget(self._rest)
        self._rest.hide()

    @property
    def text(self) -> str:
        """What the row says of its state."""
        notes = [note.words.text() for note in self._rest.findChildren(Note)]
        return "\n".join([self.state.words.text(), *notes])

    def show_progress(self, text: str) -> None:
        self.state.set_note("running", "running", text)

    def show_failed(self, text: str) -> None:
        """It was not sent: the journal refused, or it never came to its turn."""
        self.state.set_note("cancelled", "failed", text)

    def show_receipt(self, receipt: Receipt) -> None:
        """Its outcome, with the evidence; again when a pending one was taken."""
        self.receipt = receipt
        outcome = receipt.outcome
        glyph, state, words = verdict_words(outcome)
        took = f" · {duration(receipt.took_ns)}" if receipt.took_ns else ""
        self.state.set_note(glyph, state, words + took)
        self._column.removeWidget(self._rest)
        self._rest.hide()
        self._rest.deleteLater()
        self._rest = self._details(receipt)
        self._column.addWidget(self._rest)

    def _details(self, receipt: Receipt) -> QWidget:
        outcome, holder = receipt.outcome, QWidget()
        rows = QVBoxLayout(holder)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(6)
        if outcome.pending:
            rows.addWidget(Note("clock", "waiting", outcome.pending))
        for text in outcome.evidence:
            rows.addWidget(Note("evidence", "muted", text, color="muted"))
        if receipt.changes and outcome.verdict is Verdict.APPLIED:
            rows.addWidget(Changes(receipt.changes))
            for code in whole(receipt.changes):
                rows.addWidget(code)
        buttons = self._buttons(receipt)
        if buttons:
            row = QHBoxLayout()
            row.addStretch(1)
            for button in buttons:
                row.addWidget(button)
            rows.addLayout(row)
        return holder

    def _buttons(self, receipt: Receipt) -> list[QPushButton]:
        found = []
        if receipt.outcome.new_ref is not None:
            found.append(self._button("Open new run", lambda: self.run_opened.emit(receipt.outcome.new_ref)))
        if receipt.inverse is not None and receipt.outcome.verdict is Verdict.APPLIED:
            found.append(self._button("Undo…", lambda: self.undo_requested.emit(receipt.inverse)))
        if receipt.outcome.verdict is Verdict.NOT_APPLIED:
            found.append(self._button("Plan again", lambda: self.plan_again.emit(self.item.staged)))
        return found

    def _button(self, text: str, run: object) -> QPushButton:
        button = QPushButton(text)
        button.setAccessibleName(f"{text} {plain(self.item.title, 80)}")
        button.clicked.connect(run)
        return button

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(t.color("line"))
            painter.setBrush(t.color("panel"))
            painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), RADIUS, RADIUS)


class ReceiptsView(QWidget):
    """An execution's items. ``cancel_requested`` stops what is under way."""

    cancel_requested = Signal()
    close_requested = Signal()
    undo_requested = Signal(object)
    run_opened = Signal(object)
    plan_again = Signal(object)

    def __init__(self, items: tuple[PlanItem, ...]) -> None:
        super().__init__()
        self.rows = [ItemRow(item) for item in items]
        self.summary = label(bold=True, size=13)
        self.cancel_button, self.close_button = QPushButton("Cancel"), QPushButton("Done")
        self.cancel_button.clicked.connect(self.cancel_requested)
        self.close_button.clicked.connect(self.close_requested)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(16, 8, 16, 8)
        column.setSpacing(10)
        for row in self.rows:
            row.undo_requested.connect(self.undo_requested)
            row.run_opened.connect(self.run_opened)
            row.plan_again.connect(self.plan_again)
            column.addWidget(row)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidget(inner)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(16, 8, 16, 12)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        head = QHBoxLayout()
        head.setContentsMargins(16, 0, 16, 0)
        head.addWidget(self.summary)
        layout.addLayout(head)
        layout.addWidget(area, 1)
        layout.addLayout(buttons)
        self.setAccessibleName("Execution")
        self.set_running(True)

    def set_running(self, running: bool) -> None:
        """While it runs it can be cancelled, afterwards closed."""
        self.cancel_button.setVisible(running)
        self.close_button.setVisible(not running)
        done = sum(row.receipt is not None for row in self.rows)
        applied = sum(
            row.receipt is not None and row.receipt.outcome.verdict is Verdict.APPLIED for row in self.rows
        )
        words = (
            f"Executing · {done} of {len(self.rows)}" if running else f"{applied} of {len(self.rows)} applied"
        )
        self.summary.setText(words)
        if not running:
            self.close_button.setFocus()
