"""What the demo is there for: an operator finds a stuck entity, learns why, moves it, and sees it go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app import appearance, demo_community
from app.demo import Demo
from app.demo_community import COMMUNITY, MAPPING
from app.journal import journal
from app.settings import Settings
from app.window import MainWindow
from engine_bridge.sqlite_library import sqlite3
from tests.app.cli.conftest import Run, playhead
from tests.app.demo_sample import small_past
from tests.app.test_demo import until

__all__ = ["playhead"]
STUCK = "u-48213"
REASON = "documents received by mail, case 5521"
CONFIG, NEXT = str(MAPPING.parent / "registration.json"), str(demo_community.NEXT)


class Community:
    """The demo's community, and what its database says."""

    def __init__(self, folder: Path) -> None:
        self.demo = Demo(pace=0.05, worlds=(COMMUNITY,))
        (source,) = self.demo.prepare(folder)
        self.url = source.url
        self.file = folder / COMMUNITY.file

    def rows(self, sql: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self.file, timeout=10)) as connection:
            return connection.execute(sql, values).fetchall()

    def status(self, user: str) -> str:
        return str(self.rows("SELECT status FROM users WHERE id = ?", user)[0][0])

    def moves(self, user: str) -> list[Any]:
        """(step, from, to, actor, metadata) of the user's history, oldest first."""
        return self.rows(
            "SELECT step_key, from_status, to_status, actor, metadata FROM workflow_history"
            " WHERE entity_type = 'User' AND entity_id = ? ORDER BY id",
            user,
        )


@pytest.fixture
def community(tmp_path: Path) -> Iterator[Community]:
    found = Community(Path(shutil.copytree(small_past().folder, tmp_path / "demo")))
    yield found
    found.demo.stop()
    journal().close()


def test_a_stuck_user_is_found_understood_moved_and_goes_on(playhead: Run, community: Community) -> None:
    listed = playhead(
        "runs", community.url, "--filter", "state == pending_documents and failures > 0", "--json"
    )
    assert listed.code == 0, listed.err
    why = {run["id"]: run["now"] for run in listed.lines}
    assert "retry limit in notify_upload" in why[STUCK] and "vault-0 was shut down" in why[STUCK]

    shown = playhead("show", community.url, STUCK, "--json").document
    assert shown["run"]["engine_status"] == "pending_documents"

    community.demo.start()
    act = ("act", community.url, STUCK, "move", "to=pending_approval")
    answer = playhead(*act, "--yes", "--reason", REASON, "--json")
    assert answer.code == 0, answer.err
    assert answer.document["receipts"][0]["verdict"] == "applied"

    until(lambda: community.status(STUCK) == "active")
    moved, approved = community.moves(STUCK)[-2:]
    assert moved[1:3] == ("pending_documents", "pending_approval")
    assert json.loads(moved[4])["reason"] == REASON
    assert approved[0:3] == ("approve", "pending_approval", "active")
    log = "SELECT resolved_at FROM workflow_permanent_failure_log WHERE entity_id = ?"
    assert community.rows(log, STUCK)[0][0] is not None

    outcome, intent = playhead("journal", community.url, "--json").lines
    assert (intent["kind"], intent["action"], intent["target"], intent["reason"]) == (
        "intent",
        "move",
        STUCK,
        REASON,
    )
    assert (outcome["kind"], outcome["verdict"]) == ("outcome", "applied")


def test_a_retry_is_executed_by_the_live_worker(playhead: Run, community: Community) -> None:
    community.demo.start()
    answer = playhead(
        "act",
        community.url,
        "u-48171",
        "retry_step",
        "step=notify_upload",
        "--yes",
        "--reason",
        "it is up again",
    )
    assert answer.code == 0, answer.err
    until(lambda: community.status("u-48171") == "active")
    assert [move[0] for move in community.moves("u-48171")[-3:]] == [
        "notify_upload",
        "check_documents",
        "approve",
    ]


def test_a_dead_claim_is_released_and_the_invoice_goes_out(playhead: Run, community: Community) -> None:
    community.demo.start()
    answer = playhead(
        "act", community.url, "i-20407", "release_claim", "--yes", "--reason", "the mailer is gone"
    )
    assert answer.code == 0, answer.err
    kinds = (
        "SELECT metadata ->> 'kind', to_status FROM workflow_history WHERE entity_id = 'i-20407' ORDER BY id"
    )
    until(lambda: ("step", "sent") in community.rows(kinds))


def test_lint_and_impact_stop_the_next_release_with_the_exact_count(
    playhead: Run, community: Community
) -> None:
    ((count,),) = community.rows("SELECT count(*) FROM users WHERE status = 'documents_uploaded'")
    assert count > 0
    lint = playhead("lint", NEXT, "--source", community.url, "--json")
    assert lint.code == 1
    found = [f for f in lint.document["findings"] if "documents_uploaded" in f["reason"]]
    assert sum(f["count"] for f in found) == count
    impact = playhead("impact", CONFIG, NEXT, "--source", community.url, "--json")
    assert impact.code == 1
    stranded = [s for item in impact.document["items"] for s in item["stranded"]]
    assert sum(s["count"] for s in stranded if s["status"] == "documents_uploaded") == count


def test_the_same_in_the_window_which_shows_it_going_on(
    qtbot: QtBot, qapp: QApplication, community: Community
) -> None:
    appearance.apply("dark")
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.resize(1500, 950)
    window.show()
    key = window.actions_of_sources.open(community.url)

    def see(what: Callable[[], object]) -> None:
        qtbot.waitUntil(lambda: bool(what()))

    see(lambda: window.focus.current.page == "entities")
    window.focus.change(query=f"id == {STUCK}", type="registration")
    page = window.router.pages.get("entities")
    see(lambda: page.view.model.rowCount() == 1)
    assert "vault-0 was shut down" in page.view.model.item(0).now
    page.view.table.select_rows([0])
    see(lambda: len(window.desk.offered.targets) == 1 and window.desk.offered.specs)
    window.run_command("entities.move")
    page.moves.bar.chosen.emit("pending_approval")
    see(lambda: window.desk.review.plan is not None)
    window.desk.unlocks.unlock(key, 600)
    window.desk.review.view.reason.setText(REASON)
    see(lambda: window.desk.review.blocked() == "")
    community.demo.start()
    window.run_command("action.execute")
    see(lambda: page.view.model.rowCount() == 1 and page.view.model.item(0).engine_status == "active")
    window.close()
    assert [move[2] for move in community.moves(STUCK)[-2:]] == ["pending_approval", "active"]
    assert [(row.kind.value, row.reason) for row in journal().rows()] == [("outcome", ""), ("intent", REASON)]


def test_what_the_worker_must_set_aside_to_start_is_as_it_was(playhead: Run, community: Community) -> None:
    before = community.rows("SELECT status, version, updated_at FROM users WHERE id = 'u-46871'")
    assert before[0][0] == "on_hold"
    ((users,),) = community.rows("SELECT count(*) FROM users")
    community.demo.start()
    until(lambda: community.rows("SELECT count(*) FROM users")[0][0] > users)
    assert community.rows("SELECT status, version, updated_at FROM users WHERE id = 'u-46871'") == before
    move = (
        "act",
        community.url,
        "u-46871",
        "move",
        "to=pending_approval",
        "--yes",
        "--reason",
        "never a status",
    )
    answer = playhead(*move)
    assert answer.code == 0, answer.err
    until(lambda: community.status("u-46871") == "active")
