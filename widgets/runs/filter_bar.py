"""The filter bar: the editor, whether its text is valid, completion, and the filters used before."""

from __future__ import annotations

import html
import importlib
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from engine_bridge.errors import QueryError
from engine_bridge.format import plain
from widgets import glyphs
from widgets.runs.completion import CompletionPopup
from widgets.runs.filter_line import FilterLine
from widgets.runs.floating import FloatingMessage
from widgets.theme import theme

if TYPE_CHECKING:
    from engine_bridge.bridge import Field
    from engine_bridge.query.complete import Completion

_VALIDATE_MS: Final = 120
_HISTORY: Final = 50


class FilterBar(QWidget):
    """Typing only validates; Enter applies. ``applied`` carries the text, ``left`` says that the user is done here."""

    applied = Signal(str)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line = FilterLine(self)
        self.error: QueryError | None = None
        self._fields: Sequence[Field] = ()
        self._applied = ""
        self._warmed = False
        self._history: list[str] = []
        self._at = 0
        self._icon = QLabel(self)
        self._message = FloatingMessage(self.line)
        self._popup = CompletionPopup(self.line)
        self._timer = QTimer(self)
        self._lay_out()
        self._connect()
        self._show_validity()

    def _lay_out(self) -> None:
        self._icon.setFixedWidth(18)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self._icon)
        row.addWidget(self.line, 1)

    def _connect(self) -> None:
        self._clear = self.line.addAction(QIcon(), FilterLine.ActionPosition.TrailingPosition)
        self._clear.setToolTip("Clear filter")
        self._clear.triggered.connect(self._on_clear)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_VALIDATE_MS)
        self._timer.timeout.connect(self.validate)
        self.line.textEdited.connect(self._edited)
        self.line.returnPressed.connect(self.apply)
        self.line.left.connect(self._leave)
        self.line.focus_moved.connect(self._on_focus)
        self.line.stepped.connect(self._step)
        self._popup.accepted.connect(self._complete)
        self._popup.shown.connect(self._show_message)

    @property
    def text(self) -> str:
        return self.line.text()

    @property
    def message(self) -> str:
        """What is wrong with the text, as shown; "" when it is valid."""
        return self._message.text() if self.error else ""

    @property
    def popup(self) -> CompletionPopup:
        return self._popup

    def set_fields(self, fields: Sequence[Field]) -> None:
        """What can be filtered by: for validation and completion."""
        self._fields = fields
        self.validate()

    def warm(self) -> None:
        """Loads the language's parser in a thread, so that the first filter need not wait for it. Once is enough."""
        if not self._warmed:
            self._warmed = True
            threading.Thread(target=_load_language, name="playhead-filter", daemon=True).start()

    def set_text(self, text: str) -> None:
        """Shows the filter in force."""
        self._applied = text
        if self.line.text() != text:
            self.line.setText(text)
        self.validate()

    def set_history(self, filters: Sequence[str]) -> None:
        """Filters used before, oldest first."""
        self._history = list(filters)[-_HISTORY:]
        self._at = len(self._history)

    @property
    def history(self) -> list[str]:
        return list(self._history)

    def focus(self) -> None:
        """Takes the keyboard and selects the text."""
        self.line.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.line.selectAll()

    def validate(self) -> bool:
        """Checks the text now; shows what is wrong."""
        self._timer.stop()
        self.error = _check(self.line.text(), self._fields)
        self._show_validity()
        return self.error is None

    def apply(self) -> None:
        """Applies the text when it is valid."""
        self._popup.close_popup()
        if not self.validate():
            return
        text = self.line.text().strip()
        if text and (not self._history or self._history[-1] != text):
            self._history = [*self._history, text][-_HISTORY:]
        self._at = len(self._history)
        self._applied = text
        self.applied.emit(text)

    def complete_now(self) -> None:
        """Opens the completion popup at the cursor."""
        self._popup.offer(self._completions())

    def _completions(self) -> list[Completion]:
        from engine_bridge.query.complete import complete

        return complete(self.line.text(), self.line.cursorPosition(), self._fields)

    def _complete(self, chosen: Completion) -> None:
        text = self.line.text()
        self.line.setText(text[: chosen.start] + chosen.text + text[chosen.end :])
        self.line.setCursorPosition(chosen.start + len(chosen.text))
        self._edited()

    def _edited(self, _: str = "") -> None:
        self._timer.start()
        self._at = len(self._history)
        self._popup.offer(self._completions() if self.line.text().strip() else [])

    def _step(self, direction: int) -> None:
        at = self._at + direction
        if 0 <= at <= len(self._history):
            self._at = at
            self.line.setText(self._history[at] if at < len(self._history) else self._applied)
            self.validate()

    def _on_clear(self) -> None:
        self.line.clear()
        self.apply()

    def _on_focus(self, inside: bool) -> None:
        self._show_message()
        if not inside:
            self._popup.close_popup()

    def _leave(self) -> None:
        self.set_text(self._applied)
        self.left.emit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._show_validity()

    def _show_validity(self) -> None:
        error = self.error
        name, color = ("warning", "failed") if error else ("filter", "muted")
        if not error and self.line.text():
            name, color = "completed", "completed"
        self._icon.setPixmap(glyphs.pixmap(name, theme().tokens[color], 14, self.devicePixelRatioF()))
        self._icon.setAccessibleName("filter is wrong" if error else "filter is valid")
        self._clear.setVisible(bool(self.line.text()))
        self._clear.setIcon(glyphs.icon("close", theme().color("muted"), 14))
        border = f"border-color: {theme().tokens[color]}" if self.line.text() else ""
        if border != self.line.styleSheet():  # Qt lays out and polishes anew for the same one too
            self.line.setStyleSheet(border)
        self.line.mark((error.column, error.column + max(1, error.length)) if error else None)
        self.line.setAccessibleDescription(error.message if error else "")
        self._show_message()

    def _show_message(self) -> None:
        error = self.error
        if error is None:
            self._message.hide()
            self._icon.setToolTip("")
            return
        told = plain(f"column {error.column + 1}: {error.message} {error.hint}".strip())
        self._icon.setToolTip(html.escape(told))
        self._message.say(told, error.column)
        # While completions are offered the text is still being written: marking it is enough.
        self._message.setVisible(self.line.hasFocus() and not self._popup.isVisible())


def _load_language() -> None:
    for module in ("parser", "complete", "highlight"):
        importlib.import_module(f"engine_bridge.query.{module}")
    importlib.import_module("engine_bridge.query.grammar").lalr()


def _check(text: str, fields: Sequence[Field]) -> QueryError | None:
    if not text.strip() or not fields:
        return None
    from engine_bridge.query import parse

    try:
        parse(text, fields)
    except QueryError as error:
        return error
    return None
