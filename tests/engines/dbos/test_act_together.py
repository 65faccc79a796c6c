"""Many operators at once on one database: nothing is lost, nothing is done twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine_bridge.actions.model import Verdict
from tests.engines.dbos.act_tools import Operator, Place

OPERATORS = 8
CONTESTED = 4


def one_operator(operator: Operator, number: int, runs: list[str], rounds: int) -> Counter[str]:
    """Signals a run of everybody's, and fights for runs that only one can cancel: by plans made before."""
    found: Counter[str] = Counter()
    for i in range(rounds):
        message = f'"{number}-{i}"'
        sent = operator.act(runs[0], "signal", topic="together", message=message).outcome
        found["sent"] += sent.verdict is Verdict.APPLIED
    for run_id in runs[1:]:
        item = operator.plan(run_id, "cancel")
        if item.refused:
            found["late"] += 1
            continue
        outcome = operator.execute(item).outcome
        found["won" if outcome.verdict is Verdict.APPLIED else "lost"] += 1
        assert outcome.verdict is Verdict.APPLIED or outcome.stale
    return found


def together(place: Place, operators: Callable[[str], Operator], rounds: int) -> None:
    runs = [place.in_state("PENDING", "together") for _ in range(1 + CONTESTED)]
    opened = [operators(place.url) for _ in range(OPERATORS)]
    with ThreadPoolExecutor(OPERATORS) as pool:
        calls = [
            pool.submit(one_operator, operator, number, runs, rounds)
            for number, operator in enumerate(opened)
        ]
        total = sum((call.result() for call in calls), Counter[str]())
    assert total["sent"] == OPERATORS * rounds == place.count("notifications", runs[0])
    texts = {row[0] for row in place.sql("SELECT message FROM {s}notifications WHERE topic = 'together'")}
    assert {f'"{number}-{i}"' for number in range(OPERATORS) for i in range(rounds)} <= texts
    assert total["won"] == CONTESTED
    assert total["won"] + total["lost"] + total["late"] == CONTESTED * OPERATORS


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine_bridge.engines.dbos.act_outcome.TAKE_S", 0.0)


def test_operators_together(place: Place, operators: Callable[[str], Operator]) -> None:
    together(place, operators, 5)


@pytest.mark.long
def test_eight_operators_and_a_hundred_actions_each(
    place: Place, operators: Callable[[str], Operator]
) -> None:
    together(place, operators, 100)
