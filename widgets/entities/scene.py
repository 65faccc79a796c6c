"""A status graph ready to be painted: boxes, paths and texts, made once for a population. GUI thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath, QPolygonF

from engine_bridge.populations import Flow, Population, StatusNode
from widgets.entities.layout import NODE_H, NODE_W, Layout, Route, arc, levels, merged

_ARROW = 6.5
_ROUND = 10.0


@dataclass(frozen=True, slots=True)
class Box:
    """A status with its place."""

    node: StatusNode
    rect: QRectF


@dataclass(frozen=True, slots=True)
class Edge:
    """A way with its path, arrow and the place of its text."""

    flow: Flow
    path: QPainterPath
    arrow: QPolygonF
    label: QPointF
    bounds: QRectF


@dataclass(frozen=True, slots=True)
class StagedArc:
    """Staged moves from one status to another; ``source`` "" where it is not known yet."""

    source: str
    target: str
    count: int
    path: QPainterPath
    arrow: QPolygonF
    label: QPointF


@dataclass(slots=True)
class Scene:
    """Everything that is painted; ``boxes`` in the order in which the keyboard walks them."""

    population: Population
    layout: Layout
    boxes: list[Box] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    staged: list[StagedArc] = field(default_factory=list)
    bounds: QRectF = field(default_factory=QRectF)

    @property
    def declares(self) -> bool:
        """Whether any way is declared; else all that was observed is as good as any."""
        return any(edge.flow.declared for edge in self.edges)

    def find(self, status: str) -> int:
        """The number of a status's box, -1 where there is none."""
        return next((n for n, box in enumerate(self.boxes) if box.node.status == status), -1)

    def box_at(self, point: QPointF) -> int:
        """The box under a point of the scene, -1 for none."""
        return next((n for n, box in enumerate(self.boxes) if box.rect.contains(point)), -1)

    def edge_at(self, point: QPointF, reach: float) -> Edge | None:
        """The way within ``reach`` px of a point."""
        near = QRectF(point.x() - reach, point.y() - reach, 2 * reach, 2 * reach)
        return next((e for e in self.edges if e.bounds.intersects(near) and _touches(e.path, near)), None)


def build(population: Population, placed: Layout) -> Scene:
    """Puts a population's figures into a layout of the same topology."""
    scene = Scene(population, placed)
    boxes = [
        Box(node, QRectF(*placed.boxes[node.status], NODE_W, NODE_H))
        for node in population.nodes
        if node.status in placed.boxes
    ]
    scene.boxes = sorted(boxes, key=lambda box: (box.node.status in placed.apart, box.rect.x(), box.rect.y()))
    for flow in merged(population.flows):
        route = placed.routes.get((flow.source, flow.target))
        if route is not None:
            path = path_of(route)
            reach = path.boundingRect().adjusted(-2, -2, 2, 2)
            scene.edges.append(Edge(flow, path, _arrow(route), QPointF(*route.label), reach))
    measure(scene)
    return scene


def stage(scene: Scene, moves: Mapping[tuple[str, str], int]) -> None:
    """Draws staged moves, given by (source, target), under the graph. Unknown targets are left out."""
    placed = scene.layout
    pairs = [pair for pair in moves if pair[1] in placed.boxes]
    bows = [pair for pair in pairs if pair[0] in placed.boxes]
    level = levels(placed, bows)
    scene.staged = [
        _staged(
            pair, moves[pair], arc(placed, *pair, level[pair], below=True) if pair in level else None, scene
        )
        for pair in pairs
    ]
    measure(scene)


def _staged(pair: tuple[str, str], number: int, route: Route | None, scene: Scene) -> StagedArc:
    if route is None:
        x, y = scene.layout.boxes[pair[1]]
        start, end = (x + NODE_W / 2 - 40, y + NODE_H + 34), (x + NODE_W / 2, y + NODE_H)
        points = (start, (start[0] + 30, start[1]), (end[0], end[1] + 22), end)
        route = Route(points, "bow", (start[0], start[1] + 8), (0.0, -1.0))
    return StagedArc(*pair, number, path_of(route), _arrow(route), QPointF(*route.label))


def measure(scene: Scene) -> None:
    """The scene's bounds: boxes, ways and staged arcs with their pills."""
    bounds = QRectF(0, 0, scene.layout.width, scene.layout.height)
    for edge in scene.edges:
        bounds = bounds.united(edge.bounds)
    for staged in scene.staged:
        bounds = bounds.united(staged.path.boundingRect().adjusted(0, 0, 0, 14))
    scene.bounds = bounds


def path_of(route: Route) -> QPainterPath:
    """A route as a path."""
    points = [QPointF(x, y) for x, y in route.points]
    path = QPainterPath(points[0])
    if route.shape == "bow":
        path.cubicTo(*points[1:])
    elif route.shape == "curve":
        for before, after in pairwise(points):
            middle = (before.x() + after.x()) / 2
            path.cubicTo(QPointF(middle, before.y()), QPointF(middle, after.y()), after)
    else:
        _rounded(path, points)
    return path


def _rounded(path: QPainterPath, points: list[QPointF]) -> None:
    for number in range(1, len(points) - 1):
        before, corner, after = points[number - 1 : number + 2]
        path.lineTo(_towards(corner, before))
        path.quadTo(corner, _towards(corner, after))
    path.lineTo(points[-1])


def _towards(corner: QPointF, other: QPointF) -> QPointF:
    gap = other - corner
    length = (gap.x() ** 2 + gap.y() ** 2) ** 0.5
    return corner if not length else corner + gap * (min(_ROUND, length / 2) / length)


def _arrow(route: Route) -> QPolygonF:
    (x, y), (dx, dy) = route.points[-1], route.tip
    back = QPointF(x - dx * _ARROW * 1.3, y - dy * _ARROW * 1.3)
    aside = QPointF(-dy * _ARROW * 0.62, dx * _ARROW * 0.62)
    return QPolygonF([QPointF(x, y), back + aside, back - aside])


def _touches(path: QPainterPath, near: QRectF) -> bool:
    steps = max(8, int(path.length() / 6))
    return any(near.contains(path.pointAtPercent(number / steps)) for number in range(steps + 1))
