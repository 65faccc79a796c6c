"""The payload viewer: from bytes to painted text, scrolling, finding; against a QPlainTextEdit. JSON lines.

    python -m tests.bench.bench_payload [MEGABYTES …]

Wall and CPU milliseconds of the process, for scrolling of the GUI thread; budgets: design, section 9. The text editor
gets the text ready made, so its figure is for laying it out and painting it alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import msgspec
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QWidget

from engine_bridge.model import PayloadRef
from widgets import theme
from widgets.payload.viewer import TEXT, PayloadView

SIZE = (900, 700)
BUDGET_MS = {1: 10.0, 10: 100.0}
FRAMES = 120


def text_of(megabytes: float) -> bytes:
    line = {"sku": "A-1048", "quantity": 3, "price": "12.90", "tags": ["fragile", "cold"], "note": "keep dry"}
    return json.dumps({"lines": [line] * int(megabytes * 1e6 / len(json.dumps(line)))}).encode()


def timed(work: Callable[[], object]) -> tuple[float, float, float]:
    """Milliseconds: wall, CPU of the process, CPU of this thread."""
    clocks = (time.perf_counter, time.process_time, time.thread_time)
    before = [clock() for clock in clocks]
    work()
    wall, process, thread = ((clock() - start) * 1e3 for clock, start in zip(clocks, before, strict=True))
    return wall, process, thread


def shown(widget: QWidget) -> None:
    widget.resize(*SIZE)
    widget.show()
    QApplication.processEvents()


def opened(view: PayloadView, ref: PayloadRef, data: bytes) -> None:
    """From the bytes' arrival to the first painted text; the tree comes later."""
    view.set_data(ref, 0, data, complete=True)
    while view.page != TEXT or not view.text.isVisible():
        QApplication.processEvents()
    view.text.viewport().repaint()


def measure(megabytes: float) -> None:
    data = text_of(megabytes)
    opens, frames = [], []
    for number in range(5):
        view = PayloadView()
        shown(view)
        ref = PayloadRef(f"bench:{number}", "output", size=len(data), encoding="json")
        view.set_ref(ref)
        opens.append(timed(lambda v=view, r=ref: opened(v, r, data)))
        bar = view.text.verticalScrollBar()
        for frame in range(FRAMES // 5):
            bar.setValue(bar.maximum() * frame // FRAMES)
            frames.append(timed(view.text.viewport().repaint)[2])
        while view.busy:
            QApplication.processEvents()
        view.close()
        view.deleteLater()
    editor = QPlainTextEdit()
    shown(editor)
    pretty = msgspec.json.format(data, indent=2).decode()
    plain = timed(lambda: (editor.setPlainText(pretty), editor.viewport().repaint()))[1]
    wall, cpu, _ = (statistics.median(column) for column in zip(*opens, strict=True))
    frames.sort()
    figures = {
        "wall_ms": wall,
        "cpu_ms": cpu,
        "editor_cpu_ms": plain,
        "ratio_to_editor": cpu / plain,
        "scroll_median_ms": statistics.median(frames),
        "scroll_p99_ms": frames[-2],
    }
    rounded = {name: round(value, 3) for name, value in figures.items()}
    budget = {"budget_ms": BUDGET_MS[int(megabytes)]} if megabytes in BUDGET_MS else {}
    print(json.dumps({"bench": "payload", "megabytes": megabytes, **rounded, **budget}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("megabytes", nargs="*", type=float, default=[1, 10])
    sys.setswitchinterval(0.0002)
    app = QApplication([])
    theme.apply(app, "dark")
    for megabytes in parser.parse_args().megabytes:
        measure(megabytes)


if __name__ == "__main__":
    main()
