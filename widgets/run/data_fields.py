"""Data that a step asks for, typed by the user: values that are known are offered. GUI thread."""

from __future__ import annotations

import json
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QSizePolicy, QWidget

from engine_bridge import format as fmt
from widgets.shell.label import clear, label
from widgets.theme import font


def shown(value: Any) -> str:
    """A known value as it is typed: JSON's words for true, false and null, texts as they are."""
    return value if isinstance(value, str) else json.dumps(value)


def typed(text: str, known: tuple[Any, ...]) -> Any:
    """What was typed: a known value where it reads like one, else JSON's number, true, false or null, else the text."""
    for value in known:
        if shown(value) == text:
            return value
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, dict | list) else value


class DataFields(QWidget):
    """One editor for each field that steps ask for; an empty one is not given. ``changed`` comes after typing."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, tuple[Any, ...]] = {}
        self.editors: dict[str, QComboBox] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(1, 1)

    @property
    def data(self) -> dict[str, Any]:
        """What was typed, by field."""
        texts = {name: editor.currentText().strip() for name, editor in self.editors.items()}
        return {name: typed(text, self._known[name]) for name, text in texts.items() if text}

    def set_fields(self, known: dict[str, tuple[Any, ...]]) -> None:
        """The fields with the values they know; what was typed in those that stay is kept."""
        if known == self._known:
            return
        kept = {name: editor.currentText() for name, editor in self.editors.items()}
        self._known = known
        clear(self._grid)
        self.editors = {}
        for row, (name, values) in enumerate(known.items()):
            title = label(fmt.plain(name, 60), color="muted")
            editor = self._editor(name, values, kept.get(name, ""))
            title.setBuddy(editor)
            self._grid.addWidget(title, row, 0)
            self._grid.addWidget(editor, row, 1)
            self.editors[name] = editor
        self.setVisible(bool(known))

    def _editor(self, name: str, values: tuple[Any, ...], text: str) -> QComboBox:
        editor = QComboBox()
        editor.setEditable(True)
        editor.setFont(font(12, code=True))
        editor.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        editor.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        editor.setMinimumContentsLength(8)
        editor.addItems(["", *(fmt.plain(shown(value), 200) for value in values)])
        editor.setEditText(text)
        editor.setAccessibleName(f"Data: {fmt.plain(name, 60)}")
        line = editor.lineEdit()
        if line is not None:
            line.setPlaceholderText("not given")
        editor.editTextChanged.connect(lambda _: self.changed.emit())
        return editor
