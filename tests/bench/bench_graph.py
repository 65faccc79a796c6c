"""The step graph: layout time and crossings, frames by zoom, next to an item per node in a QGraphicsScene.

``python -m tests.bench.bench_graph [NODES …]`` prints one JSON line a measurement: CPU ms, and ratios of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import networkx as nx
import numpy as np
from PySide6.QtCore import QLineF, QRectF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QApplication, QGraphicsScene

from engine_bridge.graph import Node, RunGraph
from engine_bridge.model import StepKind, StepStatus
from widgets import theme
from widgets.graph import GraphView
from widgets.graph.layout import Layout, layout
from widgets.graph.scene import NODE_HEIGHT, GraphScene, _flatten

_SIZE = (1600, 900)
_FRAMES = 60


def pipeline(nodes: int, seed: int = 1) -> nx.DiGraph:
    """A layered graph like a large data pipeline: most edges to the next layer, near by, some across two."""
    random_ = random.Random(seed)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(nodes))
    width = max(4, int(nodes**0.5 * 0.6))
    for node in range(width, nodes):
        for _ in range(random_.choice((1, 1, 1, 2, 2))):
            back = 1 if random_.random() < 0.85 else random_.randint(2, 3)
            column = min(width - 1, max(0, node % width + random_.randint(-3, 3)))
            graph.add_edge(max(0, node // width - back) * width + column, node, kind="order", count=1)
    return graph


def cpu_ms(action: Callable[[], object]) -> float:
    started = time.process_time()
    action()
    return (time.process_time() - started) * 1e3


def scene_of(graph: nx.DiGraph, placed: Layout) -> GraphScene:
    count = len(placed.x)
    nodes = [Node(f"step_{i}", StepKind.STEP, [i]) for i in range(count)]
    edges = len(placed.edges)
    scene = GraphScene(
        RunGraph(nodes, graph, np.arange(count, dtype=np.int32)),
        placed,
        [node.name for node in nodes],
        np.full(count, 120.0),
        np.zeros(edges, np.uint8),
        np.ones(edges, np.int64),
    )
    _flatten(scene)
    return scene


def frames(view: GraphView, move: Callable[[int], None]) -> tuple[float, float]:
    """Median and 99th percentile of CPU ms a frame."""
    image = QImage(*_SIZE, QImage.Format.Format_ARGB32_Premultiplied)
    spent = []
    for i in range(_FRAMES):
        move(i)
        spent.append(cpu_ms(lambda: view.render(image)))
    spent.sort()
    return spent[_FRAMES // 2], spent[-1]


def item_per_node(placed: Layout) -> float:
    """CPU ms of one full frame of a QGraphicsScene with an item for every node and edge."""
    scene = QGraphicsScene()
    for x, y in zip(placed.x.tolist(), placed.y.tolist(), strict=True):
        scene.addRect(QRectF(x - 60, y - NODE_HEIGHT / 2, 120, NODE_HEIGHT))
    for route in placed.routes:
        for (x0, y0), (x1, y1) in zip(route[:-1].tolist(), route[1:].tolist(), strict=True):
            scene.addLine(QLineF(x0, y0, x1, y1))
    image = QImage(*_SIZE, QImage.Format.Format_ARGB32_Premultiplied)

    def draw() -> None:
        with QPainter(image) as painter:
            scene.render(painter)

    draw()
    return sorted(cpu_ms(draw) for _ in range(5))[2]


def measure(nodes: int) -> None:
    graph = pipeline(nodes)
    widths = np.full(nodes, 120.0)
    spent = sorted(cpu_ms(lambda: layout(graph, widths, NODE_HEIGHT)) for _ in range(3))[1]
    placed = layout(graph, widths, NODE_HEIGHT)
    report(bench="graph layout", nodes=nodes, cpu_ms=round(spent, 1), crossings=placed.crossings)
    view = GraphView()
    view.resize(*_SIZE)
    view.show_scene(scene_of(graph, placed), [(StepStatus.COMPLETED, 1)] * nodes)
    base = item_per_node(placed)
    moves: dict[str, Callable[[int], None]] = {
        "fit": lambda i: None,
        "zoom": lambda i: view.zoom(1.15 if i % 30 < 15 else 1 / 1.15),
        "pan": lambda i: view.pan(9, 7),
    }
    for name, move in moves.items():
        median, worst = frames(view, move)
        report(
            bench=f"graph {name}",
            nodes=nodes,
            median_ms=round(median, 2),
            p99_ms=round(worst, 2),
            ratio_to_item_per_node=round(median / base, 4),
        )
    view.deleteLater()


def report(**values: object) -> None:
    print(json.dumps(values), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nodes", type=int, nargs="*", default=[200, 2_000, 10_000])
    app = QApplication([])
    theme.apply(app, "dark")
    for nodes in parser.parse_args().nodes:
        measure(nodes)


if __name__ == "__main__":
    main()
