"""The conditions of a failure log as chips: open, resolved, and what it was narrowed by. GUI thread."""

from __future__ import annotations

from dataclasses import replace
from datetime import tzinfo

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QWidget

from engine_bridge.format import count, day, plain
from widgets import glyphs
from widgets.failures.sieve import Sieve, Span
from widgets.failures.tally import Tally
from widgets.shell.label import clear, plain_tooltip
from widgets.theme import theme

_LONGEST = 44


class SieveBar(QWidget):
    """``changed`` carries the Sieve that is wanted instead. Hidden while there is nothing to choose or take away."""

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sieve = Sieve()
        self._zone: tzinfo | None = None
        self._counts: tuple[int, int] | None = None
        self._states: dict[bool, QToolButton] = {False: self._state(False), True: self._state(True)}
        self._chips = QHBoxLayout()
        self._chips.setSpacing(8)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for button in self._states.values():
            row.addWidget(button)
        row.addLayout(self._chips)
        row.addStretch()
        # Chips never widen the window.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Conditions")
        self._show()

    @property
    def words(self) -> list[str]:
        """What the shown chips say."""
        held = (self._chips.itemAt(n) for n in range(self._chips.count()))
        chips = [item.widget() for item in held if item is not None]
        shown = [button for button in self._states.values() if not button.isHidden()]
        return [b.text().strip() for b in (*shown, *chips) if isinstance(b, QToolButton)]

    def _state(self, resolved: bool) -> QToolButton:
        button = QToolButton(self)
        button.setCheckable(True)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setIconSize(QSize(14, 14))
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.clicked.connect(lambda: self.toggle(resolved))
        return button

    def toggle(self, resolved: bool) -> None:
        """Lists open or resolved failures only; both again when it is so already."""
        wanted = None if self._sieve.resolved is resolved else resolved
        self.changed.emit(replace(self._sieve, resolved=wanted))

    def set_tally(self, tally: Tally | None) -> None:
        """How many are open and resolved; None or a log that does not tell hides both chips."""
        known = tally is not None and tally.keeps_resolutions
        self._counts = (tally.open, tally.resolved) if tally is not None and known else None
        self._show()

    def set_sieve(self, sieve: Sieve, zone: tzinfo | None) -> None:
        """What the list is narrowed by."""
        self._sieve, self._zone = sieve, zone
        self._show()

    def _show(self) -> None:
        for resolved, button in self._states.items():
            self._show_state(resolved, button)
        clear(self._chips)
        for condition in self._sieve.conditions:
            self._add(condition.words, self._sieve.without(condition))
        if self._sieve.span is not None:
            self._add(span_words(self._sieve.span, self._zone), replace(self._sieve, span=None))
        self.setVisible(self._counts is not None or not self._sieve.open)

    def _show_state(self, resolved: bool, button: QToolButton) -> None:
        active = self._sieve.resolved is resolved
        button.setVisible(self._counts is not None or active)
        button.setChecked(active)
        name, status = ("resolved", "completed") if resolved else ("open", "failed")
        number = "" if self._counts is None else f"  {count(self._counts[resolved])}"
        button.setText(f" {name}{number}")
        button.setAccessibleName(f"{name}{number}{', chosen' if active else ''}")
        button.setToolTip(f"Show {'all again' if active else f'{name} failures only'}")
        t = theme()
        stroke, ground = t.state(status), t.fill(status, 0.4 if active else 0.18)
        button.setIcon(glyphs.icon(glyphs.state_glyph(status), stroke, 14))
        _style(button, ground.name(), stroke.name() if active else ground.name())

    def _add(self, words: str, without: Sieve) -> None:
        chip = QToolButton(self)
        chip.setText(f"{plain(words, _LONGEST)}  ✕".replace("&", "&&"))
        chip.setToolTip(plain_tooltip(f"{words}\nClick takes this condition away."))
        chip.setAccessibleName(plain(f"{words}: take away"))
        chip.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        chip.clicked.connect(lambda: self.changed.emit(without))
        t = theme()
        _style(chip, t.tokens["selection"], t.tokens["accent"])
        self._chips.addWidget(chip)


def span_words(span: Span, zone: tzinfo | None) -> str:
    """ "3 Nov – 16 Nov"."""
    return f"{day(span[0], zone)} – {day(span[1] - 1, zone)}"


def _style(button: QToolButton, ground: str, border: str) -> None:
    button.setStyleSheet(
        f"QToolButton {{ background: {ground}; border: 1px solid {border}; border-radius: 12px;"
        f" padding: 2px 10px; }} QToolButton:focus {{ border-color: {theme().tokens['accent']}; }}"
    )
