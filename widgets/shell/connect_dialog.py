"""The connect dialog: a URL, or an engine's fields; name, environment, password; a test with Cancel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from engine_bridge.bridge import ConnectField, ConnectForm
from engine_bridge.errors import PlayheadError, UsageError
from engine_bridge.format import plain, safe_lines
from engine_bridge.words import Environment
from widgets.shell.fitting import fitted, keep_on_screen
from widgets.shell.label import label

_ENVIRONMENTS: Final = (
    ("Development", Environment.DEV),
    ("Test", Environment.TEST),
    ("Production", Environment.PRODUCTION),
)
_MARGIN: Final = 20
_LEAST: Final = 80  # px of the fields that are always in sight
_URL: Final = "URL or path"
_USUAL: Final = "Password"
_ELSEWHERE: Final = "empty: from the keyring, PGPASSFILE or the environment"


@dataclass(frozen=True, slots=True)
class Connection:
    """What the user filled in. ``url`` as typed; ``secret`` shows in no repr."""

    url: str
    name: str
    environment: Environment
    remember: bool
    secret: str = ""

    def __repr__(self) -> str:
        return f"Connection({self.name!r}, {self.environment.value})"


def _height(layout: QLayout, width: int) -> int:
    """What a layout needs at a width; Qt says so only of those that wrap words."""
    return (
        layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else layout.totalSizeHint().height()
    )


class _Fields(QScrollArea):
    """What scrolls where the screen is low; the dialog says how high it is."""

    def sizeHint(self) -> QSize:
        return QSize(0, _LEAST)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


class ConnectDialog(QDialog):
    """``tested``, ``cancelled`` and ``connected`` ask the owner to act; it answers with ``show_*``."""

    tested = Signal()
    cancelled = Signal()
    connected = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Connect")
        self.setMinimumWidth(560)
        self._forms: list[ConnectForm] = []
        self._editors: dict[str, QLineEdit | QComboBox] = {}
        self.kind = self._combo("Kind of source")
        self.kind.addItem(_URL)
        self.kind.currentIndexChanged.connect(self._on_kind)
        self._form = QFormLayout()
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self.name = self._line("Name", "optional: opens later as @name")
        self.environment = self._combo("Environment")
        for title, _ in _ENVIRONMENTS:
            self.environment.addItem(title)
        self.password = self._line(_USUAL)
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.remember = QCheckBox("Remember it in this system's keyring")
        self.keyring_note = label(
            "This system has no keyring: it is asked for each time.", color="muted", wrap=True
        )
        # A row of a form is as wide as it can be only for what expands; words in less of it would be cut.
        self.keyring_note.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._keyring = False
        self.message = label(color="muted", wrap=True)
        self.message.setMinimumHeight(36)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        kept = self.bar.sizePolicy()
        kept.setRetainSizeWhenHidden(True)
        self.bar.setSizePolicy(kept)
        self.bar.hide()
        self._lay_out()
        self.set_keyring(False)
        self._on_kind()

    @staticmethod
    def _line(name: str, placeholder: str = "") -> QLineEdit:
        line = QLineEdit()
        line.setAccessibleName(name)
        line.setPlaceholderText(placeholder)
        return line

    @staticmethod
    def _combo(name: str) -> QComboBox:
        combo = QComboBox()
        combo.setAccessibleName(name)
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        combo.view().setAccessibleName(name)
        return combo

    def _lay_out(self) -> None:
        form, inner = self._form, QWidget()
        inner.setLayout(form)
        form.setContentsMargins(0, 0, 0, 0)
        self._scroll = _Fields()
        self._scroll.setWidget(inner)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        form.setVerticalSpacing(12)
        form.setHorizontalSpacing(16)
        form.addRow("Kind", self.kind)
        form.addRow(_USUAL, self.password)
        form.addRow("", self.remember)
        form.addRow("", self.keyring_note)
        form.addRow("Name", self.name)
        form.addRow("Environment", self.environment)
        self.test_button = QPushButton("Test connection")
        self.test_button.clicked.connect(self._on_test)
        self.cancel_button = QPushButton("Close")
        self.cancel_button.clicked.connect(self.reject)
        self.connect_button = QPushButton("Connect")
        self.connect_button.setProperty("primary", "true")
        self.connect_button.setDefault(True)
        self.connect_button.clicked.connect(self._on_connect)
        buttons = QHBoxLayout()
        buttons.addWidget(self.test_button)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.connect_button)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        column.addWidget(self._scroll, 1)
        column.addWidget(self.message)
        column.addWidget(self.bar)
        column.addLayout(buttons)

    def set_forms(self, forms: Sequence[ConnectForm]) -> None:
        """The engines' forms; they arrive after the dialog is up."""
        self._forms = list(forms)
        for form in self._forms:
            self.kind.addItem(plain(form.title))

    def set_keyring(self, available: bool) -> None:
        self._keyring = available
        self._show_secret()

    def _show_secret(self) -> None:
        """The row of the secret under the name that its engine gives it; none where a source has none."""
        form = self._current()
        field = None if form is None else next((one for one in form.fields if one.secret), None)
        wanted, title = form is None or field is not None, _USUAL if field is None else plain(field.title)
        self._form.setRowVisible(self.password, wanted)
        self._form.setRowVisible(self.remember, wanted and self._keyring)
        self._form.setRowVisible(self.keyring_note, wanted and not self._keyring)
        words = self._form.labelForField(self.password)
        if isinstance(words, QLabel):
            words.setText(title)
        self.password.setAccessibleName(title)
        self.password.setPlaceholderText(field.placeholder if field and field.placeholder else _ELSEWHERE)
        self._fit()

    def _fit(self) -> None:
        """As high as its words need at this width, if the screen is; the fields scroll where it is not."""
        layout = self.layout()
        if layout is not None:
            layout.activate()
            width = self.width()
            self._form.activate()
            fields = _height(self._form, width - 2 * _MARGIN)
            rest = _height(layout, width) - _LEAST
            self.resize(fitted(self, QSize(width, rest + fields)))
            keep_on_screen(self)

    def _on_kind(self) -> None:
        self.password.clear()
        for editor in self._editors.values():
            self._form.removeRow(editor)
        self._editors = {}
        form = self._current()
        if form is None:
            self._add("url", "URL", self._line(_URL, "scheme://user@host/name, or a file's path"))
        for field in form.fields if form is not None else ():
            if not field.secret:
                self._add(field.name, plain(field.title), self._editor(field))
        self._order()
        self._show_secret()

    def _order(self) -> None:
        """The keyboard goes from top to bottom; what is made last would come last."""
        asked = (*self._editors.values(), self.password, self.remember, self.name, self.environment)
        order = (self.kind, *asked, self.test_button, self.cancel_button, self.connect_button)
        for one, other in pairwise(order):
            QWidget.setTabOrder(one, other)

    def _editor(self, field: ConnectField) -> QLineEdit | QComboBox:
        if not field.choices:
            line = self._line(plain(field.title), field.placeholder)
            line.setText(field.default)
            return line
        combo = self._combo(plain(field.title))
        for value, title in field.choices:
            combo.addItem(plain(title), value)
        combo.setCurrentIndex(max(0, combo.findData(field.default)))
        return combo

    def _add(self, name: str, title: str, editor: QLineEdit | QComboBox) -> None:
        self._editors[name] = editor
        self._form.insertRow(len(self._editors), title, editor)
        for widget in (editor, self._form.labelForField(editor)):
            widget.show()  # Qt would later, when the dialog's height is told

    def _current(self) -> ConnectForm | None:
        at = self.kind.currentIndex()
        return self._forms[at - 1] if at >= 1 else None

    def lines(self) -> dict[str, QLineEdit]:
        """The lines of the chosen kind, by field name."""
        return {name: editor for name, editor in self._editors.items() if isinstance(editor, QLineEdit)}

    def choices(self) -> dict[str, QComboBox]:
        """What is chosen rather than typed, by field name."""
        return {name: editor for name, editor in self._editors.items() if isinstance(editor, QComboBox)}

    def value(self) -> Connection:
        """What is filled in. Raises PlayheadError when an engine's form refuses it."""
        form = self._current()
        values = {name: line.text().strip() for name, line in self.lines().items()}
        values |= {name: str(combo.currentData()) for name, combo in self.choices().items()}
        if form is not None and values.get("path") == "":
            title = next(field.title for field in form.fields if field.name == "path")
            raise UsageError(f"{title}: nothing is named.", "Type its path, or drop it on the window.")
        url = values["url"] if form is None else form.build(values)
        return Connection(
            url,
            self.name.text().strip(),
            _ENVIRONMENTS[self.environment.currentIndex()][1],
            self.remember.isVisible() and self.remember.isChecked(),
            self.password.text(),
        )

    def _on_test(self) -> None:
        if self.bar.isVisible():
            self.cancelled.emit()
        else:
            self.tested.emit()

    def _on_connect(self) -> None:
        self.connected.emit()

    def show_busy(self, text: str) -> None:
        self._say(text, "muted")
        self.bar.show()
        self.test_button.setText("Cancel test")

    def show_good(self, text: str) -> None:
        self._idle()
        self._say("✓ " + text, "text")

    def show_error(self, error: PlayheadError) -> None:
        self._idle()
        self._say("✕ " + "\n".join(filter(None, (error.message, error.hint))), "failed")

    def show_idle(self, text: str = "") -> None:
        self._idle()
        self._say(text, "muted")

    def _idle(self) -> None:
        self.bar.hide()
        self.test_button.setText("Test connection")

    def _say(self, text: str, color: str) -> None:
        self.message.setText(safe_lines(text))
        self.message.setProperty("color", color)
        self.message.style().unpolish(self.message)
        self.message.style().polish(self.message)
        self._fit()
