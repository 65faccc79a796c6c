"""The story of a change, on the demo's community: findings, replay, impact, and a degrade that is done."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app import appearance
from app.demo_community import MAPPING, NEXT
from app.settings import Settings
from app.window import MainWindow
from engine_bridge.sqlite_library import sqlite3
from tests.app.demo_sample import small_past


@dataclass
class Story:
    """A window on a copy of the demo's community."""

    window: MainWindow
    key: str
    database: Path
    qtbot: QtBot

    def until(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()))

    def one(self, sql: str) -> int:
        with closing(sqlite3.connect(self.database)) as connection:
            return int(connection.execute(sql).fetchone()[0])

    def config(self):
        page = self.window.router.pages.get("config")
        self.window.focus.change(page="config", type="registration")
        self.until(lambda: page.view.shows_config)
        return page.view

    def impact(self):
        page = self.window.router.pages.get("impact")
        self.window.focus.change(page="impact", type="registration")
        page.view.new.set_places((str(NEXT.parent),))
        self.window.run_command("impact.compare")
        self.until(lambda: page.view.shows_impact)
        return page.view


@pytest.fixture
def story(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Story]:
    appearance.apply("dark")
    database = tmp_path / "community.sqlite"
    shutil.copy(small_past().folder / database.name, database)
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.resize(1400, 900)
    window.show()
    key = window.actions_of_sources.open(f"entity+sqlite:///{database}?mapping={MAPPING}")
    assert key is not None
    qtbot.waitUntil(lambda: window.sources.get(key).state == "live")
    yield Story(window, key, database, qtbot)
    window.close()
    from app.journal import journal

    journal().close()


def test_lint_finds_the_status_that_no_config_knows_and_lists_who_stands_there(story: Story) -> None:
    view = story.config()
    story.window.run_command("config.next_finding")
    stuck = story.one("SELECT count(*) FROM users WHERE status = 'on_hold'")
    assert [found.count for found in view.lint.table.findings] == [stuck]
    line = view.lint.text.toPlainText().splitlines()[view.lint.text.place()[0] - 1]
    assert "status_types" in line
    story.window.run_command("config.entities")
    entities = story.window.router.pages.get("entities")
    story.until(lambda: entities.view.model.rowCount() == stuck)


def test_an_overlay_tells_its_values(story: Story) -> None:
    view = story.config()
    story.window.run_command("config.next_tenant")
    view.lint.show_merged()
    assert view.lint.document is not None
    places = view.lint.document.places
    told = {view.lint.text.describe(places.line(spot.start), 1_000) for spot in places.spots}
    assert any("from registration.acme-energy.json:" in text for text in told)
    assert any("from registration.json:" in text for text in told)


def test_replay_holds_today_and_breaks_with_the_next_release(story: Story) -> None:
    view = story.config()
    story.window.run_command("config.replay")
    story.until(lambda: view.replay.report is not None)
    assert view.replay.report.groups == ()
    assert view.replay.report.entities == story.one(
        "SELECT count(DISTINCT entity_id) FROM workflow_history WHERE entity_type = 'User'"
    )
    view.replay.place.set_places((str(NEXT.parent),))
    story.window.run_command("config.replay")
    story.until(lambda: view.replay.report is not None and view.replay.report.groups)
    assert {group.recorded for group in view.replay.report.groups} == {"documents_uploaded"}
    view.replay.entities.opened.emit(0)
    assert story.window.focus.current.page == "run"
    run = story.window.router.pages.get("run")
    story.until(lambda: run.view.header.isVisible())


def test_whom_the_next_release_strands_is_moved_with_a_reason(story: Story) -> None:
    stands = "SELECT count(*) FROM users WHERE status = 'documents_uploaded' AND tenant_id <> 'acme-energy'"
    stranded = story.one(stands)
    assert stranded > 0
    view = story.impact()
    view.item_chosen.emit(next(n for n in range(view.items.count()) if "acme" not in view.items.itemText(n)))
    assert view.stranded.table.item(0, 1).text() == str(stranded)
    assert view.stranded.target(0) == "pending_documents"
    story.window.desk.unlocks.unlock(story.key, 600)
    view.stranded.stage_buttons[0].click()
    bulk = story.window.desk.bulk
    story.until(lambda: bulk.plan is not None)
    assert len(bulk.plan.runnable) == stranded
    bulk.view.canary.setValue(0)
    bulk.view.rate.setValue(0)
    bulk.view.reason.setText("release 42 drops the status")
    bulk.view.confirm.setText(str(stranded))
    assert bulk.blocked() == ""
    bulk.submit()
    story.until(lambda: bulk.runs.job is not None and not bulk.runs.running)
    assert story.one(stands) == 0
    noted = "SELECT count(*) FROM workflow_history WHERE metadata LIKE '%release 42 drops the status%'"
    assert story.one(noted) == stranded
    page = story.window.router.pages.get("impact")
    story.window.run_command("impact.compare")
    story.until(lambda: not page.jobs.running("impact"))
    base = next(item for item in page.report.items if not item.tenant)
    assert [row.count for row in base.stranded] == [0]
