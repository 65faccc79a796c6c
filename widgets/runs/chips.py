"""Status chips: how many runs are in each status; a click filters by it, a second click clears."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from engine_bridge.format import count
from engine_bridge.model import Status
from widgets import glyphs
from widgets.theme import theme

_ORDER: Final = (
    Status.RUNNING, Status.QUEUED, Status.DELAYED, Status.PAUSED, Status.FAILED, Status.TIMED_OUT,
    Status.TERMINATED, Status.CANCELLED, Status.COMPLETED, Status.CONTINUED, Status.UNKNOWN,
)  # fmt: skip
_WIDE, _NARROW = 10, 4  # px beside a chip's words


class StatusChips(QWidget):
    """One button a status that occurs. ``toggled`` carries (status, add): ``add`` keeps the others chosen."""

    toggled = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Runs by status")
        self._counts: dict[str, int] | None = None
        self._exact = True
        self._active: frozenset[str] = frozenset()
        self._buttons: dict[str, QToolButton] = {}
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(8)
        for status in _ORDER:
            self._buttons[status] = self._button(status)
        self._row.addStretch()
        self._compact = False
        self._needed = 0
        # The chips never widen the window: where they do not fit they lose their words.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._paint()

    def _button(self, status: Status) -> QToolButton:
        button = QToolButton(self)
        button.setCheckable(True)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setIconSize(QSize(14, 14))
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.clicked.connect(lambda: self._clicked(status))
        self._row.addWidget(button)
        button.hide()
        return button

    def _clicked(self, status: Status) -> None:
        held = QApplication.keyboardModifiers()
        add = bool(held & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier))
        self._paint()
        self.toggled.emit((status.value, add))

    def set_counts(self, counts: dict[str, int] | None, *, exact: bool = True) -> None:
        """Counts by status; None while they are not known. Inexact counts are marked as "at least"."""
        self._counts = counts
        self._exact = exact
        self._refit()

    def set_active(self, statuses: frozenset[str]) -> None:
        """Which statuses the filter asks for."""
        self._active = statuses
        self._refit()

    def _refit(self) -> None:
        self._compact = False
        self._paint()
        self._fit()

    def text_of(self, status: str) -> str:
        """The caption of a chip that is shown, "" for one that is not."""
        button = self._buttons[status]
        return "" if button.isHidden() else button.text()

    def click(self, status: str) -> None:
        """Presses a chip, as the mouse does."""
        self._buttons[status].click()

    def _paint(self) -> None:
        self._row.setSpacing(_NARROW if self._compact else 8)
        for status, button in self._buttons.items():
            number = (self._counts or {}).get(status, 0)
            active = status in self._active
            known = self._counts is not None
            button.setVisible(active or (bool(number) if known else not button.isHidden()))
            button.setChecked(active)
            shown = "" if self._counts is None else f"  {'' if self._exact else '≥ '}{count(number)}"
            name = status.replace("_", " ")
            button.setText(f" {shown.strip() if self._compact else name + shown}")
            button.setAccessibleName(f"{name}, {number} runs{', chosen' if active else ''}")
            button.setToolTip(
                f"{name}: click shows these runs only" if not active else f"{name}: click shows all again"
            )
            self._tint(status, button, active)

    def _tint(self, status: str, button: QToolButton, active: bool) -> None:
        stroke, fill = theme().state(status), theme().fill(status, 0.4 if active else 0.18)
        side = _NARROW if self._compact else _WIDE
        border = stroke.name() if active else fill.name()
        style = (
            f"QToolButton {{ background: {fill.name()}; border: 1px solid {border}; border-radius: 12px;"
            f" padding: 2px {side}px; }} QToolButton:focus {{ border-color: {theme().tokens['accent']}; }}"
        )
        if button.styleSheet() != style:
            button.setIcon(glyphs.icon(glyphs.state_glyph(status), stroke, 14))
            button.setStyleSheet(style)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if not self._compact:
            self._needed = self._row.sizeHint().width()
        compact = self._needed > self.width()
        if compact != self._compact:
            self._compact = compact
            self._paint()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._paint()
