"""The config page over a real session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton

from app.config_page import ConfigPage
from app.context import Context
from engine_bridge import bridge as engines
from engine_bridge.bridge import Engine
from engine_bridge.configs import LintReport
from engine_bridge.errors import UsageError
from tests.app.context import Told, add_source, make_context, show
from tests.fakes import ref
from tests.fakes_configs import ACME, FINDINGS, GROUPS, LINT, LONGEST, REPLAY, FakeConfigBridge, FakeTools


@dataclass
class Shown:
    page: ConfigPage
    context: Context
    told: Told
    bridge: FakeConfigBridge

    @property
    def view(self):
        return self.page.view

    def run(self, command: str) -> None:
        self.context.commands.run(command)

    def asked(self, method: str) -> list[tuple]:
        return [asked for asked in self.bridge.asked if asked[0] == method]


@pytest.fixture
def made(qtbot) -> Iterator[Shown]:
    context, told = make_context()
    bridge = FakeConfigBridge()
    add_source(context, lambda: bridge)
    page = ConfigPage(context)
    show(context, page, qtbot)
    yield Shown(page, context, told, bridge)
    page.close()
    context.sources.close_all()


@pytest.fixture
def shown(made: Shown, qtbot) -> Shown:
    made.context.focus.change(page="config", source="fake", type="registration")
    qtbot.waitUntil(lambda: made.view.shows_config)
    return made


def test_the_focused_type_is_shown_with_its_verdict(shown: Shown) -> None:
    assert shown.told.status[-1] == "registration · 2 errors · 1 warning"
    assert shown.view.header.verdict.text() == "2 errors · 1 warning"
    assert shown.view.header.types.currentText() == "registration"
    assert shown.view.graph.scene is not None and len(shown.view.graph.scene.boxes) == 8
    assert [d.title for d in shown.view.lint._documents] == [
        "registration.json",
        "registration.acme.json",
        "merged, without a tenant",
    ]


def test_another_type_is_another_focus(shown: Shown) -> None:
    shown.view.header.type_chosen.emit("invoice")
    assert shown.context.focus.current.type == "invoice"
    assert shown.view.header.verdict.text() == "lint clean"
    assert len(shown.asked("lint")) == 1
    shown.context.focus.back()
    assert shown.view.header.verdict.text() == "2 errors · 1 warning"


def test_the_next_tenant_sees_its_overlay(shown: Shown) -> None:
    shown.run("config.next_tenant")
    assert shown.page.tenant == "acme"
    shown.view.lint.show_merged()
    assert shown.view.lint.document is not None
    assert shown.view.lint.document.title == "merged, as acme sees it"
    shown.run("config.next_tenant")
    assert shown.page.tenant == ""


def test_findings_from_the_keyboard(shown: Shown) -> None:
    shown.run("config.show_paths")
    shown.run("config.next_finding")
    assert shown.view.panes.current_id == "findings"
    assert shown.view.lint.document is not None and shown.view.lint.document.name == ACME
    shown.run("config.copy")
    assert (
        QGuiApplication.clipboard().text().startswith(f"{ACME}:5:5: error unknown_status at /steps/0: 1 906")
    )
    shown.run("config.entities")
    focus = shown.context.focus.current
    assert (focus.page, focus.query) == ("entities", FINDINGS[2].filter)


def test_a_command_that_cannot_run_says_why(made: Shown) -> None:
    with pytest.raises(UsageError, match="no config is on show"):
        made.run("config.simulate")
    made.page._run_command("config.next_finding")
    assert made.told.notices == ["Next Finding: no config is on show"]


def test_a_chosen_path_lies_over_the_graph_while_its_tab_is_in_front(shown: Shown) -> None:
    shown.run("config.show_paths")
    shown.view.paths.table.chosen.emit(1)
    assert shown.view.graph.overlay.way == LONGEST.statuses
    shown.run("config.next_pane")
    assert shown.view.graph.overlay.way == ()
    shown.run("config.previous_pane")
    assert shown.view.graph.overlay.way == LONGEST.statuses


def test_a_status_of_the_graph_leads_to_its_line(shown: Shown) -> None:
    shown.view.graph.toggled.emit(("pending_documents", False))
    place = shown.view.lint.text.place()
    assert "pending_documents" in shown.view.lint.text.toPlainText().splitlines()[place[0] - 1]


def test_a_simulation_counts_on_the_graph(shown: Shown, qtbot) -> None:
    shown.run("config.next_tenant")
    shown.run("config.simulate")
    qtbot.waitUntil(lambda: shown.view.simulation.result is not None)
    assert shown.asked("simulate")[-1][2] == {
        "type": "registration", "tenant": "acme", "count": 10_000, "seed": 0,
    }  # fmt: skip
    assert shown.view.graph.overlay.lives == {
        ("pending_email", "email_verified"): 10_000,
        ("email_verified", "pending_documents"): 10_000,
        ("pending_documents", "rejected"): 1_000,
    }
    shown.run("config.show_findings")
    assert shown.view.graph.overlay.lives is None


def test_replay_against_another_place_leads_to_entities(shown: Shown, qtbot) -> None:
    pane = shown.view.replay
    assert pane.place.line.itemText(1).startswith("HEAD:/srv/app/configs/registration.json; HEAD:")
    pane.place.set_places(("HEAD~1:configs",))
    pane.filter.setText('id == "run-0001"')
    shown.run("config.replay")
    qtbot.waitUntil(lambda: pane.report is not None)
    _, places, type_, query = shown.asked("replay")[-1]
    assert (places, type_) == (("HEAD~1:configs",), "registration") and query is not None
    assert shown.view.panes.tabText(3) == "Replay  33"
    pane.entities.opened.emit(2)
    focus = shown.context.focus.current
    assert (focus.page, focus.run, focus.position) == ("run", ref("run-0002"), 3)
    assert GROUPS[0].entities[2].ref == ref("run-0002")


def test_a_wrong_filter_is_told_before_anything_is_asked(shown: Shown) -> None:
    shown.view.replay.filter.setText("nonsense ==")
    shown.run("config.replay")
    assert not shown.asked("replay")
    assert shown.view.replay.empty.message


def test_a_replay_can_be_cancelled(shown: Shown, qtbot) -> None:
    pane = shown.view.replay
    shown.bridge.slow = True
    shown.run("config.replay")
    qtbot.waitUntil(lambda: "120 of 400" in pane.progress.words.text)
    pane.progress.findChild(QPushButton).click()
    assert "Replay cancelled" in pane.empty.message
    assert pane.run.isEnabled() and pane.progress.isHidden()
    assert not shown.page.jobs.running("replay")


def test_an_error_of_replay_says_what_to_do(shown: Shown, qtbot) -> None:
    shown.view.replay.place.set_places(("missing.json",))
    shown.run("config.replay")
    qtbot.waitUntil(lambda: "no such place" in shown.view.replay.empty.message)
    assert "REV:path" in shown.view.replay.empty.message


def test_the_report_is_saved_as_html(shown: Shown, qtbot, tmp_path: Path, monkeypatch) -> None:
    engine = Engine("fake", "Fake", ("fake",), lambda url, secret: shown.bridge, configs=FakeTools)
    monkeypatch.setattr(engines, "load_engine", lambda name: engine)
    shown.run("config.save_report")
    dialog = shown.page.dialog
    assert dialog is not None and dialog.isVisible()
    dialog.close()
    shown.page.write_report(tmp_path / "out.html")
    qtbot.waitUntil(lambda: "Saved out.html." in shown.told.notices)
    assert (tmp_path / "out.html").read_text() == "<!doctype html><title>3 findings</title>"
    shown.page.write_report(tmp_path / "nowhere" / "out.html")
    qtbot.waitUntil(lambda: bool(shown.told.errors))
    assert "cannot be written" in shown.told.errors[0].message


def test_configs_that_are_not_usable_show_text_and_findings(made: Shown, qtbot) -> None:
    made.bridge.report = msgspec.structs.replace(LINT, declared=())
    made.context.focus.change(page="config", source="fake", type="registration")
    qtbot.waitUntil(lambda: made.view.shows_config)
    assert "not usable" in made.view.graph.describe()
    made.run("config.next_finding")
    assert made.view.lint.text.place() == (5, 5)


def test_no_config_says_what_to_do(made: Shown, qtbot) -> None:
    made.bridge.report = LintReport()
    made.context.focus.change(page="config", source="fake")
    qtbot.waitUntil(lambda: "names no config" in made.view.empty.message)
    assert not made.view.shows_config


def test_reading_again_keeps_what_was_chosen(shown: Shown, qtbot) -> None:
    shown.run("config.next_finding")
    shown.run("config.simulate")
    qtbot.waitUntil(lambda: shown.view.simulation.result is not None)
    shown.page.refresh()
    qtbot.waitUntil(lambda: len(shown.asked("lint")) == 2 and not shown.page.jobs.running("lint"))
    assert shown.view.lint.table.current() == FINDINGS[2]
    assert shown.view.simulation.result is not None


def test_an_error_can_be_tried_again(made: Shown, qtbot) -> None:
    bridge = made.bridge
    lint, bridge.lint = bridge.lint, lambda places, tenant, cancel: 1 / 0
    made.context.focus.change(page="config", source="fake")
    qtbot.waitUntil(lambda: "Internal error" in made.view.empty.message)
    bridge.lint = lint
    made.view.empty.findChild(QPushButton).click()
    qtbot.waitUntil(lambda: made.view.shows_config)
    assert made.view.graph.isVisible() and not made.view.empty.isVisible()
    assert made.view.lint.table.findings


def test_the_impact_page_is_reached_with_the_type(shown: Shown) -> None:
    shown.run("config.impact")
    assert (shown.context.focus.current.page, shown.context.focus.current.type) == ("impact", "registration")


def test_a_replay_without_divergence_shows_no_number(shown: Shown, qtbot) -> None:
    shown.bridge.replayed = msgspec.structs.replace(REPLAY, groups=())
    shown.run("config.replay")
    qtbot.waitUntil(lambda: "No divergence" in shown.view.replay.empty.message)
    assert shown.view.panes.tabText(3) == "Replay"
