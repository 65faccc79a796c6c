"""Frames of the run page while a replay's steps arrive and while the playhead is dragged over them. JSON lines.

    python -m tests.bench.bench_replay_scrub [STEPS] [--lines N] [--ratio 2]

STEPS steps (10,000) with stacks and locals of a source file of N lines (20,000) come in as a runner sends them, from a
thread; then every event in turn, and jumps, move the whole page: timeline, events, detail and code. Budget: no frame
interval above 16.7 ms (design, section 9), by the GUI thread's own CPU time; wall time stands next to it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication, QMainWindow

from app.garbage import Collector
from app.replay_recording import Recording
from app.run_page import RunPage
from engine_bridge.bridge import Capability, SourceInfo
from engine_bridge.cancel import CancelToken
from engine_bridge.history import Batch
from engine_bridge.model import RunRef
from engine_bridge.replay.model import End, Frame, Outcome, Project, ReplayInput, RunnerSpec, TraceStep
from engine_bridge.replay.protocol import Bye, Ended, Step, decoder, encoder
from tests.app.context import add_source, make_context
from tests.bench.histories import make_batches
from tests.bench.stall_meter import BUDGET_MS, StallMeter
from tests.fakes import FakeBridge, ref
from widgets import theme
from widgets.code.pane import CodePane
from widgets.code.source import CodeSource

_RUN: Final = "run-0002"
_ENGINE: Final = tuple(
    Frame(file=f"/lib/engine/core{n}.py", line=n + 1, function=f"core{n}", kind="engine") for n in range(8)
)
_JUMPS: Final = 1_500


class LongBridge(FakeBridge):
    """One long history for every run."""

    steps = 10_000

    def open(self, cancel: CancelToken) -> SourceInfo:
        info = super().open(cancel)
        return SourceInfo(
            engine=info.engine, engine_title=info.engine_title, title=info.title, location=info.location,
            capabilities=(info.capabilities | {Capability.REPLAY}) - {Capability.TAIL},
        )  # fmt: skip

    def history(self, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
        batches = make_batches(self.steps)
        batches[0].run = self.run(ref, cancel)
        yield from batches


def source_file(folder: Path, lines: int) -> str:
    """Functions of ten lines each."""
    path, text = folder / "workflows.py", ""
    body = "    total = compute(order, rate=1.{0}) + len('text {0}')  # a comment\n"
    for n in range(lines // 10):
        text += (
            f'def step_{n}(order: dict[str, int]) -> int:\n    """Part {n}."""\n' + body.format(n) * 7 + "\n"
        )
    path.write_text(text, "utf-8")
    return str(path)


def locals_of(n: int) -> tuple[tuple[str, Any], ...]:
    """Twenty locals, of which some change at each step."""
    items = [{"t": "Item", "o": [["sku", f"S-{i}"], ["count", i], ["price", n + i]]} for i in range(12)]
    order = {"t": "dict", "n": 4, "m": [["id", f"o{n}"], ["items", {"t": "list", "n": 12, "i": items}]]}
    return (("order", order), ("n", n), *((f"value_{i}", n // (i + 1)) for i in range(18)))


def lines_of_steps(file: str, lines: int, positions: Any) -> list[bytes]:
    """What a runner sends: one JSON line a step."""
    found = []
    for n, position in enumerate(positions.tolist()):
        here = Frame(file=file, line=1 + (n * 37) % lines, function="fulfil", locals=locals_of(n))
        stack = (*_ENGINE[:3], here, *_ENGINE[3:])
        step = TraceStep(
            n=n, name="charge_card", step_id="1", position=position, recorded="charge_card", stack=stack
        )
        found.append(encoder.encode(Step(_RUN, step)))
    return found


class Bench:
    """The page in a window, and what its frames cost."""

    def __init__(self, steps: int, lines: int, folder: Path, ratio: float) -> None:
        self.about = {"steps": steps, "lines": lines, "ratio": ratio}
        LongBridge.steps = steps
        context, _ = make_context()
        self.context = context
        self.source = add_source(context, LongBridge)
        self.page = RunPage(context)
        self.window = QMainWindow()
        self.window.setCentralWidget(self.page.widget)
        self.window.resize(1600, 1000)
        context.focus.subscribe(self.page.focus_changed)
        self.window.show()
        self.collector = Collector(self.window)
        self.meter = StallMeter()
        self.file = source_file(folder, lines)
        self.lines = lines
        self.worst = 0.0

    def until(self, done: Callable[[], bool], limit: float = 120.0) -> None:
        end = time.monotonic() + limit
        while not done():
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 20)
            if time.monotonic() > end:
                raise TimeoutError

    def open(self) -> None:
        """The long run, its code tab in front."""
        page = self.page
        self.context.focus.change(page="run", source="fake", run=ref(_RUN))
        self.until(lambda: page.view.loaded and page.feed.complete and not page.view.timeline.busy)
        page.view.right.show_pane("code")
        page.feed.history.map_steps(1 << 30)

    def settle(self) -> None:
        """What opening the run left to be done is no part of a measurement."""
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 20)

    def measure(self, what: str, move: Callable[[], None], done: Callable[[], bool]) -> None:
        self.settle()
        self.meter.reset()
        QTimer.singleShot(0, move)
        self.until(done)
        figures = self.meter.longest()
        cpu = [pause.cpu for pause in self.meter.pauses if pause.wall > 2.0]
        tail = {f"cpu_p{p}": round(float(np.percentile(cpu, p)), 2) for p in (50, 95, 99)} if cpu else {}
        self.worst = max(self.worst, float(figures.get("cpu_ms", 0.0)))
        line = {"bench": "replay_scrub", "what": what, **self.about, "frames": len(cpu), **tail, **figures}
        print(json.dumps(line), flush=True)

    def arrive(self) -> None:
        """All steps, as fast as the reader thread decodes them."""
        page, desk = self.page, self.page.replay.desk
        history = page.feed.history
        sent = lines_of_steps(self.file, self.lines, history.steps["first"])
        spec = RunnerSpec(engine="bench", title="Bench", runner="bench:none.py", library="bench")
        project = Project(code=self.file, python="")
        asked = ReplayInput(run_id=_RUN, type="fulfil", data=b"", steps=len(sent))
        made = Recording(spec, project, asked, history)
        desk._recording = made

        def read() -> None:
            for line in sent:
                desk._inbox.put((0, "record", made, decoder.decode(line)))
            end = End(outcome=Outcome.SAME, run_id=_RUN, steps=len(sent), coverage={self.file: {"3": 5}})
            desk._inbox.put((0, "record", made, Ended(_RUN, end)))
            desk._inbox.put((0, "record", made, Bye(0)))

        def begin() -> None:
            page.replay._take(made)
            threading.Thread(target=read, daemon=True).start()

        self.measure("steps arrive", begin, lambda: not made.running and not page.view.code.store.busy)

    def drag(self, what: str, positions: list[int]) -> None:
        """The playhead over positions, one a frame."""
        left = iter(positions)
        timer = QTimer()

        def move() -> None:
            position = next(left, None)
            if position is None:
                timer.stop()
            else:
                self.page.view.timeline.position_requested.emit(position)

        timer.timeout.connect(move)
        self.measure(what, lambda: timer.start(0), lambda: not timer.isActive() and next(left, None) is None)

    def close(self) -> None:
        self.meter.stop()
        self.page.close()
        self.collector.stop()
        if self.source.session is not None:
            self.source.session.close()
        self.window.close()


def _coloured(pane: CodePane) -> int:
    source = pane.code.source
    return len(source.colours) if isinstance(source, CodeSource) else 0


def main(steps: int, lines: int, ratio: float) -> None:
    app = QApplication([])
    theme.apply(app, "dark")
    sys.setswitchinterval(0.0002)  # as the application has it
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(steps, lines, Path(folder), ratio)
        bench.meter.start()
        bench.open()
        bench.arrive()
        code = bench.page.view.code
        bench.measure("colours of the file", lambda: None, lambda: _coloured(code) >= lines * 8 // 10)
        positions = bench.page.feed.history.events["position"].tolist()
        middle = len(positions) // 2
        bench.drag("event by event", positions[middle : middle + _JUMPS])
        bench.drag("jumps", [rng.choice(positions) for _ in range(_JUMPS)])
        bench.close()
    worst = bench.worst
    figures = {"worst_cpu_ms": worst, "budget_ms": BUDGET_MS, "ratio_to_budget": round(worst / BUDGET_MS, 2)}
    print(json.dumps({"bench": "replay_scrub", "what": "worst", **bench.about, **figures}), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", nargs="?", type=int, default=10_000)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--ratio", type=float, default=1.0, help="device pixels a pixel")
    options = parser.parse_args()
    os.environ["QT_SCALE_FACTOR"] = str(options.ratio)
    main(options.steps, options.lines, options.ratio)
