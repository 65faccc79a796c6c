"""Small painted words: text that elides, chips, links. Foreign text is plain everywhere. GUI thread."""

from __future__ import annotations

import html

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QEnterEvent, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine_bridge.format import plain
from widgets import glyphs
from widgets.theme import font, theme

_SHORT = 48  # px: the least that a text keeps when room is scarce
_WIDE = 1 << 14


def tip(text: str) -> str:
    """A tooltip that shows ``text`` as it is: Qt would guess rich text."""
    return f"<p style='white-space:pre-wrap'>{html.escape(text)}</p>" if text else ""


def draw_glyph(painter: QPainter, name: str, color: str, x: float, y: float, size: int = 14) -> None:
    """A glyph at device-independent px, sharp on any screen."""
    device = painter.device()
    ratio = device.devicePixelRatio() if device is not None else 1.0
    painter.drawPixmap(round(x), round(y), glyphs.pixmap(name, color, size, ratio))


class Text(QWidget):
    """One line of plain text that elides; ``tone`` names its colour in the theme.

    It keeps at least ``least`` px (or its whole width, when that is smaller) and asks for no more than ``most``.
    """

    def __init__(
        self,
        text: str = "",
        *,
        size: int = 12,
        code: bool = False,
        bold: bool = False,
        tone: str = "text",
        elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        least: int = _SHORT,
        most: int = _WIDE,
    ) -> None:
        super().__init__()
        self._least, self._most = least, most
        self._text = ""
        self._tone = tone
        self._elide = elide
        self.setFont(font(size, code=code, bold=bold))
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.set_text(text)

    @property
    def text(self) -> str:
        return self._text

    def set_text(self, text: str, tooltip: str = "") -> None:
        """Shows one line; controls and bidi overrides become visible escapes."""
        shown = plain(text)
        self.setToolTip(tip(tooltip or text))
        if shown != self._text:
            self._text = shown
            self.setAccessibleName(shown)
            self.updateGeometry()
            self.update()

    def set_tone(self, tone: str) -> None:
        if tone != self._tone:
            self._tone = tone
            self.update()

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self.font())
        wide = min(metrics.horizontalAdvance(self._text) + 2, self._most)
        return QSize(wide, metrics.height() + 2)

    def minimumSizeHint(self) -> QSize:
        hint = self.sizeHint()
        return QSize(min(hint.width(), self._least), hint.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as p:
            p.setFont(self.font())
            p.setPen(theme().color(self._tone))
            text = p.fontMetrics().elidedText(self._text, self._elide, self.width())
            text = text.replace("……", "…")  # the end of an id begins with one
            p.drawText(self.rect(), int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), text)


class Link(Text):
    """Text that can be followed with a click, Enter or Space."""

    activated = Signal()

    def __init__(
        self, text: str = "", *, size: int = 12, code: bool = False, least: int = _SHORT, most: int = _WIDE
    ) -> None:
        super().__init__(text, size=size, code=code, tone="accent", least=least, most=most)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def set_leads(self, leads: bool) -> None:
        """Whether there is anything to follow; without it this is plain text."""
        self.set_tone("accent" if leads else "text")
        self.setCursor(Qt.CursorShape.PointingHandCursor if leads else Qt.CursorShape.ArrowCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if leads else Qt.FocusPolicy.NoFocus)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.activated.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.activated.emit()
        else:
            super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.underMouse() or self.hasFocus():
            with QPainter(self) as p:
                p.setPen(theme().color("accent"))
                y = self.height() - 2
                width = min(self.width(), p.fontMetrics().horizontalAdvance(self._text))
                p.drawLine(0, y, width, y)


class Chip(QWidget):
    """A status as glyph and words on a tinted pill."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._status = "unknown"
        self._text = ""
        self.setFont(font(12))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    @property
    def text(self) -> str:
        return self._text

    def set_status(self, status: str, text: str, tooltip: str = "") -> None:
        """``status`` gives glyph and colour."""
        self._status, self._text = status, plain(text, 80)
        self.setAccessibleName(self._text)
        self.setToolTip(tip(tooltip))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self.font())
        return QSize(metrics.horizontalAdvance(self._text) + 34, 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        with QPainter(self) as p:
            p.setRenderHint(QPainter.RenderHint.Antialiasing)
            p.setPen(Qt.PenStyle.NoPen)
            p.setBrush(t.fill(self._status, 0.25))
            p.drawRoundedRect(QRectF(self.rect()), 10, 10)
            color = t.state(self._status).name()
            draw_glyph(p, glyphs.state_glyph(self._status), color, 8, (self.height() - 12) / 2, 12)
            p.setFont(self.font())
            p.setPen(t.color("text"))
            p.drawText(self.rect().adjusted(25, 0, -6, 0), int(Qt.AlignmentFlag.AlignVCenter), self._text)


class Glyph(QWidget):
    """A single glyph in a state's colour."""

    def __init__(self, name: str = "unknown", tone: str = "muted", size: int = 18) -> None:
        super().__init__()
        self._name, self._tone, self._size = name, tone, size
        self.setFixedSize(size, size)

    def set_glyph(self, name: str, tone: str) -> None:
        self._name, self._tone = name, tone
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as p:
            draw_glyph(p, self._name, theme().state(self._tone).name(), 0, 0, self._size)
