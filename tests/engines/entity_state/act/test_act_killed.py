"""Actions whose process was killed at any point: settled by reading, whole or not at all, never twice."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine_bridge.actions.model import Intent, PlanItem, Verdict, new_request_id
from engine_bridge.payloads.masking import mask
from tests.engines.entity_state.act.tools import NEVER, Operator, Place

ROOT = Path(__file__).parents[4]
POINTS = 50
"""More than the longest action has; a kill beyond its last point is none."""
CASES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("move", "sent", {"to": "paid"}),
    ("move", "overdue", {"to": "lost"}),
    ("release_claim", "sending", {}),
    ("mark_observed", "sent", {"to": "overdue", "observation": "o-1"}),
    ("degrade", "gone", {"to": "draft"}),
    ("retry_step", "approved", {}),
    ("resolve_failure", "lost", {}),
)
_COUNTS = {
    "history": "SELECT count(*) FROM workflow_history WHERE entity_id = :id",
    "outbox": "SELECT count(*) FROM workflow_outbox WHERE entity_id = :id",
    "failures": "SELECT count(*) FROM workflow_permanent_failure_log WHERE entity_id = :id",
    "open": "SELECT count(*) FROM workflow_permanent_failure_log WHERE entity_id = :id AND resolved_at IS NULL",
    "delayed": "SELECT count(*) FROM workflow_delayed WHERE entity_id = :id",
}


@pytest.fixture
def killer() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.engines.entity_state.act.killed"]
    found = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield found
    found.communicate("")


def killed(
    killer: subprocess.Popen[str], place: Place, asked: Sequence[tuple[PlanItem, str]], at: int
) -> bool:
    assert killer.stdin is not None and killer.stdout is not None
    plans = [base64.b64encode(msgspec.msgpack.encode(item)).decode() for item, _ in asked]
    killer.stdin.write(json.dumps([place.url, [request for _, request in asked], at, plans]) + "\n")
    killer.stdin.flush()
    code = int(killer.stdout.readline())
    assert code in (0, -9)
    return code == -9


def entity(place: Place, status: str, name: str) -> str:
    place.sql(
        "INSERT INTO invoices (id, status, version, tenant_id, claimed_by) VALUES (:id, :s, 3, 'acme', :who)",
        id=name,
        s=status,
        who="worker-1" if status == "sending" else None,
    )
    if status == "lost":
        place.sql(
            "INSERT INTO workflow_permanent_failure_log (entity_type, entity_id, workflow_type, step_key, status, "
            "failed_at, tenant_id) SELECT entity_type, :id, workflow_type, step_key, status, failed_at, tenant_id "
            "FROM workflow_permanent_failure_log WHERE entity_id = 'inv-013'",
            id=name,
        )
    return name


def state(place: Place, name: str) -> dict[str, Any]:
    return {"row": place.status(name)} | {what: place.value(sql, id=name) for what, sql in _COUNTS.items()}


def journalled(item: PlanItem, request: str) -> Intent:
    """An intent as the journal keeps it: arguments masked, texts left out."""
    staged = msgspec.structs.replace(item.staged, args=mask(item.staged.args))
    kept = msgspec.structs.replace(item, staged=staged, calls=(), copy_as={}, inverse=None)
    return Intent(request_id=request, source="test", item=kept)


def one_death(place: Place, ann: Operator, killer: Any, number: int, at: int) -> bool:
    """Kills one action at one point, settles it, and sends it again: it is applied exactly once, and whole."""
    action, status, args = CASES[number % len(CASES)]
    name = entity(place, status, f"dying-{number}-{at}-{new_request_id()[:8]}")
    item, before, request = ann.plan(name, action, **args), state(place, name), new_request_id()
    died = killed(killer, place, [(item, request)], at)
    after = state(place, name)
    outcome = ann.actor.settle(journalled(item, request), NEVER)
    assert outcome.evidence
    expected = Verdict.APPLIED if after != before else Verdict.NOT_APPLIED
    assert outcome.verdict is expected, (action, at, before, after, outcome)
    assert ann.execute(item, request).outcome.verdict is Verdict.APPLIED
    whole = state(place, name)
    assert after in (before, whole) and whole != before, (action, at, before, after, whole)
    if action in ("move", "release_claim", "mark_observed", "degrade"):
        assert whole["row"] == (item.staged.args["to"], 4) and whole["history"] == before["history"] + 1
    return died


def deaths(place: Place, killer: Any, count: int) -> int:
    ann, chance = place.operator("ann"), random.Random(20261120)
    return sum(one_death(place, ann, killer, number, chance.randrange(POINTS)) for number in range(count))


def test_killed_actions_are_settled_and_whole(own: Place, killer: subprocess.Popen[str]) -> None:
    assert deaths(own, killer, 7) >= 2


@pytest.mark.long
def test_hundreds_of_killed_actions(own: Place, killer: subprocess.Popen[str]) -> None:
    assert deaths(own, killer, 350) >= 100


def test_points_of_a_move_from_first_to_last(own: Place, killer: subprocess.Popen[str]) -> None:
    ann, at = own.operator("ann"), 0
    while one_death(own, ann, killer, 0, at):
        at += 4
    assert at > 16


def test_a_chunk_is_killed_whole(own: Place, killer: subprocess.Popen[str]) -> None:
    ann = own.operator("ann")
    for at in (3, 20, 31, 34, 36, 80):
        names = [entity(own, "sent", f"chunk-{at}-{n}") for n in range(3)]
        asked = [(ann.plan(name, "move", to="paid"), new_request_id()) for name in names]
        killed(killer, own, asked, at)
        moved = [own.status(name) == ("paid", 4) for name in names]
        assert len(set(moved)) == 1
        for (item, request), name in zip(asked, names, strict=True):
            verdict = ann.settle(item, request).verdict
            assert verdict is (Verdict.APPLIED if moved[0] else Verdict.NOT_APPLIED)
            assert len(own.history(name)) == int(moved[0])


@pytest.mark.parametrize("own", ["postgresql"], indirect=True)
def test_a_transaction_that_is_still_open_is_waited_for(own: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine_bridge.engines.entity_state import act

    monkeypatch.setattr(act, "_UNDER_WAY_S", 0.5)
    ann, request = own.operator(), new_request_id()
    item = ann.plan("inv-001", "move", to="approved")
    with own.engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared(hashtextextended('{request}', 7))")
        outcome = ann.settle(item, request)
    assert outcome.verdict is Verdict.UNKNOWN and "still open" in outcome.evidence[0]
    assert ann.settle(item, request).verdict is Verdict.NOT_APPLIED
