"""Following an entity that is written to: what is new arrives, what vanished starts over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import tail
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.errors import CancelledError
from engine_bridge.history import Batch, History, Restart
from engine_bridge.model import EventKind, StepStatus
from tests.engines.entity_state.story.conftest import invoice, whole
from tests.engines.entity_state.story.data import Sample, at


class Follower:
    """A tail of one invoice and the history that it makes grow."""

    def __init__(self, store: Store, id: int, history: History | None = None) -> None:
        self.history = whole(store, invoice(id)) if history is None else history
        self.token = CancelToken()
        self._tail = tail.follow(store, invoice(id), self.history.last_position, self.token)

    def next(self) -> Batch | Restart:
        """What comes next that is more than the clock."""
        for found in self._tail:
            if isinstance(found, Restart):
                return found
            self.history.append(found)
            if found.run is not None:
                return found
        raise AssertionError("the tail ended")

    def close(self) -> None:
        self.token.cancel()
        self._tail.close()  # type: ignore[attr-defined]  # an iterator by its type, a generator in fact


@pytest.fixture
def follow(store: Store) -> Iterator[Callable[[int], Follower]]:
    made: list[Follower] = []

    def begin(id: int) -> Follower:
        made.append(Follower(store, id))
        return made[-1]

    yield begin
    for follower in made:
        follower.close()


Follow = Callable[[int], Follower]


def test_a_move_arrives(follow: Follow, sample: Sample) -> None:
    follower = follow(1)
    known = len(follower.history)
    sample.moves(1, ("sent", "paid", "pay", 20))
    sample.run(sa.update(sample.invoices).where(sample.invoices.c.id == 1).values(status="paid", version=4))
    while follower.history.run is None or follower.history.run.engine_status != "paid":
        assert isinstance(follower.next(), Batch)
    new = follower.history.all_events()[known:]
    assert [event.detail for event in new][-1] == "sent → paid"
    left, end = follower.history.all_steps()[-2:]
    assert (left.name, left.status, end.name, end.status) == (
        "sent",
        StepStatus.COMPLETED,
        "paid",
        StepStatus.COMPLETED,
    )


def test_a_failure_and_its_settling_arrive(follow: Follow, sample: Sample) -> None:
    follower = follow(1)
    sample.failed(1, "Late", 21)
    assert isinstance(follower.next(), Batch)
    assert follower.history.all_events()[-1].kind is EventKind.STEP_FAILED
    table = sample.own.failures
    sample.run(sa.update(table).where(table.c.entity_id == "1").values(resolved_at=at(22)))
    assert isinstance(follower.next(), Batch)
    assert follower.history.all_events()[-1].name == "failure resolved"
    assert follower.history.all_steps()[-1].status is StepStatus.WAITING


def test_drift_arrives_and_starts_over_once_it_has_its_row(follow: Follow, sample: Sample) -> None:
    follower = follow(1)
    sample.run(sa.update(sample.invoices).where(sample.invoices.c.id == 1).values(status="void"))
    assert isinstance(follower.next(), Batch)
    assert follower.history.all_events()[-1].attributes["drift"]
    sample.moves(1, ("sent", "void", "repair", 30))
    found = follower.next()
    assert isinstance(found, Restart) and "history row" in found.reason


def test_a_broken_link_does_not_start_over(follow: Follow, sample: Sample) -> None:
    follower = follow(4)  # its row says sent, its history approved
    known = len(follower.history)
    sample.moves(4, ("sent", "paid", "pay", 70))
    sample.run(sa.update(sample.invoices).where(sample.invoices.c.id == 4).values(status="paid"))
    while len(follower.history) == known or follower.history.all_events()[-1].detail != "sent → paid":
        assert isinstance(follower.next(), Batch)
    assert len(follower.history) == known + 1


@pytest.mark.parametrize("change", ["delete", "rewrite"])
def test_rows_that_vanish_or_change_start_over(follow: Follow, sample: Sample, change: str) -> None:
    follower = follow(1)
    table = sample.own.history
    mine = table.c.entity_id == "1"
    if change == "delete":
        sample.run(sa.delete(table).where(mine, table.c.step_key == "send"))
    else:
        sample.run(sa.update(table).where(mine, table.c.step_key == "approve").values(changed_at=at(0.5)))
        sample.run(sa.update(sample.invoices).where(sample.invoices.c.id == 1).values(version=9))
    found = follower.next()
    assert isinstance(found, Restart)


def test_a_deleted_entity_says_so(follow: Follow, sample: Sample) -> None:
    follower = follow(1)
    sample.run(sa.delete(sample.invoices).where(sample.invoices.c.id == 1))
    found = follower.next()
    assert isinstance(found, Restart) and "deleted" in found.reason


def test_an_unknown_position_starts_over(store: Store) -> None:
    token = CancelToken()
    assert isinstance(next(iter(tail.follow(store, invoice(1), 77, token))), Restart)


def test_from_the_start(store: Store) -> None:
    history = History()
    follower = Follower(store, 1, history)
    assert isinstance(follower.next(), Batch)
    assert len(history) == 4
    follower.close()


def test_a_cancelled_tail_ends(store: Store) -> None:
    follower = Follower(store, 1)
    follower.token.cancel()
    with suppress(CancelledError):
        assert list(follower._tail) == []
