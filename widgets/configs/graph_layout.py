"""The status graph's layout with wider gaps: on a config's graph the steps stand on the ways. No Qt; any thread."""

from __future__ import annotations

from typing import Final

from widgets.entities.layout import COLUMN_GAP, NODE_W, Layout, Point, Route

GAP: Final = 116.0  # px between two columns: room for the name of a step
_PITCH: Final = NODE_W + COLUMN_GAP
_MORE: Final = GAP - COLUMN_GAP


def widen(placed: Layout) -> Layout:
    """The same layout with the gaps between its columns stretched; boxes keep their size."""
    if not placed.boxes:
        return placed
    first = min(x for x, _ in placed.boxes.values())

    def move(point: Point) -> Point:
        column, within = divmod(point[0] - first, _PITCH)
        between = max(0.0, within - NODE_W) / COLUMN_GAP
        return point[0] + (column + between) * _MORE, point[1]

    boxes = {status: move(corner) for status, corner in placed.boxes.items()}
    routes = {
        pair: Route(tuple(map(move, r.points)), r.shape, move(r.label), r.tip)
        for pair, r in placed.routes.items()
    }
    width = max(x + NODE_W for x, _ in boxes.values())
    return Layout(boxes, placed.apart, routes, width, placed.height, placed.bottom)
