"""The status graph: layout, new figures and frames; how long the entities page takes to build.

``python -m tests.bench.bench_status_graph [STATUSES …]`` prints one JSON line a measurement: CPU ms.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from engine_bridge.populations import Population
from tests.bench.bench_graph import cpu_ms, report
from tests.widgets.entities.populations import large
from widgets import theme
from widgets.entities.graph import StatusGraph
from widgets.entities.layout import place
from widgets.entities.page import EntitiesView
from widgets.entities.scene import build, stage

_SIZE = (1330, 420)
_FRAMES = 200


def view_of(population: Population) -> StatusGraph:
    """A graph that is laid out, with two staged moves."""
    graph = StatusGraph()
    graph.resize(*_SIZE)
    key = object()
    graph._population, graph._key = population, (key,)
    graph._take(((key,), place(population)))
    names = [node.status for node in population.nodes]
    graph.set_staged({(names[1], names[3]): 2, (names[4], names[2]): 1})
    return graph


def frames(graph: StatusGraph, move: Callable[[int], None]) -> tuple[float, float]:
    """Median and 99th percentile of CPU ms a frame."""
    image = QImage(*_SIZE, QImage.Format.Format_ARGB32_Premultiplied)
    spent = []
    for number in range(_FRAMES):
        move(number)
        spent.append(cpu_ms(lambda: graph.render(image)))
    spent.sort()
    return spent[_FRAMES // 2], spent[int(_FRAMES * 0.99)]


def measure(statuses: int) -> None:
    population = large(statuses)
    spent = sorted(cpu_ms(lambda: place(population)) for _ in range(5))[2]
    report(bench="status graph layout", statuses=statuses, cpu_ms=round(spent, 1))
    graph = view_of(population)
    placed = place(population)

    def figures() -> None:
        stage(build(population, placed), {("status_001", "status_003"): 2})

    spent = sorted(cpu_ms(figures) for _ in range(9))[4]
    report(bench="status graph new figures", statuses=statuses, cpu_ms=round(spent, 2))
    moves: dict[str, Callable[[int], None]] = {
        "legible": lambda number: None,
        "pan": lambda number: graph.pan(-7 if number % 100 < 50 else 7, 0),
        "zoom": lambda number: graph.zoom(1.05 if number % 40 < 20 else 1 / 1.05),
    }
    for name, move in moves.items():
        graph.fit()
        median, worst = frames(graph, move)
        told = {"median_ms": round(median, 2), "p99_ms": round(worst, 2)}
        report(bench=f"status graph {name}", statuses=statuses, **told)
    graph.look.scale = 0.2
    median, worst = frames(graph, lambda number: None)
    report(bench="status graph whole", statuses=statuses, median_ms=round(median, 2), p99_ms=round(worst, 2))
    graph.deleteLater()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("statuses", type=int, nargs="*", default=[7, 60, 100])
    app = QApplication([])
    theme.apply(app, "dark")
    arguments = parser.parse_args()
    EntitiesView().deleteLater()
    spent = sorted(cpu_ms(lambda: EntitiesView().deleteLater()) for _ in range(5))[2]
    report(bench="entities page built", cpu_ms=round(spent, 1))
    for statuses in arguments.statuses:
        measure(statuses)


if __name__ == "__main__":
    main()
