"""What the graph view paints: nodes, texts and edges as flat arrays, made once per history. No painting here.

Built in a worker thread for large histories: it uses font metrics through plain numbers only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine_bridge import format as fmt
from engine_bridge.graph import Node, RunGraph, observed
from engine_bridge.history import History
from engine_bridge.model import StepKind
from widgets.graph.layout import Layout, layout

NODE_HEIGHT = 28.0
_MIN_WIDTH, _MAX_WIDTH = 84.0, 240.0
_CHROME = 44.0  # glyph, padding and the count badge


@dataclass(slots=True)
class GraphScene:
    """A laid-out graph. ``edge_kind`` is 0 order, 1 loop, 2 child, 3 back."""

    run_graph: RunGraph
    layout: Layout
    labels: list[str] = field(default_factory=list)
    widths: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    edge_kind: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    edge_count: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    segments: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))
    segment_edge: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


ORDER, LOOP, CHILD, BACK = range(4)
_EDGE_KINDS = {"order": ORDER, "loop": LOOP, "child": CHILD, "back": BACK}


def build(history: History, char_px: float, *, fold: bool = True) -> GraphScene:
    """Observes and lays out a history's graph; ``char_px`` is the mean width of a character."""
    run_graph = observed(history, fold=fold)
    labels = [label(node) for node in run_graph.nodes]
    widths = np.array([_width(t, n, char_px) for t, n in zip(labels, run_graph.nodes, strict=True)])
    placed = layout(run_graph.graph, widths, NODE_HEIGHT)
    data = [run_graph.graph.edges[edge] for edge in placed.edges]
    scene = GraphScene(
        run_graph,
        placed,
        labels,
        widths,
        np.array([_EDGE_KINDS[d["kind"]] for d in data], np.uint8),
        np.array([d["count"] for d in data], np.int64),
    )
    _flatten(scene)
    return scene


def _width(text: str, node: Node, char_px: float) -> float:
    badge = 2 * len(str(node.count)) + 2 if node.count > 1 and node.child is None else 0
    return min(max((fmt.width(text) + badge) * char_px + _CHROME, _MIN_WIDTH), _MAX_WIDTH)


def label(node: Node) -> str:
    """The node's one-line text; a child run is named by its id."""
    name = fmt.plain(node.name, 60)
    return f"↳ {name}" if node.child is not None and node.kind is StepKind.CHILD and node.rows else name


def _flatten(scene: GraphScene) -> None:
    """Edge routes as straight segments (x0, y0, x1, y1), for culling and far zooms."""
    pieces, owners = [], []
    for number, route in enumerate(scene.layout.routes):
        pieces.append(np.hstack([route[:-1], route[1:]]))
        owners.append(np.full(len(route) - 1, number))
    if pieces:
        scene.segments = np.concatenate(pieces)
        scene.segment_edge = np.concatenate(owners)
