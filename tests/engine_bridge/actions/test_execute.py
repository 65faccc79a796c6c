"""Executions in a killable child: locks, cancellation, full disks, sources that vanish, stale plans."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine_bridge.actions import execute
from engine_bridge.actions.execute import LATER, Execution
from engine_bridge.actions.journal import Journal, Kind
from engine_bridge.actions.model import Plan, PlanItem, Receipt, Verdict
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import CancelledError, PlayheadError, RejectedError, SchemaUnknownError
from engine_bridge.sqlite_library import sqlite3
from tests.fakes_actions import ShopActor, add_fault, applied, make, plan_of
from tests.waiting import LIMIT_S, until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make(tmp_path / "shop.db", 6)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    found = Journal(tmp_path / "data")
    yield found
    found.close()


def execution(shop: Path, journal: Journal) -> Execution:
    plan = Plan(id="p", source=f"shop://{shop}", environment="dev", items=())
    return Execution(functools.partial(ShopActor, str(shop)), journal, plan, "a test")


@contextmanager
def locked(shop: Path, how: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(shop, isolation_level=None)) as db:
        db.execute(f"BEGIN {how}")
        yield db


class Told:
    """What a token's progress said, and an event for a certain text."""

    def __init__(self, awaited: str) -> None:
        self.texts: list[str] = []
        self.heard = threading.Event()
        self._awaited = awaited

    def __call__(self, done: int, total: int | None, text: str) -> None:
        self.texts.append(text)
        if self._awaited in text:
            self.heard.set()


def run_until(told: Told, run: Execution, item: PlanItem, then: Any) -> Receipt:
    """Runs an item in a thread; once the awaited progress was heard, ``then`` is called with its token."""
    token, found = CancelToken(told), []
    thread = threading.Thread(target=lambda: found.append(run.run(item, token)))
    thread.start()
    assert told.heard.wait(LIMIT_S)
    then(token)
    thread.join(LIMIT_S)
    return found[0]


def test_an_applied_action_has_a_receipt_with_its_inverse(shop: Path, journal: Journal) -> None:
    with execution(shop, journal) as run:
        receipt = run.run(plan_of("r-0000", "cancel"), CancelToken())
    assert receipt.outcome.verdict is Verdict.APPLIED and receipt.took_ns > 0
    assert receipt.inverse is not None and receipt.inverse.action == "retry"
    assert journal.rows()[0].changes == ("status: failed → cancelled",)


def test_a_locked_file_is_waited_for_visibly_and_can_be_cancelled(shop: Path, journal: Journal) -> None:
    told = Told("Waiting for the lock")
    with execution(shop, journal) as run, locked(shop, "IMMEDIATE"):
        receipt = run_until(told, run, plan_of("r-0000"), CancelToken.cancel)
        assert receipt.outcome.verdict is Verdict.NOT_APPLIED
        assert "cancelled" in receipt.outcome.evidence[0]
    assert applied(shop) == {} and journal.open_intents() == []
    assert [row.verdict for row in journal.rows()] == ["not applied", ""]


def test_a_lock_that_goes_away_is_waited_out(shop: Path, journal: Journal) -> None:
    told = Told("Waiting for the lock")
    with execution(shop, journal) as run, locked(shop, "IMMEDIATE") as other:
        receipt = run_until(told, run, plan_of("r-0000"), lambda token: other.execute("ROLLBACK"))
    assert receipt.outcome.verdict is Verdict.APPLIED and applied(shop) == {"r-0000": 1}


def test_a_silent_child_is_said_to_wait(shop: Path, journal: Journal) -> None:
    add_fault(shop, "r-0000", "start", "hang")
    told = Told("Waiting for the source, which may be busy or locked")
    with execution(shop, journal) as run:
        receipt = run_until(told, run, plan_of("r-0000"), CancelToken.cancel)
        assert receipt.outcome.verdict is Verdict.NOT_APPLIED
        again = run.run(plan_of("r-0001"), CancelToken())
    assert again.outcome.verdict is Verdict.APPLIED


def test_a_child_that_hangs_after_its_commit_is_told_as_applied(shop: Path, journal: Journal) -> None:
    add_fault(shop, "r-0000", "after-commit", "hang")
    told = Told("Waiting for the lock")
    with execution(shop, journal) as run:
        receipt = run_until(
            told, run, plan_of("r-0000"), lambda token: (until(lambda: applied(shop)), token.cancel())
        )
    assert receipt.outcome.verdict is Verdict.APPLIED and applied(shop) == {"r-0000": 1}


def test_what_cannot_be_read_back_now_stays_open_and_is_settled_later(
    shop: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told("Waiting for the source, which may be busy or locked")
    with execution(shop, journal) as run:
        run.run(plan_of("r-0001"), CancelToken())
        with locked(shop, "EXCLUSIVE"), monkeypatch.context() as patch:
            patch.setattr(execute, "SETTLE_S", 1.0)
            receipt = run_until(told, run, plan_of("r-0000"), CancelToken.cancel)
        assert receipt.outcome.verdict is Verdict.UNKNOWN and receipt.outcome.pending == LATER
        assert [row.target for row in journal.open_intents()] == ["r-0000"]
        (intent,) = journal.take_over()
        assert journal.take_over() == []
        assert run.settle(intent, CancelToken()).verdict is Verdict.NOT_APPLIED
    assert journal.open_intents() == [] and journal.verify() is None


def test_a_refused_item_is_recorded_as_denied_and_never_sent(shop: Path, journal: Journal) -> None:
    with execution(shop, journal) as run, pytest.raises(RejectedError, match="it is running"):
        run.run(plan_of("r-0000", "retry", "running"), CancelToken())
    assert [row.kind for row in journal.rows()] == [Kind.DENIED] and applied(shop) == {}


def test_a_cancelled_item_is_not_even_intended(shop: Path, journal: Journal) -> None:
    token = CancelToken()
    token.cancel()
    with execution(shop, journal) as run, pytest.raises(CancelledError):
        run.run(plan_of("r-0000"), token)
    assert journal.rows() == []


def test_an_untested_schema_is_refused_before_anything_is_intended(shop: Path, journal: Journal) -> None:
    with closing(sqlite3.connect(shop)) as db:
        db.execute("PRAGMA user_version = 99")
    with execution(shop, journal) as run, pytest.raises(SchemaUnknownError):
        run.run(plan_of("r-0000"), CancelToken())
    assert journal.rows() == [] and applied(shop) == {}


LIMITED = """
import functools, resource, signal, sys
from pathlib import Path
from engine_bridge.actions.execute import Execution
from engine_bridge.actions.journal import Journal
from engine_bridge.actions.model import Plan
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError
from tests.fakes_actions import ShopActor, plan_of

shop, folder, when = sys.argv[1:]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

def full(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

class Filling(Journal):
    def group(self, *args, **kwargs):
        rows = super().group(*args, **kwargs)
        if when == "outcome" and rows[-1].target == "r-0001":
            full(self.path.stat().st_size)
        return rows

journal = Filling(Path(folder))
plan = Plan(id="p", source="shop", environment="dev", items=())
with Execution(functools.partial(ShopActor, shop), journal, plan, "x" * 3000) as run:
    run.run(plan_of("r-0000"), CancelToken())
    if when == "intent":
        full(journal.path.stat().st_size)
    for name in ("r-0001", "r-0002"):
        try:
            receipt = run.run(plan_of(name), CancelToken())
            print(receipt.outcome.verdict, receipt.outcome.evidence[-1])
        except PlayheadError as error:
            print("refused", error)
    full(resource.RLIM_INFINITY)
    run.run(plan_of("r-0003"), CancelToken())
print(journal.verify(), [row.target for row in journal.open_intents()])
journal.close()
"""


def with_full_disk(shop: Path, folder: Path, when: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(shop), str(folder), when],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_full_disk_is_refused_before_the_engine_is_touched(shop: Path, tmp_path: Path) -> None:
    first, second, last = with_full_disk(shop, tmp_path / "data", "intent")
    assert first.startswith("refused The journal cannot be written, so nothing is sent.") and second == first
    assert applied(shop) == {"r-0000": 1, "r-0003": 1}
    assert last == "None []"


def test_an_outcome_that_found_the_disk_full_is_told_and_written_later(shop: Path, tmp_path: Path) -> None:
    first, second, last = with_full_disk(shop, tmp_path / "data", "outcome")
    assert first.startswith("applied The journal could not record this yet")
    assert second.startswith("refused") and last == "None []"
    assert applied(shop) == {"r-0000": 1, "r-0001": 1, "r-0003": 1}
    outcomes = [row for row in Journal(tmp_path / "data").rows() if row.kind is Kind.OUTCOME]
    assert [row.target for row in outcomes] == ["r-0003", "r-0001", "r-0000"]


READ_ONLY = """
import os, sys
from pathlib import Path
from engine_bridge.actions.journal import Journal
from engine_bridge.errors import PlayheadError
from tests.engine_bridge.actions.test_journal import intent
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    Journal(Path(sys.argv[1])).intent(intent(), environment="dev", reason="")
except PlayheadError as error:
    print(error.message)
"""


def test_a_read_only_home_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(home / "playhead")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.stdout.strip() == "The journal's folder cannot be written, so nothing is sent.", done.stderr
    assert not (home / "playhead").exists()


def test_a_child_that_dies_costs_only_its_own_item(shop: Path, journal: Journal) -> None:
    add_fault(shop, "r-0000", "before-commit", "kill")
    with execution(shop, journal) as run:
        receipt = run.run(plan_of("r-0000"), CancelToken())
        assert receipt.outcome.verdict is Verdict.NOT_APPLIED
        assert run.run(plan_of("r-0001"), CancelToken()).outcome.verdict is Verdict.APPLIED
    assert applied(shop) == {"r-0001": 1}


def test_errors_of_programming_leave_the_intent_to_be_settled(shop: Path, journal: Journal) -> None:
    class Broken(Execution):
        def _execute(self, *_: object) -> Receipt:
            raise ZeroDivisionError

    plan = Plan(id="p", source="shop", environment="dev", items=())
    with Broken(functools.partial(ShopActor, str(shop)), journal, plan, "") as run:
        with pytest.raises(ZeroDivisionError):
            run.run(plan_of("r-0000"), CancelToken())
        (intent,) = journal.take_over()
        assert run.settle(intent, CancelToken()).verdict is Verdict.NOT_APPLIED


def test_a_source_that_is_gone_refuses_to_be_opened(tmp_path: Path, journal: Journal) -> None:
    missing = tmp_path / "no" / "shop.db"
    with execution(missing, journal) as run, pytest.raises(PlayheadError):
        run.run(plan_of("r-0000"), CancelToken())
    assert journal.rows() == []
