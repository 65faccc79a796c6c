"""Bulk actions in the real window: canary, pause, errors, filter, failure groups, and going on after a restart."""

from __future__ import annotations

from pathlib import Path

from app.actions_bulk_run import store
from engine_bridge.actions.bulk_model import ItemState, JobState
from engine_bridge.focus import Focus
from tests.app.acting import Acting, Open


def select_runs(a: Acting, rows: range) -> None:
    """Selects rows of the runs page and waits for what can be done to them."""
    page = a.window.router.pages.get("runs")
    a.until(lambda: page.view.model.rowCount() >= rows.stop)
    a.until(lambda: len(page.view.model.blocks.loaded()) >= rows.stop)
    page.view.table.select_rows(list(rows))
    a.until(lambda: len(a.desk.offered.targets) == len(rows) and a.desk.offered.specs)


def set_up(a: Acting, command: str) -> None:
    """Opens the bulk sheet and waits for its plan."""
    a.run(command)
    a.desk.bulk.submit()
    a.until(lambda: a.desk.bulk.plan is not None)


def standing(a: Acting) -> JobState:
    """Waits until the job stands still."""
    a.until(lambda: a.desk.bulk.runs.job is not None and not a.desk.bulk.runs.running)
    return a.desk.bulk.runs.job.state


def test_a_selection_with_a_canary_then_the_rest(acting: Open, tmp_path: Path) -> None:
    a = acting()
    a.unlock()
    select_runs(a, range(30))
    set_up(a, "action.cancel")
    view = a.desk.bulk.view
    ready, refused = len(a.desk.bulk.plan.runnable), 30 - len(a.desk.bulk.plan.runnable)
    assert view.count.text() == f"{ready} targets of 30 will be acted on"
    assert f"{refused} refused, such as: it is" in view.refused.words.text()
    assert a.desk.bulk.blocked() == f"type {ready} to confirm"
    view.canary.setValue(3)
    view.rate.setValue(0)
    view.confirm.setText(str(ready))
    view.reason.setText("deploy rolled back")
    view.run_button.click()
    assert standing(a) is JobState.CANARY
    assert len(a.store.applied()) == 3
    assert "The canary is done: 3 applied" in a.desk.bulk.runs.view.state.words.text()
    a.run("bulk.resume")
    assert standing(a) is JobState.DONE
    assert len(a.store.applied()) == ready
    runs = a.desk.bulk.runs
    a.until(
        lambda: (
            len(runs.view.reports) == 30 and all(r.state is not ItemState.WAITING for r in runs.view.reports)
        )
    )
    runs.view.filter.setCurrentIndex(runs.view.filter.findText("Refused"))
    a.until(lambda: len(runs.view.reports) == refused)
    runs.export_to(str(tmp_path / "report.csv"))
    a.until(
        lambda: (tmp_path / "report.csv").exists() and "Exported 30 items" in a.window.status_bar.note.text
    )
    assert a.journal().count(("outcome", "cancel", "applied")) == ready


def test_pause_and_go_on(acting: Open) -> None:
    a = acting()
    a.unlock()
    select_runs(a, range(30))
    set_up(a, "action.cancel")
    view = a.desk.bulk.view
    view.canary.setValue(0)
    view.rate.setValue(5)
    view.flight.setValue(1)
    view.confirm.setText(str(len(a.desk.bulk.plan.runnable)))
    view.run_button.click()
    a.until(lambda: a.store.applied())
    a.run("bulk.pause")
    assert standing(a) is JobState.PAUSED
    done = len(a.store.applied())
    assert 0 < done < 10
    assert a.desk.bulk.runs.view.go_button.isVisible()
    a.desk.unlocks.lock(a.key)
    a.run("bulk.resume")
    assert "read-only" in a.window.status_bar.note.text
    a.run("bulk.stop")
    a.until(lambda: a.desk.bulk.runs.job.state is JobState.CANCELLED)
    assert len(a.store.applied()) == done


def test_all_that_match_a_filter(acting: Open) -> None:
    a = acting()
    a.unlock()
    a.window.focus.change(query="status == running")
    page = a.window.router.pages.get("runs")
    a.until(lambda: page.view.model.rowCount() == 10)
    page.view.table.selectRow(0)
    a.until(lambda: a.desk.offered.specs)
    a.run("action.matching")
    chooser = a.window.overlays.chooser
    chooser.line.setText("cancel")
    a.qtbot.keyClick(chooser.line, "\r")
    a.until(lambda: a.window.sheet.where.text.startswith("10 of all runs with status == running"))
    a.desk.bulk.submit()
    a.until(lambda: a.desk.bulk.plan is not None)
    assert a.desk.bulk.view.count.text() == "10 targets of 10 will be acted on"
    a.desk.bulk.view.confirm.setText("10")
    a.desk.bulk.view.run_button.click()
    assert standing(a) is JobState.DONE
    assert len(a.store.applied()) == 10
    assert store().jobs()[0].filter == "status == running"


def test_a_failure_group_is_forked_each_run_from_its_own_step(acting: Open) -> None:
    a = acting()
    a.unlock()
    a.run("go.failures")
    page = a.window.router.pages.get("failures")
    a.until(lambda: page.view.model.rowCount() == 10)
    a.run("failures.group")
    a.until(lambda: len(a.desk.offered.targets) == 10 and a.desk.offered.specs)
    assert "Resume" in [action.text() for action in page.menu().actions()]
    set_up(a, "action.fork")
    assert {item.staged.args["step"] for item in a.desk.bulk.plan.runnable} == {"1"}
    a.desk.bulk.view.confirm.setText("10")
    a.desk.bulk.view.canary.setValue(0)
    a.desk.bulk.view.run_button.click()
    assert standing(a) is JobState.DONE
    assert {action for _, action in a.store.applied()} == {"fork"}


def test_too_many_errors_stop_it(acting: Open) -> None:
    a = acting()
    a.unlock()
    a.store.set("fail", ",".join(f"run-{number:04d}" for number in range(60)))
    select_runs(a, range(60))
    set_up(a, "action.fork")
    view = a.desk.bulk.view
    view.canary.setValue(0)
    view.rate.setValue(0)
    view.confirm.setText("60")
    view.run_button.click()
    assert standing(a) is JobState.STOPPED
    assert "failed" in a.desk.bulk.runs.view.state.words.text()
    assert len(store().report(a.desk.bulk.runs.job.id, (ItemState.WAITING,))) > 0
    assert a.store.applied() == []


def test_an_unfinished_job_is_offered_at_the_next_start(acting: Open) -> None:
    a = acting()
    a.unlock()
    select_runs(a, range(30))
    set_up(a, "action.fork")
    a.desk.bulk.view.canary.setValue(2)
    a.desk.bulk.view.confirm.setText("30")
    a.desk.bulk.view.run_button.click()
    assert standing(a) is JobState.CANARY
    a.window.close()
    b = acting(store=a.store)
    b.until(lambda: any("1 bulk job is unfinished" in text for text in b.window.bars.texts))
    b.unlock()
    b.desk.unfinished.open(b.desk.unfinished.jobs[0])
    b.until(lambda: b.desk.bulk.runs.job is not None)
    b.run("bulk.resume")
    assert standing(b) is JobState.DONE
    assert len(b.store.applied()) == 30


def test_a_queue_is_paused_and_resumed(acting: Open) -> None:
    a = acting()
    a.unlock()
    a.window.focus.set(Focus(page="resources", source=a.key))
    page = a.window.router.pages.get("resources")
    a.until(lambda: page.view.model.rowCount() == 1)
    page.view.table.selectRow(0)
    a.until(lambda: a.desk.offered.specs)
    a.desk.start("pause")
    a.planned()
    a.desk.review.execute()
    a.until(lambda: a.store.paused("orders"))
    a.until(lambda: not a.desk.executions.running)
    assert [row.text.split(" · ")[0] for row in a.desk.executions.view.rows] == ["Applied"]
    a.run("action.revert")
    a.planned()
    a.until(lambda: a.desk.review.blocked() == "")
    a.desk.review.execute()
    a.until(lambda: not a.store.paused("orders"))
    a.until(lambda: not a.desk.executions.running)
    assert [row.text.split(" · ")[0] for row in a.desk.executions.view.rows] == ["Applied"]
