"""The real window on one source of Temporal, in a process of its own: what its moves take. One line of JSON.

    python -m tests.bench.temporal_window URL open WORKFLOW/RUN [WORD …]
    python -m tests.bench.temporal_window URL list HOST:PORT [FILTER …]

Times are wall ms, from the move to the end of the paint that shows its result; ``stall`` is the longest turn of the
event loop on the way, by the GUI thread's CPU, and by wall. Memory is that of the process and its
children, MB (``temporal_memory``).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QEventLoop, QObject, Qt, QTimer
from PySide6.QtWidgets import QWidget

from app.garbage import Collector
from app.main import start
from app.pages import PAGES
from engine_bridge.focus import Focus
from engine_bridge.model import RunRef
from tests.bench.stall_meter import StallMeter, fail
from tests.bench.temporal_memory import tree_mb
from tests.bench.temporal_place import told
from tests.engines.temporal.local import NAMESPACE

_STREAMS: Final = ("tail", "live", "changes")
_LIMIT_S: Final = 120.0


class Paints(QObject):
    """Calls back after each paint of a widget."""

    def __init__(self, widget: QWidget, painted: Callable[[], None]) -> None:
        super().__init__(widget)
        self._painted = painted
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            QTimer.singleShot(0, self, self._painted)
        return False


class Clock:
    """When which of some things was seen first, ms after a move; looked at after paints and every millisecond."""

    def __init__(self, meter: StallMeter) -> None:
        self._meter = meter
        self._loop = QEventLoop()
        self._wanted: dict[str, Callable[[], bool]] = {}
        self._seen: dict[str, float] = {}
        self._begun = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.look)

    def look(self) -> None:
        for name, done in self._wanted.items():
            if name not in self._seen and done():
                self._seen[name] = round((time.perf_counter() - self._begun) * 1e3, 1)
        late = time.perf_counter() - self._begun > _LIMIT_S
        if late or len(self._seen) == len(self._wanted):
            self._loop.quit()

    def measure(self, move: Callable[[], object], **wanted: Callable[[], bool]) -> dict[str, Any]:
        """One move, from the event loop, until all is seen. Raises TimeoutError after two minutes."""
        self._wanted, self._seen = wanted, {}
        self._meter.reset()
        self._begun = time.perf_counter()
        QTimer.singleShot(0, lambda: (move(), None)[1])
        self._timer.start(1)
        self._loop.exec()
        self._timer.stop()
        if len(self._seen) < len(wanted):
            raise TimeoutError(f"only {sorted(self._seen)} of {sorted(wanted)} were seen")
        found = self._meter.longest()
        stall = {"stall_cpu_ms": found["cpu_ms"], "stall_wall_ms": found["wall_ms"], "in": found["in"]}
        return {**self._seen, **stall}


class Bench:
    def __init__(self, url: str) -> None:
        meters: list[StallMeter] = []

        def painted() -> None:
            meters.append(StallMeter())
            meters[0].start()

        self.app, self.window = start(painted)
        sys.excepthook = fail
        self.meter = meters[0]
        self.clock = Clock(self.meter)
        self.url = url
        router = self.window.router
        self.clock.measure(
            lambda: None,
            ready=lambda: len(router.pages.all()) == len(PAGES) and bool(self.window.findChild(Collector)),
        )
        self.empty_mb = tree_mb(os.getpid())

    def page(self, name: str) -> Any:
        return self.window.router.pages.get(name)

    def calm(self) -> bool:
        return not any(page.jobs.waiting(_STREAMS) for page in self.window.router.pages.all())

    def open_source(self) -> dict[str, Any]:
        model = self.page("runs").view.model

        def listed() -> bool:
            here = self.window.router.scope == "runs"
            return here and model.rowCount() > 0 and model.item(0) is not None

        Paints(self.page("runs").view.table.viewport(), self.clock.look)
        return self.clock.measure(lambda: self.window.open(self.url), listed=listed)

    def open_run(self, run: str) -> dict[str, Any]:
        """From the click on a run in the list, by its workflow's id, a slash and its run's id."""
        focus = self.window.focus
        there = Focus(page="run", source=focus.current.source, run=RunRef("workflow", *run.split("/")))
        return self.shown(lambda: focus.set(there))

    def shown(self, move: Callable[[], object]) -> dict[str, Any]:
        """A move that opens a run, until its timeline is painted, in part and whole."""
        page = self.page("run")
        timeline = page.view.timeline
        painted = [False, False]

        def first() -> bool:
            return painted[0]

        def look() -> None:
            shown = page.view.loaded and not timeline.state.empty
            painted[0] = painted[0] or shown
            painted[1] = painted[1] or (shown and page.feed.complete and not timeline.busy)
            self.clock.look()

        Paints(timeline.canvas, look)
        found = self.clock.measure(move, first=first, complete=lambda: painted[1], calm=self.calm)
        return {**found, "events": len(page.feed.history), "steps": page.feed.history.n_steps}

    def settled_mb(self) -> float:
        """Memory two seconds later: that of the page is measured long after it is complete, too."""
        loop = QEventLoop()
        QTimer.singleShot(2_000, loop.quit)
        loop.exec()
        return tree_mb(os.getpid())

    def find(self, word: str) -> dict[str, Any]:
        events = self.page("run").view.events
        model = events.model
        whole = len(self.page("run").feed.history)

        def move() -> None:
            events.finder.setText(word)
            events.finder._tell()

        found = self.clock.measure(
            move,
            first=lambda: bool(events.finder.needle) and 0 < model.rowCount() < whole,
            all=lambda: not events._filter.running and 0 < model.rowCount() < whole,
        )
        found["hits"] = model.rowCount()
        self.clock.measure(events.finder.clear, back=lambda: model.rowCount() == whole)
        return found

    def end(self) -> None:
        self.meter.stop()
        self.window.close()
        self.app.processEvents()


def opening(bench: Bench, ref: str, *words: str) -> dict[str, Any]:
    """A source and a run of it; a file of one history opens on its run."""
    if "://" in bench.url:
        found = {"source": bench.open_source(), "run": bench.open_run(ref)}
    else:
        found = {"run": bench.shown(lambda: bench.window.open(bench.url))}
    memory = bench.settled_mb()
    return {
        **found,
        "find": {word: bench.find(word) for word in words},
        "empty_mb": bench.empty_mb,
        "mb": memory,
    }


def listing(bench: Bench, address: str, *filters: str) -> dict[str, Any]:
    """Moves in the list, and with a server's address how long a run that begins takes to be told of."""
    page = bench.page("runs")
    model, bar = page.view.model, page.view.table.verticalScrollBar()
    moves: list[dict[str, Any]] = []

    def move(what: str, act: Callable[[], object], **wanted: Callable[[], bool]) -> None:
        moves.append({"what": what, **bench.clock.measure(act, **wanted)})

    def read(row: int) -> bool:
        return model.rowCount() > row and model.item(row) is not None

    def counted() -> bool:
        return page.view.chips._counts is not None

    moves.append({"what": "source to its runs", **bench.open_source()})
    move("counts told", lambda: None, counts=counted, calm=bench.calm)
    move("next page", lambda: page.view.table.scrollTo(model.index(220, 0)), read=lambda: read(220))
    last = model.rowCount() - 1
    move(
        "as far down as it goes",
        lambda: bar.setValue(bar.maximum()),
        read=lambda: read(last),
        calm=bench.calm,
    )
    moves[-1]["row"] = last
    for text in (*filters, ""):
        before = page.node
        move(
            f"filter {text}" if text else "no filter", lambda text=text: page.apply_filter(text),
            listed=lambda before=before: page.node is not before and read(0),
            calm=bench.calm,
        )  # fmt: skip
    if address != "-":
        moves.append({"what": "a run that begins", **begun(bench, address)})
    return {"moves": moves, "empty_mb": bench.empty_mb, "mb": tree_mb(os.getpid())}


def begun(bench: Bench, address: str) -> dict[str, Any]:
    """Starts a run from a process of its own: how long after its start the list shows it."""
    model, name, started = bench.page("runs").view.model, f"new-{time.time_ns()}", []

    def start() -> None:
        answer = told("tests.bench.temporal_worker", address, NAMESPACE, "one", name)
        started.append(answer["started_ns"] / 1e6)

    def shown() -> bool:
        newest = model.item(0)
        if newest is not None and newest.id == name:
            seen.append(time.time() * 1000)
        return bool(seen and started)

    seen: list[float] = []
    found = bench.clock.measure(threading.Thread(target=start).start, shown=shown)
    return {**found, "shown": round(seen[0] - started[0], 1)}


def main() -> None:
    url, what, *rest = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        for name in ("config", "data", "cache", "state"):
            os.environ[f"XDG_{name.upper()}_HOME"] = str(Path(folder) / name)
        bench = Bench(url)
        found = (opening if what == "open" else listing)(bench, *rest)
        bench.end()
    print(json.dumps(found), flush=True)
