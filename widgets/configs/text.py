"""A config's text: read-only, with line numbers, findings as marks in the gutter, and a caret. GUI thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextCharFormat,
    QTextCursor,
    QTextFormat,
)
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QToolTip, QWidget

from engine_bridge.format import safe_lines
from widgets.configs.colours import JsonColours
from widgets.run.labels import draw_glyph, tip
from widgets.theme import font, theme

GLYPH: Final = {"error": ("failed", "failed"), "warning": ("warning", "retrying")}
"""Of a severity: its glyph and the colour token."""
_MARK: Final = 20  # px
_PAD: Final = 8


class Gutter(QWidget):
    """Line numbers and marks beside the text. ``mark_chosen`` carries a line from 1."""

    mark_chosen = Signal(object)

    def __init__(self, text: ConfigText) -> None:
        super().__init__(text)
        self._text = text
        self.setFont(text.font())
        self.setAccessibleName("Line numbers and findings")

    def sizeHint(self) -> QSize:
        digits = max(3, len(str(self._text.blockCount())))
        return QSize(_MARK + self.fontMetrics().horizontalAdvance("9") * digits + _PAD, 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        t, height = theme(), self.fontMetrics().height()
        with QPainter(self) as p:
            p.fillRect(event.rect(), t.color("panel"))
            p.setFont(self.font())
            for line, top in self._text.visible_lines():
                severity = self._text.marks.get(line, "")
                if severity in GLYPH:
                    glyph, token = GLYPH[severity]
                    p.fillRect(QRect(0, top, self.width(), height), t.fill(token, 0.18))
                    draw_glyph(p, glyph, t.color(token).name(), 4, top + (height - 13) // 2, 13)
                p.setPen(t.color("text" if severity else "faint"))
                box = QRect(_MARK, top, self.width() - _MARK - _PAD, height)
                p.drawText(box, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), str(line))

    def line_at(self, y: float) -> int:
        """The line at a height, 0 below the last."""
        height = self.fontMetrics().height()
        return next((line for line, top in self._text.visible_lines() if top <= y < top + height), 0)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        line = self.line_at(event.position().y())
        if line in self._text.marks:
            self.mark_chosen.emit(line)
        elif line:
            self._text.go_to(line)


class ConfigText(QPlainTextEdit):
    """``place_moved`` carries line and column of the caret, from 1; ``mark_chosen`` a marked line that was clicked.

    ``describe`` tells of a place where its value comes from, for the tooltip.
    """

    place_moved = Signal(object)
    mark_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFont(font(12, code=True))
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setTabChangesFocus(True)
        self.setAccessibleName("Config text")
        self.marks: dict[int, str] = {}
        self.describe: Callable[[int, int], str] = lambda line, column: ""
        self._strong = 0
        self.colours = JsonColours(self.document())
        self.gutter = Gutter(self)
        self.gutter.mark_chosen.connect(self.mark_chosen)
        self.blockCountChanged.connect(lambda _: self._set_margin())
        self.updateRequest.connect(self._on_update)
        self.cursorPositionChanged.connect(self._on_caret)
        self._set_margin()

    def show_text(self, text: str) -> None:
        """Shows another text from its start, without marks."""
        self.marks, self._strong = {}, 0
        self.setPlainText(safe_lines(text))
        self._show_caret_line()

    def set_marks(self, marks: Mapping[int, str]) -> None:
        """Severities by line."""
        self.marks = dict(marks)
        self.gutter.update()

    def go_to(self, line: int, column: int = 1) -> None:
        """Puts the caret on a place, and brings its line into view."""
        block = self.document().findBlockByNumber(max(0, line - 1))
        if not block.isValid():
            return
        cursor = QTextCursor(block)
        cursor.setPosition(block.position() + min(max(0, column - 1), block.length() - 1))
        self.setTextCursor(cursor)
        self.centerCursor()
        self._show_caret_line()

    def place(self) -> tuple[int, int]:
        """Line and column of the caret, from 1."""
        return self._place_of(self.textCursor())

    @staticmethod
    def _place_of(cursor: QTextCursor) -> tuple[int, int]:
        return cursor.blockNumber() + 1, cursor.positionInBlock() + 1

    def visible_lines(self) -> list[tuple[int, int]]:
        """The lines in sight with their tops in px."""
        block, found = self.firstVisibleBlock(), []
        while block.isValid():
            top = round(self.blockBoundingGeometry(block).translated(self.contentOffset()).top())
            if top > self.viewport().height():
                break
            found.append((block.blockNumber() + 1, top))
            block = block.next()
        return found

    def _set_margin(self) -> None:
        self.setViewportMargins(self.gutter.sizeHint().width(), 0, 0, 0)
        self._place_gutter()

    def _place_gutter(self) -> None:
        box = self.contentsRect()
        self.gutter.setGeometry(box.left(), box.top(), self.gutter.sizeHint().width(), box.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_gutter()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "gutter"):
            self.colours.rehighlight()
            self._show_caret_line()
            self.gutter.update()

    def _on_update(self, box: QRect, dy: int) -> None:
        self.gutter.scroll(0, dy) if dy else self.gutter.update(0, box.y(), self.gutter.width(), box.height())

    def _on_caret(self) -> None:
        self._show_caret_line()
        self.place_moved.emit(self.place())

    def _show_caret_line(self) -> None:
        line = QTextEdit.ExtraSelection()
        look = QTextCharFormat()
        look.setBackground(QColor(theme().color("selection")))
        look.setProperty(QTextFormat.Property.FullWidthSelection, True)
        line.format = look
        cursor = self.textCursor()
        cursor.clearSelection()
        line.cursor = cursor
        self.setExtraSelections([line])

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            self._show_tip(event.pos(), event.globalPos())
            return True
        return super().event(event)

    def _show_tip(self, at: QPoint, where: QPoint) -> None:
        inside = self.viewport().mapFromParent(at)
        told = self.describe(*self._place_of(self.cursorForPosition(inside))) if inside.x() >= 0 else ""
        QToolTip.showText(where, tip(told), self)
