"""One editor for each type of parameter. GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine_bridge.actions.model import Param, ParamType
from engine_bridge.format import duration, plain, safe_lines
from widgets.actions.parse import InvalidError, duration_ns, integer, json_text, json_value, number
from widgets.shell.label import label, plain_tooltip
from widgets.theme import font

_PARSE: Final[dict[ParamType, Callable[[str], Any]]] = {
    ParamType.INTEGER: integer,
    ParamType.NUMBER: number,
    ParamType.DURATION: duration_ns,
    ParamType.JSON: json_value,
}
_LINES: Final = (3, 12)
_CODE: Final = (ParamType.JSON, ParamType.STEP, ParamType.RUN, ParamType.INTEGER, ParamType.NUMBER)


class ParamField(QWidget):
    """A parameter's title, editor, where its value came from, and what is wrong with it.

    ``changed`` comes with every edit; ``pick_requested`` asks for the step that is selected in the run.
    """

    changed = Signal()
    pick_requested = Signal()

    def __init__(self, param: Param) -> None:
        super().__init__()
        self.param = param
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        optional = "" if param.required or param.type is ParamType.BOOLEAN else "  (optional)"
        if param.type is not ParamType.BOOLEAN:
            self._column.addWidget(label(plain(param.title) + optional, bold=True))
        self.editor = self._make()
        self.editor.setAccessibleName(plain(param.title))
        self.editor.setAccessibleDescription(plain(param.doc))
        self.editor.setToolTip(plain_tooltip(safe_lines(param.doc)))
        self.note = label(self._note(), color="muted", size=11, wrap=True)
        self.error = label(color="failed", size=11, wrap=True)
        self.error.hide()
        self._column.addWidget(self.note)
        if not self.note.text():
            self.note.hide()
        self._column.addWidget(self.error)

    def _note(self) -> str:
        source = f"Prefilled from {self.param.source}." if self.param.source else ""
        return safe_lines(" ".join(part for part in (source, self.param.doc) if part))

    def _make(self) -> QWidget:
        param = self.param
        if param.type is ParamType.BOOLEAN:
            return self._boolean()
        if param.type is ParamType.CHOICE:
            return self._choice()
        if param.type is ParamType.JSON:
            return self._json()
        return self._line()

    def _boolean(self) -> QWidget:
        box = QCheckBox(plain(self.param.title).replace("&", "&&"))
        box.setChecked(self.param.default is True)
        box.toggled.connect(lambda _: self.changed.emit())
        self._column.addWidget(box)
        return box

    def _choice(self) -> QWidget:
        box = QComboBox()
        if not self.param.required:
            box.addItem("(none)", None)
        for choice in self.param.choices:
            box.addItem(plain(choice), choice)
        if self.param.default in self.param.choices:
            box.setCurrentIndex(box.findData(self.param.default))
        elif self.param.required:
            box.setCurrentIndex(-1)
        box.currentIndexChanged.connect(lambda _: self.changed.emit())
        self._column.addWidget(box)
        return box

    def _json(self) -> QWidget:
        box = QPlainTextEdit()
        box.setFont(font(12, code=True))
        box.setTabChangesFocus(True)
        if self.param.default is not None:
            box.setPlainText(json_text(self.param.default))

        def fit() -> None:
            lines = min(max(box.blockCount(), _LINES[0]), _LINES[1])
            box.setFixedHeight(lines * box.fontMetrics().lineSpacing() + 20)

        box.textChanged.connect(fit)
        box.textChanged.connect(self.changed)
        fit()
        self._column.addWidget(box)
        return box

    def _line(self) -> QWidget:
        line = QLineEdit(self._shown(self.param.default))
        line.setFont(font(12, code=self.param.type in _CODE))
        line.textEdited.connect(lambda _: self.changed.emit())
        if self.param.type is not ParamType.STEP:
            self._column.addWidget(line)
            return line
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(line, 1)
        pick = QPushButton("Take selected step")
        pick.setAccessibleName("Take the step that is selected on the timeline or graph")
        pick.clicked.connect(self.pick_requested)
        row.addWidget(pick)
        self._column.addLayout(row)
        return line

    def _shown(self, value: Any) -> str:
        if value is None:
            return ""
        if self.param.type is ParamType.DURATION and isinstance(value, int):
            return duration(value) if duration_ns(duration(value)) == value else f"{value} ns"
        return plain(str(value), 10_000)

    @property
    def text(self) -> str:
        """What is written in it, for the types that are written."""
        if isinstance(self.editor, QPlainTextEdit):
            return self.editor.toPlainText()
        return self.editor.text() if isinstance(self.editor, QLineEdit) else ""

    def set_text(self, text: str) -> None:
        """Writes into it, as the user would."""
        if isinstance(self.editor, QPlainTextEdit):
            self.editor.setPlainText(text)
        elif isinstance(self.editor, QLineEdit):
            self.editor.setText(text)
        self.changed.emit()

    def show_value(self, value: Any) -> None:
        """Shows a value that the field gave before."""
        if isinstance(self.editor, QCheckBox):
            self.editor.setChecked(value is True)
        elif isinstance(self.editor, QComboBox):
            if value in self.param.choices:
                self.editor.setCurrentIndex(self.editor.findData(value))
        else:
            self.set_text(self._shown(value))

    def value(self) -> Any:
        """The value; None for an optional one that is empty. Raises InvalidError."""
        if isinstance(self.editor, QCheckBox):
            return self.editor.isChecked()
        if isinstance(self.editor, QComboBox):
            chosen = self.editor.currentData()
            if chosen is None and self.param.required:
                raise InvalidError("Choose one.")
            return chosen
        text = self.text
        if not text.strip():
            if self.param.required:
                raise InvalidError("It is needed.")
            return None
        parse = _PARSE.get(self.param.type)
        return text if parse is None else parse(text)

    def check(self, *, show: bool, point: bool = False) -> bool:
        """Whether its value fits; with ``show`` what is wrong is written under it, with ``point`` its place selected.

        Pointing moves the cursor: never while somebody writes.
        """
        try:
            self.value()
        except InvalidError as error:
            if show:
                self.error.setText(safe_lines(str(error)))
                self.error.show()
            if point:
                self._point_at(error.at)
            return False
        self.error.hide()
        return True

    def _point_at(self, at: int) -> None:
        if at < 0 or not isinstance(self.editor, QPlainTextEdit):
            return
        cursor = self.editor.textCursor()
        cursor.setPosition(min(at, max(0, len(self.text) - 1)))
        cursor.movePosition(QTextCursor.MoveOperation.Right, QTextCursor.MoveMode.KeepAnchor)
        self.editor.setTextCursor(cursor)
        self.editor.setFocus(Qt.FocusReason.OtherFocusReason)
