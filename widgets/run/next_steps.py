"""What applies to an entity now: the step, its reasons, why each other does not; and staging it. GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from engine_bridge import format as fmt
from engine_bridge.errors import PlayheadError
from engine_bridge.populations import Candidate, Resolution
from widgets.run.data_fields import DataFields
from widgets.run.labels import Glyph
from widgets.run.list_table import Cell, ListTable
from widgets.shell.label import clear, label, plain_tooltip
from widgets.theme import ROW

_TYPING_MS = 300
_COLUMNS = ("step", "leads to", "why")
_WIDTHS = (170, 170)
_ROWS = 9  # steps in sight at once


@dataclass(frozen=True, slots=True)
class Offer:
    """Whether an action can be staged: ``why`` it cannot, and the ``choices`` that it takes (None: any)."""

    why: str = ""
    choices: tuple[str, ...] | None = None

    def why_not(self, choice: str) -> str:
        """Why it cannot be staged with a choice; "" when it can."""
        if self.why or self.choices is None or choice in self.choices:
            return self.why
        return f"only {', '.join(self.choices)} can be chosen now"


class NextStepsPane(QScrollArea):
    """Shows a Resolution. ``asked`` carries (requester, data); ``move_requested`` a status; ``retry_requested`` (step
    key, requester)."""

    asked = Signal(object)
    move_requested = Signal(object)
    retry_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._resolution: Resolution | None = None
        self._move = self._retry = Offer()
        self.requesters = QComboBox()
        self.requesters.setAccessibleName("Requester")
        self.fields = DataFields()
        self.glyph = Glyph(size=16)
        self.headline = label(size=13, bold=True, wrap=True)
        self.origin = label(color="muted", size=11, wrap=True)
        self.table = ListTable("Steps", _COLUMNS, _WIDTHS)
        self.reasons = label(color="muted", wrap=True)
        self.buttons = QHBoxLayout()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_TYPING_MS)
        self._timer.timeout.connect(self.ask)
        self._lay_out()
        self.requesters.activated.connect(lambda _: self.ask())
        self.fields.changed.connect(self._timer.start)
        self.table.chosen.connect(lambda _: self._show_candidate())
        self.setFocusProxy(self.table)
        self.setAccessibleName("Next steps")
        self.show_words("Which step applies is being asked …")

    def _lay_out(self) -> None:
        inner = QWidget()
        rows = QVBoxLayout(inner)
        rows.setContentsMargins(14, 12, 14, 12)
        rows.setSpacing(10)
        who = QHBoxLayout()
        title = label("As", color="muted")
        title.setBuddy(self.requesters)
        who.addWidget(title)
        who.addWidget(self.requesters)
        who.addStretch(1)
        head = QHBoxLayout()
        head.addWidget(self.glyph, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self.headline, 1)
        rows.addLayout(who)
        rows.addWidget(self.fields)
        rows.addLayout(head)
        rows.addLayout(self.buttons)
        rows.addWidget(self.table)
        rows.addWidget(self.reasons)
        rows.addWidget(self.origin)
        rows.addStretch(1)
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    # -- what is asked --------------------------------------------------------------------------------------

    @property
    def requester(self) -> str:
        """Who is asked for; "" before anything is known."""
        return str(self.requesters.currentData() or "")

    @property
    def data(self) -> dict[str, Any]:
        return self.fields.data

    def ask(self) -> None:
        """Asks with what is chosen and typed now."""
        self._timer.stop()
        self.asked.emit((self.requester, self.data))

    def stop(self) -> None:
        """Forgets what was typed a moment ago."""
        self._timer.stop()

    # -- what is shown --------------------------------------------------------------------------------------

    @property
    def resolution(self) -> Resolution | None:
        return self._resolution

    def show_words(self, words: str, glyph: str = "clock", tone: str = "muted") -> None:
        """No resolution: why, in words."""
        self._resolution = None
        self.headline.setText(fmt.safe_lines(words))
        self.glyph.set_glyph(glyph, tone)
        self._show_rows(0)
        self.reasons.setText("")
        self.origin.setText("")
        clear(self.buttons)

    def show_error(self, error: PlayheadError) -> None:
        self.show_words(f"{error.message} {error.hint}".strip(), "warning", "failed")

    def show_resolution(self, found: Resolution) -> None:
        """What applies for the requester and data that were asked for."""
        same = self._resolution is not None and self._resolution.ref == found.ref
        chosen = self._candidate() if same else None
        self._resolution = found
        self._show_requesters(found)
        self.fields.set_fields(found.fields)
        applies = bool(found.step)
        self.headline.setText(fmt.safe_lines(self._words(found)))
        self.glyph.set_glyph("completed" if applies else "warning", "completed" if applies else "retrying")
        self._show_rows(len(found.candidates))
        wanted = chosen.step if chosen is not None else found.step
        self._choose(next((n for n, c in enumerate(found.candidates) if c.step == wanted), 0))
        self.origin.setText(fmt.plain(f"by {found.config}", 300) if found.config else "")

    def _show_rows(self, count: int) -> None:
        self.table.list_model.set_rows(count, self._cells)
        self.table.setVisible(count > 0)
        self.table.setFixedHeight(
            self.table.horizontalHeader().sizeHint().height() + ROW * min(count, _ROWS) + 4
        )

    @staticmethod
    def _words(found: Resolution) -> str:
        if not found.step:
            return found.problem or f"No step applies to {found.status} for {found.requester}."
        chosen = next((c for c in found.candidates if c.step == found.step), None)
        targets = chosen.targets if chosen is not None else ()
        words = f"{found.step} applies at {found.status} for {found.requester}"
        return f"{words} → {targets[0]}" if targets else words

    def _show_requesters(self, found: Resolution) -> None:
        names = found.requesters or (found.requester,)
        if [self.requesters.itemData(n) for n in range(self.requesters.count())] != list(names):
            self.requesters.clear()
            for name in names:
                self.requesters.addItem(fmt.plain(name, 60), name)
        self.requesters.setCurrentIndex(max(0, self.requesters.findData(found.requester)))

    def _cells(self, row: int) -> tuple[Cell, ...]:
        found = self._resolution
        if found is None or row >= len(found.candidates):
            return (Cell(""),) * len(_COLUMNS)
        one = found.candidates[row]
        return (
            Cell(fmt.plain(one.step, 80), status="completed" if one.applies else "cancelled"),
            Cell(fmt.plain(_targets(one), 200), code=True),
            Cell(
                fmt.plain("; ".join(one.reasons), 400),
                tone="text" if one.applies else "muted",
                tooltip="\n".join(one.reasons),
            ),
        )

    def _choose(self, row: int) -> None:
        if self._resolution is not None and self._resolution.candidates:
            self.table.selectRow(row)
        self._show_candidate()

    def _candidate(self) -> Candidate | None:
        row, found = self.table.currentIndex().row(), self._resolution
        return found.candidates[row] if found is not None and 0 <= row < len(found.candidates) else None

    def _show_candidate(self) -> None:
        one = self._candidate()
        lines = [] if one is None else [f"{'✓' if one.applies else '✕'}  {reason}" for reason in one.reasons]
        if one is not None and one.claim:
            lines.append(f"It holds the claim {one.claim} while its action runs.")
        self.reasons.setText(fmt.safe_lines("\n".join(lines)))
        self._show_buttons(one)

    # -- what can be done -------------------------------------------------------------------------------------

    def set_offers(self, move: Offer, retry: Offer) -> None:
        """What the entity can be moved to, and which steps can be retried, now."""
        if (move, retry) != (self._move, self._retry):
            self._move, self._retry = move, retry
            self._show_buttons(self._candidate())

    def _show_buttons(self, one: Candidate | None) -> None:
        focused = self.focusWidget()
        name = focused.text() if isinstance(focused, QPushButton) else ""
        clear(self.buttons)
        found = self._resolution
        if one is None or found is None:
            return
        made = []
        for target in one.targets:
            why = self._move.why_not(target)
            made.append(self._button(f"Move to {target}…", why, partial(self.move_requested.emit, target)))
        again = partial(self.retry_requested.emit, (one.step, found.requester))
        made.append(self._button(f"Retry {one.step}…", self._retry.why_not(one.step), again))
        for button in made:
            self.buttons.addWidget(button)
            if button.text() == name:
                button.setFocus()
        self.buttons.addStretch(1)

    @staticmethod
    def _button(words: str, why: str, run: Callable[[], None]) -> QPushButton:
        button = QPushButton(fmt.plain(words, 48).replace("&", "&&"))
        button.setEnabled(not why)
        tip = f"Not now: {why}" if why else "Stages it; nothing is sent before you confirm."
        button.setToolTip(plain_tooltip(tip))
        button.setAccessibleDescription(why)
        button.clicked.connect(lambda: run())
        return button


def _targets(one: Candidate) -> str:
    """ "active, or rejected"."""
    return ", or ".join(one.targets)
