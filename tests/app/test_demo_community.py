"""The demo's community: its past is executed by the engine, and holds what an operator is to find."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.demo import Demo
from app.demo_community import COMMUNITY, MAPPING, NEXT
from engine_bridge.engines.entity_state.engine import load
from engine_bridge.sqlite_library import sqlite3
from tests.app.demo_sample import NOW, small_past

FOLDER = MAPPING.parent
CONFIGS = ("registration.json", "registration.acme-energy.json", "invoice.json")


@pytest.fixture(scope="module")
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(small_past().folder / "community.sqlite")) as connection:
        yield connection


def one(db: sqlite3.Connection, sql: str, *values: object) -> tuple[object, ...]:
    found = db.execute(sql, values).fetchone()
    assert found is not None, sql
    return tuple(found)


@pytest.mark.parametrize("names", [CONFIGS, (NEXT, CONFIGS[1])], ids=["now", "next"])
def test_the_configs_are_without_a_finding(names: tuple[str | Path, ...]) -> None:
    assert [str(found) for found in load(FOLDER / name for name in names).findings] == []


def test_the_next_release_has_one_status_less() -> None:
    now, later = (load([FOLDER / name]).get("registration").workflow for name in (CONFIGS[0], NEXT))
    assert set(now.status_types) - set(later.status_types) == {"documents_uploaded"}
    assert set(later.status_types) < set(now.status_types)


def test_every_status_has_somebody(db: sqlite3.Connection) -> None:
    catalogue = load(FOLDER / name for name in CONFIGS)
    for kind, table in (("registration", "users"), ("invoice", "invoices")):
        counts = dict(db.execute(f"SELECT status, count(*) FROM {table} GROUP BY 1"))
        known = set(catalogue.get(kind).workflow.status_types)
        assert known - set(counts) - {"draft"} == set(), table
        assert set(counts) - known == ({"on_hold"} if table == "users" else set())
        assert sum(counts.values()) > 200


def test_three_tenants_over_the_last_weeks(db: sqlite3.Connection) -> None:
    assert one(db, "SELECT count(DISTINCT tenant_id) FROM users") == (3,)
    first, last = (datetime.fromisoformat(str(at)).replace(tzinfo=UTC) for at in one(
        db, "SELECT min(changed_at), max(changed_at) FROM workflow_history"))  # fmt: skip
    assert timedelta(days=38) < NOW - first < timedelta(days=43)
    assert timedelta(0) < datetime.now(UTC) - last < timedelta(hours=6)
    assert one(db, "SELECT count(*) FROM users WHERE created_at > updated_at") == (0,)


def test_time_never_went_back_and_links_hold_but_for_one(db: sqlite3.Connection) -> None:
    links = """SELECT entity_id, from_status, lag(to_status) OVER entity AS before,
                      changed_at < lag(changed_at) OVER (ORDER BY id) AS back
               FROM workflow_history WINDOW entity AS (PARTITION BY entity_type, entity_id ORDER BY id)"""
    assert one(db, f"SELECT count(*) FROM ({links}) WHERE back") == (0,)
    assert db.execute(f"SELECT entity_id FROM ({links}) WHERE before <> from_status").fetchall() == [
        ("u-46640",)
    ]


def test_raw_sql_left_drift_and_one_unknown_status(db: sqlite3.Connection) -> None:
    latest = """SELECT status, (SELECT to_status FROM workflow_history h WHERE h.entity_type = ?
                AND h.entity_id = e.id ORDER BY h.id DESC LIMIT 1) AS said, id FROM"""
    drift = f"SELECT id, said FROM ({latest} users e) WHERE said <> status ORDER BY id"
    assert db.execute(drift, ("User",)).fetchall() == [
        ("u-46871", "pending_documents"),
        ("u-47002", "documents_uploaded"),
        ("u-47144", "documents_uploaded"),
    ]
    paid = f"SELECT status, said, count(*) FROM ({latest} invoices e) WHERE said <> status GROUP BY 1, 2"
    assert db.execute(paid, ("Invoice",)).fetchall() == [("paid", "sent", 4)]


@pytest.mark.parametrize("user", ["u-48213", "u-48190"])
def test_stuck_users_are_there_to_be_found(db: sqlite3.Connection, user: str) -> None:
    status, since = one(db, "SELECT status, updated_at FROM users WHERE id = ?", user)
    assert status == "pending_documents"
    assert NOW - datetime.fromisoformat(str(since)).replace(tzinfo=UTC) > timedelta(days=5)
    failure = """SELECT step_key, error_type, attempts, resolved_at FROM workflow_permanent_failure_log
                 WHERE entity_id = ?"""
    assert db.execute(failure, (user,)).fetchall() == [("notify_upload", "ArchiveGone", 3, None)]
    delayed = "SELECT step_key, attempts, outcome, last_error FROM workflow_delayed WHERE entity_id = ?"
    assert one(db, delayed, user) == ("notify_upload", 3, "gave_up", "the action said no")


def test_claims_of_dead_workers(db: sqlite3.Connection) -> None:
    dead = (datetime.now(UTC) - timedelta(seconds=120)).replace(tzinfo=None).isoformat(" ")
    held = db.execute(
        "SELECT id FROM invoices WHERE status = 'sending' AND claimed_by LIKE 'mailer-%' AND claimed_at < ?",
        (dead,),
    ).fetchall()
    assert {("i-20407",), ("i-20413",), ("i-20421",)} <= set(held)


def test_every_way_of_the_engine_was_gone(db: sqlite3.Connection) -> None:
    kinds = {kind for (kind,) in db.execute("SELECT DISTINCT metadata ->> 'kind' FROM workflow_history")}
    assert kinds == {"step", "claim", "released", "janitor", "observed", "rejected", "moved"}
    outcomes = set(db.execute("SELECT DISTINCT step_key, outcome FROM workflow_delayed"))
    assert {("remind", "moved"), ("remind", "superseded"), ("remind", None), ("send", "gave_up")} <= outcomes
    log = "SELECT sum(resolved_at IS NULL), sum(resolved_at IS NOT NULL), count(DISTINCT error_type)"
    still_open, resolved, types = one(db, f"{log} FROM workflow_permanent_failure_log")
    assert still_open > 20 and resolved > 0 and types >= 7  # type: ignore[operator]
    assert one(db, "SELECT count(*) FROM workflow_outbox WHERE published_at IS NULL") == (0,)


def test_nobody_s_payload_is_in_the_log() -> None:
    text = (small_past().folder / "logs" / "community-past.log").read_text()
    assert "@" not in text and "Traceback" not in text


def _cpu_s() -> float:
    """Seconds that child processes which have ended have computed: the same on a busy machine."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_it_is_made_in_seconds_and_says_how_far_it_is(tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    demo = Demo(worlds=(COMMUNITY,))
    began = _cpu_s()
    demo.prepare(tmp_path / "demo", lambda *step: seen.append(step))
    demo.stop()
    assert _cpu_s() - began < 60
    percents = [done for done, _, _ in seen]
    assert percents == sorted(percents) and percents[-1] == 100 and len(set(percents)) > 20
    assert {text for _, _, text in seen} >= {"The community's past is being executed", "The demo is ready"}
