"""What the cells of the runs table say."""

from __future__ import annotations

import msgspec

from engine_bridge.model import Blocked, Run, RunRef, Status
from tests.fakes import T0, S, make_run
from widgets.runs.columns import COLUMNS, duration_of, now_or_why
from widgets.table.columns import Clock

CLOCK = Clock(now_ns=T0 + 600 * S)


def run(**changes: object) -> Run:
    return msgspec.structs.replace(make_run(2), **changes)


def cell(name: str, item: Run) -> str:
    column = next(column for column in COLUMNS if column.id == name)
    return column.text(item, CLOCK)


def test_an_open_run_says_what_it_waits_for_and_until_when() -> None:
    blocked = Blocked(kind="signal", what="signal approve_order", until_ns=CLOCK.now_ns + 41 * 60 * S)
    text = now_or_why(run(now="", blocked_on=blocked), CLOCK)
    assert text == "waiting for signal approve_order · expires in 41 m"


def test_the_engines_own_words_come_first() -> None:
    assert now_or_why(run(now="running pack_one since 14:07:50"), CLOCK) == "running pack_one since 14:07:50"


def test_a_closed_run_says_why_and_not_what_it_once_waited_for() -> None:
    failed = run(status=Status.FAILED, error="CardDeclined: no", now="")
    assert now_or_why(failed, CLOCK) == "CardDeclined: no"


def test_a_row_that_cannot_be_read_says_so() -> None:
    assert now_or_why(run(bad="status is no text"), CLOCK) == "cannot be read whole: status is no text"


def test_open_runs_last_until_now_and_queued_ones_not_at_all() -> None:
    assert duration_of(run(started_ns=T0, ended_ns=None), CLOCK.now_ns) == 600 * S
    assert cell("duration", run(started_ns=None, ended_ns=None, status=Status.QUEUED)) == ""
    assert duration_of(run(started_ns=T0, ended_ns=None, status=Status.FAILED), CLOCK.now_ns) is None


def test_unknown_numbers_are_blank_and_zero_is_zero() -> None:
    assert cell("steps", run(steps_done=None)) == ""
    assert cell("steps", run(steps_done=0)) == "0"
    assert cell("attempts", run(attempts=None)) == ""


def test_hostile_names_are_made_visible() -> None:
    assert cell("type", run(type="a\n\u202eb")) == "a⏎\\u202eb"


def test_runs_of_several_files_say_in_which_one_they_are() -> None:
    there = run(id="order-7", ref=RunRef("workflow", "order-7", "0a1b2c3d-4e5f in copy.json"))
    assert cell("id", there) == "order-7 in copy.json"
    for other in (RunRef("workflow", "order-7", "0a1b2c3d-4e5f"), RunRef("entity", "invoice", "no 7")):
        assert cell("id", run(id=other.name, ref=other)) == other.name
