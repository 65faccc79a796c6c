"""Grouping by cause, and failure chains as text."""

from __future__ import annotations

from datetime import UTC

import pytest

from engine_bridge.bridge import FailureRow
from engine_bridge.model import Failure, RunRef
from widgets.failures.chain import chain_text
from widgets.failures.groups import fingerprint
from widgets.failures.sieve import Sieve
from widgets.failures.tally import Tally

S = 1_000_000_000


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order 17 not found", "order 99 not found"),
        ("timeout after 30s on order-00022", "timeout after 5s on order-00031-7"),
        ("no such key 'a b'", "no such key 'c'"),
        ("object at 0x7fab1d69e580", "object at 0x55fc4f5fea80"),
        ("run 0a1b2c3d-0000-4000-8000-000000000001 lost", "run ffffffff-0000-4000-8000-00000000000a lost"),
    ],
)
def test_what_varies_does_not_part_a_group(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other)


def test_different_causes_stay_apart() -> None:
    assert fingerprint("insufficient funds") != fingerprint("card expired")


def row(message: str, run: str, at: int) -> FailureRow:
    ref = RunRef("workflow", run, run)
    return FailureRow(ref=ref, run_type="pay", time_ns=at, failure=Failure(type="E", message=message))


def test_groups_count_failures_and_runs() -> None:
    rows = [
        row("late 3", "b", 9 * S),
        row("gone", "a", 5 * S),
        row("late 2", "a", 4 * S),
        row("late 1", "b", 1),
    ]
    tally = Tally(Sieve(), UTC)
    tally.add(rows)
    first, second = tally.groups(Sieve())
    assert (first.count, first.runs, first.first_ns, first.last_ns) == (3, 2, 1, 9 * S)
    assert first.sample is rows[0]
    assert second.message == "gone"


def test_a_chain_tells_every_cause_with_its_trace() -> None:
    cause = Failure(type="OSError", message="no route", stack="File x")
    text = chain_text(Failure(type="PaymentError", message="failed", code="42", attempt=3, causes=(cause,)))
    assert text.splitlines() == [
        "PaymentError: failed",
        "code 42 · attempt 3",
        "no stack trace was recorded",
        "",
        "caused by OSError: no route",
        "File x",
    ]


def test_hostile_text_stays_visible_text() -> None:
    assert "\x1b" not in chain_text(Failure(type="E\x1b[31m", message="\u202etxt", stack="a\x00b\n  c"))
