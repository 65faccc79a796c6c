"""What operators do to entities in the real window: races, undo, many at once, the endpoint, tenants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from app import appearance
from app.settings import Settings
from app.window import MainWindow
from engine_bridge.actions.bulk_model import JobState
from engine_bridge.model import RunRef
from tests.engines.entity_state import sample
from tests.engines.entity_state.act.test_act_http import Application, application
from tests.engines.entity_state.act.tools import Place, Places, places
from tests.engines.entity_state.bridge.conftest import as_reader
from tests.engines.entity_state.fixtures import Sample

__all__ = ["application", "places"]
CONTROL = Qt.KeyboardModifier.ControlModifier
REASON = "ticket 7"


class Desk:
    """A window on one source, and what a user does in it."""

    def __init__(self, window: MainWindow, key: str, qtbot: QtBot) -> None:
        self.window, self.key, self.qtbot = window, key, qtbot

    @property
    def desk(self) -> Any:
        return self.window.desk

    @property
    def entities(self) -> Any:
        return self.window.router.pages.get("entities")

    def until(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()))

    def live(self) -> None:
        self.until(lambda: self.window.sources.get(self.key).state == "live")

    def go(self, entity: str, type_: str = "invoice") -> None:
        self.window.focus.change(page="run", run=RunRef("entity", type_, entity), position=None, step_id=None)
        self.until(lambda: self.desk.offered.targets and self.desk.offered.specs)
        self.until(lambda: self.desk.offered.targets[0].ref.run == entity)

    def form(self, action: str, **args: str) -> None:
        """Opens an action's form, fills it and stages it."""
        self.desk.start(action)
        assert self.desk.forms.view is not None, self.window.status_bar.note.text
        self.desk.forms.view.set_args(args)
        self.desk.forms.submit()
        self.until(lambda: self.desk.review.plan is not None)

    def apply(self) -> str:
        """Gives the reason, executes the plan, and answers what the first receipt says."""
        self.desk.unlocks.unlock(self.key, 600)
        self.desk.review.view.reason.setText(REASON)
        self.desk.review.execute()
        self.until(lambda: self.desk.executions.view is not None and not self.desk.executions.running)
        return str(self.desk.executions.view.rows[0].text)


Open = Callable[[str], Desk]


@pytest.fixture
def opened(qtbot: QtBot, qapp: QApplication) -> Iterator[Open]:
    appearance.apply("dark")
    windows: list[MainWindow] = []

    def open_(url: str) -> Desk:
        window = MainWindow(Settings())
        windows.append(window)
        qtbot.addWidget(window)
        window.resize(1500, 950)
        window.show()
        qtbot.waitExposed(window)
        key = window.actions_of_sources.open(url)
        assert key is not None
        desk = Desk(window, key, qtbot)
        desk.live()
        return desk

    yield open_
    for window in windows:
        window.close()
    from app.journal import journal

    journal().close()


@pytest.fixture
def own(places: Places) -> Place:
    return places("sqlite", "own")


def test_the_loser_of_a_race_is_told_who_won_and_what_changed(own: Place, opened: Open) -> None:
    desk = opened(own.url)
    desk.go("inv-003")
    desk.form("move", to="sent")
    own.operator("bob", reason="the customer called").act("inv-003", "move", to="sending")
    said = desk.apply()
    assert said.startswith("Not applied: the target moved meanwhile")
    assert "bob" in said and "approved" in said and "sending" in said
    assert own.status("inv-003")[0] == "sending"
    assert [row[2] for row in own.history("inv-003")][-1] == "sending"


def test_a_move_is_undone_by_its_inverse_at_once_and_later_from_the_journal(own: Place, opened: Open) -> None:
    desk = opened(own.url)
    desk.go("inv-003")
    desk.form("move", to="sent")
    assert desk.apply().startswith("Applied") and own.status("inv-003")[0] == "sent"
    desk.window.run_command("action.revert")
    desk.until(lambda: desk.desk.review.plan is not None)
    assert desk.apply().startswith("Applied") and own.status("inv-003")[0] == "approved"
    desk.until(lambda: "sent" in desk.desk.offered.spec("move").params[0].choices)
    desk.form("move", to="sent")
    assert desk.apply().startswith("Applied")
    desk.window.run_command("action.close")
    desk.window.focus.change(page="journal")
    journal = desk.window.router.pages.get("journal")
    desk.until(lambda: journal.view.table.current() is not None)
    assert journal.view.table.current().action == "move"
    desk.window.run_command("journal.undo")
    desk.until(lambda: desk.desk.review.plan is not None)
    assert desk.apply().startswith("Applied") and own.status("inv-003")[0] == "approved"
    assert own.metadata("inv-003")["reason"] == REASON


def test_sixty_entities_are_moved_by_a_bulk_job(own: Place, opened: Open) -> None:
    for number in range(60):
        own.sql(
            "INSERT INTO invoices (id, status, version, tenant_id, created_at) "
            "VALUES (:id, 'approved', 1, 'acme', '2026-11-19 08:00:00.000000')",
            id=f"many-{number:02d}",
        )
    desk = opened(own.url)
    desk.window.focus.change(page="entities", type="invoice", query='id ~ "many-*"')
    desk.until(lambda: desk.entities.rows.total == 60 and len(desk.entities.view.model.blocks.loaded()) >= 60)
    desk.entities.view.table.select_rows(list(range(60)))
    desk.until(lambda: len(desk.desk.offered.targets) == 60 and desk.desk.offered.specs)
    desk.window.run_command("entities.move")
    bulk = desk.desk.bulk
    desk.until(lambda: bulk.form is not None)
    bulk.form.set_args({"to": "sent"})
    bulk.submit()
    desk.until(lambda: bulk.plan is not None)
    assert bulk.view.count.text().startswith("60 ")
    desk.desk.unlocks.unlock(desk.key, 600)
    bulk.view.canary.setValue(5)
    bulk.view.rate.setValue(0)
    bulk.view.confirm.setText("60")
    bulk.view.reason.setText(REASON)
    bulk.view.run_button.click()
    desk.until(lambda: bulk.runs.job is not None and not bulk.runs.running)
    assert bulk.runs.job.state is JobState.CANARY
    counted = "SELECT count(*) FROM invoices WHERE id LIKE 'many-%' AND status = 'sent' AND version = 2"
    assert own.value(counted) == 5
    desk.window.run_command("bulk.resume")
    desk.until(lambda: bulk.runs.job.state is JobState.DONE and not bulk.runs.running)
    assert own.value(counted) == 60
    rows = "SELECT count(*) FROM workflow_history WHERE entity_id LIKE 'many-%' AND to_status = 'sent'"
    assert own.value(rows) == 60


def test_a_retry_goes_to_the_endpoint_that_is_approved_once(
    places: Places,
    application: Application,
    opened: Open,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    place = places("sqlite", "own")
    place.write(f'[writes]\nmode = "http"\nendpoint = "{application.url}"\n')
    desk = opened(place.url)
    desk.go("inv-003")
    desk.form("retry_step")
    assert "was not approved yet" in desk.desk.review.plan.items[0].refused
    desk.window.run_command("action.discard")
    desk.form("retry_step", approve="127.0.0.1")
    assert desk.apply().startswith("Applied") and len(application.asked) == 1
    desk.form("retry_step")
    assert not desk.desk.review.plan.items[0].refused
    assert desk.apply().startswith("Applied") and len(application.asked) == 2
    place.sample.mapping.write_text(place.sample.mapping.read_text() + "\n# changed\n")
    again = opened(place.url)
    again.go("inv-003")
    again.form("retry_step")
    assert "was not approved yet" in again.desk.review.plan.items[0].refused


def words(window: MainWindow) -> str:
    return "\n".join(label.text() for label in window.findChildren(QLabel) if label.isVisible())


def test_without_a_tenant_every_page_says_so(tenants_server: Sample, opened: Open) -> None:
    desk = opened(as_reader(tenants_server.url))
    desk.until(lambda: "tenant" in words(desk.window))
    for page in ("entities", "runs", "failures", "resources"):
        desk.window.focus.change(page=page, query="")
        desk.until(lambda: "no tenant is set" in words(desk.window).lower())
        told = words(desk.window)
        assert "0 entities" not in told and "No entities yet" not in told and "no runs yet" not in told, page
        assert "Nothing has failed" not in told, page


def test_no_figure_of_a_tenant_stays_where_none_is_set(tenants_server: Sample, opened: Open) -> None:
    desk = opened(as_reader(tenants_server.url, "acme"))
    pages = desk.window.router.pages
    desk.window.focus.change(page="runs", query="")
    desk.until(lambda: pages.get("runs").facts.facets is not None)
    assert any(letter.isdigit() for letter in pages.get("runs").view.chips.text_of("running"))
    desk.window.focus.change(page="failures")
    desk.until(lambda: pages.get("failures").view.model.rowCount())
    key = desk.window.actions_of_sources.open(as_reader(tenants_server.url))
    titles = [source.title for source in desk.window.sources.all()]
    assert titles == ["entities_tenants · acme", "entities_tenants"]
    desk.until(lambda: desk.window.sources.get(key).state == "live")
    for page in ("runs", "failures", "resources"):
        desk.window.focus.change(page=page, query="")
        desk.until(lambda page=page: "no tenant is set" in pages.get(page).view.empty.message.lower())
        assert "no tenant is set" in desk.window.status_bar.page.text
    chips = pages.get("runs").view.chips
    assert not any(
        letter.isdigit() for status in ("running", "failed", "completed") for letter in chips.text_of(status)
    )


def test_a_broken_config_costs_its_own_type_alone_and_says_where_it_is_broken(
    own: Place, opened: Open
) -> None:
    config = own.sample.mapping.parent / "invoice.json"
    config.write_text(config.read_text()[:-40])
    desk = opened(own.url)
    desk.window.focus.change(page="entities", type="invoice", query="")
    desk.until(lambda: "invoice cannot be read" in desk.entities.view.problem.message)
    show = next(b for b in desk.entities.view.problem.findChildren(QPushButton) if "findings" in b.text())
    show.click()
    page = desk.window.router.pages.get("config")
    desk.until(lambda: page.view.shows_config)
    desk.window.run_command("config.next_finding")
    desk.window.run_command("config.next_finding")
    assert page.view.lint.file.currentText() == "invoice.json"
    assert page.view.lint.text.place()[0] in page.view.lint.text.marks
    assert "double quotes" in page.view.lint.advice.text()
    desk.window.focus.change(page="entities", type="registration")
    desk.until(lambda: desk.entities.rows.total == len(sample.USERS))
    assert desk.entities.view.table.isVisible()


def test_a_tenant_sees_no_foreign_row_on_any_page(tenants_server: Sample, opened: Open) -> None:
    desk = opened(as_reader(tenants_server.url, "acme"))
    foreign = {life.id for life in sample.INVOICES if life.tenant != "acme"}
    mine = {life.id for life in sample.INVOICES if life.tenant == "acme"}
    desk.window.focus.change(page="entities", type="invoice")
    desk.until(lambda: desk.entities.rows.total == len(mine) and desk.entities.populations.shown)
    assert desk.entities.populations.shown.total == len(mine)
    model = desk.entities.view.model
    assert {model.item(row).id for row in range(len(mine))} == mine
    desk.window.focus.change(page="failures")
    log = desk.window.router.pages.get("failures")
    desk.until(lambda: log.tallies.shown is not None and log.tallies.shown.whole)
    desk.until(lambda: log.view.model.rowCount() > 0 and log.view.model.item(0) is not None)
    rows = [log.view.model.item(row) for row in range(log.view.model.rowCount())]
    assert rows and not {row.ref.run for row in rows} & foreign
    desk.window.focus.change(page="runs")
    runs = desk.window.router.pages.get("runs")
    desk.until(lambda: runs.facts.facets is not None)
    assert not {runs.view.model.item(row).id for row in range(runs.view.model.rowCount())} & foreign
