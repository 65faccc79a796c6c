"""What became of actions whose process was killed: settled by reading, at every point, and none applied twice."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest

from engine_bridge.actions.model import Intent, PlanItem, Verdict, new_request_id
from engine_bridge.engines.dbos import act_outcome
from engine_bridge.payloads.masking import mask
from tests.engines.dbos.act_tools import ACTIONS, ARGS, NEVER, Operator, Place

STATE = {"signal": "PENDING", "cancel": "PENDING", "resume": "CANCELLED", "set_delay": "DELAYED"}
MAKES = ("signal", "fork", "enqueue_like")
POINTS = 40
"""More than the longest action has; a kill beyond its last point is none."""


@pytest.fixture
def killer() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.engines.dbos.act_killed"]
    found = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
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


def made(place: Place, action: str, run_id: str) -> int:
    """How many messages or runs an action has made of a run."""
    if action == "signal":
        return place.count("notifications", run_id)
    if action == "fork":
        return len(place.sql("SELECT 1 FROM {s}workflow_status WHERE forked_from = :id", id=run_id))
    name = f"only {run_id}"
    return len(place.sql("SELECT 1 FROM {s}workflow_status WHERE name = :n", n=name)) - 1


def journalled(item: PlanItem, request: str) -> Intent:
    """An intent as the journal keeps it: arguments masked, texts left out."""
    staged = msgspec.structs.replace(item.staged, args=mask(item.staged.args))
    kept = msgspec.structs.replace(item, staged=staged, calls=(), copy_as={}, inverse=None)
    return Intent(request_id=request, source="test", item=kept)


def one_death(place: Place, operator: Operator, killer: Any, action: str, at: int) -> bool:
    """Kills one action at one point, settles it, and sends it again: it is applied exactly once."""
    run_id = place.in_state(STATE.get(action, "ERROR"), f"dying {action}")
    place.sql(
        "UPDATE {s}workflow_status SET name = :n WHERE workflow_uuid = :id", n=f"only {run_id}", id=run_id
    )
    item = operator.plan(run_id, action, **ARGS.get(action, {}))
    before, request = place.row(run_id), new_request_id()
    died = killed(killer, place, [(item, request)], at)
    happened = made(place, action, run_id) > 0 if action in MAKES else place.row(run_id) != before
    outcome = operator.actor.settle(journalled(item, request), NEVER)
    assert outcome.evidence
    if not happened:
        assert outcome.verdict is Verdict.NOT_APPLIED, (action, at, outcome)
    elif action in (*MAKES, "set_delay"):
        assert outcome.verdict is Verdict.APPLIED, (action, at, outcome)
    else:
        assert outcome.verdict is Verdict.UNKNOWN, (action, at, outcome)
    again = operator.execute(item, request).outcome
    if action in MAKES:
        assert again.verdict is Verdict.APPLIED and made(place, action, run_id) == 1
    else:
        assert again.stale is happened
        assert again.verdict is (Verdict.NOT_APPLIED if happened else Verdict.APPLIED)
    return died


def deaths(place: Place, operator: Operator, killer: Any, number: int) -> int:
    chance = random.Random(20261120)
    cases = [(ACTIONS[i % len(ACTIONS)], chance.randrange(POINTS)) for i in range(number)]
    return sum(one_death(place, operator, killer, action, at) for action, at in cases)


def test_killed_actions_are_settled(place: Place, operator: Operator, killer: subprocess.Popen[str]) -> None:
    assert deaths(place, operator, killer, 16) >= 4


@pytest.mark.long
def test_hundreds_of_killed_actions_are_settled(
    place: Place, operator: Operator, killer: subprocess.Popen[str]
) -> None:
    assert deaths(place, operator, killer, 320) >= 100


def test_every_point_of_a_fork(place: Place, operator: Operator, killer: subprocess.Popen[str]) -> None:
    at = 0
    while one_death(place, operator, killer, "fork", at):
        at += 4
    assert at > 16


def test_what_somebody_else_did_cannot_be_known(place: Place, operator: Operator) -> None:
    for action, state in (
        ("cancel", "PENDING"),
        ("resume", "CANCELLED"),
        ("delete", "ERROR"),
        ("rewind", "ERROR"),
    ):
        run_id = place.in_state(state, f"theirs {action}")
        item, request = operator.plan(run_id, action, **ARGS.get(action, {})), new_request_id()
        assert operator.settle(item, request).verdict is Verdict.NOT_APPLIED
        operator.act(run_id, action, **ARGS.get(action, {}))
        outcome = operator.settle(item, request)
        assert outcome.verdict is Verdict.UNKNOWN
        assert "DBOS does not record who did that." in outcome.evidence


def test_what_waits_for_a_worker_is_awaited_until_one_took_it(place: Place, operator: Operator) -> None:
    run_id = place.in_state("CANCELLED", "awaited")
    item, request = operator.plan(run_id, "resume"), new_request_id()
    assert operator.execute(item, request).outcome.pending == act_outcome.NO_WORKER
    asked = msgspec.structs.replace(journalled(item, request), applied=True)
    assert operator.actor.settle(asked, NEVER).pending == act_outcome.NO_WORKER
    place.sql("UPDATE {s}workflow_status SET status = 'PENDING' WHERE workflow_uuid = :id", id=run_id)
    taken = operator.actor.settle(asked, NEVER)
    assert (taken.verdict, taken.pending, taken.evidence) == (Verdict.APPLIED, "", ("the run is PENDING",))


def test_a_message_may_be_gone_with_its_run(place: Place, operator: Operator) -> None:
    run_id = place.in_state("CANCELLED", "gone")
    item, request = operator.plan(run_id, "signal", **ARGS["signal"]), new_request_id()
    operator.execute(item, request)
    operator.act(run_id, "rewind", start_step=1)
    assert operator.settle(item, request).verdict is Verdict.UNKNOWN
    operator.act(run_id, "delete")
    assert operator.settle(item, request).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_transaction_that_is_still_open_is_waited_for(
    place: Place, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine_bridge.engines.dbos import act

    monkeypatch.setattr(act, "_UNDER_WAY_S", 0.5)
    run_id = place.in_state("PENDING", "open")
    item, request = operator.plan(run_id, "cancel"), new_request_id()
    with place.engine.begin() as connection:
        connection.exec_driver_sql(f"SET LOCAL application_name = 'playhead {request}'")
        outcome = operator.settle(item, request)
    assert outcome.verdict is Verdict.UNKNOWN and "still open" in outcome.evidence[0]
    assert operator.settle(item, request).verdict is Verdict.NOT_APPLIED
