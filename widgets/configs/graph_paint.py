"""Paints a config's graph: steps on the ways, and over them a path, a simulation or a change. GUI thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from engine_bridge.format import count, plain
from engine_bridge.populations import Flow
from widgets import glyphs
from widgets.configs.graph_layout import GAP
from widgets.entities.paint import Look, StatusPainter, text_cut
from widgets.entities.scene import Box, Edge, Scene
from widgets.entities.words import role
from widgets.theme import RADIUS, mix

Pair = tuple[str, str]

MARKS: Final = {
    "added": ("add", "completed"),
    "removed": ("remove", "failed"),
    "renamed": ("swap", "signal"),
    "changed": ("edit", "retrying"),
}
"""Of a kind of change: its glyph and the colour tone."""
_LEFT: Final = 14.0
_DIM: Final = 0.35


@dataclass(frozen=True, slots=True)
class Overlay:
    """What lies over the graph: a ``way`` through it, ``lives`` of a simulation, ``marks`` of a change."""

    way: tuple[str, ...] = ()
    lives: Mapping[Pair, int] | None = None
    ends: Mapping[str, int] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    way_marks: Mapping[Pair, str] = field(default_factory=dict)

    @property
    def pairs(self) -> frozenset[Pair]:
        return frozenset(pairwise(self.way))


def flow_words(flow: Flow, overlay: Overlay) -> str:
    """A way's label: its steps, or how many lives went there."""
    if overlay.lives is not None:
        lives = overlay.lives.get((flow.source, flow.target), 0)
        return count(lives) if lives else "never"
    return plain(", ".join(flow.steps), 120)


class ConfigPainter(StatusPainter):
    """Paints one frame of a config's graph."""

    def __init__(self, painter: QPainter, scene: Scene, look: Look, overlay: Overlay) -> None:
        super().__init__(painter, scene, look)
        self._overlay = overlay
        self._way, self._stations = overlay.pairs, frozenset(overlay.way)
        self._most = max(overlay.lives.values(), default=1) if overlay.lives else 1

    def _edge(self, edge: Edge) -> None:
        flow, overlay = edge.flow, self._overlay
        pair = flow.source, flow.target
        mark = MARKS.get(overlay.way_marks.get(pair, ""))
        walked = pair in self._way
        tone = mark[1] if mark else "accent" if walked else "failed" if flow.rejection else "muted"
        color, width = self._color(tone), 2.4 if walked else 1.8 if mark else 1.2
        if overlay.lives is not None and not walked:
            lives = overlay.lives.get(pair, 0)
            width = 1.0 + 2.4 * lives / self._most
            color = color if lives else mix(color, self._color("panel"), _DIM)
        elif self._way and not walked:
            color = mix(color, self._color("panel"), _DIM)
        pen = QPen(color, width)
        if flow.rejection or (mark and tone == "failed"):
            pen.setStyle(Qt.PenStyle.DashLine)
        self._line(edge.path, pen, color)
        self._painter.drawPolygon(edge.arrow)

    def _label(self, edge: Edge) -> None:
        flow = edge.flow
        pair = flow.source, flow.target
        mark = MARKS.get(self._overlay.way_marks.get(pair, ""))
        words = flow_words(flow, self._overlay)
        if not words:
            return
        left = 15.0 if mark else 0.0
        static, width = text_cut(words, int(GAP - 10 - left), 11, pair in self._way)
        at = QPointF(edge.label.x() - (width + left) / 2, edge.label.y() - 16)
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(self._color("panel"))
        self._painter.drawRect(QRectF(at.x() - 3, at.y(), width + left + 6, 14))
        tone = "text" if pair in self._way else mark[1] if mark else "failed" if flow.rejection else "muted"
        if mark:
            image = glyphs.pixmap(mark[0], self._color(mark[1]).name(), 12, self._ratio)
            self._painter.drawPixmap(QPointF(at.x(), at.y() + 1), image)
        self._draw(static, QPointF(at.x() + left, at.y()), 11, tone, bold=pair in self._way)

    def _box(self, number: int, box: Box) -> None:
        faded = bool(self._way) and box.node.status not in self._stations
        self._painter.setOpacity(0.45 if faded else 1.0)
        super()._box(number, box)
        mark = MARKS.get(self._overlay.marks.get(box.node.status, ""))
        if mark or box.node.status in self._stations:
            pen = QPen(self._color(mark[1] if mark else "accent"), 2.0)
            if mark and mark[1] == "failed":
                pen.setStyle(Qt.PenStyle.DashLine)
            self._painter.setPen(pen)
            self._painter.setBrush(Qt.BrushStyle.NoBrush)
            self._painter.drawRoundedRect(box.rect, RADIUS, RADIUS)
        self._painter.setOpacity(1.0)

    def _texts(self, box: Box, glyph: str, state: str) -> None:
        node, rect = box.node, box.rect
        kind = self._overlay.marks.get(node.status, "")
        mark = MARKS.get(kind)
        name, _ = text_cut(plain(node.status, 120), int(rect.width() - _LEFT - 32), 12, False)
        self._draw(name, QPointF(rect.left() + _LEFT, rect.top() + 10), 12, "text")
        image = glyphs.pixmap(glyph, self._color(state).name(), 14, self._ratio)
        self._painter.drawPixmap(QPointF(rect.right() - 24, rect.top() + 10), image)
        left = rect.left() + _LEFT
        if mark:
            image = glyphs.pixmap(mark[0], self._color(mark[1]).name(), 12, self._ratio)
            self._painter.drawPixmap(QPointF(left, rect.top() + 33), image)
            left += 16
        words, tone = self._second(box, kind)
        static, _ = text_cut(words, int(rect.right() - left - 8), 11, False)
        self._draw(static, QPointF(left, rect.top() + 32), 11, tone)

    def _second(self, box: Box, mark: str) -> tuple[str, str]:
        """A box's second line, and its colour."""
        node = box.node
        if mark:
            return mark, MARKS[mark][1] if mark in MARKS else "muted"
        if self._overlay.lives is not None:
            ended = self._overlay.ends.get(node.status, 0)
            return (f"{count(ended)} ended here", "text") if ended else ("none ended here", "muted")
        if node.findings:
            return plain(node.findings[0], 80), "retrying"
        return role(node)[2], "muted"
