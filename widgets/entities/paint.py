"""Paints a status graph: ways, boxes, what is staged. Texts are laid out once and kept. GUI thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QStaticText

from engine_bridge.format import count, plain
from widgets import glyphs
from widgets.entities.scene import Box, Edge, Scene, StagedArc
from widgets.entities.words import edge_text, note, role
from widgets.theme import RADIUS, Theme, font, mix, theme

_LEGIBLE: Final = 0.5  # scale below which small texts are left out
_PAD: Final = 14.0
_GLYPH: Final = 14


@dataclass(slots=True)
class Look:
    """What of the view a frame depends on, besides the scene."""

    scale: float = 1.0
    origin: QPointF = field(default_factory=QPointF)
    chosen: frozenset[str] = frozenset()
    current: int = -1
    hovered: int = -1


@lru_cache(maxsize=4_096)
def text_cut(text: str, width: int, size: int, bold: bool) -> tuple[QStaticText, float]:
    """A text cut to a width in px, and how wide it is then."""
    face = _face(size, bold)
    shown = QFontMetricsF(face).elidedText(text, Qt.TextElideMode.ElideMiddle, width)
    static = QStaticText(shown)
    static.setTextFormat(Qt.TextFormat.PlainText)
    static.prepare(font=face)
    return static, QFontMetricsF(face).horizontalAdvance(shown)


@lru_cache(maxsize=8)
def _face(size: int, bold: bool) -> QFont:
    return font(size, bold=bold)


class StatusPainter:
    """Paints one frame. Made anew for each, so that it sees the theme in force."""

    def __init__(self, painter: QPainter, scene: Scene, look: Look) -> None:
        self._painter = painter
        self._scene = scene
        self._look = look
        self._theme: Theme = theme()
        self._ratio = painter.device().devicePixelRatioF() * max(1.0, look.scale)
        self._small = look.scale >= _LEGIBLE
        self._declares = scene.declares
        self._colors: dict[str, QColor] = {}

    def paint(self, area: QRectF) -> None:
        """Paints what of the scene lies in ``area`` (px of the widget)."""
        look, painter = self._look, self._painter
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(look.origin)
        painter.scale(look.scale, look.scale)
        seen = QRectF((area.topLeft() - look.origin) / look.scale, area.size() / look.scale)
        edges = [edge for edge in self._scene.edges if edge.bounds.intersects(seen)]
        for edge in edges:
            self._edge(edge)
        self._apart()
        for number, box in enumerate(self._scene.boxes):
            if box.rect.intersects(seen):
                self._box(number, box)
        if self._small:
            for edge in edges:
                self._label(edge)
        for staged in self._scene.staged:
            self._staged(staged)

    def _color(self, token: str) -> QColor:
        found = self._colors.get(token)
        if found is None:
            found = self._colors[token] = self._theme.state(token)
        return found

    # -- ways -----------------------------------------------------------------------------------------------

    def _edge(self, edge: Edge) -> None:
        flow = edge.flow
        warns = self._declares and not flow.declared
        token = "retrying" if warns else "failed" if flow.rejection else "muted"
        color = self._color(token)
        if flow.declared and not flow.count:
            color = mix(color, self._color("panel"), 0.55)
        pen = QPen(color, 1.5 if warns else 1.1 + 1.2 * (flow.share or 0.0))
        if warns:
            pen.setStyle(Qt.PenStyle.DashLine)
        self._line(edge.path, pen, color)
        self._painter.drawPolygon(edge.arrow)

    def _line(self, path: QPainterPath, pen: QPen, color: QColor) -> None:
        """Draws a path; the brush is then ready for its arrow."""
        self._painter.setPen(pen)
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        self._painter.drawPath(path)
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(color)

    def _label(self, edge: Edge) -> None:
        text, warns = edge_text(edge.flow, self._declares)
        if not text:
            return
        static, width = text_cut(text, 320 if warns else 80, 11, False)
        rise = 9.0 if warns or abs(edge.path.boundingRect().height()) < 4 else 0.0
        at = QPointF(edge.label.x() - width / 2, edge.label.y() - 7 - rise)
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(self._color("panel"))
        self._painter.drawRect(QRectF(at.x() - 3, at.y(), width + 6, 14))
        self._draw(static, at, 11, "retrying" if warns else "failed" if edge.flow.rejection else "muted")

    def _draw(self, static: QStaticText, at: QPointF, size: int, token: str, bold: bool = False) -> None:
        self._painter.setFont(_face(size, bold))
        self._painter.setPen(self._color(token))
        self._painter.drawStaticText(at, static)

    # -- statuses -------------------------------------------------------------------------------------------

    def _apart(self) -> None:
        """The caption over the statuses that no config knows."""
        apart = self._scene.layout.apart
        if apart and self._small:
            x, y = self._scene.layout.boxes[apart[0]]
            static, _ = text_cut("In the data, not in the config", 400, 11, True)
            self._draw(static, QPointF(x, y - 19), 11, "retrying", bold=True)

    def _box(self, number: int, box: Box) -> None:
        node, rect, painter = box.node, box.rect, self._painter
        chosen = node.status in self._look.chosen
        unknown = node.role == "unknown"
        glyph, state, _ = role(node)
        border = "accent" if chosen else "retrying" if unknown or node.stuck else "line"
        pen = QPen(self._color(border), 2.0 if chosen else 1.2 if border != "line" else 1.0)
        if unknown:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        fill = "selection" if chosen or number == self._look.hovered else "raised"
        painter.setBrush(self._color(fill))
        painter.drawRoundedRect(rect, RADIUS, RADIUS)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._color("retrying" if node.stuck else state))
        painter.drawRoundedRect(QRectF(rect.left() + 3, rect.top() + 9, 3.5, rect.height() - 18), 1.7, 1.7)
        if number == self._look.current:
            painter.setPen(QPen(self._color("accent"), 1.2, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(rect.adjusted(-4, -4, 4, 4), RADIUS + 3, RADIUS + 3)
        if self._small:
            self._texts(box, glyph, state)

    def _texts(self, box: Box, glyph: str, state: str) -> None:
        node, rect = box.node, box.rect
        left, room = rect.left() + _PAD, rect.width() - _PAD - 10
        name, _ = text_cut(plain(node.status, 120), int(room - _GLYPH - 6), 12, False)
        self._draw(name, QPointF(left, rect.top() + 9), 12, "text")
        image = glyphs.pixmap(glyph, self._color(state).name(), _GLYPH, self._ratio)
        self._painter.drawPixmap(QPointF(rect.right() - 10 - _GLYPH, rect.top() + 9), image)
        number, width = text_cut(count(node.count), int(room), 18, True)
        self._draw(number, QPointF(left, rect.top() + 27), 18, "text", bold=True)
        words, short, token = note(node)
        if words:
            space = int(room - width - 12)
            fits = QFontMetricsF(_face(11, False)).horizontalAdvance(words) <= space
            static, wide = text_cut(words if fits else short, space, 11, False)
            self._draw(static, QPointF(rect.right() - 10 - wide, rect.top() + 34), 11, token)

    # -- staged ---------------------------------------------------------------------------------------------

    def _staged(self, staged: StagedArc) -> None:
        color = self._color("playhead")
        self._line(staged.path, QPen(color, 2.2), color)
        self._painter.drawPolygon(staged.arrow)
        if not self._small:
            return
        noun = "move" if staged.count == 1 else "moves"
        words = f"staged: {count(staged.count)} {noun} → {plain(staged.target, 60)}"
        static, width = text_cut(words, 300, 12, False)
        pill = QRectF(staged.label.x() - width / 2 - 12, staged.label.y() - 11, width + 24, 22)
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(color)
        self._painter.drawRoundedRect(pill, 11, 11)
        self._draw(static, QPointF(pill.left() + 12, pill.top() + 3), 12, "bg")
