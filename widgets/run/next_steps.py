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
        self._candidates: list[Candidate] = []
        self._offers: object = None
        self._survey: dict[str, str] = {}
        self._move = self._retry = Offer()
        self.requesters = QComboBox()
        self.requesters.setAccessibleName("Requester")
        self.requesters.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
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
        self._survey = {}
        self.headline.setText(fmt.safe_lines(words))
        self.glyph.set_glyph(glyph, tone)
        self._candidates = []
        self._show_rows(0)
        self.reasons.setText("")
        self.origin.setText("")
        self._show_buttons(None)

    def show_error(self, error: PlayheadError) -> None:
        self.show_words(f"{error.message} {error.hint}".strip(), "warning", "failed")

    def show_resolution(self, found: Resolution) -> None:
        """What applies for the requester and data that were asked for."""
        kept = (
            self._candidate() if self._resolution is not None and self._resolution.ref == found.ref else None
        )
        self._resolution = found
        self._show_requesters(found)
        self.fields.set_fields(found.fields)
        applies = bool(found.step)
        self.headline.setText(fmt.safe_lines(self._words(found)))
        self.glyph.set_glyph("completed" if applies else "warning", "completed" if applies else "retrying")
        self.origin.setText(fmt.plain(f"by {found.config}", 300) if found.config else "")
        self._show_candidates(found.step or (kept.step if kept is not None else ""))

    def set_survey(self, steps: dict[str, str]) -> None:
        """Which step applies for each requester, "" for none: the list of requesters says so."""
        self._survey = steps
        if self._resolution is not None:
            self._show_requesters(self._resolution)
            chosen = self._candidate()
            self._show_candidates(chosen.step if chosen is not None else "")

    def _show_candidates(self, wanted: str) -> None:
        """Lists the steps: those that apply, to this requester or another, before all others."""
        found = self._resolution
        reachable = set(self._survey.values())
        listed = found.candidates if found is not None else ()
        self._candidates = sorted(listed, key=lambda c: (not c.applies, c.step not in reachable))
        self._show_rows(len(self._candidates))
        self._choose(next((n for n, c in enumerate(self._candidates) if c.step == wanted), 0))

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
                self.requesters.addItem("", name)
        for number, name in enumerate(names):
            step = self._survey.get(name)
            told = "" if step is None else f"  ·  {step or 'no step'}"
            self.requesters.setItemText(number, fmt.plain(f"{name}{told}", 80))
        self.requesters.setCurrentIndex(max(0, self.requesters.findData(found.requester)))

    def _cells(self, row: int) -> tuple[Cell, ...]:
        if row >= len(self._candidates):
            return (Cell(""),) * len(_COLUMNS)
        one = self._candidates[row]
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
        if self._candidates:
            self.table.selectRow(row)
        self._show_candidate()

    def _candidate(self) -> Candidate | None:
        row = self.table.currentIndex().row()
        return self._candidates[row] if 0 <= row < len(self._candidates) else None

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
        found = self._resolution
        offers: list[tuple[str, str, Callable[[], None]]] = []
        if one is not None and found is not None:
            for target in one.targets:
                move = partial(self.move_requested.emit, target)
                offers.append((f"Move to {target}…", self._move.why_not(target), move))
            again = partial(self.retry_requested.emit, (one.step, found.requester))
            offers.append((f"Retry {one.step}…", self._retry.why_not(one.step), again))
        shown = (found.requester if found is not None else "", [offer[:2] for offer in offers])
        if shown != self._offers:  # the same buttons stay under the mouse
            self._offers = shown
            self._make_buttons(offers)

    def _make_buttons(self, offers: list[tuple[str, str, Callable[[], None]]]) -> None:
        focused = self.focusWidget()
        name = focused.text() if isinstance(focused, QPushButton) else ""
        clear(self.buttons)
        for offer in offers:
            button = self._button(*offer)
            self.buttons.addWidget(button)
            if name and button.text() == name:
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
