"""The runs page over a real session: what an operator sees, and what nothing may move."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton

from app.context import Context
from app.runs_page import RunsPage
from engine_bridge.bridge import Changes, Facets, Page, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import BusyError
from engine_bridge.model import Run, Status
from tests.app.context import Told, add_source, make_context, show
from tests.fakes import FakeBridge, make_run


class LiveBridge(FakeBridge):
    """A fake whose runs change, fail to be read, or are found by scanning only, when a test says so."""

    def __init__(self, runs: int = 300) -> None:
        super().__init__(runs)
        self.touched: list[Run] = []
        self.error: Exception | None = None
        self.scan = 0
        self.gate: threading.Event | None = None
        self.asked: list[tuple[object, Sort, int]] = []
        self.slow_charts = threading.Event()
        self.given_up = 0

    def facets(self, query, buckets: int, cancel: CancelToken) -> Facets:
        if buckets and self.slow_charts.is_set():
            self.slow_charts.clear()
            while not cancel.wait(0.01):
                pass
            self.given_up += 1
            cancel.raise_if_cancelled()
        return super().facets(query, buckets, cancel)

    def runs(self, query, sort, cursor, direction, limit, cancel: CancelToken) -> Page:
        self.asked.append((query, sort, limit))
        if self.error is not None:
            raise self.error
        while self.gate is not None and not self.gate.is_set():
            cancel.progress(70, len(self._runs), "searching runs")
            cancel.wait(0.01)
        if self.scan and query is not None:
            return self._scanned(query, int(cursor or 0), cancel)
        return super().runs(query, sort, cursor, direction, limit, cancel)

    def _scanned(self, query: object, at: int, cancel: CancelToken) -> Page:
        end = min(len(self._runs), at + self.scan)
        chosen = {run.ref for run in self._matching(query)}
        ended = end >= len(self._runs)
        return Page(
            items=tuple(run for run in self._runs[at:end] if run.ref in chosen),
            after=None if ended else str(end).encode(),
            searched=end - at,
            of=len(self._runs),
            complete=ended,
        )

    def changes(self, mark, visible, cancel: CancelToken) -> Changes:
        touched, self.touched = self.touched, []
        by_ref = {run.ref: run for run in touched}
        self._runs = [by_ref.get(run.ref, run) for run in self._runs]
        found = super().changes(mark, visible, cancel)
        return msgspec.structs.replace(
            found, moved=found.moved or bool(touched), changed=found.changed + tuple(touched)
        )


@dataclass
class Shown:
    page: RunsPage
    context: Context
    told: Told
    bridge: LiveBridge
    qtbot: object

    def __getattr__(self, name: str) -> object:
        return getattr(self.page.view, name)

    def ids(self, rows: int = 3) -> list[str]:
        model = self.page.view.model
        return [model.index(row, 2).data() for row in range(min(rows, model.rowCount()))]

    def wait(self, condition) -> None:
        self.qtbot.waitUntil(condition)

    def open(self, query: str = "") -> None:
        self.context.focus.change(page="runs", source="fake", query=query)
        self.wait(lambda: self.page.view.model.rowCount() > 0 and self.page.facts.facets is not None)


@pytest.fixture
def shown(qtbot) -> Iterator[Shown]:
    context, told = make_context()
    bridge = LiveBridge()
    add_source(context, lambda: bridge)
    page = RunsPage(context)
    show(context, page, qtbot)
    yield Shown(page, context, told, bridge, qtbot)
    page.close()
    context.sources.close_all()


def test_runs_are_listed_newest_first_with_true_figures(shown: Shown) -> None:
    shown.open()
    assert shown.ids() == ["run-0299", "run-0298", "run-0297"]
    assert shown.page.view.model.rowCount() == 300
    assert shown.told.status[-1].startswith("300 runs over 50 m · first page ")
    assert shown.page.view.chips.text_of("failed").split() == ["failed", "50"]
    assert shown.page.view.chips.text_of("paused") == ""


def test_a_chip_filters_and_clears_again(shown: Shown) -> None:
    shown.open()
    shown.page.view.chips.click("failed")
    assert shown.context.focus.current.query == "status == failed"
    shown.wait(lambda: shown.ids(1) == ["run-0295"])
    shown.wait(lambda: shown.page.facts.total == 50)
    assert shown.page.view.chips.text_of("completed").split() == ["completed", "100"]
    shown.page.view.chips.click("failed")
    assert shown.context.focus.current.query == ""
    shown.wait(lambda: shown.ids(1) == ["run-0299"])


def test_the_slash_key_leads_to_a_filter_that_enter_applies(shown: Shown, qtbot) -> None:
    shown.open()
    shown.context.commands.run("runs.focus_filter")
    line = shown.page.view.filter_bar.line
    assert line.hasFocus()
    qtbot.keyClicks(line, 'type == "send_invoice"')
    assert shown.context.focus.current.query == ""
    qtbot.keyClick(line, Qt.Key.Key_Escape)  # the popup, if one is open
    line.setText('type == "send_invoice"')
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert shown.context.focus.current.query == 'type == "send_invoice"'
    shown.wait(lambda: shown.ids(2) == ["run-0298", "run-0294"])
    assert shown.page.view.table.hasFocus()


def test_a_wrong_filter_is_refused_with_its_column(shown: Shown, qtbot) -> None:
    shown.open()
    bar = shown.page.view.filter_bar
    bar.focus()
    bar.line.setText("status == failed and nosuch > 3")
    qtbot.keyClick(bar.line, Qt.Key.Key_Return)
    assert shown.context.focus.current.query == ""
    assert bar.message.startswith("column 22:")
    assert "nosuch" in bar.message


def test_a_filter_that_matches_nothing_offers_the_way_back(shown: Shown) -> None:
    shown.open()
    shown.page.apply_filter('type == "nope"')
    shown.wait(lambda: not shown.page.view.showing_rows)
    assert shown.page.view.empty.message.startswith("No run matches this filter")
    shown.page.view.empty.findChild(QPushButton).click()
    shown.wait(lambda: shown.page.view.showing_rows and shown.ids(1) == ["run-0299"])


def test_an_empty_source_says_so(qtbot) -> None:
    context, _ = make_context()
    add_source(context, lambda: FakeBridge(0))
    page = RunsPage(context)
    show(context, page, qtbot)
    context.focus.change(page="runs", source="fake")
    qtbot.waitUntil(lambda: page.view.empty.message.startswith("This source has no runs yet"))
    assert page.view.empty.isVisible() and not page.view.table.isVisible()
    page.close()
    context.sources.close_all()


def test_an_error_shows_what_happened_and_can_be_retried(shown: Shown) -> None:
    shown.bridge.error = BusyError("The database is locked.", "Close the other program.")
    shown.context.focus.change(page="runs", source="fake")
    shown.wait(lambda: "locked" in shown.page.view.empty.message)
    assert "Close the other program." in shown.page.view.empty.message
    retry, copy = shown.page.view.empty.findChildren(QPushButton)
    copy.click()
    assert "BusyError" in QGuiApplication.clipboard().text()
    shown.bridge.error = None
    retry.click()
    shown.wait(lambda: shown.page.view.showing_rows and shown.page.view.model.rowCount() == 300)


def test_enter_opens_the_run(shown: Shown, qtbot) -> None:
    shown.open()
    shown.page.view.table.selectRow(1)
    qtbot.keyClick(shown.page.view.table, Qt.Key.Key_Return)
    focus = shown.context.focus.current
    assert (focus.page, focus.run, focus.position, focus.step_id) == ("run", make_run(298).ref, None, None)


def test_rows_change_in_place(shown: Shown) -> None:
    shown.open()
    shown.page.view.table.selectRow(2)
    done = msgspec.structs.replace(make_run(297), status=Status.CANCELLED, now="stopped by hand")
    shown.bridge.touched.append(done)
    shown.wait(lambda: shown.page.view.model.index(2, 3).data() == "stopped by hand")
    assert shown.ids() == ["run-0299", "run-0298", "run-0297"]
    assert [ref.run for ref in shown.page.view.selected_refs()] == ["run-0297"]


def test_new_runs_appear_at_the_top_when_nobody_reads_there(shown: Shown) -> None:
    shown.open()
    shown.bridge.pending = [make_run(300), make_run(301)]
    shown.wait(lambda: shown.ids(2) == ["run-0301", "run-0300"])
    assert shown.page.view.model.rowCount() == 302


@pytest.mark.parametrize("reading", ["scrolled", "selected"])
def test_new_runs_wait_above_while_the_user_reads(shown: Shown, reading: str) -> None:
    shown.open()
    table = shown.page.view.table
    if reading == "scrolled":
        shown.wait(lambda: table.verticalScrollBar().maximum() > 1_000)
        table.verticalScrollBar().setValue(780)
    else:
        table.selectRow(0)
    top = table.indexAt(QPoint(40, 5)).row()
    before = shown.page.view.model.item(top).id
    shown.bridge.pending = [make_run(300), make_run(301), make_run(302)]
    shown.wait(lambda: shown.page.view.new_above.isVisible())
    assert shown.page.view.new_above.text() == "3 new above · show"
    assert shown.page.view.model.item(table.indexAt(QPoint(40, 5)).row()).id == before
    shown.context.commands.run("runs.show_new")
    assert shown.ids(1) == ["run-0302"]
    assert table.at_top
    assert not shown.page.view.new_above.isVisible()


def test_new_runs_that_the_filter_excludes_do_not_count(shown: Shown) -> None:
    shown.open("status == failed")
    shown.page.view.table.selectRow(0)
    shown.bridge.pending = [make_run(300), make_run(301)]  # 301 has failed, 300 has not
    shown.wait(lambda: shown.page.view.new_above.isVisible())
    assert shown.page.view.new_above.text() == "1 new above · show"


def test_the_first_run_of_an_empty_source_appears_by_itself(qtbot) -> None:
    context, _ = make_context()
    bridge = LiveBridge(0)
    add_source(context, lambda: bridge)
    page = RunsPage(context)
    show(context, page, qtbot)
    context.focus.change(page="runs", source="fake")
    qtbot.waitUntil(lambda: not page.view.showing_rows)
    bridge.pending = [make_run(1)]
    qtbot.waitUntil(lambda: page.view.showing_rows and page.view.model.rowCount() == 1)
    assert page.view.table.isVisible() and page.view.model.item(0) == make_run(1)
    page.close()
    context.sources.close_all()


def test_nothing_is_polled_while_another_page_is_shown(shown: Shown, qtbot) -> None:
    shown.open()
    shown.context.focus.change(page="failures")
    assert not shown.page.live.running
    shown.context.focus.change(page="runs")
    assert shown.page.live.running
    assert shown.ids(1) == ["run-0299"]


def test_charts_wait_while_another_page_is_shown(shown: Shown) -> None:
    """What they ask may take seconds of the source, which whoever opens a run waits for."""
    shown.bridge.slow_charts.set()
    shown.context.focus.change(page="runs", source="fake", query="")
    shown.wait(lambda: shown.page.facts.total == 300 and not shown.bridge.slow_charts.is_set())
    shown.context.focus.change(page="failures")
    shown.wait(lambda: shown.bridge.given_up == 1)
    assert shown.page.facts.facets is None
    shown.context.focus.change(page="runs")
    shown.wait(lambda: shown.page.facts.facets is not None)


def test_counts_follow_what_happens(shown: Shown) -> None:
    shown.open()
    shown.bridge.pending = [make_run(301)]
    before = shown.page.view.chips.text_of("completed")
    shown.wait(lambda: shown.page.view.chips.text_of("failed").split() == ["failed", "51"])
    assert shown.page.view.chips.text_of("completed") == before


def test_sorting_by_a_column_asks_the_source(shown: Shown) -> None:
    shown.open()
    shown.page.sort_by(6)
    assert shown.page.sort == Sort(field="duration", descending=False)
    assert shown.page.view.model.headerData(6, Qt.Orientation.Horizontal) == "duration ↑"
    shown.wait(lambda: shown.ids(1) == ["run-0000"])
    shown.page.sort_by(3)
    assert shown.told.notices == ["This source cannot sort by now, or why."]


def test_a_scan_goes_on_until_a_screenful_and_then_on_request(shown: Shown) -> None:
    shown.bridge.scan = 100
    shown.context.focus.change(page="runs", source="fake", query='error contains "insufficient"')
    shown.wait(lambda: shown.page.view.model.rowCount() == 50)
    shown.wait(lambda: not shown.page.view.scan.isVisible())
    assert shown.page.view.showing_rows
    shown.wait(lambda: "50 runs found" in shown.told.status[-1])


def test_a_scan_tells_how_far_it_is_and_can_be_cancelled_and_continued(shown: Shown) -> None:
    shown.open()
    shown.bridge.scan, shown.bridge.gate = 100, threading.Event()
    shown.page.apply_filter('error contains "insufficient"')
    shown.wait(lambda: "searched 70 of 300" in shown.page.view.scan.text)
    shown.page.view.scan.cancelled.emit()
    shown.wait(lambda: "Search cancelled" in shown.page.view.empty.message)
    assert "found" not in shown.told.status[-1]
    shown.bridge.gate.set()
    shown.page.view.empty.findChild(QPushButton).click()
    shown.wait(lambda: shown.page.view.model.rowCount() == 50)


def test_the_same_cell_filters_narrows_and_excludes(shown: Shown) -> None:
    shown.open()
    view = shown.page.view
    view.table.setCurrentIndex(view.model.index(0, 1))
    shown.context.commands.run("runs.filter_by")
    assert shown.context.focus.current.query == 'type == "research_agent"'
    shown.wait(lambda: shown.ids(1) == ["run-0299"] and view.model.rowCount() == 75)
    view.table.setCurrentIndex(view.model.index(0, 0))
    shown.context.commands.run("runs.filter_not")
    assert shown.context.focus.current.query == 'type == "research_agent" and status != cancelled'
    shown.wait(lambda: shown.ids(1) != ["run-0299"])


def test_the_cell_menu_offers_filters_and_copies(shown: Shown) -> None:
    shown.open()
    view = shown.page.view
    view.table.setCurrentIndex(view.model.index(0, 1))
    menu = shown.page.cells.menu()
    titles = [action.text() for action in menu.actions() if not action.isSeparator()]
    assert titles[0] == "Open run"
    assert 'Filter by  type == "research_agent"' in titles
    assert titles[-3:] == ["Copy cell", "Copy row", "Copy id"]
    menu.actions()[-1].trigger()
    assert QGuiApplication.clipboard().text() == "run-0299"
    menu.deleteLater()


def test_the_brush_filters_by_time_and_escape_clears(shown: Shown, qtbot) -> None:
    shown.open()
    charts = shown.page.view.charts
    shown.wait(lambda: charts.histogram is not None and charts.starts.readout != "")
    shown.context.commands.run("runs.focus_chart")
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Return):
        qtbot.keyClick(charts.starts, key)
    query = shown.context.focus.current.query
    assert query.startswith("created >= ")
    shown.wait(lambda: 0 < shown.page.view.model.rowCount() < 60)
    qtbot.keyClick(charts.starts, Qt.Key.Key_Escape)
    assert shown.context.focus.current.query == ""


def test_a_point_of_the_scatter_opens_its_run(shown: Shown, qtbot) -> None:
    shown.open()
    charts = shown.page.view.charts
    shown.wait(lambda: charts.scatter is not None and charts.scatter.p95_ns is not None)
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Return):
        qtbot.keyClick(charts.durations, key)
    assert shown.context.focus.current.page == "run"


def test_refresh_keeps_the_selection_and_the_place(shown: Shown) -> None:
    shown.open()
    shown.page.view.table.selectRow(5)
    shown.page.refresh()
    shown.wait(lambda: not shown.page.feed.opening)
    assert [ref.run for ref in shown.page.view.selected_refs()] == ["run-0294"]


def test_attributes_are_columns_that_can_be_filtered_by(shown: Shown) -> None:
    shown.open()
    view = shown.page.view
    view.show_columns(frozenset({"id", "attributes.tenant"}))
    column = [column.id for column in view.model.columns].index("attributes.tenant")
    assert view.model.columns[column].text(view.model.item(0), view.model.clock) == "acme"
    view.table.setCurrentIndex(view.model.index(0, column))
    shown.context.commands.run("runs.filter_by")
    assert shown.context.focus.current.query == 'attributes.tenant == "acme"'
    shown.wait(lambda: view.model.rowCount() == 150)
    view.columns_changed.emit(["id"])
    shown.page.context.settings.set("runs_columns", "id,attributes.elsewhere")
    view.columns_changed.emit(["status", "id"])
    assert shown.page.context.settings.get("runs_columns") == "status,id,attributes.elsewhere"


def test_columns_can_be_chosen(shown: Shown) -> None:
    shown.open()
    shown.page.view.show_columns(frozenset({"status", "id", "queue"}))
    assert shown.page.view.shown_columns() == ["status", "id", "queue"]
    shown.page.view.columns_changed.emit(["status", "id"])
    again = RunsPage(shown.context)
    assert again.view.shown_columns() == ["status", "id"]
    again.close()
    again.view.deleteLater()


def test_a_run_that_was_deleted_says_so_in_its_place(shown: Shown) -> None:
    shown.open()
    shown.wait(lambda: shown.page.live.watching)
    shown.page.live.moved.emit(Changes(mark=b"x", moved=True, removed=(make_run(298).ref,)))
    assert shown.ids() == ["run-0299", "run-0298", "run-0297"]
    assert shown.page.view.model.index(1, 3).data() == "no longer in the source"


def test_a_source_that_is_not_open_says_what_to_do(qtbot) -> None:
    context, _ = make_context()
    page = RunsPage(context)
    show(context, page, qtbot)
    context.focus.change(page="runs")
    assert "No source is open" in page.view.empty.message
    page.close()


def test_a_late_answer_of_an_old_filter_is_dropped(shown: Shown) -> None:
    shown.open()
    shown.bridge.gate = threading.Event()
    shown.page.apply_filter("status == failed")
    shown.page.apply_filter("status == completed")
    shown.bridge.gate.set()
    shown.wait(lambda: shown.page.view.model.rowCount() == 100)
    assert {shown.page.view.model.index(row, 0).data() for row in range(5)} == {"completed"}
