"""A remark with its glyph, and code as it will be sent: the parts of plans and receipts. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QTextOption
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLayout, QPlainTextEdit, QSizePolicy, QWidget

from engine_bridge.actions.model import Change
from engine_bridge.format import plain, safe_lines
from widgets import glyphs
from widgets.shell.label import label, plain_tooltip
from widgets.theme import RADIUS, font, theme

_LINES = 12
_LINE = 60


class Note(QWidget):
    """Words behind a glyph in a state's colour; ``boxed`` draws them on a tint of it."""

    def __init__(
        self, glyph: str, state: str, text: str, *, boxed: bool = False, color: str = "text"
    ) -> None:
        super().__init__()
        self._glyph, self._state, self._boxed = glyph, state, boxed
        self.words = label(safe_lines(text), color=color, wrap=True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = QHBoxLayout(self)
        left = 30 if boxed else 22
        row.setContentsMargins(left, *((6, 8, 6) if boxed else (0, 0, 0)))
        row.addWidget(self.words, 0, Qt.AlignmentFlag.AlignTop)
        self.setAccessibleName(text)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)

    def set_note(self, glyph: str, state: str, text: str) -> None:
        self._glyph, self._state = glyph, state
        self.words.setText(safe_lines(text))
        self.setAccessibleName(text)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if self._boxed:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(t.fill(self._state, 0.16))
                painter.drawRoundedRect(self.rect(), RADIUS, RADIUS)
            left, top = (9, 7) if self._boxed else (1, 1)
            image = glyphs.pixmap(self._glyph, t.state(self._state).name(), 14, self.devicePixelRatioF())
            painter.drawPixmap(left, top, image)


class Code(QPlainTextEdit):
    """Calls or SQL as they will be sent; as high as their lines, up to twelve, then it scrolls."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(safe_lines(text))
        self.setReadOnly(True)
        self.setFont(font(12, code=True))
        self.setAccessibleName(name)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setTabChangesFocus(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._fit()

    def _fit(self) -> None:
        layout = self.document().documentLayout()
        lines = max(1, round(layout.documentSize().height()))  # QPlainTextEdit's layout counts in lines
        high = self.fontMetrics().lineSpacing()
        self.setFixedHeight(min(lines, _LINES) * high + 20)

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._fit()


def whole(changes: tuple[Change, ...]) -> list[Code]:
    """What stands behind changes that are too long for a line: answers, stack traces."""
    return [
        Code(change.after, f"{plain(change.what, 80)}, whole")
        for change in changes
        if "\n" in change.after or len(change.after) > _LINE
    ]


class Changes(QWidget):
    """Before and after, as a diff: a minus and a plus before the lines, not colour alone."""

    def __init__(self, changes: tuple[Change, ...]) -> None:
        super().__init__()
        self._lines = [line for change in changes for line in _diff(change)]
        self.setFont(font(12, code=True))
        self.setFixedHeight(max(1, len(self._lines)) * 20)
        self.setAccessibleName("Changes: " + "; ".join(self.lines))
        self.setToolTip(plain_tooltip("\n".join(self.lines)))

    @property
    def lines(self) -> list[str]:
        """The lines as shown, whole."""
        return [f"{sign} {text}" for sign, text, _ in self._lines]

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        with QPainter(self) as painter:
            metrics = painter.fontMetrics()
            for row, (sign, text, state) in enumerate(self._lines):
                painter.setPen(t.state(state))
                shown = metrics.elidedText(f"{sign} {text}", Qt.TextElideMode.ElideRight, self.width())
                painter.drawText(0, row * 20, self.width(), 20, int(Qt.AlignmentFlag.AlignVCenter), shown)


def fit(dialog: QWidget, width: int) -> None:
    """Makes a dialog of wrapped words as wide as asked and as high as they then need."""
    layout = dialog.layout()
    dialog.setMinimumWidth(width)
    if layout is not None:
        # Qt's own least height assumes labels at their narrowest.
        layout.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        dialog.resize(width, layout.totalHeightForWidth(width))


def _diff(change: Change) -> list[tuple[str, str, str]]:
    """Sign, text and state of a change's lines; what stays as it is has one line."""
    what, before, after = (plain(text, 400) for text in (change.what, change.before, change.after))
    if before == after:
        return [(" ", f"{what} {after}".strip(), "muted")]
    return [
        ("-", f"{what} {before or '(none)'}", "failed"),
        ("+", f"{what} {after or '(none)'}", "completed"),
    ]


class Pill(QLabel):
    """A short word on a tint: "new run", "deletes history"."""

    def __init__(self, text: str, state: str) -> None:
        super().__init__(plain(text, 60))
        self._state = state
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(font(11, bold=True))
        self.setContentsMargins(8, 2, 8, 2)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().fill(self._state, 0.25))
            painter.drawRoundedRect(self.rect(), self.height() / 2, self.height() / 2)
        super().paintEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.update()
