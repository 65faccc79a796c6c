"""Bulk jobs: every item exactly once, at the rate asked for, stopped when it should, resumed where it stopped."""

from __future__ import annotations

import functools
import os
import random
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from engine_bridge.actions import execute
from engine_bridge.actions.bulk import BulkRun
from engine_bridge.actions.bulk_model import ItemState, Job, JobState, Progress, Settings
from engine_bridge.actions.bulk_pace import Pace
from engine_bridge.actions.bulk_settle import catch_up
from engine_bridge.actions.bulk_store import BulkStore
from engine_bridge.actions.bulk_targets import plan_all, preview, resolve
from engine_bridge.actions.journal import Journal, Kind
from engine_bridge.actions.model import Intent, Outcome, Plan, Verdict
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import CancelledError, NotFoundError, RejectedError
from engine_bridge.query import parse
from engine_bridge.session import Session
from engine_bridge.sqlite_library import sqlite3
from tests.fakes_actions import (
    ShopActor,
    ShopBridge,
    add_fault,
    applied,
    clear_faults,
    make,
    plan_of,
    requests,
)
from tests.waiting import until

ROOT = Path(__file__).parents[3]
FAST = Settings(canary=0, rate=0, in_flight=4, stop_share=1)


class Desk:
    """A shop, a journal and a store, as one Playhead has them."""

    def __init__(self, folder: Path, runs: int) -> None:
        self.shop = make(folder / "shop.db", runs)
        self.folder = folder / "journal"
        self.journal = Journal(self.folder)
        self.store = BulkStore(self.folder, self.journal.owner.dead)
        self.runs = [f"r-{i:04d}" for i in range(runs)]

    def create(self, settings: Settings = FAST, **versions: int) -> Job:
        items = tuple(plan_of(run, version=versions.get(run, 1)) for run in self.runs)
        plan = Plan(id="p", source=f"shop://{self.shop}", environment="dev", items=items)
        return self.store.create(plan, "bulk test", settings, title="Retry")

    def start(self, job: Job) -> BulkRun:
        return BulkRun(functools.partial(ShopActor, str(self.shop)), self.journal, self.store, job.id)

    def run(self, job: Job) -> Job:
        with self.start(job) as run:
            return run.run(CancelToken())

    def states(self, job: Job) -> dict[str, str]:
        return {item.target.id: item.state.value for item in self.store.report(job.id)}

    def check(self) -> None:
        """The journal, the report and the shop agree, and nothing was done twice."""
        assert self.journal.open_intents() == [] and self.journal.verify() is None
        done = requests(self.shop)
        assert len(done) == len(set(done))
        outcomes = {row.request_id: row for row in self.journal.rows() if row.kind is Kind.OUTCOME}
        for job in self.store.jobs():
            for item in self.store.report(job.id):
                if item.state in (ItemState.WAITING, ItemState.REFUSED):
                    assert item.request_id not in outcomes
                else:
                    assert (item.state is ItemState.APPLIED) == (item.request_id in done), item
                    assert outcomes[item.request_id].job in ("", job.id)

    def close(self) -> None:
        self.store.close()
        self.journal.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Callable[[int], Desk]]:
    made: list[Desk] = []

    def make_desk(runs: int) -> Desk:
        made.append(Desk(tmp_path, runs))
        return made[-1]

    yield make_desk
    for one in made:
        one.close()


def start_operator(here: Desk, job: Job) -> subprocess.Popen[bytes]:
    """Another Playhead that runs the job."""
    command = [sys.executable, "-m", "tests.engine_bridge.actions.bulk_operator"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*command, str(here.shop), str(here.folder), job.id], cwd=ROOT, env=env)


def crash_and_resume(here: Desk, crash_at: int) -> None:
    chance = random.Random(len(here.runs))
    bad = set(chance.sample(here.runs[: -FAST.in_flight], len(here.runs) // 20))
    for run in bad:
        add_fault(here.shop, run, "before-commit", "error")
    # However late it is killed, it has not come to the end.
    for run in here.runs[-FAST.in_flight :]:
        add_fault(here.shop, run, "start", "hang")
    job = here.create()
    process = start_operator(here, job)
    until(lambda: sum(applied(here.shop).values()) >= crash_at)
    process.kill()
    process.wait()
    until(
        lambda: here.store.job(job.id).state is JobState.INTERRUPTED
    )  # its child ends by itself, a moment later
    before = applied(here.shop)
    clear_faults(here.shop)
    for run in bad:
        add_fault(here.shop, run, "before-commit", "error")
    ended = here.run(job)
    assert ended.state is JobState.DONE and ended.counts == {
        "applied": len(here.runs) - len(bad),
        "not applied": len(bad),
    }
    assert crash_at <= len(before) < len(here.runs) - len(bad)
    assert applied(here.shop) == {run: 1 for run in here.runs if run not in bad}
    report = {item.target.id: item for item in here.store.report(job.id)}
    assert {run for run, item in report.items() if item.state is ItemState.NOT_APPLIED} == bad
    assert all("not recorded" in report[run].why for run in bad)
    here.check()


def test_three_hundred_items_with_errors_and_a_crash_half_way(desk: Callable[[int], Desk]) -> None:
    crash_and_resume(desk(300), 150)


@pytest.mark.long
def test_five_thousand_items_with_errors_and_a_crash_half_way(desk: Callable[[int], Desk]) -> None:
    crash_and_resume(desk(5_000), 2_500)


def test_an_item_that_a_crash_interrupted_is_sent_again_once_it_is_known_not_to_be_applied(
    desk: Callable[[int], Desk],
) -> None:
    here = desk(6)
    add_fault(here.shop, here.runs[2], "start", "hang")
    add_fault(here.shop, here.runs[3], "after-commit", "hang")
    job = here.create(Settings(canary=0, rate=0, in_flight=6))
    with start_operator(here, job) as process:
        until(lambda: len(applied(here.shop)) == 5)
        process.kill()
    until(lambda: here.store.job(job.id).state is JobState.INTERRUPTED)
    clear_faults(here.shop)
    before = requests(here.shop)
    assert here.run(job).state is JobState.DONE
    assert applied(here.shop) == dict.fromkeys(here.runs, 1) and requests(here.shop)[:5] == before
    verdicts = [row.verdict for row in here.journal.rows(target=here.runs[2]) if row.kind is Kind.OUTCOME]
    assert verdicts == ["applied", "not applied"]
    here.check()


def test_a_canary_comes_first_and_asks(desk: Callable[[int], Desk]) -> None:
    here = desk(30)
    job = here.run(here.create(Settings(canary=10, rate=0, in_flight=4)))
    assert job.state is JobState.CANARY and job.count(ItemState.APPLIED) == 10
    assert set(applied(here.shop)) == set(here.runs[:10])
    job = here.run(job)
    assert job.state is JobState.DONE and len(applied(here.shop)) == 30
    here.check()


def test_no_canary_where_there_is_nothing_after_it(desk: Callable[[int], Desk]) -> None:
    here = desk(10)
    assert here.run(here.create(Settings(canary=10, rate=0))).state is JobState.DONE


def test_the_rate_is_not_exceeded(desk: Callable[[int], Desk]) -> None:
    here = desk(61)
    job = here.run(here.create(Settings(canary=0, rate=30, in_flight=4)))
    with closing(sqlite3.connect(here.shop)) as db:
        first, last = db.execute("SELECT min(time), max(time) FROM applied").fetchone()
    # A machine that is busy may be late with the first one, and makes up for a quarter of a second.
    assert job.state is JobState.DONE and 60 / (last - first) < 40


def test_a_pace_never_makes_up_for_more_than_a_quarter_of_a_second() -> None:
    pace = Pace(100, 0.0)
    assert pace.allowed(0.0) == 1
    pace.sent(1)
    assert pace.allowed(0.0) == 0 and pace.wait_s() == pytest.approx(0.01)
    assert pace.allowed(60.0) == 25
    slow = Pace(0.5, 0.0)
    slow.sent(1)
    assert slow.allowed(1.9) == 0 and slow.allowed(2.0) == 1
    assert Pace(0, 0.0).allowed(0.0) > 1_000_000


def test_no_more_than_so_many_are_under_way(desk: Callable[[int], Desk]) -> None:
    here = desk(12)
    for run in here.runs:
        add_fault(here.shop, run, "start", "slow:0.15")
    told: list[Progress] = []
    with here.start(here.create(Settings(canary=0, rate=0, in_flight=3))) as run:
        run.run(CancelToken(), told.append)
    assert max(progress.in_flight for progress in told) == 3
    assert told[-1].job.state is JobState.DONE and told[-1].job.done == 12
    dones = [progress.job.done for progress in told]
    assert dones == sorted(dones)


def test_too_many_errors_stop_it(desk: Callable[[int], Desk]) -> None:
    here = desk(60)
    for run in here.runs[5::2]:
        add_fault(here.shop, run, "before-commit", "error")
    job = here.run(here.create(Settings(canary=0, rate=0, in_flight=2, stop_share=0.4, stop_minimum=20)))
    assert job.state is JobState.STOPPED and "failed (" in job.why
    assert 20 <= job.done <= 32 and job.count(ItemState.WAITING) >= 28
    clear_faults(here.shop)
    assert here.run(job).state is JobState.DONE
    here.check()


def test_pause_ends_what_is_under_way_and_goes_on_later(desk: Callable[[int], Desk]) -> None:
    here = desk(80)
    job = here.create(Settings(canary=0, rate=100, in_flight=4))
    with here.start(job) as run:
        paused = run.run(CancelToken(), lambda progress: run.pause() if progress.job.done >= 20 else None)
        assert paused.state is JobState.PAUSED and 20 <= paused.done < 80
        assert paused.done == sum(applied(here.shop).values()) and here.journal.open_intents() == []
        assert run.run(CancelToken()).state is JobState.DONE
    assert applied(here.shop) == dict.fromkeys(here.runs, 1)
    here.check()


def test_cancel_stops_even_when_the_child_hangs(desk: Callable[[int], Desk]) -> None:
    here = desk(40)
    add_fault(here.shop, here.runs[7], "after-commit", "hang")
    add_fault(here.shop, here.runs[8], "start", "hang")
    job = here.create(Settings(canary=0, rate=0, in_flight=2))
    asked: list[float] = []
    with here.start(job) as run:

        def cancel(progress: Progress) -> None:
            if not asked and here.runs[7] in applied(here.shop) and progress.job.done == 7:
                asked.append(time.time())
                run.cancel()

        ended = run.run(CancelToken(), cancel)
    with closing(sqlite3.connect(here.shop)) as db:
        (last,) = db.execute("SELECT max(time) FROM applied").fetchone()
    assert ended.state is JobState.CANCELLED and last <= asked[0], "nothing more is sent"
    states = here.states(job)
    assert states[here.runs[7]] == "applied" and states[here.runs[8]] == "not applied"
    assert ended.count(ItemState.WAITING) == 31
    with pytest.raises(RejectedError, match="cancelled"):
        here.run(job)
    here.check()


def test_a_cancelled_token_pauses_resumably(desk: Callable[[int], Desk]) -> None:
    here = desk(20)
    add_fault(here.shop, here.runs[3], "start", "hang")
    job = here.create(Settings(canary=0, rate=0, in_flight=1))
    token = CancelToken()

    def cancel(progress: Progress) -> None:
        if progress.job.done == 3:
            token.cancel()

    with here.start(job) as run:
        assert run.run(token, cancel).state is JobState.PAUSED
        clear_faults(here.shop)
        assert run.run(CancelToken()).state is JobState.DONE
    assert here.states(job)[here.runs[3]] == "not applied" and len(applied(here.shop)) == 19
    here.check()


def test_every_item_says_what_became_of_it(desk: Callable[[int], Desk]) -> None:
    here = desk(4)
    with closing(sqlite3.connect(here.shop)) as db:
        db.execute("UPDATE run SET version=7 WHERE id=?", (here.runs[1],))
        db.execute("INSERT INTO applied VALUES ('their-request', ?, 0)", (here.runs[1],))
        db.commit()
    add_fault(here.shop, here.runs[2], "start", "error")
    refused = plan_of("r-0003", status="completed")
    items = (*map(plan_of, here.runs[:3]), refused)
    plan = Plan(id="p", source="shop", environment="dev", items=items)
    job = here.run(here.store.create(plan, "", FAST))
    assert here.states(job) == dict(
        zip(here.runs, ("applied", "stale", "not applied", "refused"), strict=True)
    )
    why = [item.why for item in here.store.report(job.id)]
    assert "request their-request won" in why[1] and "The shop refuses this run." in why[2]
    assert why[3] == "it is completed, not failed"
    assert [item.number for item in here.store.report(job.id, (ItemState.STALE, ItemState.REFUSED))] == [1, 3]
    assert [item.number for item in here.store.report(job.id, after=1, limit=1)] == [2]


def test_a_report_hears_of_what_it_awaited(desk: Callable[[int], Desk]) -> None:
    here = desk(2)
    job = here.create()
    first, second = here.store.report(job.id)
    for item in (first, second):
        one = Intent(request_id=item.request_id, source=job.source, item=plan_of(item.target.id))
        here.journal.intent(one, environment="dev", reason="", job=job.id)
        here.journal.settled(one, Outcome(verdict=Verdict.APPLIED, pending="nobody has taken it"))
    awaited = [(item.number, ItemState.APPLIED, "nobody has taken it", "", 5) for item in (first, second)]
    here.store.finish(job.id, awaited)
    taken = next(one for one in here.journal.awaited() if one.request_id == first.request_id)
    assert here.journal.seen(taken, Outcome(verdict=Verdict.APPLIED))
    catch_up(here.journal, here.store, job.id)
    assert [(item.why, item.took_ns) for item in here.store.report(job.id)] == [
        ("", 5),
        ("nobody has taken it", 5),
    ]


def test_a_child_that_dies_costs_only_its_own_item(desk: Callable[[int], Desk]) -> None:
    here = desk(30)
    add_fault(here.shop, here.runs[10], "before-commit", "kill")
    add_fault(here.shop, here.runs[20], "after-commit", "kill")
    job = here.run(here.create())
    assert job.state is JobState.DONE and here.states(job)[here.runs[20]] == "applied"
    assert here.states(job)[here.runs[10]] == "not applied"
    here.check()


def test_a_journal_that_cannot_be_written_stops_before_anything_more_is_sent(
    desk: Callable[[int], Desk],
) -> None:
    here = desk(30)
    job = here.run(here.create(Settings(canary=5, rate=0, in_flight=1)))
    saved = here.journal.path.rename(here.folder / "saved")
    here.journal.path.mkdir()
    stopped = here.run(job)
    assert stopped.state is JobState.STOPPED and "journal" in stopped.why
    assert len(applied(here.shop)) == 5
    here.journal.path.rmdir()
    saved.rename(here.journal.path)
    assert here.run(job).state is JobState.DONE
    here.check()


def test_a_source_that_stops_answering_leaves_items_open_until_it_does(
    desk: Callable[[int], Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "SETTLE_S", 0.5)
    here = desk(6)
    job = here.create(Settings(canary=0, rate=0, in_flight=2))
    token = CancelToken()
    with here.start(job) as run, closing(sqlite3.connect(here.shop, isolation_level=None)) as other:

        def lock(progress: Progress) -> None:
            if progress.in_flight == 2 and not other.in_transaction:
                other.execute("BEGIN EXCLUSIVE")
                token.cancel()

        for name in here.runs:
            add_fault(here.shop, name, "start", "slow:0.5")
        paused = run.run(token, lock)
        assert paused.state is JobState.PAUSED and paused.count(ItemState.OPEN) == 2
        assert len(here.journal.open_intents()) == 2
        other.execute("ROLLBACK")
        clear_faults(here.shop)
        ended = run.run(CancelToken())
    assert ended.state is JobState.DONE and ended.count(ItemState.OPEN) == 0
    here.check()


def test_a_job_runs_in_one_playhead_only(desk: Callable[[int], Desk]) -> None:
    here = desk(10)
    job = here.create()
    second = Journal(here.folder)
    store = BulkStore(here.folder, second.owner.dead)
    here.journal.owner.acquire()
    here.store.claim(job.id, here.journal.owner.id)
    with pytest.raises(RejectedError, match="running"):
        store.claim(job.id, second.owner.id)
    with pytest.raises(RejectedError, match="running"):
        here.run(job)
    here.journal.owner.release()
    assert store.job(job.id).state is JobState.INTERRUPTED
    store.claim(job.id, second.owner.id)
    store.close()
    second.close()


def test_arguments_are_kept_private_and_only_while_they_are_needed(desk: Callable[[int], Desk]) -> None:
    here = desk(1)
    item = plan_of("r-0000", "annotate")
    staged = msgspec.structs.replace(item.staged, args={"text": "password=hunter2-xyzzy"})
    item = msgspec.structs.replace(item, staged=staged)
    plan = Plan(id="p", source="shop", environment="dev", items=(item,))
    job = here.store.create(plan, "", FAST)
    path = here.folder / "bulk.sqlite"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert here.run(job).state is JobState.DONE
    here.store.close()
    files = [file.read_bytes() for file in here.folder.rglob("*") if file.is_file()]
    assert all(b"hunter2-xyzzy" not in content for content in files)


def test_jobs_are_listed_found_changed_and_forgotten(desk: Callable[[int], Desk]) -> None:
    here = desk(3)
    assert here.store.jobs() == []
    job = here.create()
    assert here.store.job(job.id[:8]).id == job.id and job.total == 3 and job.done == 0
    here.store.change(job.id, Settings(rate=1))
    assert here.store.job(job.id).settings.rate == 1
    here.store.forget(job.id)
    with pytest.raises(NotFoundError):
        here.store.job(job.id)


def test_targets_are_counted_resolved_and_planned(desk: Callable[[int], Desk]) -> None:
    here = desk(620)
    with closing(sqlite3.connect(here.shop)) as db:
        db.execute("UPDATE run SET status='completed' WHERE id < 'r-0020'")
        db.commit()
    session = Session(functools.partial(ShopBridge, str(here.shop)))
    session.open().result()
    query = parse("status == failed", session.call("fields").result())
    assert str(preview(session, query, CancelToken())) == "600"
    assert str(preview(session, query, CancelToken(), most=50)) == "at least 50"
    targets = resolve(session, query, CancelToken())
    assert [target.id for target in targets] == here.runs[20:]
    with pytest.raises(RejectedError, match="More than 100"):
        resolve(session, query, CancelToken(), most=100)
    told: list[int] = []
    items = plan_all(session, targets, "retry", {}, CancelToken(lambda done, *_: told.append(done)))
    assert len(items) == 600 and not any(item.refused for item in items) and told[-1] == 500
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        plan_all(session, targets, "retry", {}, token)
    session.close()
