"""Where statuses stand and how the ways between them run, in px, left to right. No Qt; any thread.

Columns, and the order in them, are those of the step graph's layered layout (longest path from the initial status),
turned by a quarter. Ways back and ways nobody declared are arcs above it; statuses no config knows stand apart, below.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from engine_bridge.graph import library
from engine_bridge.populations import Flow, Population, StatusNode
from widgets.graph.layout import ROW_GAP, layout

NODE_W: Final = 168.0
NODE_H: Final = 56.0
COLUMN_GAP: Final = 68.0
APART_GAP: Final = 74.0  # between the graph and what stands apart: staged arcs run through it
_ROW_SPACE: Final = 12.0
_LEVEL: Final = 24.0
_RISE: Final = 30.0
_SIDE: Final = 0.26  # of a node's height: where arcs leave it, beside the ways forward
_BUDGET_S: Final = 0.006

Point = tuple[float, float]
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """The way of an edge. ``curve``: smooth through its points; ``bow``: one cubic of four points; ``corner``:
    straight pieces with rounded corners. ``label`` is where its text stands; ``tip`` the direction of the arrow."""

    points: tuple[Point, ...]
    shape: Literal["curve", "bow", "corner"]
    label: Point
    tip: Point


@dataclass(slots=True)
class Layout:
    """Left upper corners of the boxes by status, the size of all, and a route for each pair of statuses."""

    boxes: dict[str, Point] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    routes: dict[tuple[str, str], Route] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0
    bottom: float = 0.0  # of what does not stand apart

    def centre(self, status: str) -> Point:
        x, y = self.boxes[status]
        return x + NODE_W / 2, y + NODE_H / 2


def topology(population: Population) -> Key:
    """What a layout depends on: two populations with the same one share it."""
    nodes = tuple((node.status, node.role) for node in population.nodes)
    return nodes, tuple((flow.source, flow.target, flow.declared) for flow in population.flows)


def merged(flows: Iterable[Flow]) -> list[Flow]:
    """One flow for each pair of statuses, in the order they came."""
    found: dict[tuple[str, str], Flow] = {}
    for flow in flows:
        pair = flow.source, flow.target
        found[pair] = _both(found[pair], flow) if pair in found else flow
    return list(found.values())


def _both(one: Flow, two: Flow) -> Flow:
    shares = [flow.share for flow in (one, two) if flow.share is not None]
    return Flow(
        source=one.source,
        target=one.target,
        declared=one.declared or two.declared,
        steps=tuple(dict.fromkeys((*one.steps, *two.steps))),
        requesters=tuple(dict.fromkeys((*one.requesters, *two.requesters))),
        count=one.count + two.count,
        share=sum(shares) if shares else None,
        rejection=one.rejection and two.rejection,
    )


def place(population: Population) -> Layout:
    """Lays out a population's graph; flows from or to statuses that it does not list are left out."""
    nodes = sorted(population.nodes, key=lambda node: node.role != "initial")
    known = [node for node in nodes if node.role != "unknown"]
    apart = tuple(node.status for node in nodes if node.role == "unknown")
    names = {node.status for node in nodes}
    flows = [flow for flow in merged(population.flows) if {flow.source, flow.target} <= names]
    placed = Layout(apart=apart)
    bends = _columns(placed, known, [flow for flow in flows if not {flow.source, flow.target} & set(apart)])
    _stand_apart(placed, apart)
    _route(placed, flows, bends)
    _settle(placed)
    return placed


def _columns(
    placed: Layout, known: Sequence[StatusNode], flows: Sequence[Flow]
) -> dict[tuple[str, str], list[Point]]:
    """Places the known statuses; answers the bends of ways that run forward over several columns."""
    if not known:
        return {}
    index = {node.status: number for number, node in enumerate(known)}
    declared = any(flow.declared for flow in flows)
    graph = library().DiGraph()
    graph.add_nodes_from(range(len(known)))
    for flow in flows:
        ranks = (flow.declared or not declared) and flow.source != flow.target
        kind = "order" if ranks else "loop"
        graph.add_edge(index[flow.source], index[flow.target], kind=kind)
    heights = np.full(len(known), NODE_H + _ROW_SPACE)
    turned = layout(graph, heights, NODE_W + COLUMN_GAP - ROW_GAP, budget_s=_BUDGET_S)
    left = (NODE_W + COLUMN_GAP - ROW_GAP) / 2
    xs, ys = (turned.y - left).tolist(), (turned.x - NODE_H / 2).tolist()
    placed.boxes = {node.status: (xs[n], ys[n]) for n, node in enumerate(known)}
    bends = {}
    for (a, b), route in zip(turned.edges, turned.routes, strict=True):
        inner = [(float(y) - left + NODE_W / 2, float(x)) for x, y in route[1:-1].tolist()]
        bends[known[a].status, known[b].status] = inner
    return bends


def _stand_apart(placed: Layout, apart: Sequence[str]) -> None:
    right = max((x for x, _ in placed.boxes.values()), default=3 * (NODE_W + COLUMN_GAP)) + NODE_W
    placed.bottom = max((y + NODE_H for _, y in placed.boxes.values()), default=0.0)
    across = max(1, int((right + COLUMN_GAP) // (NODE_W + COLUMN_GAP)))
    top = placed.bottom + APART_GAP if placed.boxes else 20.0
    for number, status in enumerate(apart):
        row, column = divmod(number, across)
        placed.boxes[status] = (column * (NODE_W + COLUMN_GAP), top + row * (NODE_H + 2 * _ROW_SPACE))


def _route(placed: Layout, flows: Sequence[Flow], bends: dict[tuple[str, str], list[Point]]) -> None:
    arcs = []
    declared = any(flow.declared for flow in flows)
    for flow in flows:
        pair = flow.source, flow.target
        forward = placed.boxes[flow.target][0] > placed.boxes[flow.source][0]
        if set(pair) & set(placed.apart):
            placed.routes[pair] = _across(placed, *pair)
        elif forward and (flow.declared or not declared):
            placed.routes[pair] = _curve(placed, *pair, bends.get(pair, []))
        else:
            arcs.append(pair)
    for pair, level in levels(placed, arcs).items():
        placed.routes[pair] = arc(placed, *pair, level)


def levels(placed: Layout, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """How high each arc runs, so that no two lie upon each other: short ones lowest."""
    spans = {pair: sorted((placed.centre(pair[0])[0], placed.centre(pair[1])[0])) for pair in pairs}
    found: dict[tuple[str, str], int] = {}
    for pair in sorted(spans, key=lambda pair: spans[pair][1] - spans[pair][0]):
        low, high = spans[pair]
        taken = {
            level for other, level in found.items() if spans[other][0] <= high and low <= spans[other][1]
        }
        found[pair] = next(level for level in range(len(spans)) if level not in taken)
    return found


def _curve(placed: Layout, source: str, target: str, bends: Sequence[Point]) -> Route:
    (x0, y0), (x1, y1) = placed.boxes[source], placed.boxes[target]
    start, end = (x0 + NODE_W, y0 + NODE_H / 2), (x1, y1 + NODE_H / 2)
    first = bends[0] if bends else end
    reach = min(COLUMN_GAP, first[0] - start[0])
    label = (start[0] + reach / 2, (start[1] + first[1]) / 2)
    return Route((start, *bends, end), "curve", label, (1.0, 0.0))


def _across(placed: Layout, source: str, target: str) -> Route:
    """Between a status that stands apart and any other: up or down."""
    (x0, y0), (x1, y1) = placed.boxes[source], placed.boxes[target]
    down = y1 > y0
    start = (x0 + NODE_W * 0.6, y0 + (NODE_H if down else 0.0))
    end = (x1 + NODE_W * 0.4, y1 + (0.0 if down else NODE_H))
    if y0 == y1:
        start, end = (x0 + NODE_W * 0.6, y0), (x1 + NODE_W * 0.4, y1)
    reach = max(24.0, abs(end[1] - start[1]) / 2) * (1 if down else -1)
    back = -reach if y0 != y1 else reach
    points = (start, (start[0], start[1] + reach), (end[0], end[1] + back), end)
    tip = (0.0, 1.0 if down or y0 == y1 else -1.0)
    return Route(points, "bow", _middle(points), tip)


def _middle(points: Sequence[Point]) -> Point:
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = points
    return (ax + 3 * bx + 3 * cx + dx) / 8, (ay + 3 * by + 3 * cy + dy) / 8


def arc(placed: Layout, source: str, target: str, level: int, *, below: bool = False) -> Route:
    """An arc above the boxes (``below``: under them), ``level`` steps further out than the lowest one."""
    if {source, target} & set(placed.apart):
        return _across(placed, source, target)
    sign = 1.0 if below else -1.0
    (x0, y0), (x1, y1) = placed.boxes[source], placed.boxes[target]
    between = [
        y
        for status, (x, y) in placed.boxes.items()
        if min(x0, x1) <= x <= max(x0, x1) and status not in placed.apart
    ]
    edge = max(between) + NODE_H if below else min(between)
    far = edge + sign * (_RISE + level * _LEVEL)
    if _clear(placed, source, below) and _clear(placed, target, below):
        return _bow((x0, y0), (x1, y1), far, below)
    return _corners((x0, y0), (x1, y1), far, sign)


def _clear(placed: Layout, status: str, below: bool) -> bool:
    """Whether nothing of the graph stands above (below) a status."""
    x0, y0 = placed.boxes[status]
    return not any(
        x == x0 and (y > y0 if below else y < y0)
        for other, (x, y) in placed.boxes.items()
        if other not in placed.apart
    )


def _bow(source: Point, target: Point, far: float, below: bool) -> Route:
    high = NODE_H if below else 0.0
    forward = target[0] > source[0] or (target[0] == source[0] and below)
    out, into = (0.7, 0.3) if forward else (0.3, 0.7)
    start, end = (source[0] + NODE_W * out, source[1] + high), (target[0] + NODE_W * into, target[1] + high)
    # A cubic comes three quarters of the way to its handles.
    handle = start[1] + (far - start[1]) / 0.75, end[1] + (far - end[1]) / 0.75
    points = (start, (start[0], handle[0]), (end[0], handle[1]), end)
    return Route(points, "bow", _middle(points), (0.0, -1.0 if below else 1.0))


def _corners(source: Point, target: Point, far: float, sign: float) -> Route:
    """Through the gaps beside the columns: the boxes above the two ends stay untouched."""
    lift = NODE_H * (0.5 + sign * _SIDE)
    forward = target[0] > source[0]
    out = source[0] + NODE_W if forward else source[0]
    into = target[0] if forward or target[0] == source[0] else target[0] + NODE_W
    away, before = (1, -1) if forward else (-1, -1 if target[0] == source[0] else 1)
    gap = COLUMN_GAP * 0.28
    start, end = (out, source[1] + lift), (into, target[1] + lift)
    bends = (
        (out + away * gap, start[1]),
        (out + away * gap, far),
        (into + before * gap * 0.6, far),
        (into + before * gap * 0.6, end[1]),
    )
    label = ((bends[1][0] + bends[2][0]) / 2, far)
    return Route((start, *bends, end), "corner", label, (float(-before), 0.0))


def _settle(placed: Layout) -> None:
    """Moves everything so that arcs and their labels begin at the origin, and measures it."""
    points = [point for route in placed.routes.values() for point in _outline(route)]
    tops = [y for _, y in placed.boxes.values()] + [y - 16.0 for _, y in points]
    lefts = [x for x, _ in placed.boxes.values()] + [x for x, _ in points]
    top, left = min(tops, default=0.0), min(lefts, default=0.0)

    def move(point: Point) -> Point:
        return point[0] - left, point[1] - top

    placed.boxes = {status: move(corner) for status, corner in placed.boxes.items()}
    placed.routes = {
        pair: Route(tuple(map(move, r.points)), r.shape, move(r.label), r.tip)
        for pair, r in placed.routes.items()
    }
    placed.bottom -= top
    placed.width = max((x + NODE_W for x, _ in placed.boxes.values()), default=0.0)
    placed.height = max((y + NODE_H for _, y in placed.boxes.values()), default=0.0)


def _outline(route: Route) -> Sequence[Point]:
    return (route.points[0], route.label, route.points[-1]) if route.shape == "bow" else route.points
