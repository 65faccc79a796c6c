"""The journal keeps what operators did, and shows when somebody touched it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine_bridge.actions.journal import Journal, Kind
from engine_bridge.actions.model import (
    Intent,
    Outcome,
    PlanItem,
    Precondition,
    Staged,
    Target,
    Verdict,
    new_request_id,
)
from engine_bridge.errors import PlayheadError


def intent(run: str = "order-1", **args: object) -> Intent:
    staged = Staged(target=Target(kind="run", id=run), action="cancel", args=args)
    item = PlanItem(
        staged=staged,
        title=f"Cancel {run}",
        calls=("client.cancel_workflow(…)",),
        preconditions=(Precondition(what="status", value="PENDING"),),
    )
    return Intent(request_id=new_request_id(), source="db", item=item)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    found = Journal(tmp_path / "data")
    yield found
    found.close()


def fill(journal: Journal, count: int) -> None:
    for i in range(count):
        one = intent(f"order-{i}")
        journal.intent(one, environment="dev", reason="stuck")
        journal.settled(one, Outcome(verdict=Verdict.APPLIED, evidence=("status is CANCELLED",)))


def test_an_intent_and_its_outcome_are_kept_with_who_and_why(journal: Journal) -> None:
    one = intent(note="please")
    journal.intent(one, environment="production", reason="customer waits")
    journal.settled(one, Outcome(verdict=Verdict.APPLIED, evidence=("read back",)))
    outcome, row = journal.rows()
    assert (row.kind, row.target, row.action, row.reason) == (
        Kind.INTENT,
        "order-1",
        "cancel",
        "customer waits",
    )
    assert row.args == {"note": "please"} and row.who and row.machine
    assert (outcome.kind, outcome.verdict, outcome.request_id) == (Kind.OUTCOME, "applied", one.request_id)
    assert journal.verify() is None
    assert journal.open_intents() == []


def test_no_secret_reaches_the_file(journal: Journal) -> None:
    one = intent(password="hunter2-xyzzy", token="ghp_" + "a" * 36)
    journal.intent(one, environment="dev", reason="key AKIAIOSFODNN7EXAMPLE leaked")
    stored = journal.path.read_bytes()
    for secret in (b"hunter2-xyzzy", b"ghp_" + b"a" * 36, b"AKIAIOSFODNN7EXAMPLE"):
        assert secret not in stored


def test_reading_creates_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "absent")
    assert journal.rows() == [] and journal.verify() is None
    assert not (tmp_path / "absent").exists()


@given(st.integers(1, 8), st.sampled_from(["body", "hash", "delete", "swap", "tail", "seq"]))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_kind_of_tampering_names_the_first_bad_row(
    tmp_path_factory: pytest.TempPathFactory, row: int, how: str
) -> None:
    journal = Journal(tmp_path_factory.mktemp("journal"))
    fill(journal, 4)
    with sqlite3.connect(journal.path) as db:
        for trigger in ("journal_no_update", "journal_no_delete"):
            db.execute(f"DROP TRIGGER {trigger}")
        first_bad = tamper(db, row, how)
    db.close()
    found = journal.verify()
    assert found is not None and found.seq == first_bad
    journal.close()


def tamper(db: sqlite3.Connection, row: int, how: str) -> int:
    if how == "body":
        db.execute("UPDATE journal SET body=replace(body, 'cancel', 'delete') WHERE seq=?", (row,))
    elif how == "hash":
        db.execute("UPDATE journal SET hash=? WHERE seq=?", ("f" * 64, row))
    elif how == "delete":
        db.execute("DELETE FROM journal WHERE seq=?", (row,))
    elif how == "tail":
        db.execute("DELETE FROM journal WHERE seq>=?", (row,))
    elif how == "seq":
        db.execute("UPDATE journal SET seq=100 WHERE seq=?", (row,))
    else:
        other = row % 8 + 1
        bodies = dict(db.execute("SELECT seq, body FROM journal WHERE seq IN (?, ?)", (row, other)))
        for target, source in ((row, other), (other, row)):
            db.execute("UPDATE journal SET body=? WHERE seq=?", (bodies[source], target))
        return min(row, other)
    return row


def test_a_journal_replaced_by_an_older_copy_of_itself_shows(journal: Journal) -> None:
    fill(journal, 2)
    old = journal.path.read_bytes()
    fill(journal, 1)
    journal.path.write_bytes(old)
    found = journal.verify()
    assert found is not None and "gone" in found.why


def test_many_threads_write_one_chain(journal: Journal) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: fill(journal, 3), range(8)))
    assert len(journal.rows()) == 48
    assert journal.verify() is None


CHILD = """
import os, sys
from pathlib import Path
from engine_bridge.actions.journal import Journal
from tests.engine_bridge.actions.test_journal import intent
journal = Journal(Path(sys.argv[1]))
journal.intent(intent("order-dead"), environment="dev", reason="")
print("ready", flush=True)
sys.stdin.readline()
os._exit(1)
"""


def test_only_a_dead_owners_intent_is_taken_over_and_only_once(journal: Journal, tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "data")],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    assert child.stdin and child.stdout
    assert child.stdout.readline() == b"ready\n"
    assert journal.take_over() == []
    child.kill()
    child.communicate()
    second = Journal(tmp_path / "data")
    taken = journal.take_over() + second.take_over()
    assert [one.item.staged.target.id for one in taken] == ["order-dead"]
    assert taken[0].item.preconditions[0].value == "PENDING"
    assert journal.verify() is None
    second.close()


def test_a_full_or_read_only_disk_refuses_before_anything_is_sent(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    journal = Journal(blocked / "data")
    with pytest.raises(PlayheadError, match="nothing is sent"):
        journal.intent(intent(), environment="dev", reason="")
