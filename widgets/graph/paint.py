"""Paints a laid-out step graph with level of detail: cost follows what is visible. GUI thread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF, QStaticText

from engine_bridge.codes import STEP_STATUSES, code
from engine_bridge.model import StepStatus
from widgets import glyphs
from widgets.graph.scene import BACK, CHILD, LOOP, NODE_HEIGHT, GraphScene
from widgets.prim import RectArray, draw_lines
from widgets.theme import RADIUS, Theme, font, mix, theme

_TEXT_SCALE = 0.42  # below it, text is illegible and nodes are plain boxes
_FINE_NODES = 120
_ARROW = 5.0
_INSET = 18.0  # px from a node's side to where a way back begins or ends
_GLYPH = 13


class GraphPainter:
    """Paints scenes; keeps no state but what makes frames cheap."""

    def __init__(self) -> None:
        self._elided: dict[tuple[str, int], str] = {}
        self._texts: dict[tuple[str, int], QStaticText] = {}
        self._paths: dict[int, tuple[QPainterPath, QPolygonF]] = {}
        self._of: GraphScene | None = None
        self._rects = RectArray()
        self._states: list[tuple[StepStatus, int]] = []
        self._codes: NDArray[np.int64] = np.zeros(0, np.int64)

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
        if scene is not self._of:
            self._of, self._paths = scene, {}
        t = theme()
        painter.fillRect(rect, t.color("panel"))
        painter.translate(origin)
        painter.scale(scale, scale)
        area = QRectF(
            -origin.x() / scale, -origin.y() / scale, rect.width() / scale, rect.height() / scale
        ).adjusted(-20, -20, 20, 20)
        visible = _visible_nodes(scene, area)
        near = scale >= _TEXT_SCALE
        fine = near and len(visible) <= _FINE_NODES
        self._edges(painter, scene, area, t, curves=fine)
        if fine:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for index in visible.tolist():
                self._node(painter, scene, index, states, index == selected, t)
            return
        self._boxes(painter, scene, visible, states, selected, t)
        if near:
            self._labels(painter, scene, visible, states, t)

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
        if curves:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for edge in sorted(set(scene.segment_edge[shown].tolist())):
                self._curve(painter, scene, edge, t)
            return
        painter.setPen(QPen(mix(t.color("muted"), t.color("panel"), 0.5), 0))
        draw_lines(painter, _thin(s[shown], area))

    def _curve(self, painter: QPainter, scene: GraphScene, edge: int, t: Theme) -> None:
        kind = int(scene.edge_kind[edge])
        bowed = kind in (LOOP, BACK)
        color = t.color("retrying") if bowed else t.color("waiting") if kind == CHILD else t.color("muted")
        pen = QPen(color, 1.3)
        if kind:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if edge not in self._paths:
            self._paths[edge] = _path(scene, kind, edge)
        path, head = self._paths[edge]
        painter.drawPath(path)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        painter.drawPolygon(head)
        times = int(scene.edge_count[edge]) + (kind == LOOP)
        if times > 1 and kind != CHILD:
            self._times(painter, path.pointAtPercent(0.5), times, color, t)

    @staticmethod
    def _times(painter: QPainter, at: QPointF, times: int, color: QColor, t: Theme) -> None:
        """How often a way was taken, on a patch that keeps lines off it."""
        face, words = font(11), f"× {times}"
        metrics = QFontMetricsF(face)
        patch = QRectF(at.x() - 2, at.y() - 7, metrics.horizontalAdvance(words) + 6, 14)
        painter.setBrush(t.color("panel"))
        painter.drawRect(patch)
        painter.setPen(color)
        painter.setFont(face)
        painter.drawText(patch, int(Qt.AlignmentFlag.AlignCenter), words)

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
        status, done = _status(states, index), states[index][1] if index < len(states) else 0
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
        """Plain boxes, one call a status: for zooms and crowds where corners cannot be seen."""
        codes = self._codes_of(states, len(scene.widths))[visible]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for status_code in np.flatnonzero(np.bincount(codes)).tolist():
            status, members = STEP_STATUSES[status_code], visible[codes == status_code]
            painter.setPen(QPen(t.state(status), 0))
            painter.setBrush(t.fill(status))
            width = scene.widths[members]
            x, y = scene.layout.x[members] - width / 2, scene.layout.y[members] - NODE_HEIGHT / 2
            self._rects.fill(x, y, width, NODE_HEIGHT)
            self._rects.draw(painter, 0, len(members))
        if selected >= 0:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(t.color("accent"), 0))
            painter.drawRect(_rect(scene, selected).adjusted(-4, -4, 4, 4))

    def _codes_of(self, states: list[tuple[StepStatus, int]], count: int) -> NDArray[np.int64]:
        """Status codes of all nodes, kept while the states are the same list."""
        if self._states is not states or len(self._codes) != count:
            self._states = states
            self._codes = np.array([code(_status(states, i)) for i in range(count)], np.int64)
        return self._codes

    def _labels(
        self,
        painter: QPainter,
        scene: GraphScene,
        visible: NDArray[np.intp],
        states: list[tuple[StepStatus, int]],
        t: Theme,
    ) -> None:
        face = font(12)
        painter.setFont(face)
        painter.setPen(t.color("text"))
        shift = NODE_HEIGHT / 2 - 8
        for index in visible.tolist():
            rect = _rect(scene, index)
            status = _status(states, index)
            glyph = glyphs.pixmap(glyphs.state_glyph(status), t.state(status).name(), _GLYPH, 1.0)
            painter.drawPixmap(QPointF(rect.left() + 8, rect.center().y() - _GLYPH / 2), glyph)
            text = self._static(scene.labels[index], int(rect.width() - 36), face)
            painter.drawStaticText(QPointF(rect.left() + 27, rect.top() + shift), text)

    def _static(self, text: str, width: int, face: QFont) -> QStaticText:
        key = (text, width)
        if key not in self._texts:
            if len(self._texts) > 5_000:
                self._texts.clear()
            made = QStaticText(self._elide(text, width, face))
            made.setTextFormat(Qt.TextFormat.PlainText)
            self._texts[key] = made
        return self._texts[key]


def _status(states: list[tuple[StepStatus, int]], index: int) -> StepStatus:
    return states[index][0] if index < len(states) else StepStatus.PENDING


def _thin(segments: NDArray[np.float64], area: QRectF) -> NDArray[np.float64]:
    """Of segments that fall on the same cells of a 300 x 300 raster, one: more cannot be told apart."""
    if len(segments) < 3_000:
        return segments
    cell = max(area.width(), area.height()) / 300
    cells = np.floor((segments - (area.left(), area.top(), area.left(), area.top())) / cell).astype(np.int64)
    keys = ((cells[:, 0] * 4_096 + cells[:, 1]) * 4_096 + cells[:, 2]) * 4_096 + cells[:, 3]
    order = np.argsort(keys, kind="stable")
    first = np.flatnonzero(np.diff(keys[order], prepend=keys[order[0]] - 1))
    kept: NDArray[np.float64] = segments[order[first]]
    return kept


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


def _path(scene: GraphScene, kind: int, edge: int) -> tuple[QPainterPath, QPolygonF]:
    """An edge's line and its arrow head."""
    a, b = scene.layout.edges[edge]
    level = int(scene.layout.rank[a]) == int(scene.layout.rank[b])
    if kind == LOOP or (kind == BACK and level):
        path, tip = _loop_path(scene, a, b)
        return path, _arrow(tip, _ARROW, 0)
    if kind == BACK:
        path, tip = _back_path(scene, a, b)
        return path, _arrow(tip, 0, _ARROW)
    path, tip = _down_path(scene.layout.routes[edge])
    return path, _arrow(tip, 0, -_ARROW)


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


def _back_path(scene: GraphScene, a: int, b: int) -> tuple[QPainterPath, QPointF]:
    """Up from a node's top to an earlier one's bottom, beside the way down and what stands between."""
    source, target = _rect(scene, a), _rect(scene, b)
    ranks = scene.layout.rank
    between = [_rect(scene, int(n)) for n in np.flatnonzero((ranks > ranks[b]) & (ranks < ranks[a]))]
    left = source.center().x() < target.center().x() and not between
    x0, x1 = ((r.left() + _INSET if left else r.right() - _INSET) for r in (source, target))
    start, end = QPointF(x0, source.top()), QPointF(x1, target.bottom())
    path = QPainterPath(start)
    if between:
        bow = max(x0, x1, *(rect.right() for rect in between)) + 2 * _INSET
        path.cubicTo(QPointF(bow, start.y() - _INSET), QPointF(bow, end.y() + _INSET), end)
    else:
        middle = (start.y() + end.y()) / 2
        path.cubicTo(QPointF(x0, middle), QPointF(x1, middle), end)
    return path, end


def _arrow(tip: QPointF, dx: float, dy: float) -> QPolygonF:
    """A head whose shaft comes from (dx, dy)."""
    foot = tip + QPointF(dx * 1.4, dy * 1.4)
    side = QPointF(dy / 1.4, dx / 1.4)
    return QPolygonF([tip, foot + side, foot - side])
