"""The path of the focus: source › page › filter › run. Each part can be clicked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine_bridge.format import plain
from widgets.shell.label import plain_tooltip
from widgets.theme import RADIUS, font, theme

_GAP = " › "
_PAD = 10


class Crumb(NamedTuple):
    """One part of the path; ``value`` is the caller's, handed back on a click."""

    text: str
    value: Any


class Breadcrumb(QWidget):
    """Draws the parts, the longest shortened first; ``chosen`` carries a part's value."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._crumbs: list[Crumb] = []
        self._rects: list[QRect] = []
        self._at = 0
        self._font = font(12)  # one that is set on the widget after it was shown goes with the next theme
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_crumbs(self, crumbs: Sequence[Crumb]) -> None:
        if not self._crumbs:
            self._font = font(12, code=True)  # not before: the first paint shows no code
        self._crumbs = list(crumbs)
        self._at = len(self._crumbs) - 1
        whole = _GAP.join(plain(c.text) for c in self._crumbs)
        self.setAccessibleName(f"Path: {whole}")
        self.setToolTip(plain_tooltip(whole))
        self.update()

    @property
    def texts(self) -> list[str]:
        return [crumb.text for crumb in self._crumbs]

    def sizeHint(self) -> QSize:
        return QSize(400, 28)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 28)

    def _fitted(self) -> list[str]:
        """The parts' texts, cut so that all fit."""
        metrics = QFontMetrics(self._font)
        texts = [plain(c.text, 200) for c in self._crumbs]
        gaps = metrics.horizontalAdvance(_GAP) * max(0, len(texts) - 1)
        room = max(0, self.width() - 2 * _PAD - gaps)
        widths = [metrics.horizontalAdvance(text) + 1 for text in texts]
        while sum(widths) > room and max(widths) > 24:
            widths[widths.index(max(widths))] -= min(16, max(1, sum(widths) - room))
        return [
            metrics.elidedText(t, Qt.TextElideMode.ElideMiddle, w) for t, w in zip(texts, widths, strict=True)
        ]

    def paintEvent(self, event: QPaintEvent) -> None:
        t, metrics = theme(), QFontMetrics(self._font)
        self._rects = []
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setFont(self._font)
            painter.setPen(t.color("accent" if self.hasFocus() else "line"))
            painter.setBrush(t.color("raised"))
            painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), RADIUS, RADIUS)
            x, last = _PAD, len(self._crumbs) - 1
            for i, text in enumerate(self._fitted()):
                width = metrics.horizontalAdvance(text)
                rect = QRect(x, 0, width + 1, self.height())
                self._rects.append(rect)
                under = self.hasFocus() and i == self._at
                painter.setPen(t.color("accent" if under else "text" if i == last else "muted"))
                painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter, text)
                x += width
                if i < last:
                    painter.setPen(t.color("faint"))
                    painter.drawText(
                        QPoint(x, (self.height() + metrics.ascent() - metrics.descent()) // 2), _GAP
                    )
                    x += metrics.horizontalAdvance(_GAP)

    def _hit(self, point: QPoint) -> int:
        return next((i for i, rect in enumerate(self._rects) if rect.contains(point)), -1)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        over = self._hit(event.position().toPoint()) >= 0
        self.setCursor(Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._choose(self._hit(event.position().toPoint()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if event.key() in steps:
            self._at = min(max(0, self._at + steps[Qt.Key(event.key())]), len(self._crumbs) - 1)
            self.update()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose(self._at)
        else:
            super().keyPressEvent(event)

    def _choose(self, i: int) -> None:
        if 0 <= i < len(self._crumbs):
            self.chosen.emit(self._crumbs[i].value)
