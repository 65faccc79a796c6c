"""The longest pauses of the GUI thread while the real window opens, reads, jumps and shows. JSON lines.

    python -m tests.bench.bench_stalls [FILE] [--runs N] [--steps N] [--entities N] [--payload BYTES]

FILE is copied first (a reflink or a sparse copy where the disk can), and a very long run with a very large result is
added to the copy; without FILE a database of N runs is written. A file of entities is opened beside it. Budget: no
pause above 16.7 ms after the first paint (design, section 9), by the GUI thread's own CPU time; wall time is printed
next to it, since it is the machine's too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QDialog

from app.garbage import Collector
from app.main import start
from app.pages import PAGES
from engine_bridge.focus import Focus
from engine_bridge.model import Run, RunRef
from tests.bench import bench_entity_list, long_run
from tests.bench.make_big_db import write
from tests.bench.stall_meter import BUDGET_MS, ROOT, StallMeter, fail

if TYPE_CHECKING:
    from app.window import MainWindow

PACKAGES: Final = ("app", "widgets", "engine_bridge", "resources")
_LOOK_MS: Final = 20
_CALM: Final = 8  # looks in a row at which nothing is awaited
_STREAMS: Final = ("tail", "live", "changes")
_LIMIT_S: Final = 60.0


class Drive:
    """Drives the window as a user would, and prints what each move cost."""

    def __init__(self, window: MainWindow, meter: StallMeter, about: dict[str, Any], calls: int) -> None:
        self.window = window
        self._meter = meter
        self._about = about
        self._calls = calls
        self.worst = 0.0

    def until(self, done: Callable[[], bool]) -> None:
        """Runs the event loop until it is so, and then until everything is calm."""
        loop, calm, deadline = QEventLoop(), 0, time.monotonic() + _LIMIT_S

        def look() -> None:
            nonlocal calm
            calm = calm + 1 if done() and self._idle() else 0
            if calm >= _CALM or time.monotonic() > deadline:
                loop.quit()

        timer = QTimer()
        timer.timeout.connect(look)
        timer.start(_LOOK_MS)
        loop.exec()
        timer.stop()
        if time.monotonic() > deadline:
            raise TimeoutError("the window did not come to rest")

    def _idle(self) -> bool:
        return not any(page.jobs.waiting(_STREAMS) for page in self.window.router.pages.all())

    def measure(self, what: str, move: Callable[[], object], done: Callable[[], bool] = lambda: True) -> None:
        """One move: started from the event loop, awaited to the end, printed."""
        self._meter.reset()
        QTimer.singleShot(0, self.window, lambda: (move(), None)[1])
        self.until(done)
        self.report(what)

    def report(self, what: str) -> None:
        figures = self._meter.longest(self._calls)
        self.worst = max(self.worst, float(figures.get("cpu_ms", 0)))
        print(json.dumps({"bench": "stalls", "what": what, **self._about, **figures}), flush=True)

    def page(self, name: str, ref: RunRef | None = None, **more: Any) -> Callable[[], None]:
        source = self.window.focus.current.source
        return lambda: self.window.focus.set(Focus(page=name, source=source, run=ref, **more))

    def shows(self, name: str) -> Callable[[], bool]:
        return lambda: self.window.router.scope == name

    def get(self, name: str) -> Any:
        return self.window.router.pages.get(name)


def open_source(drive: Drive, path: Path) -> None:
    """Start-up after the first paint, the source, the runs page."""
    window = drive.window
    drive.until(lambda: len(window.router.pages.all()) == len(PAGES) and bool(window.findChild(Collector)))
    drive.report("from the first paint to the last page")
    drive.measure("open the source and the runs page", lambda: window.open(str(path)), drive.shows("runs"))


def move_in_list(drive: Drive) -> None:
    """The runs table: jumps by anchors, wheel, filter, chips, sort."""
    table = drive.get("runs").view.table
    bar = table.verticalScrollBar()
    drive.measure("scroll to the end", lambda: bar.setValue(bar.maximum()))
    drive.measure("jump to the middle", lambda: bar.setValue(bar.maximum() // 2))
    drive.measure("jump to the top", lambda: bar.setValue(0))
    drive.measure("filter: failed", lambda: drive.get("runs").apply_filter("status == failed"))
    drive.measure("no filter", lambda: drive.get("runs").apply_filter(""))
    drive.measure("refresh", drive.window.router.refresh)


def look_at_runs(drive: Drive, runs: list[Run]) -> None:
    """The run page: first build, other runs, a long one."""
    for number, run in enumerate(runs):
        what = "open the run page" if number == 0 else f"switch to another run ({number})"
        drive.measure(what, drive.page("run", run.ref), lambda: drive.get("run").view.loaded)


def long_story(drive: Drive, ref: RunRef) -> None:
    """A run of many steps: open, play, find, snapshot, graph, payload."""
    page, window = drive.get, drive.window
    drive.measure(
        "open a long run",
        drive.page("run", ref),
        lambda: page("run").view.loaded and not page("run").view.timeline.busy,
    )
    view, history = page("run").view, page("run").feed.history
    middle = int(history.events["position"][len(history) // 2])
    step = history.step(history.n_steps // 2).id
    drive.measure("long run: playhead to the middle", lambda: page("run").go_to(middle))
    drive.measure("long run: next event", lambda: page("run").step(1))
    drive.measure("long run: select a step", lambda: window.focus.change(step_id=step))
    drive.measure("long run: find in events", lambda: view.events.finder.setText("page_7"))
    drive.measure("long run: find no more", lambda: view.events.finder.setText(""))
    drive.measure("long run: events to the end", lambda: view.events.table.scrollToBottom())
    drive.measure("long run: zoom the timeline", lambda: view.timeline.zoom(8))
    graph = view.graph
    show_graph = partial(window.run_command, "run.show_graph")
    drive.measure("long run: graph", show_graph, lambda: graph.describe() != "No steps yet.")
    drive.measure("long run: detail", lambda: window.run_command("run.show_detail"))
    drive.measure("large payload", lambda: window.focus.change(step_id=None, position=None))


def child_in_place(drive: Drive, runs: list[Run]) -> None:
    """A child's lanes opened under the step that started it."""
    page = drive.get("run")
    for run in runs:
        drive.measure("switch to a run with children", drive.page("run", run.ref), lambda: page.view.loaded)
        history = page.feed.history
        steps = [history.step(row) for row in range(min(history.n_steps, 200))]
        parents = [step.id for step in steps if step.child is not None]
        if parents:
            drive.measure("child in place", lambda ids=parents: page.children_in_place.toggle(ids[0]))
            drive.measure("relations", lambda: drive.window.run_command("run.show_relations"))
            return


def entities(drive: Drive, url: str) -> None:
    """A source whose rows carry their state: status graph and list, an entity, its configs, its failure log."""
    window = drive.window
    before = drive.window.focus.current

    def shown() -> bool:
        page = drive.get("entities")
        return drive.shows("entities")() and page.populations.shown is not None and bool(page.rows.total)

    drive.measure("open a source of entities", lambda: window.open(url, "billing"), shown)
    page = drive.get("entities")
    graph, bar = page.view.graph, page.view.table.verticalScrollBar()
    drive.measure("entities: a status of the graph", lambda: graph.press(graph.scene.find("sent")))
    drive.measure("entities: scroll to the end", lambda: bar.setValue(bar.maximum()))
    drive.measure(
        "entities: filter that is scanned", lambda: page.apply_filter("state == draft and here_for > 1d")
    )
    drive.measure("entities: no filter", lambda: page.apply_filter(""), shown)
    drive.measure("entities: zoom the graph", lambda: graph.zoom(1.4))
    first = page.view.model.item(0).ref
    drive.measure("open an entity", drive.page("run", first), lambda: drive.get("run").view.loaded)
    drive.measure("entity: next steps", lambda: window.run_command("run.show_next"))
    drive.measure("entities: runs page", drive.page("runs"), drive.shows("runs"))
    drive.measure("entities: failure log", drive.page("failures"), drive.shows("failures"))
    drive.measure("entities: resources", drive.page("resources"), drive.shows("resources"))
    drive.measure("config page", drive.page("config"), lambda: drive.get("config").view.shows_config)
    drive.measure("back to the entities", drive.page("entities"), shown)
    drive.measure("back to the other source", lambda: window.focus.set(before))


def other_pages(drive: Drive) -> None:
    window = drive.window
    drive.measure("failure log", drive.page("failures"), drive.shows("failures"))
    drive.measure("resources", drive.page("resources"), drive.shows("resources"))
    drive.measure("back to the runs", drive.page("runs"), drive.shows("runs"))
    drive.measure("palette", lambda: window.run_command("app.palette"))
    drive.measure("palette: type", lambda: window.overlays.chooser.line.setText("the"))
    window.overlays.close()
    drive.measure("keys", lambda: window.run_command("app.keys"))
    for dialog in window.findChildren(QDialog):
        dialog.close()
    drive.measure("light theme", lambda: window.run_command("view.theme_light"))
    drive.measure("dark theme", lambda: window.run_command("view.theme_dark"))


def bench(path: Path, url: str, about: dict[str, Any], calls: int) -> float:
    """Opens the window on a file and goes through everything; answers the longest pause by CPU, ms."""
    meters: list[StallMeter] = []

    def painted() -> None:
        meters.append(StallMeter())
        meters[0].start()

    app, window = start(painted)
    sys.excepthook = fail
    meter = meters[0]
    drive = Drive(window, meter, about, calls)
    open_source(drive, path)
    model = drive.get("runs").view.model
    runs = [run for run in map(model.item, range(min(60, model.rowCount()))) if run is not None]
    long = next(run for run in runs if run.id == long_run.ID)
    others = [run for run in runs if run is not long and run.parent is None]
    move_in_list(drive)
    look_at_runs(drive, others[:4])
    long_story(drive, long.ref)
    child_in_place(drive, others[4:])
    entities(drive, url)
    drive.measure("the runs again", drive.page("runs"), drive.shows("runs"))
    other_pages(drive)
    meter.stop()
    window.close()
    app.processEvents()
    return drive.worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--entities", type=int, default=20_000)
    parser.add_argument("--payload", type=int, default=10_000_000)
    parser.add_argument("--calls", type=int, default=1, help="calls printed for each longest pause")
    options = parser.parse_args()
    # As an installed Playhead has them: imports that compile would be measured instead.
    subprocess.run([sys.executable, "-m", "compileall", "-q", *PACKAGES], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("config", "data", "cache", "state"):
            os.environ[f"XDG_{name.upper()}_HOME"] = f"{folder}/{name}"
        path = Path(folder) / "stalls.sqlite"
        if options.file is None:
            write(path, options.runs, days=30, seed=1, now=int(time.time() * 1000) - 60_000, payload=200)
        else:
            subprocess.run(["cp", "--reflink=auto", "--sparse=auto", options.file, path], check=True)
        long_run.add(path, options.steps, options.payload)
        mapping = bench_entity_list.write(Path(folder) / "billing.sqlite", options.entities)
        url = f"entity+sqlite:///{folder}/billing.sqlite?mapping={mapping}"
        about = {"of": options.file.name if options.file else f"{options.runs} runs"}
        worst = bench(path, url, about, options.calls)
    figures = {"worst_cpu_ms": worst, "budget_ms": BUDGET_MS, "ratio_to_budget": round(worst / BUDGET_MS, 2)}
    print(json.dumps({"bench": "stalls", "what": "worst", **about, **figures}), flush=True)


if __name__ == "__main__":
    main()
