"""The failures page over a log that keeps rows of its own: weeks, open and resolved, tenants, correlation ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog

from app.context import Context
from app.failures_page import FailuresPage
from engine_bridge.model import RunRef
from engine_bridge.query.ast import Compare
from tests.app.context import Told, add_source, make_context, show
from tests.fakes import FakeBridge, make_run
from tests.fakes_lives import EntitiesBridge, entity_ref, log_row
from widgets.failures.sieve import Condition, Sieve


@dataclass
class Log:
    page: FailuresPage
    context: Context
    told: Told
    bridge: EntitiesBridge
    qtbot: object

    def cells(self, column: str) -> list[str]:
        model = self.page.view.model
        number = [c.id for c in model.columns].index(column)
        return [model.index(row, number).data() for row in range(model.rowCount())]

    def column(self, name: str) -> int:
        return [c.id for c in self.page.view.model.columns].index(name)

    def run(self, command: str) -> None:
        self.context.commands.run(command)

    def settled(self) -> bool:
        return not self.page.jobs.waiting(("changes",)) and not self.page.feed.busy

    def wait(self) -> None:
        self.qtbot.waitUntil(self.settled)


@pytest.fixture
def log(qtbot) -> Iterator[Log]:
    context, told = make_context()
    context.settings.set("zone", "utc")
    bridge = EntitiesBridge()
    add_source(context, lambda: bridge)
    page = FailuresPage(context)
    show(context, page, qtbot)
    context.focus.change(page="failures", source="fake")
    shown = Log(page, context, told, bridge, qtbot)
    qtbot.waitUntil(lambda: page.tallies.shown is not None and page.tallies.shown.whole)
    shown.wait()
    yield shown
    page.close()
    context.sources.close_all()


def test_columns_of_the_log_show_because_its_rows_fill_them(log: Log) -> None:
    table = log.page.view.table
    for name in ("state", "attempts", "tenant", "correlation_id"):
        assert not table.isColumnHidden(log.column(name))
    assert log.cells("state")[:2] == ["open", "resolved"]
    assert log.cells("tenant")[:4] == ["acme", "acme", "globex", "globex"]
    assert log.told.status[-1] == "40 failures · 20 open"


def test_open_and_resolved_are_chips_with_counts(log: Log) -> None:
    assert log.page.view.bar.words == ["open  20", "resolved  20"]
    log.run("failures.open_only")
    log.wait()
    assert set(log.cells("state")) == {"open"}
    assert len(log.cells("state")) == 20
    log.run("failures.open_only")
    log.wait()
    assert len(log.cells("state")) == 40


def test_weeks_are_counted_and_a_brush_narrows_the_list(log: Log, qtbot) -> None:
    weeks = log.page.view.weeks
    assert sum(week.total for week in weeks.weeks) == 40
    assert "20 open · 20 resolved" in weeks.readout
    log.run("failures.weeks")
    assert weeks.hasFocus()
    qtbot.keyClick(weeks, Qt.Key.Key_Left)
    qtbot.keyClick(weeks, Qt.Key.Key_Left)
    qtbot.keyClick(weeks, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(weeks, Qt.Key.Key_Return)
    log.wait()
    span = log.page.sieve.span
    assert span == (weeks.weeks[-3].span[0], weeks.weeks[-2].span[1])
    listed = [row.time_ns for row in map(log_row, range(40)) if span[0] <= row.time_ns < span[1]]
    assert len(log.cells("run")) == len(listed) > 0
    assert sum(week.total for week in weeks.weeks) == 40, "the chart shows all weeks whatever is brushed"
    qtbot.keyClick(weeks, Qt.Key.Key_Escape)
    log.wait()
    assert len(log.cells("run")) == 40


def test_the_mouse_brushes_weeks(log: Log, qtbot) -> None:
    weeks = log.page.view.weeks
    bars = weeks.bars
    first, third = (QPoint(int(bars.step * (n + 0.5)), 30) for n in (0, 2))
    qtbot.mousePress(bars, Qt.MouseButton.LeftButton, pos=first)
    qtbot.mouseMove(bars, third)
    qtbot.mouseRelease(bars, Qt.MouseButton.LeftButton, pos=third)
    assert log.page.sieve.span == (weeks.weeks[0].span[0], weeks.weeks[2].span[1])
    log.wait()
    assert log.page.view.bar.words[-1].endswith("✕")


def test_a_cell_narrows_the_log_and_its_chip_takes_that_back(log: Log) -> None:
    table = log.page.view.table
    table.setCurrentIndex(log.page.view.model.index(2, log.column("tenant")))
    log.run("failures.filter_and")
    log.wait()
    assert set(log.cells("tenant")) == {"globex"}
    assert log.page.view.weeks.readout.endswith("10 open · 10 resolved"), "counts follow conditions"
    assert "tenant = globex  ✕" in log.page.view.bar.words
    log.run("failures.all")
    log.wait()
    assert len(log.cells("tenant")) == 40


def test_not_this_cell(log: Log) -> None:
    table = log.page.view.table
    table.setCurrentIndex(log.page.view.model.index(0, log.column("error")))
    log.run("failures.filter_not")
    log.wait()
    assert set(log.cells("error")) == {"DocumentsMissing"}


def test_a_correlation_id_is_asked_for(log: Log, qtbot) -> None:
    log.page.cells.ask_correlation_id()
    dialog = log.page.view.findChild(QDialog)
    dialog.line.setText("req-1")
    dialog.accept()
    log.wait()
    assert log.cells("run") == ["4", "5", "6", "7"]
    assert log.bridge.queries[-1] == Compare("correlation_id", "==", "req-1"), "the source narrows it too"


def test_the_menu_lists_what_the_log_holds_with_counts(log: Log) -> None:
    menu = log.page.cells.filter_menu()
    below = {action.text(): action.menu() for action in menu.actions() if action.menu() is not None}
    assert [action.text() for action in below["Tenant"].actions()] == ["acme   20", "globex   20"]
    below["Error"].actions()[1].trigger()
    log.wait()
    assert set(log.cells("error")) == {"Timeout"}
    menu.close()


def test_causes_follow_what_is_narrowed(log: Log, qtbot) -> None:
    log.run("failures.group")
    groups = log.page.view.groups
    qtbot.waitUntil(lambda: groups.rowCount() == 2)
    assert [groups.index(0, n).data() for n in range(3)] == ["26", "13", "DocumentsMissing"]
    log.page.set_sieve(Sieve(resolved=False))
    assert [groups.index(0, n).data() for n in range(2)] == ["13", "13"]
    log.page.view.group_table.selectRow(0)
    assert log.page.targets_words() == "13 runs that failed with DocumentsMissing try #"


def test_actions_aim_at_the_row_of_the_log(log: Log) -> None:
    log.page.view.table.selectRow(3)
    (target,) = log.page.targets()
    assert (target.kind, target.id, target.ref) == ("failures", "registration/3", entity_ref(3))


def test_many_rows_are_aimed_at_by_what_failed(log: Log) -> None:
    log.page.view.table.select_rows([1, 2])
    assert [(target.kind, target.ref) for target in log.page.targets()] == [
        ("run", entity_ref(1)),
        ("run", entity_ref(2)),
    ]
    log.run("failures.group")
    log.page.view.group_table.selectRow(0)
    assert {target.kind for target in log.page.targets()} == {"run"}
    assert len(log.page.targets()) == 26


def test_a_resolved_failure_is_seen_as_such(log: Log, qtbot) -> None:
    qtbot.waitUntil(lambda: log.page.live.watching)
    log.bridge.log[0] = msgspec.structs.replace(log.bridge.log[0], resolved=True)
    log.bridge.pending = [make_run(1)]
    qtbot.waitUntil(lambda: log.cells("state")[0] == "resolved")
    qtbot.waitUntil(lambda: log.page.view.bar.words == ["open  19", "resolved  21"])
    assert log.cells("state")[0] == "resolved" and log.page.view.table.isVisible()


def test_rows_are_copied_as_shown(log: Log) -> None:
    log.page.view.table.selectRow(0)
    log.run("failures.copy_row")
    assert QGuiApplication.clipboard().text().endswith("\t3\tacme\treq-0")


def test_another_source_has_a_log_of_its_own(log: Log, qtbot) -> None:
    log.page.set_sieve(Sieve((Condition("tenant", "acme"),)))
    log.wait()
    add_source(log.context, lambda: FakeBridge(12), key="other")
    log.context.focus.change(source="other")
    qtbot.waitUntil(lambda: log.cells("run") == ["run-0007", "run-0001"])
    assert log.page.sieve.open
    assert log.page.view.table.isColumnHidden(log.column("tenant"))
    log.page.view.table.selectRow(0)
    assert log.page.targets()[0].ref == RunRef("workflow", "run-0007", "run-0007")
    log.qtbot.waitUntil(lambda: log.settled())
    assert log.page.view.bar.isHidden()


def test_the_detail_tells_what_the_log_keeps(log: Log) -> None:
    log.page.view.table.selectRow(0)
    assert log.page.view.detail.text.splitlines()[-5:] == [
        "failure         open",
        "tenant          acme",
        "correlation id  req-0",
        "attempts        3",
        "status then     rejected",
    ]
