"""The timeline's frames, build, append and hit test, against baselines of the same run.

``python tests/bench/bench_timeline.py [STEPS ...] [--ratio 2] [--burst]`` prints one JSON line a measurement, times
in ms unless the name says otherwise. Default sizes: 51,200 and 1,000,000. The baselines are an item a span in a
QGraphicsScene (at 51,200), and the repaint of a bare QWidget of the same size. Budgets: design, section 9.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QRectF, QTimer
from PySide6.QtGui import QBrush, QColor, QPainter, QPaintEvent, QTransform
from PySide6.QtWidgets import QApplication, QGraphicsScene, QGraphicsView, QWidget

from engine_bridge.history import History
from tests.bench.histories import make_batches, make_history
from widgets import theme
from widgets.timeline import TimelineView

WIDTH, HEIGHT = 1600, 900


def say(what: str, steps: int, **figures: float | int | str | bool) -> None:
    """One JSON line."""
    rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}
    print(json.dumps({"bench": "timeline", "what": what, "steps": steps, **rounded}), flush=True)


def timed(actions: Iterable[Callable[[], object]]) -> dict[str, float]:
    """Wall and CPU time in ms: median, 99th percentile, maximum. CPU time is what a busy machine does not spoil."""
    wall, cpu = [], []
    for action in actions:
        c, w = time.thread_time(), time.perf_counter()
        action()
        wall.append((time.perf_counter() - w) * 1e3)
        cpu.append((time.thread_time() - c) * 1e3)
    return {
        "median": float(np.median(wall)),
        "p99": float(np.percentile(wall, 99)),
        "max": max(wall),
        "cpu_median": float(np.median(cpu)),
        "cpu_p99": float(np.percentile(cpu, 99)),
    }


class Bare(QWidget):
    """Paints its background and nothing else: the least that any frame costs."""

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), QColor("#1a1d23"))


def bare_frame() -> float:
    widget = Bare()
    widget.resize(WIDTH, HEIGHT)
    widget.show()
    QApplication.processEvents()
    result = timed([widget.repaint] * 60)["cpu_median"]
    widget.close()
    return result


def scene_frame(history: History) -> tuple[float, float]:
    """(build ms, CPU ms of a full-view frame) of an item a span."""
    began = time.perf_counter()
    scene, steps = QGraphicsScene(), history.steps
    origin = int(steps["start_ns"].min())
    brush = QBrush(QColor("#2bb587"))
    columns = (steps["start_ns"] - origin, steps["end_ns"] - steps["start_ns"], steps["name"])
    for start, length, lane in zip(*(c.tolist() for c in columns), strict=True):
        scene.addRect(QRectF(start / 1e9, lane * 26, length / 1e9, 16), brush=brush)
    view = QGraphicsView(scene)
    view.resize(WIDTH, HEIGHT)
    view.setTransform(QTransform.fromScale((WIDTH - 220) / scene.sceneRect().width(), 1))
    view.show()
    QApplication.processEvents()
    built = (time.perf_counter() - began) * 1e3
    frame = timed([view.viewport().repaint] * 8)["cpu_median"]
    view.close()
    return built, frame


def ready_view(history: History) -> tuple[TimelineView, float]:
    """A shown view whose build has ended, and how long that took in ms."""
    view = TimelineView()
    view.resize(WIDTH, HEIGHT)
    view.show()
    began = time.perf_counter()
    view.set_history(history)
    while view.busy:
        QApplication.processEvents()
    QApplication.processEvents()
    return view, (time.perf_counter() - began) * 1e3


def paint(view: TimelineView, change: Callable[[], object]) -> None:
    """One frame: change, then paint canvas and minimap."""
    change()
    view.show_state()
    view.canvas.repaint()
    view.minimap.repaint()


def frames(view: TimelineView, at: float) -> dict[str, Callable[[], dict[str, float]]]:
    """Named measurements; ``at`` is the share of the width that zooms aim at."""
    state = view.state
    x = state.scale.width * at

    def zoom_sweep() -> dict[str, float]:
        view.fit()
        factor = 1e5 ** (1 / 120)
        moves = [lambda: state.zoom(factor, x)] * 120 + [lambda: state.zoom(1 / factor, x)] * 120
        return timed(lambda m=move: paint(view, m) for move in moves)

    def pans(share: float) -> dict[str, float]:
        view.fit()
        state.zoom(1 / share, x)
        moves = [lambda: state.pan(7)] * 60 + [lambda: state.pan(-7)] * 60
        return timed(lambda m=move: paint(view, m) for move in moves)

    def full() -> dict[str, float]:
        view.fit()
        return timed(lambda: paint(view, lambda: None) for _ in range(60))

    return {
        "full": full,
        "pan_10%": lambda: pans(0.1),
        "pan_0.1%": lambda: pans(0.001),
        "zoom_sweep": zoom_sweep,
    }


def bench_frames(view: TimelineView, steps: int, bare: float, scene: float, at: float, tag: str) -> None:
    for name, measure in frames(view, at).items():
        result = measure()
        ratios = {"x_bare": result["cpu_median"] / bare}
        if name == "full" and scene:
            ratios["scene_x"] = scene / result["cpu_median"]
        say(f"{tag}{name}", steps, **result, **ratios)


def bench_hit(view: TimelineView, steps: int) -> None:
    view.fit()
    state, rng = view.state, np.random.default_rng(1)
    points = zip(
        rng.uniform(0, state.scale.width, 2_000).tolist(), rng.integers(0, 800, 2_000).tolist(), strict=True
    )
    result = timed([lambda p=point: state.hit(*p) for point in points])
    say("hit_us", steps, median=result["median"] * 1e3, p99=result["p99"] * 1e3)


def bench_append(steps: int) -> None:
    """Appends of 100 steps to a big open history: refresh and frame, with the rebuilds that they bring about."""
    batches = make_batches(steps + 20_000, size=100)
    history = History()
    for batch in batches[: steps // 100]:
        history.append(batch)
    view, _ = ready_view(history)
    later = iter(batches[steps // 100 :])

    def append() -> None:
        history.append(next(later))
        view.refresh()
        paint(view, lambda: None)

    say("append_100_and_frame", steps, **timed([append] * 200))
    view.close()
    view.deleteLater()


def bench_load(steps: int) -> None:
    """The longest pause of the event loop while a view takes a whole history and builds it."""
    sys.setswitchinterval(0.0002)
    history = make_history(steps)
    view = TimelineView()
    view.resize(WIDTH, HEIGHT)
    view.show()
    QApplication.processEvents()
    ticks: list[float] = []

    def tick() -> None:
        view.canvas.repaint()
        ticks.append(time.perf_counter())

    timer = QTimer()
    timer.setInterval(4)
    timer.timeout.connect(tick)
    timer.start()
    ticks.append(time.perf_counter())
    view.set_history(history)
    handed_over = (time.perf_counter() - ticks[0]) * 1e3
    while view.busy:
        QApplication.processEvents()
    QApplication.processEvents()
    timer.stop()
    gaps = np.diff(ticks) * 1e3
    say(
        "load_stall",
        steps,
        max=float(gaps.max()),
        p99=float(np.percentile(gaps, 99)),
        set_history=handed_over,
    )
    sys.setswitchinterval(0.005)
    view.close()
    view.deleteLater()


def main(sizes: list[int], burst: bool) -> None:
    app = QApplication.instance() or QApplication([])
    theme.apply(app, "dark")
    bare = bare_frame()
    scene_build, scene = scene_frame(make_history(51_200))
    say("bare_frame", 0, cpu_median=bare)
    say("scene_item_a_span", 51_200, build=scene_build, cpu_median=scene)
    for steps in sizes:
        history = make_history(steps)
        view, built = ready_view(history)
        say("build", steps, ms=built, scene_x=scene_build / built if steps == 51_200 else 0.0)
        bench_frames(view, steps, bare, scene if steps == 51_200 else scene * steps / 51_200, 0.5, "")
        bench_hit(view, steps)
        view.close()
        view.deleteLater()
        if burst:
            view, _ = ready_view(make_history(steps, burst=True))
            first, last = view.state.limits()
            at = view.state.scale.x_of(first + (last - first) // 2) / view.state.scale.width
            bench_frames(view, steps, bare, 0.0, at, "burst_")
            view.close()
            view.deleteLater()
        bench_load(steps)
        if steps <= 1_000_000:
            bench_append(steps)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("steps", nargs="*", type=int, default=[51_200, 1_000_000])
    parser.add_argument("--ratio", type=float, default=1.0, help="device pixels a pixel")
    parser.add_argument("--burst", action="store_true")
    options = parser.parse_args()
    os.environ["QT_SCALE_FACTOR"] = str(options.ratio)
    main(options.steps, options.burst)
