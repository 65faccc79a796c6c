"""A virtual text view: draws the visible lines of a source, whatever its size. GUI thread."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFontMetricsF,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QMenu, QWidget

from engine_bridge.format import safe_lines
from widgets.payload.background import Background
from widgets.payload.highlight import PYGMENTS_LIMIT, traceback_spans
from widgets.payload.sources import LineSource, TextSource
from widgets.theme import Theme, font, theme

_LINE = 18  # px
_PAD = 8
_COPY_LIMIT = 200_000  # lines
Place = tuple[int, int]  # line, column


class TextView(QAbstractScrollArea):
    """Monospaced lines with numbers, selection with the mouse, find. ``found`` carries the line found, or -1."""

    found = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setFont(font(12, code=True))
        self._metrics = QFontMetricsF(self.font())
        self._char = self._metrics.horizontalAdvance("0")
        self._source: LineSource = TextSource(b"")
        self._needle = ""
        self._match = -1
        self._anchor: Place | None = None
        self._cursor: Place | None = None
        self._background = Background(self)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Text")
        self.viewport().setCursor(Qt.CursorShape.IBeamCursor)

    @property
    def source(self) -> LineSource:
        return self._source

    def set_source(self, source: LineSource) -> None:
        """Shows another text from its start."""
        self._source = source
        self._match, self._anchor, self._cursor = -1, None, None
        self._background.cancel()
        if isinstance(source, TextSource) and source.syntax == "traceback" and source.data:
            self._highlight(source)
        self._update_bars()
        self.verticalScrollBar().setValue(0)
        self.horizontalScrollBar().setValue(0)
        self.viewport().update()

    def _highlight(self, source: TextSource) -> None:
        text = source.data[: PYGMENTS_LIMIT * 4].decode("utf-8", "replace")

        def done(spans: dict[int, list[tuple[int, int, str]]]) -> None:
            source.highlighted = spans
            self.viewport().update()

        self._background.run(lambda: traceback_spans(text), done)

    # -- geometry -----------------------------------------------------------------------------------------

    def _gutter(self) -> float:
        return self._char * len(str(max(1, self._source.count))) + 2 * _PAD

    def _update_bars(self) -> None:
        page = max(1, self.viewport().height() // _LINE)
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, self._source.count - page))
        bar.setPageStep(page)
        columns = max(1, int((self.viewport().width() - self._gutter()) / self._char))
        across = self.horizontalScrollBar()
        across.setRange(0, max(0, min(self._source.widest, 1_000_000) - columns + 2))
        across.setPageStep(columns)
        across.setSingleStep(4)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._update_bars()

    def sizeHint(self) -> QSize:
        return QSize(400, 200)

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.viewport().update()

    def _x(self, text: str, column: int) -> float:
        """Where a column begins, before scrolling; other scripts are wider than one cell."""
        if text.isascii():
            return min(column, len(text)) * self._char
        return self._metrics.horizontalAdvance(text[:column])

    def _place(self, at: QPointF) -> Place:
        line = self.verticalScrollBar().value() + int(at.y() // _LINE)
        line = max(0, min(line, self._source.count - 1))
        text = self._text(line)
        x = at.x() - self._gutter() + self.horizontalScrollBar().value() * self._char
        column = max(0, min(len(text), round(x / self._char)))
        if not text.isascii():
            column = min(range(len(text) + 1), key=lambda c: abs(self._x(text, c) - x))
        return line, column

    def _text(self, line: int) -> str:
        return safe_lines(self._source.line(line)) if self._source.count else ""

    # -- painting -----------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        t, source = theme(), self._source
        first = self.verticalScrollBar().value()
        last = min(source.count, first + self.viewport().height() // _LINE + 2)
        with QPainter(self.viewport()) as p:
            p.fillRect(self.viewport().rect(), t.color("panel"))
            p.setFont(self.font())
            for line in range(first, last):
                self._paint_line(p, t, line, (line - first) * _LINE)

    def _paint_line(self, p: QPainter, t: Theme, line: int, y: int) -> None:
        gutter, text = self._gutter(), self._text(line)
        left = gutter - self.horizontalScrollBar().value() * self._char
        baseline = y + (_LINE + self._metrics.ascent() - self._metrics.descent()) / 2
        p.save()
        p.setClipRect(QRectF(gutter, y, self.viewport().width() - gutter, _LINE))
        self._paint_grounds(p, t, line, text, left, y)
        self._paint_words(p, t, line, text, left, baseline)
        p.restore()
        p.setPen(t.color("faint"))
        number = str(line + 1)
        p.drawText(QPointF(gutter - _PAD - self._char * len(number), baseline), number)

    def _paint_grounds(self, p: QPainter, t: Theme, line: int, text: str, left: float, y: int) -> None:
        chosen = self._selected_columns(line, len(text))
        if chosen is not None:
            x0, x1 = self._x(text, chosen[0]), self._x(text, chosen[1])
            p.fillRect(QRectF(left + x0, y, max(3.0, x1 - x0), _LINE), t.color("selection"))
        needle = self._needle.lower()
        at = text.lower().find(needle) if needle else -1
        while at >= 0:
            x0, x1 = self._x(text, at), self._x(text, at + len(needle))
            strong = 0.45 if line == self._match else 0.22
            p.fillRect(QRectF(left + x0, y + 1, x1 - x0, _LINE - 2), t.fill("playhead", strong))
            at = text.lower().find(needle, at + len(needle))

    def _paint_words(self, p: QPainter, t: Theme, line: int, text: str, left: float, baseline: float) -> None:
        done, until = 0, int((self.viewport().width() - left) / self._char) + 1
        for start, end, token in [*self._source.spans(line, text, until), (len(text), len(text), "text")]:
            for a, b, name in ((done, start, "text"), (start, end, token)):
                if b <= a:
                    continue
                x = left + self._x(text, a)
                if x > self.viewport().width():
                    return
                if left + self._x(text, b) > 0:
                    p.setPen(t.color(name))
                    p.drawText(QPointF(x, baseline), text[a:b])
            done = max(done, end)

    # -- selection ----------------------------------------------------------------------------------------

    def _range(self) -> tuple[Place, Place] | None:
        if self._anchor is None or self._cursor is None or self._anchor == self._cursor:
            return None
        return min(self._anchor, self._cursor), max(self._anchor, self._cursor)

    def _selected_columns(self, line: int, length: int) -> tuple[int, int] | None:
        chosen = self._range()
        if chosen is None or not chosen[0][0] <= line <= chosen[1][0]:
            return None
        start = chosen[0][1] if line == chosen[0][0] else 0
        end = chosen[1][1] if line == chosen[1][0] else length + 1
        return start, end

    def select_all(self) -> None:
        self._anchor, self._cursor = (0, 0), (max(0, self._source.count - 1), 1 << 30)
        self.viewport().update()

    def selected_text(self) -> str:
        """What is selected, as shown (masked when masked); at most 200,000 lines."""
        chosen = self._range()
        if chosen is None:
            return ""
        (first, a), (last, b) = chosen
        last = min(last, first + _COPY_LIMIT)
        lines = [self._source.line(line) for line in range(first, last + 1)]
        lines[-1] = lines[-1][:b] if last == chosen[1][0] else lines[-1]
        lines[0] = lines[0][a:]
        return "\n".join(lines)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._source.count:
            place = self._place(event.position())
            extend = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self._anchor = self._anchor if extend and self._anchor else place
            self._cursor = place
            self.viewport().update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton and self._anchor is not None:
            self._cursor = self._place(event.position())
            self._follow(event.position().y())
            self.viewport().update()

    def _follow(self, y: float) -> None:
        bar = self.verticalScrollBar()
        if y < 0:
            bar.setValue(bar.value() - 1)
        elif y > self.viewport().height():
            bar.setValue(bar.value() + 1)

    # -- keys and find --------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        # Home and End move the playhead on the page, but scroll here.
        override = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if override and cast(QKeyEvent, event).key() in (Qt.Key.Key_Home, Qt.Key.Key_End):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        bar = self.verticalScrollBar()
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.selected_text())
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self.select_all()
        elif event.key() == Qt.Key.Key_Home:
            bar.setValue(0)
        elif event.key() == Qt.Key.Key_End:
            bar.setValue(bar.maximum())
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        copy = menu.addAction("Copy")
        copy.setEnabled(self._range() is not None)
        copy.triggered.connect(lambda: QGuiApplication.clipboard().setText(self.selected_text()))
        menu.addAction("Select all").triggered.connect(self.select_all)
        menu.exec(event.globalPos())
        menu.deleteLater()

    def set_needle(self, needle: str) -> None:
        """Marks all places that hold ``needle``, and goes to the first at or after the top line."""
        self._needle, self._match = needle, -1
        if needle:
            self._go(self._source.find(needle, self.verticalScrollBar().value() - 1, 1), 1)
        self.viewport().update()

    def find_next(self, direction: int = 1) -> None:
        """Goes to the next (+1) or previous (-1) match; wraps around."""
        if self._needle:
            start = self._match if self._match >= 0 else self.verticalScrollBar().value() - 1
            self._go(self._source.find(self._needle, start, direction), direction)

    def _go(self, line: int, direction: int) -> None:
        if line < 0:
            edge = -1 if direction > 0 else self._source.count
            line = self._source.find(self._needle, edge, direction)
        self._match = line
        if line >= 0:
            bar = self.verticalScrollBar()
            if not bar.value() <= line < bar.value() + bar.pageStep():
                bar.setValue(line - bar.pageStep() // 3)
        self.found.emit(line)
        self.viewport().update()
