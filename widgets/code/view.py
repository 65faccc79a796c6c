"""Source lines with a gutter: hits, drift and divergence, and the line at the playhead. GUI thread."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QToolTip

from engine_bridge.format import count
from widgets import glyphs
from widgets.code.source import CodeSource
from widgets.payload.text_view import _LINE, TextView
from widgets.run.labels import tip
from widgets.theme import Theme, font

_PAD: Final = 8
_MARK: Final = 14  # px, glyph of a mark
_HITS: Final = 4  # characters kept for the count of hits
MARKS: Final[dict[str, tuple[str, str]]] = {
    # glyph, and the state whose colour it takes
    "divergence": ("failed", "failed"),
    "blocked": ("terminated", "failed"),
    "drift": ("warning", "retrying"),
    "now": ("clock", "waiting"),
}


class CodeView(TextView):
    """``line_picked`` carries a line (from 1) whose steps the user wants: a click on its gutter, or Enter."""

    line_picked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._current = 0
        self._loose = False
        self._hits: Mapping[int, int] = {}
        self._steps: Container[int] = ()
        self._counted: object = None
        self._marks: dict[int, tuple[str, str]] = {}
        self._bold = font(12, code=True, bold=True)
        self.setAccessibleName("Source code")
        self.viewport().setMouseTracking(True)

    @property
    def current(self) -> int:
        """The line at the playhead, from 1; 0 for none."""
        return self._current

    @property
    def hits(self) -> Mapping[int, int]:
        return self._hits

    @property
    def marks(self) -> dict[int, tuple[str, str]]:
        return self._marks

    def show_source(self, source: CodeSource) -> None:
        """Another file, from its start; the same one stays where it is."""
        if self.source is not source:
            self.set_source(source)

    def set_current(self, line: int, *, loose: bool = False) -> None:
        """Puts the line at the playhead in sight; ``loose``: it is near what happens, but not known to be it."""
        if (line, loose) != (self._current, self._loose):
            self._current, self._loose = line, loose
            self.viewport().update()
        if line:
            self._reveal(line - 1)

    def _reveal(self, line: int) -> None:
        bar = self.verticalScrollBar()
        page = max(1, bar.pageStep())
        margin = min(3, page // 4)
        if not bar.value() + margin <= line < bar.value() + page - margin:
            bar.setValue(line - page // 3)

    def set_hits(self, hits: Mapping[int, int], steps: Container[int], state: object) -> None:
        """How often each line ran, and the lines on which steps stand; ``state`` is another one when they changed."""
        # The same ones come again and again while the playhead moves: comparing them would cost a millisecond.
        self._hits, self._steps = hits, steps
        if state != self._counted:
            self._counted = state
            self.viewport().update()

    def set_marks(self, marks: dict[int, tuple[str, str]]) -> None:
        """Line to kind (of MARKS) and words."""
        if marks != self._marks:
            self._marks = marks
            self.viewport().update()

    # -- painting -----------------------------------------------------------------------------------------

    def _gutter(self) -> float:
        digits = max(3, len(str(max(1, self._source.count))))
        return self._char * (digits + 1 + _HITS) + 2 * _PAD + _MARK

    def _paint_line(self, p: QPainter, t: Theme, line: int, y: int) -> None:
        width, number = self.viewport().width(), line + 1
        if number == self._current:
            p.fillRect(0, y, width, _LINE, t.fill("playhead", 0.18))
            p.fillRect(0, y, 3, _LINE, t.color("muted" if self._loose else "playhead"))
        elif number in self._marks:
            p.fillRect(0, y, width, _LINE, t.fill(MARKS[self._marks[number][0]][1], 0.10))
        gutter, text = self._gutter(), self._text(line)
        left = gutter - self.horizontalScrollBar().value() * self._char
        baseline = y + (_LINE + self._metrics.ascent() - self._metrics.descent()) / 2
        p.save()
        p.setClipRect(QRectF(gutter, y, width - gutter, _LINE))
        self._paint_grounds(p, t, line, text, left, y)
        self._paint_words(p, t, line, text, left, baseline)
        p.restore()
        self._paint_gutter(p, t, number, baseline, y)

    def _paint_gutter(self, p: QPainter, t: Theme, number: int, baseline: float, y: int) -> None:
        digits = max(3, len(str(self._source.count)))
        right = _PAD + _MARK + self._char * digits
        text = str(number)
        p.setPen(t.color("text" if number == self._current else "muted"))
        p.drawText(QPointF(right - self._char * len(text), baseline), text)
        mark = self._marks.get(number)
        if mark is not None:
            glyph, state = MARKS[mark[0]]
            image = glyphs.pixmap(glyph, t.state(state).name(), 12, self.devicePixelRatioF())
            p.drawPixmap(QPointF(5, y + (_LINE - 12) / 2), image)
        hits = self._hits.get(number, 0)
        if hits:
            steps = number in self._steps
            p.setPen(t.color("completed" if steps else "faint"))
            if steps:
                p.setFont(self._bold)
            words = short_count(hits)
            p.drawText(QPointF(right + self._char * (_HITS + 0.5 - len(words)), baseline), words)
            p.setFont(self.font())

    # -- gutter -------------------------------------------------------------------------------------------

    def line_at(self, y: float) -> int:
        """The line (from 1) under a px; 0 below the last."""
        line = self.verticalScrollBar().value() + int(y // _LINE)
        return line + 1 if 0 <= line < self._source.count else 0

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if event.button() == Qt.MouseButton.LeftButton and at.x() < self._gutter():
            line = self.line_at(at.y())
            if line:
                self.line_picked.emit(line)
            return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        over = event.position().x() < self._gutter() and not event.buttons()
        self.viewport().setCursor(
            Qt.CursorShape.PointingHandCursor
            if over and self.line_at(event.position().y()) in self._steps
            else Qt.CursorShape.IBeamCursor
        )
        super().mouseMoveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            line = self._cursor[0] + 1 if self._cursor is not None else self._current
            if line:
                self.line_picked.emit(line)
            return
        super().keyPressEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            words = (
                self.gutter_words(self.line_at(event.pos().y())) if event.pos().x() < self._gutter() else ""
            )
            QToolTip.showText(event.globalPos(), tip(words), self)
            return True
        return super().viewportEvent(event)

    def gutter_words(self, line: int) -> str:
        """What the gutter says of a line."""
        parts = []
        if line in self._marks:
            parts.append(self._marks[line][1])
        if hits := self._hits.get(line, 0):
            parts.append(f"ran {count(hits)} time{'s' if hits != 1 else ''}")
        if line in self._steps:
            parts.append("click: to the next step that stands here")
        return "\n".join(parts)


def short_count(number: int) -> str:
    """ "4", "999", "12k", "3.4M": at most five characters."""
    if number < 10_000:
        return str(number)
    for limit, unit in ((1_000_000, "k"), (1_000_000_000, "M")):
        if number < limit:
            return f"{number * 1000 // limit}{unit}"
    return "many"
