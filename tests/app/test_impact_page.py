"""The impact page over a real session, and its way into a bulk job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from app.context import Context
from app.impact_page import ImpactPage
from engine_bridge.actions.model import Staged, Target
from engine_bridge.bridge import Capability
from engine_bridge.configs import ImpactReport, LintReport
from engine_bridge.query import parse
from tests.app.acting import Open
from tests.app.context import Told, add_source, make_context, show
from tests.fakes_configs import FILES, FINDINGS, FakeConfigBridge, impact


@dataclass
class Shown:
    page: ImpactPage
    context: Context
    told: Told
    bridge: FakeConfigBridge
    qtbot: object

    @property
    def view(self):
        return self.page.view

    def compare(self, new: str = "HEAD~1:configs") -> None:
        self.view.new.set_places((new,))
        self.context.commands.run("impact.compare")
        self.qtbot.waitUntil(lambda: not self.page.jobs.running("impact"))


@pytest.fixture
def shown(qtbot) -> Iterator[Shown]:
    context, told = make_context()
    bridge = FakeConfigBridge()
    source = add_source(context, lambda: bridge)
    assert source.info is not None and Capability.ACTIONS in source.info.capabilities
    page = ImpactPage(context)
    show(context, page, qtbot)
    context.focus.change(page="impact", source="fake", type="registration")
    qtbot.waitUntil(lambda: page.view.new.line.count() == 3)
    yield Shown(page, context, told, bridge, qtbot)
    page.close()
    context.sources.close_all()


def test_it_first_says_what_to_name(shown: Shown) -> None:
    assert "What would a change do?" in shown.view.empty.message
    assert "REV:path" in shown.view.empty.message
    shown.context.commands.run("impact.compare")
    assert "Both places are the same" in shown.view.empty.message
    assert not [asked for asked in shown.bridge.asked if asked[0] == "impact"]


def test_a_comparison_counts_who_would_be_stranded(shown: Shown) -> None:
    shown.compare()
    assert shown.bridge.asked[-1] == ("impact", (), ("HEAD~1:configs",), None)
    assert shown.view.verdict.text == "A migration is needed: 12 entities on 2 statuses would be stranded."
    assert shown.view.old_graph.overlay.marks == {"documents_uploaded": "removed"}
    assert shown.view.new_graph.overlay.marks == {"screening": "added"}
    assert [shown.view.panes.tabText(i) for i in range(3)] == ["Stranded  2", "Changes  4", "Findings"]
    assert "Counted now" in shown.view.notices.text()


def test_degrades_go_to_the_bulk_path_with_their_filter(shown: Shown) -> None:
    shown.compare()
    shown.bridge.asked.clear()
    fields = {"state", "type"} - {field.name for field in shown.page.source().fields}
    query = 'type == "fulfil_order"'
    stranded = msgspec.structs.replace(shown.view.impact.stranded[0], filter=query)
    assert fields == {"state"}
    shown.view.stranded.show_rows((stranded,), (), "")
    with shown.qtbot.waitSignal(shown.page.bulk_requested) as asked:
        shown.context.commands.run("impact.stage_all")
    title, ((staged, node),), text = asked.args[0]
    assert title == "Degrade stranded entities: registration"
    assert (staged.action, staged.args) == ("degrade", {"to": "pending_documents"})
    assert node == parse(query, shown.page.source().fields)
    assert text == f"({query})"


def test_a_filter_that_the_source_does_not_know_is_told(shown: Shown) -> None:
    shown.compare()
    with shown.qtbot.assertNotEmitted(shown.page.bulk_requested):
        shown.view.stranded.stage_buttons[0].click()
    assert shown.told.errors


def test_errors_of_either_side_stand_with_their_findings(shown: Shown) -> None:
    shown.bridge.impact_report = ImpactReport(
        old=LintReport(files=FILES[:1]), new=LintReport(files=(FILES[1],), findings=(FINDINGS[2],))
    )
    shown.compare()
    assert "Nothing could be compared" in shown.view.verdict.text
    assert shown.view.panes.current_id == "findings"
    shown.context.commands.run("impact.next_finding")
    assert shown.view.lint.table.list_model.cell(0, 1).text == "new registration.acme.json:5"
    assert shown.view.lint.file.itemText(0) == "old registration.json"
    assert shown.told.status[-1] == "old: lint clean, new: 1 error"


def test_what_could_not_be_compared_is_no_green_verdict(shown: Shown) -> None:
    (item,) = impact().items
    problem = "The new config of registration cannot be used, so nothing was compared: see its findings."
    other = msgspec.structs.replace(item, type="invoice", stranded=(), changes=(), migration=False)
    broken = msgspec.structs.replace(
        item, problem=problem, notices=(problem,), stranded=(), changes=(), migration=False, new=None
    )
    shown.bridge.impact_report = msgspec.structs.replace(
        impact(), items=(other, broken), new=LintReport(findings=FINDINGS)
    )
    shown.compare()
    view = shown.view
    assert view.verdict.text == problem and not view.notices.isVisible()
    assert view.items.currentText() == "registration · not compared"
    assert view.panes.current_id == "findings" and view.lint.table.findings
    assert "not known" in view.stranded.note.text and "0 entities" not in view.stranded.note.text


def test_each_tenant_is_an_item_and_the_worst_is_shown_first(shown: Shown) -> None:
    item = impact().items[0]
    mild = msgspec.structs.replace(item, stranded=(), migration=False, changes=())
    other = msgspec.structs.replace(item, tenant="acme")
    shown.bridge.impact_report = ImpactReport(items=(mild, other))
    shown.compare()
    assert shown.view.items.currentText() == "registration · acme · 12 stranded"
    assert shown.view.items.itemText(0) == "registration"
    shown.view.items.activated.emit(0)
    assert shown.view.verdict.text == "Nothing differs."


def test_an_error_says_what_to_do_and_cancel_ends_it(shown: Shown) -> None:
    shown.compare("missing.json")
    assert "There is no such place." in shown.view.empty.message
    assert "REV:path" in shown.view.empty.message
    shown.bridge.slow = True
    shown.view.new.set_places(("other.json",))
    shown.view.compare.click()
    shown.qtbot.waitUntil(lambda: "120 of 400" in shown.view.progress.words.text)
    shown.view.progress.findChild(QPushButton).click()
    assert "Nothing was compared" in shown.view.empty.message


def test_the_graphs_can_stand_beside_each_other(shown: Shown) -> None:
    shown.compare()
    shown.context.commands.run("impact.turn")
    assert shown.view.graphs.orientation() == Qt.Orientation.Horizontal
    shown.context.commands.run("impact.turn")
    assert shown.view.graphs.orientation() == Qt.Orientation.Vertical


def test_it_is_reached_from_everywhere(shown: Shown) -> None:
    shown.context.focus.change(page="runs")
    shown.context.commands.run("impact.open")
    assert shown.context.focus.current.page == "impact"


def test_staged_parts_become_one_confirmed_bulk_job(acting: Open) -> None:
    a = acting()
    a.unlock()
    fields = a.window.sources.get(a.key).fields
    parts = tuple(
        (Staged(target=Target(kind="run", id=""), action="cancel"), parse(f'id == "{run}"', fields))
        for run in ("run-0002", "run-0008")
    )
    a.desk.stage_bulk(("Cancel two", parts, "both"))
    a.until(lambda: a.desk.bulk.plan is not None)
    assert [item.staged.target.id for item in a.desk.bulk.plan.items] == ["run-0002", "run-0008"]
    a.desk.bulk.view.canary.setValue(0)
    a.desk.bulk.view.confirm.setText("2")
    a.desk.bulk.submit()
    a.until(lambda: a.desk.bulk.runs.job is not None and not a.desk.bulk.runs.running)
    assert len(a.store.applied()) == 2
    assert a.desk.bulk.runs.job.title == "Cancel two"
