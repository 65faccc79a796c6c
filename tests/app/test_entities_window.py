"""The window over real tables: find a stuck entity, learn why, move it, see it, and find it in the journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import resources
from app import appearance
from app.entities_page import EntitiesPage
from app.settings import Settings
from app.window import MainWindow
from engine_bridge.model import RunRef
from engine_bridge.sqlite_library import sqlite3
from resources.demo_entities import past

MAPPING = Path(resources.__file__).parent / "demo_entities" / "community.toml"
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture(scope="module")
def community(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("community") / "community.sqlite"
    past.make(path, 60, lambda *far: None)
    return path


@dataclass
class Shown:
    window: MainWindow
    key: str
    path: Path
    qtbot: QtBot

    @property
    def page(self) -> EntitiesPage:
        return self.window.router.pages.get("entities")

    def until(self, condition) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()))

    def only(self, status: str) -> None:
        """Filters by a status of the graph and chooses the first two entities."""
        graph = self.page.view.graph
        graph.press(graph.scene.find(status))
        self.until(lambda: self.page.rows.total)
        self.page.view.table.select_rows([0, 1])
        self.until(lambda: len(self.window.desk.offered.targets) == 2 and self.window.desk.offered.specs)

    def stage(self, to: str) -> None:
        """M, the target's name, Enter."""
        self.qtbot.keyClick(self.window, Qt.Key.Key_M)
        bar = self.page.moves.bar
        assert bar.isVisible()
        self.qtbot.keyClicks(bar.line, to)
        self.qtbot.keyClick(bar.line, Qt.Key.Key_Return)

    def status(self, entity: str) -> str:
        """What the list says of an entity, "" when it is not there."""
        run = self.page.view.model.find(RunRef("entity", "registration", entity))
        return run.engine_status if run is not None else ""

    def rows(self, sql: str) -> list[tuple]:
        db = sqlite3.connect(self.path)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()


@pytest.fixture
def shown(
    qtbot: QtBot, qapp: QApplication, community: Path, caplog: pytest.LogCaptureFixture
) -> Iterator[Shown]:
    caplog.clear()  # the past that was made holds failures, and says so
    appearance.apply("dark")
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.resize(1500, 950)
    window.show()
    qtbot.waitExposed(window)
    key = window.actions_of_sources.open(
        f"entity+sqlite:///{quote(str(community))}?mapping={quote(str(MAPPING))}"
    )
    assert key is not None
    made = Shown(window, key, community, qtbot)
    made.until(lambda: window.focus.current.page == "entities")
    made.until(lambda: made.page.populations.shown is not None and made.page.rows.total)
    yield made
    window.close()
    from app.journal import journal

    journal().close()


def test_a_source_of_entities_opens_on_them(shown: Shown) -> None:
    assert shown.window.router.scope == "entities"
    assert shown.page.type == "registration"
    assert shown.page.view.header.facts.text.startswith("users · 6")
    assert "m Stage Move".lower() in shown.window.status_bar.keys.text.lower()


def test_moves_are_staged_reviewed_and_applied_from_the_keyboard(shown: Shown) -> None:
    window, page = shown.window, shown.page
    shown.only("pending_documents")
    chosen = [run.id for run in page.view.table.selected_items()]
    shown.qtbot.keyClick(window, Qt.Key.Key_M)
    shown.qtbot.keyClicks(page.moves.bar.line, "zzz")
    assert page.moves.bar.nothing.isVisible() and "No status" in page.moves.bar.nothing.text()
    shown.qtbot.keyClick(page.moves.bar.line, Qt.Key.Key_Escape)
    shown.stage("pending_approval")
    assert page.view.graph.staged_words == ["2: pending_documents → pending_approval"]
    assert [page.view.table.staged[ref] for ref in page.view.selected_refs()] == ["pending_approval"] * 2
    shown.until(lambda: window.desk.review.plan is not None)
    # The plan stands beside the list, and the keyboard stays there.
    assert window.sheet.parent() is page.view.splitter
    assert page.view.table.hasFocus()
    assert window.desk.review.view.count.text() == "Staged: 2 moves"
    assert window.desk.review.view.execute_button.text() == "Apply 2 moves"
    shown.qtbot.keyClick(window, Qt.Key.Key_U)
    assert page.view.graph.staged_words == []
    shown.stage("pending_approval")
    shown.until(lambda: window.desk.review.plan is not None)
    window.desk.unlocks.unlock(shown.key, 600)
    shown.qtbot.keyClick(window, Qt.Key.Key_Return, CONTROL)
    assert "reason" in window.status_bar.note.text
    window.desk.review.view.reason.setText("documents received by mail, case 5521")
    shown.qtbot.keyClick(window, Qt.Key.Key_Return, CONTROL)
    shown.until(lambda: window.desk.executions.view is not None and not window.desk.executions.running)
    assert [row.text.splitlines()[0].split(" · ")[0] for row in window.desk.executions.view.rows] == [
        "Applied"
    ] * 2
    # Rows change in place, or are gone with their status where the source was opened anew.
    shown.until(lambda: not any(shown.status(one) == "pending_documents" for one in chosen))
    assert page.view.graph.staged_words == []
    moved = shown.rows(
        "SELECT entity_id, from_status, to_status FROM workflow_history WHERE metadata LIKE '%case 5521%'"
    )
    assert sorted(row[0] for row in moved) == sorted(chosen)
    assert {row[1:] for row in moved} == {("pending_documents", "pending_approval")}
    from app.journal import journal

    done = [(row.kind.value, row.action, row.verdict) for row in reversed(journal().rows())]
    assert done.count(("outcome", "move", "applied")) == 2


def test_the_sheet_goes_where_the_page_wants_it(shown: Shown) -> None:
    window, page = shown.window, shown.page
    shown.only("pending_approval")
    shown.stage("rejected")
    shown.until(lambda: window.desk.review.plan is not None)
    window.focus.change(page="journal")
    assert window.sheet.parent() is window.splitter
    assert window.sheet.isVisible()
    window.run_command("focus.back")
    assert window.sheet.parent() is page.view.splitter
    window.run_command("action.discard")
    assert window.sheet.isHidden()
    assert page.view.graph.staged_words == []


def test_the_path_names_type_and_filter_and_the_run_page_stays_below_entities(shown: Shown) -> None:
    window = shown.window
    graph = shown.page.view.graph
    graph.press(graph.scene.find("active"))
    assert window.top_bar.path.texts[1:] == ["entities", 'state == "active"']
    shown.until(lambda: shown.page.view.model.index(0, 2).data() == "active")
    shown.page.view.table.selectRow(0)
    window.run_command("entities.open")
    assert window.router.scope == "run"
    assert window.top_bar.path.texts[1:3] == ["entities", "registration"]
    assert next(row for row in window.panel.rows if row.title == "Entities").current
