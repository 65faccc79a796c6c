"""Several items of a bulk job in one call: each with its own answer, none twice; one transaction in a file."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine_bridge.actions.bulk import BulkRun
from engine_bridge.actions.bulk_model import ItemState, JobState, Settings
from engine_bridge.actions.bulk_store import BulkStore
from engine_bridge.actions.journal import Journal
from engine_bridge.actions.model import Plan, PlanItem, Receipt, Verdict, new_request_id
from engine_bridge.bridge import load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError
from tests.engines.dbos.act_tools import NEVER, Operator, Place
from tests.engines.dbos.test_act_hostile import poisoned
from tests.engines.dbos.test_act_settle import journalled, killed, killer

__all__ = ["killer"]
STATE = {"cancel": "ENQUEUED", "resume": "CANCELLED"}
AFTER = {"cancel": "CANCELLED", "resume": "ENQUEUED"}
Asked = tuple[tuple[PlanItem, str], ...]


def planned(place: Place, operator: Operator, action: str, count: int) -> tuple[list[str], Asked]:
    runs = [place.in_state(STATE[action], f"many {action}") for _ in range(count)]
    return runs, tuple((operator.plan(run, action), new_request_id()) for run in runs)


def verdicts(answers: list[Receipt | PlayheadError]) -> list[str]:
    return [a.outcome.verdict.value if isinstance(a, Receipt) else a.message for a in answers]


def commits(operator: Operator) -> list[int]:
    """Grows with each of the actor's transactions that wrote."""
    found: list[int] = []
    engine, gate = operator.actor._engine, operator.actor._gate  # type: ignore[attr-defined]

    def commit(_: sa.Connection) -> None:
        if gate.committing:
            found.append(1)
            gate.committing = False

    sa.event.listen(engine, "commit", commit)
    return found


@pytest.mark.parametrize("action", STATE)
def test_all_are_applied_and_read_back(place: Place, operator: Operator, action: str) -> None:
    runs, asked = planned(place, operator, action, 5)
    answers = operator.actor.execute_many(asked, NEVER)
    assert verdicts(answers) == ["applied"] * 5
    assert {place.status(run) for run in runs} == {AFTER[action]}
    for answer, (item, request) in zip(answers, asked, strict=True):
        assert isinstance(answer, Receipt) and answer.request_id == request and answer.inverse == item.inverse
        assert answer.changes[0].before == STATE[action] and answer.changes[0].after == AFTER[action]


def test_one_file_takes_them_in_one_transaction_and_a_server_each_in_its_own(
    place: Place, operator: Operator
) -> None:
    _, asked = planned(place, operator, "cancel", 5)
    sqlite = operator.actor.together("cancel", NEVER) > 1
    written = commits(operator)
    operator.actor.execute_many(asked, NEVER)
    assert sqlite is (place.schema == "") and (len(written) == 1) is sqlite
    assert operator.actor.together("fork", NEVER) == 1


def test_one_that_changed_stays_untouched_and_the_others_are_applied(
    place: Place, operator: Operator
) -> None:
    runs, asked = planned(place, operator, "cancel", 4)
    place.sql("UPDATE {s}workflow_status SET status = 'SUCCESS' WHERE workflow_uuid = :id", id=runs[1])
    answers = operator.actor.execute_many(asked, NEVER)
    assert verdicts(answers) == ["applied", "not applied", "applied", "applied"]
    assert isinstance(answers[1], Receipt) and answers[1].outcome.stale
    assert [place.status(run) for run in runs] == ["CANCELLED", "SUCCESS", "CANCELLED", "CANCELLED"]


def test_a_run_that_is_named_twice_is_cancelled_once(place: Place, operator: Operator) -> None:
    [run], [(item, request)] = planned(place, operator, "cancel", 1)
    answers = operator.actor.execute_many(((item, request), (item, new_request_id())), NEVER)
    assert verdicts(answers) == ["applied", "not applied"] and place.status(run) == "CANCELLED"


def test_an_error_of_one_costs_no_other_its_turn(
    own_place: Place, operators: Callable[[str], Operator]
) -> None:
    place, operator = own_place, operators(own_place.url)
    if place.schema:
        place.sql("ALTER TABLE {s}workflow_status ADD CHECK (workflow_uuid <> 'no' OR status <> 'CANCELLED')")
    else:
        place.sql(
            "CREATE TRIGGER refuse BEFORE UPDATE ON workflow_status WHEN NEW.workflow_uuid = 'no'"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    runs, asked = planned(place, operator, "cancel", 3)
    no = place.clone("held-1", "no")
    asked = (*asked[:2], (operator.plan(no, "cancel"), new_request_id()), asked[2])
    answers = operator.actor.execute_many(asked, NEVER)
    assert [isinstance(answer, PlayheadError) for answer in answers] == [False, False, True, False]
    assert {place.status(run) for run in runs} == {"CANCELLED"} and place.status(no) == "ENQUEUED"


def test_a_cancelled_call_sends_nothing(place: Place, operator: Operator) -> None:
    runs, asked = planned(place, operator, "cancel", 3)
    token = CancelToken()
    token.cancel()
    assert verdicts(operator.actor.execute_many(asked, token)) == ["not applied"] * 3
    assert {place.status(run) for run in runs} == {"ENQUEUED"}


def test_no_pickle_is_executed(
    own_place: Place, operators: Callable[[str], Operator], tmp_path: Path
) -> None:
    place, operator = own_place, operators(own_place.url)
    poisoned(place, tmp_path / "canary")
    for action in STATE:
        _, asked = planned(place, operator, action, 3)
        assert verdicts(operator.actor.execute_many(asked, NEVER)) == ["applied"] * 3
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("action", STATE)
def test_killed_at_any_point_each_is_settled_and_a_file_has_all_or_none(
    place: Place, operator: Operator, killer: subprocess.Popen[str], action: str
) -> None:
    one = operator.actor.together(action, NEVER) > 1
    deaths = 0
    for at in range(0, 200, 1 if one else 12):
        runs, asked = planned(place, operator, action, 3)
        died = killed(killer, place, asked, at)
        deaths += died
        done = [place.status(run) == AFTER[action] for run in runs]
        assert not one or len(set(done)) == 1
        for happened, (item, request) in zip(done, asked, strict=True):
            outcome = operator.actor.settle(journalled(item, request), NEVER)
            assert outcome.verdict is (Verdict.UNKNOWN if happened else Verdict.NOT_APPLIED)
            assert operator.execute(item, request).outcome.stale is happened
        if not died:
            break
    assert deaths >= 3 and not died


def test_a_bulk_job_over_a_real_file(
    own_place: Place, operators: Callable[[str], Operator], tmp_path: Path
) -> None:
    place, operator = own_place, operators(own_place.url)
    runs, asked = planned(place, operator, "cancel", 30)
    place.sql("UPDATE {s}workflow_status SET status = 'SUCCESS' WHERE workflow_uuid = :id", id=runs[17])
    journal = Journal(tmp_path / "journal")
    store = BulkStore(journal.folder, journal.owner.dead)
    plan = Plan(id="p", source=place.url, environment="dev", items=tuple(item for item, _ in asked))
    job = store.create(plan, "test", Settings(canary=0, rate=0, in_flight=8, stop_share=1))
    factory = load_engine("dbos").actor
    assert factory is not None
    with BulkRun(functools.partial(factory, place.url, None), journal, store, job.id) as run:
        ended = run.run(NEVER)
    assert ended.state is JobState.DONE and ended.count(ItemState.APPLIED) == 29
    assert {place.status(run_id) for run_id in runs} == {"CANCELLED", "SUCCESS"}
    assert journal.open_intents() == [] and journal.verify() is None
    assert journal.count() == 60
    store.close()
    journal.close()
