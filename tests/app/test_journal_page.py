"""The journal page: with and without a source, searched, verified, exported, followed to its run."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import Qt

from app.journal import folder, journal
from app.opening import ActorFactory
from engine_bridge.actions.execute import Execution
from engine_bridge.actions.model import Intent, Outcome, Plan, PlanItem, Staged, Target, Verdict
from engine_bridge.cancel import CancelToken
from engine_bridge.focus import Focus
from engine_bridge.sqlite_library import sqlite3
from tests.app.acting import CONTROL, Acting, Open
from tests.fakes import ref


def write(source: str, target: str, action: str, reason: str, verdict: Verdict = Verdict.APPLIED) -> None:
    """One executed action, as an execution journals it."""
    staged = Staged(
        target=Target(kind="run", id=target, ref=ref(target)), action=action, args={"password": "hunter2"}
    )
    intent = Intent(
        request_id=f"{target}-{action}",
        source=source,
        item=PlanItem(staged=staged, title=action, calls=("call()",)),
    )
    journal().intent(intent, environment="dev", reason=reason)
    journal().settled(intent, Outcome(verdict=verdict, evidence=("Read back.",)))


def page_of(a: Acting):
    """Opens the journal page and waits for its rows."""
    a.run("go.journal")
    page = a.window.router.pages.get("journal")
    a.until(lambda: page.view.table.entries)
    return page


def test_entries_newest_first_searched_and_followed(acting: Open) -> None:
    a = acting()
    here = f"act://dev{a.store.path}"
    write(here, "run-0003", "cancel", "stuck")
    write("act://dev/elsewhere.act", "run-0004", "resume", "again", Verdict.UNKNOWN)
    page = page_of(a)
    a.qtbot.keyClick(a.window, Qt.Key.Key_4, CONTROL)
    assert [(e.target, e.source_title, e.outcome) for e in page.view.table.entries] == [
        ("run-0004", "elsewhere.act", "cannot be known"),
        ("run-0003", "orders.act", "applied"),
    ]
    a.until(lambda: any(row.title == "Journal" and row.note == "4" for row in a.window.panel.rows))
    page.search("stuck")
    a.until(lambda: len(page.view.table.entries) == 1)
    assert "hunter2" not in page.view.detail.text
    page.search("")
    page.view.only_source.click()
    a.until(lambda: [e.target for e in page.view.table.entries] == ["run-0003"])
    a.run("journal.open")
    a.until(lambda: a.window.focus.current.run == ref("run-0003"))


def test_it_needs_no_source(acting: Open) -> None:
    a = acting()
    write("act://dev/elsewhere.act", "run-0004", "resume", "again")
    a.run("source.remove")
    a.window.focus.set(Focus())
    page = page_of(a)
    assert a.window.router.scope == "journal"
    assert a.window.top_bar.path.texts == ["Journal"]
    a.run("journal.open")
    assert a.window.status_bar.note.text == "Open elsewhere.act first: it is not open now."
    assert page.view.table.entries[0].action == "resume"


def test_an_empty_journal_says_what_it_is_for(acting: Open) -> None:
    a = acting()
    a.run("go.journal")
    page = a.window.router.pages.get("journal")
    a.until(lambda: "Nobody has acted yet" in page.view.empty.message)
    assert not folder().exists()


def test_verify_names_the_first_bad_row(acting: Open) -> None:
    a = acting()
    for number in range(3):
        write("act://dev/x.act", f"run-{number:04d}", "cancel", "why")
    page = page_of(a)
    a.run("journal.verify")
    a.until(lambda: "All 6 rows fit" in page.view.told.words.text())
    db = sqlite3.connect(journal().path)
    db.executescript(
        "DROP TRIGGER journal_no_update; UPDATE journal SET body=replace(body, 'cancel', 'resume') WHERE seq=3;"
    )
    db.close()
    a.run("journal.verify")
    a.until(lambda: page.view.told.words.text().startswith("Row 3 does not fit"))
    assert page.view.table.current().target == "run-0001"


def test_what_is_awaited_is_asked_for_when_the_journal_is_looked_at(acting: Open) -> None:
    a = acting()
    a.store.set("takes_signals", "0")
    name = f"act://dev{a.store.path}"
    target = Target(kind="run", id="run-0003", ref=ref("run-0003"))
    staged = Staged(target=target, action="signal", args={"topic": "approve", "message": True})
    item = PlanItem(staged=staged, title="Signal")
    plan = Plan(id="p", source=name, environment="dev", items=(item,))
    with Execution(ActorFactory("acting", name), journal(), plan, "") as execution:
        execution.run(item, CancelToken())
    gone = Intent(request_id="elsewhere", source="act://dev/no/such.act", item=item)
    journal().intent(gone, environment="dev", reason="")
    journal().settled(gone, Outcome(verdict=Verdict.APPLIED, pending="Nothing has taken the signal yet."))
    page = page_of(a)
    told = page.view.table
    a.until(lambda: told.entries[0].heard.startswith("Its source cannot be asked now: The store is gone"))
    assert {entry.words for entry in told.entries} == {"applied, still awaited"}
    a.store.take_signals()
    a.run("journal.verify")
    a.until(lambda: [entry.words for entry in told.entries] == ["applied, still awaited", "applied"])
    assert a.journal()[-1] == ("outcome", "signal", "applied") and journal().verify() is None
    assert [intent.request_id for intent in journal().awaited()] == ["elsewhere"]


def test_export_writes_every_row(acting: Open, tmp_path: Path) -> None:
    a = acting()
    write("act://dev/x.act", "run-0001", "cancel", "why")
    page = page_of(a)
    page.export_to(str(tmp_path / "journal.jsonl"))
    a.until(lambda: "Exported 2 rows" in a.window.status_bar.note.text)
    lines = (tmp_path / "journal.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["intent", "outcome"]


def test_the_run_lists_and_marks_what_was_done_to_it(acting: Open) -> None:
    a = acting()
    write(f"act://dev{a.store.path}", "run-0003", "cancel", "stuck")
    a.go("run-0003")
    page = a.window.router.pages.get("run")
    a.until(lambda: len(page.actions.operators.entries) == 1)
    assert page.view.timeline.state.stamps[0].words.startswith("cancel: applied")
    a.run("run.show_operators")
    assert page.view.left.currentWidget() is page.actions.operators
