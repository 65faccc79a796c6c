"""The run table: keyset pages with anchors against fetching everything. JSON lines with ratios.

    python -m tests.bench.bench_table [ROWS] [--naive-rows N]

The source is synthetic: a page costs what making its Run objects costs. Times are milliseconds of CPU of the whole
process, medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QAbstractTableModel, QModelIndex, Qt
from PySide6.QtWidgets import QApplication, QTableView

from engine_bridge.bridge import Page
from engine_bridge.model import Run, Status
from tests.fakes import T0, S, ref
from widgets import theme
from widgets.runs.columns import COLUMNS
from widgets.table.blocks import Fetch
from widgets.table.columns import Clock
from widgets.table.model import PagedModel
from widgets.table.view import PagedView

SIZE = (1600, 900)
EVERY = 1_000


def made(row: int) -> Run:
    """One synthetic run, cheap to make."""
    status = (Status.COMPLETED, Status.FAILED, Status.RUNNING)[row % 3]
    name = f"order-{row:08d}"
    return Run(
        ref=ref(name),
        id=name,
        type="fulfil_order",
        status=status,
        engine_status=status.value,
        engine="bench",
        created_ns=T0 - row * S,
        started_ns=T0 - row * S,
        ended_ns=T0 - row * S + 41 * S if status.closed else None,
        steps_done=row % 20,
        now="CardDeclined: insufficient funds" if status is Status.FAILED else "",
    )


class Source:
    """Answers a model's wishes at once, in this thread: what is measured is the model, the view and the pages."""

    def __init__(self, model: PagedModel, rows: int) -> None:
        self._model = model
        self._rows = rows
        self.pages = 0
        model.wanted.connect(self.read)

    def read(self, fetches: list[Fetch]) -> None:
        for fetch in fetches:
            start = int(fetch.cursor or 0)
            if fetch.direction == "backward":
                start = (int(fetch.cursor) if fetch.cursor else self._rows) - fetch.limit
            end = min(self._rows, start + fetch.limit)
            after = str(end).encode() if end < self._rows else None
            self.pages += 1
            self._model.put(fetch, Page(items=tuple(made(row) for row in range(start, end)), after=after))


class Naive(QAbstractTableModel):
    """Everything fetched first, cells asked role by role: what the paged table is measured against."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._runs = [made(row) for row in range(rows)]
        self._clock = Clock(T0)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._runs)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 8

    def data(self, index: QModelIndex, role: int = 0) -> object:
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return COLUMNS[index.column()].text(self._runs[index.row()], self._clock)


def cpu(work: Callable[[], object], settle: Callable[[], None]) -> float:
    """Milliseconds of CPU until the work is painted."""
    start = time.process_time()
    work()
    settle()
    return (time.process_time() - start) * 1e3


def settler(app: QApplication, view: QTableView) -> Callable[[], None]:
    def settle() -> None:
        for _ in range(4):
            app.processEvents()

    return settle


def measure_paged(app: QApplication, rows: int) -> dict[str, float]:
    model = PagedModel(COLUMNS, lambda run: run.ref)
    source = Source(model, rows)
    view = PagedView(model)
    view.resize(*SIZE)
    settle = settler(app, view)

    def open_list() -> None:
        model.start()
        view.show()

    figures = {"first_paint_ms": cpu(open_list, settle)}
    anchors = [str(row).encode() for row in range(0, rows, EVERY)]
    figures["count_and_anchors_ms"] = cpu(
        lambda: (model.set_count(rows), model.set_anchors(anchors, EVERY)), settle
    )
    bar = view.verticalScrollBar()
    places = [int(bar.maximum() * n / 41) for n in range(1, 41)]
    figures["jump_ms"] = statistics.median(cpu(lambda p=place: bar.setValue(p), settle) for place in places)
    bar.setValue(bar.maximum() // 2)
    settle()
    middle = bar.value()
    steps = [cpu(lambda n=n: bar.setValue(middle + n * 78), settle) for n in range(1, 120)]
    figures["wheel_ms"] = statistics.median(steps)
    figures["wheel_p99_ms"] = sorted(steps)[-2]
    repaints = [cpu(view.viewport().repaint, lambda: None) for _ in range(40)]
    figures["repaint_ms"] = statistics.median(repaints)
    figures["filter_ms"] = statistics.median(cpu(model.start, settle) for _ in range(20))
    figures["pages"] = source.pages
    view.close()
    return figures


def measure_naive(app: QApplication, rows: int) -> dict[str, float]:
    made_views: list[tuple[Naive, QTableView]] = []

    def open_list() -> None:
        model, view = Naive(rows), QTableView()
        made_views.append((model, view))
        view.verticalHeader().hide()
        view.setModel(model)
        view.resize(*SIZE)
        view.show()

    start = time.process_time()
    open_list()
    _, view = made_views[0]
    settle = settler(app, view)
    settle()
    figures = {"first_paint_ms": (time.process_time() - start) * 1e3}
    bar = view.verticalScrollBar()
    middle = bar.maximum() // 2
    figures["wheel_ms"] = statistics.median(
        cpu(lambda n=n: bar.setValue(middle + n * 3), settle) for n in range(40)
    )
    figures["repaint_ms"] = statistics.median(cpu(view.viewport().repaint, lambda: None) for _ in range(40))
    view.close()
    return figures


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("rows", nargs="?", type=int, default=1_000_000)
    arguments.add_argument("--naive-rows", type=int, default=200_000)
    chosen = arguments.parse_args()
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    theme.apply(app, "dark")
    paged = measure_paged(app, chosen.rows)
    naive = measure_naive(app, chosen.naive_rows)
    scale = chosen.rows / chosen.naive_rows
    print(json.dumps({"bench": "table", "kind": "paged", "rows": chosen.rows, **_rounded(paged)}))
    print(json.dumps({"bench": "table", "kind": "naive", "rows": chosen.naive_rows, **_rounded(naive)}))
    ratios = {
        "first_paint_vs_naive": paged["first_paint_ms"] / (naive["first_paint_ms"] * scale),
        "wheel_vs_naive": paged["wheel_ms"] / naive["wheel_ms"],
        "repaint_vs_naive": paged["repaint_ms"] / naive["repaint_ms"],
        "jump_vs_wheel": paged["jump_ms"] / paged["wheel_ms"],
    }
    print(json.dumps({"bench": "table", "kind": "ratio", "rows": chosen.rows, **_rounded(ratios)}))


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in figures.items()}


if __name__ == "__main__":
    main()
