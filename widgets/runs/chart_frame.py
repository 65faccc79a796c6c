"""The frame of one chart: title, read-out, and room for a plot that is made on first use."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from engine_bridge.format import plain
from widgets import glyphs
from widgets.theme import RADIUS, font, theme

HEIGHT = 148
_GAPS = 40  # px around title and read-out
_ROOMY = 640  # px below which the legend leaves its place to the read-out


class _ReadOut(QLabel):
    """Words at the right that shorten themselves."""

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            shown = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
            painter.drawText(self.rect(), int(self.alignment()), shown)


class ChartFrame(QWidget):
    """Titled panel with one plot. ``key_pressed`` carries (key, with Shift) of Left, Right, Return and Escape."""

    key_pressed = Signal(object)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEIGHT)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(title)
        self._words = title
        self._title = QLabel(title, self)
        self._readout = _ReadOut(self)
        for label in (self._title, self._readout):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setFont(font(11))
        row = QHBoxLayout()
        row.addWidget(self._title)
        row.addSpacing(12)
        self._legend = QHBoxLayout()
        self._legend.setSpacing(4)
        row.addLayout(self._legend)
        # The read-out never widens the page: what does not fit is in the accessible description.
        self._readout.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._readout.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self._readout, 1)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(12, 8, 8, 4)
        self._column.setSpacing(2)
        self._column.addLayout(row)
        self._column.addStretch()
        self._plot: QWidget | None = None

    def put_plot(self, plot: QWidget) -> None:
        """Gives the plot its place; it never takes the keyboard."""
        plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._column.takeAt(1)
        self._column.addWidget(plot, 1)
        self._plot = plot

    def set_legend(self, entries: Sequence[tuple[str, str, str]]) -> None:
        """Shows (word, glyph, colour token) of what the plot draws."""
        while (item := self._legend.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for word, glyph, token in entries:
            mark, label = QLabel(self), QLabel(word, self)
            ratio = self.devicePixelRatioF()
            mark.setPixmap(glyphs.pixmap(glyph, theme().tokens[token], 11, ratio))
            label.setFont(font(11))
            label.setStyleSheet(f"color: {theme().tokens['muted']}; margin-right: 6px;")
            self._legend.addWidget(mark)
            self._legend.addWidget(label)
        self._show_legend()

    @property
    def readout(self) -> str:
        return self._readout.text()

    def read_out(self, text: str) -> None:
        """Shows what is under the cursor, in words."""
        self._readout.setText(plain(text))
        self.setAccessibleDescription(text)
        self._show_title()

    def _show_title(self) -> None:
        """What the chart is; how it is used leaves its place to the read-out where room is short."""
        metrics = self._title.fontMetrics()
        needed = (
            metrics.horizontalAdvance(self._words) + metrics.horizontalAdvance(self._readout.text()) + _GAPS
        )
        self._title.setText(self._words if needed <= self.width() else self._words.partition(" · ")[0])

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_legend()
        self._show_title()

    def _show_legend(self) -> None:
        for number in range(self._legend.count()):
            item = self._legend.itemAt(number)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.setVisible(self.width() >= _ROOMY)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        keys = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape)
        if event.key() not in keys:
            super().keyPressEvent(event)
            return
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self.key_pressed.emit((Qt.Key(event.key()), shift))

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            edge = "accent" if self.hasFocus() else "line"
            painter.setPen(QPen(theme().color(edge), 1))
            painter.setBrush(theme().color("panel"))
            painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), RADIUS, RADIUS)
