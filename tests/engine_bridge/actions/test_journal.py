"""The journal keeps what operators did, and shows when somebody touched it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_bridge.actions.journal import Journal, Kind, Row, Why
from engine_bridge.actions.journal_read import open_intents
from engine_bridge.actions.model import (
    Intent,
    Outcome,
    PlanItem,
    Precondition,
    Receipt,
    Staged,
    Target,
    Verdict,
    new_request_id,
)
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import CancelledError, PlayheadError
from engine_bridge.sqlite_library import sqlite3

DONE = Outcome(verdict=Verdict.APPLIED, evidence=("read back",))


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
def journal(tmp_path: Path) -> Iterator[Journal]:
    found = Journal(tmp_path / "data")
    yield found
    found.close()


def test_what_is_awaited_can_be_asked_about_until_it_came_about(journal: Journal) -> None:
    one = intent(note="please", password="hunter2")
    journal.intent(one, environment="dev", reason="")
    journal.settled(one, Outcome(verdict=Verdict.APPLIED, pending="nobody has taken it"))
    [kept] = journal.awaited("db")
    assert (kept.request_id, kept.item.preconditions, kept.applied) == (
        one.request_id, one.item.preconditions, True,
    )  # fmt: skip
    assert b"hunter2" not in journal.path.read_bytes() and not journal.open_intents()
    assert journal.awaited("elsewhere") == [] and journal.take_over() == []
    assert journal.seen(kept, DONE)
    assert not journal.seen(kept, DONE), "somebody else saw it first"
    assert journal.awaited() == [] and journal.verify() is None
    assert [row.pending for row in journal.rows()] == ["", "nobody has taken it", ""]


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
    stored = b"".join(path.read_bytes() for path in journal.folder.rglob("*") if path.is_file())
    for secret in (b"hunter2-xyzzy", b"ghp_" + b"a" * 36, b"AKIAIOSFODNN7EXAMPLE"):
        assert secret not in stored


def test_reading_creates_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "absent")
    assert journal.rows() == [] and journal.verify() is None
    assert not (tmp_path / "absent").exists()


@given(st.integers(1, 8), st.sampled_from(["body", "hash", "delete", "swap", "tail", "seq"]))
@settings(max_examples=15)
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


@pytest.mark.long
def test_a_thousand_tamperings_are_all_found(tmp_path: Path) -> None:
    chance = random.Random(21)
    journal = Journal(tmp_path / "data")
    fill(journal, 100)
    journal.close()
    whole = journal.path.read_bytes()
    for _ in range(1_000):
        row = chance.randint(1, 200)
        how = chance.choice(["body", "hash", "delete", "tail"])
        with closing(sqlite3.connect(journal.path)) as db:
            db.execute("DROP TRIGGER journal_no_update")
            db.execute("DROP TRIGGER journal_no_delete")
            first_bad = tamper(db, row, how)
            db.commit()
        found = journal.verify()
        assert found is not None and found.seq == first_bad, (row, how, found)
        for path in journal.path.parent.glob("journal.sqlite-*"):
            path.unlink()
        journal.path.write_bytes(whole)
    assert journal.verify() is None


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
    journal.close()
    old = journal.path.read_bytes()
    fill(journal, 1)
    journal.close()
    journal.path.write_bytes(old)
    found = journal.verify()
    assert found is not None and "gone" in found.why


def test_many_threads_write_one_chain(journal: Journal) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: fill(journal, 3), range(8)))
    assert len(journal.rows()) == 48
    assert journal.verify() is None


def test_eight_playheads_may_begin_one_journal_while_it_is_read(tmp_path: Path) -> None:
    for number in range(10):
        many = [Journal(tmp_path / str(number)) for _ in range(8)]
        with ThreadPoolExecutor(16) as pool:
            writes = [pool.submit(fill, one, 2) for one in many]
            reads = [pool.submit(one.rows) for one in many]
            for done in [*writes, *reads]:
                done.result()
        assert many[0].count() == 32 and many[0].verify() is None
        for one in many:
            one.close()


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


def test_pages_follow_each_other_and_filters_hold(journal: Journal) -> None:
    fill(journal, 6)
    whole = journal.rows()
    paged: list[Row] = []
    while True:
        page = journal.rows(before_seq=paged[-1].seq if paged else None, limit=5)
        if not page:
            break
        paged += page
    assert paged == whole and [row.seq for row in whole] == list(range(12, 0, -1))
    assert {row.seq for row in journal.rows(target="order-2")} == {5, 6}
    assert journal.rows(source="other") == [] and len(journal.rows(source="db", before_seq=4)) == 3
    assert [row.seq for row in journal.rows(text="ORDER-3 ", limit=5)] == []
    assert {row.seq for row in journal.rows(text="ORDER-3")} == {7, 8}
    assert {row.target for row in journal.rows(text="status is cancelled")} == {
        f"order-{i}" for i in range(6)
    }
    assert journal.count() == 12


def test_intents_of_a_group_and_outcomes_are_one_transaction(journal: Journal) -> None:
    first, second, third = intent("a"), intent("b"), intent("c")
    journal.group([first, second], Why(environment="dev", job="j-1"))
    done = [(one, Receipt(request_id=one.request_id, outcome=DONE)) for one in (first, second)]
    rows = journal.group([third], Why(job="j-1"), done)
    assert [(row.kind, row.target) for row in rows] == [("outcome", "a"), ("outcome", "b"), ("intent", "c")]
    assert [row.target for row in journal.open_intents()] == ["c"]
    assert journal.of_requests([first.request_id, "nobody"]).keys() == {first.request_id}
    assert journal.verify() is None


def test_what_is_looked_up_by_request_does_not_scan(journal: Journal) -> None:
    fill(journal, 3)
    with closing(sqlite3.connect(journal.path)) as db:
        for column in ("request_id", "source", "target"):
            plan = db.execute(
                f"EXPLAIN QUERY PLAN SELECT body FROM journal WHERE json_extract(body, '$.{column}') IN ('x')"
            ).fetchall()
            assert "USING INDEX" in plan[0][3], plan
        assert db.execute("SELECT count(*) FROM payload").fetchone() == (0,)


def test_open_intents_are_found_without_looking_at_settled_ones(
    journal: Journal,
) -> None:
    many = [intent(f"order-{i}") for i in range(2_000)]
    journal.group(many, Why())
    journal.group(
        [intent("last")], Why(), [(one, Receipt(request_id=one.request_id, outcome=DONE)) for one in many]
    )
    read = [0]
    with closing(sqlite3.connect(journal.path)) as db:
        db.set_progress_handler(lambda: read.__setitem__(0, read[0] + 1), 100)
        assert [row.target for row in open_intents(db, None)] == ["last"]
    assert read[0] < 10


def test_verification_reports_its_progress_and_can_be_cancelled(journal: Journal) -> None:
    journal.group([intent(f"order-{i}") for i in range(1_200)], Why())
    told: list[tuple[int, int | None]] = []
    assert journal.verify(CancelToken(lambda done, total, text: told.append((done, total)))) is None
    assert told == [(500, 1200), (1000, 1200)]
    token = CancelToken(lambda *_: token.cancel())
    with pytest.raises(CancelledError):
        journal.verify(token)


def test_a_changed_intent_is_not_settled_by_what_it_says_now(journal: Journal) -> None:
    journal.intent(intent("a"), environment="dev", reason="")
    tamper_payload(journal, "UPDATE payload SET intent = x'00'")
    journal.unsettled(journal_intent(journal))
    assert journal.take_over() == [] and journal.open_intents() == []
    outcome = journal.rows()[0]
    assert outcome.verdict == "cannot be known" and "row 1 was changed" in outcome.evidence[0]


def test_a_lost_intent_shows(journal: Journal) -> None:
    journal.intent(intent("a"), environment="dev", reason="")
    tamper_payload(journal, "DELETE FROM payload")
    found = journal.verify()
    assert found is not None and found.seq == 1 and "gone" in found.why


def tamper_payload(journal: Journal, statement: str) -> None:
    with closing(sqlite3.connect(journal.path)) as db:
        db.execute(statement)
        db.commit()


def journal_intent(journal: Journal) -> Intent:
    one = intent("a")
    return Intent(request_id=journal.rows()[0].request_id, source=one.source, item=one.item)


def test_a_broken_anchor_is_said_to_be_broken(journal: Journal, tmp_path: Path) -> None:
    fill(journal, 1)
    (tmp_path / "data" / "anchor" / "journal.json").write_text("{")
    found = journal.verify()
    assert found is not None and found.seq == 0 and "cannot be read" in found.why


def test_a_journal_that_was_moved_away_is_begun_anew_and_not_written_into_the_void(journal: Journal) -> None:
    fill(journal, 1)
    journal.path.rename(journal.path.with_suffix(".old"))
    fill(journal, 1)
    assert len(journal.rows()) == 2 and journal.path.exists()


def test_an_export_holds_the_chain(journal: Journal, tmp_path: Path) -> None:
    fill(journal, 3)
    assert journal.export(tmp_path / "j.jsonl", "jsonl") == 6
    head = "0" * 64
    for line in (tmp_path / "j.jsonl").read_text().splitlines():
        row = json.loads(line)
        digest = row.pop("hash")
        body = json.dumps(row, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(f"{head}\n{body}".encode()).hexdigest() == digest
        head = digest
    with pytest.raises(PlayheadError, match="cannot be written"):
        journal.export(tmp_path / "no" / "j.csv", "csv")
    with pytest.raises(PlayheadError, match="not exported as"):
        journal.export(tmp_path / "j.xml", "xml")


def test_a_full_or_read_only_disk_refuses_before_anything_is_sent(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    journal = Journal(blocked / "data")
    with pytest.raises(PlayheadError, match="nothing is sent"):
        journal.intent(intent(), environment="dev", reason="")
