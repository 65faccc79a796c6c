"""Paints a laid-out step graph with level of detail: cost follows what is visible. GUI thread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF

from engine_bridge.model import StepStatus
from widgets import glyphs
from widgets.graph.scene import NODE_HEIGHT, GraphScene
from widgets.theme import RADIUS, Theme, font, mix, theme

_TEXT_SCALE = 0.42  # below it, text is illegible and nodes are plain boxes
_CURVES_MAX = 600
_ARROW = 5.0
_GLYPH = 13


class GraphPainter:
    """Paints scenes; keeps no state but elided labels."""

    def __init__(self) -> None:
        self._elided: dict[tuple[str, int], str] = {}

    def empty(self, painter: QPainter, rect: QRect, has_run: bool) -> None:
        """The empty state."""
        t = theme()
        painter.fillRect(rect, t.color("panel"))
        painter.setPen(t.color("muted"))
        painter.setFont(font(12))
        text = "No step is recorded yet. Steps appear here as they finish." if has_run else "No run is open."
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)

    def paint(
        self,
        painter: QPainter,
        rect: QRect,
        scene: GraphScene,
        states: list[tuple[StepStatus, int]],
        selected: int,
        scale: float,
        origin: QPointF,
    ) -> None:
        """Paints ``scene`` with node states (status, done), scaled about the origin in px."""
        t = theme()
        painter.fillRect(rect, t.color("panel"))
        painter.translate(origin)
        painter.scale(scale, scale)
        area = QRectF(
            -origin.x() / scale, -origin.y() / scale, rect.width() / scale, rect.height() / scale
        ).adjusted(-20, -20, 20, 20)
        visible = _visible_nodes(scene, area)
        near = scale >= _TEXT_SCALE
        self._edges(painter, scene, area, t, curves=near)
        if near:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for index in visible.tolist():
                self._node(painter, scene, index, states, index == selected, t)
        else:
            self._boxes(painter, scene, visible, states, selected, t)

    def _edges(self, painter: QPainter, scene: GraphScene, area: QRectF, t: Theme, *, curves: bool) -> None:
        s = scene.segments
        if not len(s):
            return
        # The negation of "wholly on one side of the area".
        shown = np.flatnonzero(
            (np.maximum(s[:, 0], s[:, 2]) >= area.left())
            & (np.minimum(s[:, 0], s[:, 2]) <= area.right())
            & (np.maximum(s[:, 1], s[:, 3]) >= area.top())
            & (np.minimum(s[:, 1], s[:, 3]) <= area.bottom())
        )
        edges = np.unique(scene.segment_edge[shown])
        if curves and len(edges) <= _CURVES_MAX:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for edge in edges.tolist():
                self._curve(painter, scene, edge, t)
            return
        painter.setPen(QPen(mix(t.color("muted"), t.color("panel"), 0.5), 0))
        painter.drawLines([QLineF(*row) for row in _thin(s[shown], area).tolist()])

    def _curve(self, painter: QPainter, scene: GraphScene, edge: int, t: Theme) -> None:
        a, b = scene.layout.edges[edge]
        points = scene.layout.routes[edge]
        kind = int(scene.edge_kind[edge])
        color = t.color("retrying") if kind == 1 else t.color("waiting") if kind == 2 else t.color("muted")
        pen = QPen(color, 1.3)
        if kind:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if kind == 1:
            path, tip = _loop_path(scene, a, b)
        else:
            path, tip = _down_path(points)
        painter.drawPath(path)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        painter.drawPolygon(_arrow(tip, sideways=kind == 1))
        if kind == 1:
            painter.setPen(color)
            painter.setFont(font(11))
            painter.drawText(path.pointAtPercent(0.5) + QPointF(4, 4), f"× {int(scene.edge_count[edge]) + 1}")

    def _node(
        self,
        painter: QPainter,
        scene: GraphScene,
        index: int,
        states: list[tuple[StepStatus, int]],
        selected: bool,
        t: Theme,
    ) -> None:
        node = scene.run_graph.nodes[index]
        status, done = states[index] if index < len(states) else (StepStatus.PENDING, 0)
        pending = status is StepStatus.PENDING
        rect = _rect(scene, index)
        stroke = t.color("accent") if selected else t.state(status)
        pen = QPen(stroke, 2.2 if selected else 1.2)
        if pending or node.child is not None:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(t.color("panel") if pending else t.fill(status))
        painter.drawRoundedRect(rect, RADIUS, RADIUS)
        glyph = glyphs.pixmap(glyphs.state_glyph(status), t.state(status).name(), _GLYPH, 2.0)
        painter.drawPixmap(QPointF(rect.left() + 8, rect.center().y() - _GLYPH / 2), glyph)
        badge = f"{done}/{node.count}" if node.count > 1 and node.child is None else ""
        face = font(12)
        width = rect.width() - 30 - (QFontMetricsF(font(11)).horizontalAdvance(badge) + 8 if badge else 0) - 6
        painter.setPen(t.color("faint" if pending else "text"))
        painter.setFont(face)
        text = self._elide(scene.labels[index], int(width), face)
        painter.drawText(rect.adjusted(27, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, text)
        if badge:
            painter.setPen(t.color("muted"))
            painter.setFont(font(11))
            painter.drawText(
                rect.adjusted(0, 0, -8, 0), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, badge
            )

    def _elide(self, text: str, width: int, face: QFont) -> str:
        key = (text, width)
        if key not in self._elided:
            if len(self._elided) > 5_000:
                self._elided.clear()
            self._elided[key] = QFontMetricsF(face).elidedText(text, Qt.TextElideMode.ElideRight, width)
        return self._elided[key]

    def _boxes(
        self,
        painter: QPainter,
        scene: GraphScene,
        visible: NDArray[np.intp],
        states: list[tuple[StepStatus, int]],
        selected: int,
        t: Theme,
    ) -> None:
        by_color: dict[str, list[QRectF]] = {}
        for index in visible.tolist():
            status = states[index][0] if index < len(states) else StepStatus.PENDING
            by_color.setdefault(t.state(status).name(), []).append(_rect(scene, index))
        painter.setPen(Qt.PenStyle.NoPen)
        for color, rects in by_color.items():
            painter.setBrush(QColor(color))
            painter.drawRects(rects)
        if selected >= 0:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(t.color("accent"), 0))
            painter.drawRect(_rect(scene, selected).adjusted(-6, -6, 6, 6))


def _thin(segments: NDArray[np.float64], area: QRectF) -> NDArray[np.float64]:
    """Of segments that fall on the same cells of a 400 x 400 raster, one: more cannot be told apart."""
    if len(segments) < 4_000:
        return segments
    cell = max(area.width(), area.height()) / 400
    keys = np.floor(segments / cell).astype(np.int32)
    _, first = np.unique(keys.view([("", np.int32)] * 4), return_index=True)
    return segments[first]


def _visible_nodes(scene: GraphScene, area: QRectF) -> NDArray[np.intp]:
    placed, half = scene.layout, scene.widths / 2
    return np.flatnonzero(
        (placed.x + half >= area.left())
        & (placed.x - half <= area.right())
        & (placed.y + NODE_HEIGHT / 2 >= area.top())
        & (placed.y - NODE_HEIGHT / 2 <= area.bottom())
    )


def _rect(scene: GraphScene, index: int) -> QRectF:
    width = float(scene.widths[index])
    x, y = float(scene.layout.x[index]), float(scene.layout.y[index])
    return QRectF(x - width / 2, y - NODE_HEIGHT / 2, width, NODE_HEIGHT)


def _down_path(points: NDArray[np.float64]) -> tuple[QPainterPath, QPointF]:
    """A smooth path over the bends, from a node's lower edge to the next one's upper edge."""
    half = NODE_HEIGHT / 2
    start, end = QPointF(points[0, 0], points[0, 1] + half), QPointF(points[-1, 0], points[-1, 1] - half)
    path = QPainterPath(start)
    inner = [QPointF(x, y) for x, y in points[1:-1].tolist()]
    before = start
    for point in [*inner, end]:
        middle = (before.y() + point.y()) / 2
        path.cubicTo(QPointF(before.x(), middle), QPointF(point.x(), middle), point)
        before = point
    return path, end


def _loop_path(scene: GraphScene, a: int, b: int) -> tuple[QPainterPath, QPointF]:
    """A bow on the right-hand side, from a loop's last step back to its first."""
    source, target = _rect(scene, a), _rect(scene, b)
    start, end = QPointF(source.right(), source.center().y()), QPointF(target.right(), target.center().y())
    bow = max(source.right(), target.right()) + 26
    path = QPainterPath(start)
    path.cubicTo(QPointF(bow, start.y()), QPointF(bow, end.y()), end)
    return path, end


def _arrow(tip: QPointF, *, sideways: bool) -> QPolygonF:
    if sideways:
        return QPolygonF(
            [tip, tip + QPointF(_ARROW * 1.4, -_ARROW / 1.4), tip + QPointF(_ARROW * 1.4, _ARROW / 1.4)]
        )
    return QPolygonF(
        [tip, tip + QPointF(-_ARROW / 1.4, -_ARROW * 1.4), tip + QPointF(_ARROW / 1.4, -_ARROW * 1.4)]
    )
