"""What the record leaves open: results of the same moment, in an order that nobody wrote down. No alarm comes of it."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from dbos._error import DBOSUnexpectedStepError

from engine_bridge.engines.dbos.replay_parts import orders
from engine_bridge.engines.dbos.replay_parts.orders import Before, Orders, Search, Tried, undecided
from engine_bridge.replay.model import End, Outcome, ReplayInput
from engine_bridge.sqlite_library import sqlite3
from tests.engines.dbos.databases import bridge_url, make_database
from tests.engines.dbos.replay.conftest import SHAPES
from tests.engines.dbos.replay.replays import APPS, Edits, execute, inputs_of, posing, replay

TREES = APPS / "trees.py"


def at_once(item: ReplayInput, *order: int) -> ReplayInput:
    """The same record, had its steps ended in one millisecond and been written in this order."""
    record = msgspec.json.decode(item.data)
    rows = {row["function_id"]: row for row in record["tables"]["operation_outputs"]}
    record["tables"]["operation_outputs"] = [rows[fid] for fid in order]
    for row in rows.values():
        row["completed_at_epoch_ms"] = max(r["completed_at_epoch_ms"] for r in rows.values())
    return msgspec.structs.replace(item, data=msgspec.json.encode(record))


ALL = "SELECT workflow_uuid FROM "


def trees(url: str, count: int, seconds: float) -> dict[str, End]:
    """Alarms of so many random trees, which are executed first, all at the same time. On a busy machine a few may stay
    undecided: many of their steps ended at once.
    """
    execute(TREES, url, str(count), seconds=seconds)
    source: str | Path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(source)) as file:
            runs = [row[0] for row in file.execute(f"{ALL}workflow_status")]
    else:
        source = bridge_url(url)
        with psycopg.connect(url) as server:
            runs = [row[0] for row in server.execute(f"{ALL}dbos.workflow_status")]
    told = replay(inputs_of(source, runs), TREES, record="places", seconds=seconds)
    assert len(runs) > 2 * count
    ends = {run: told[run].end for run in runs}
    assert sum(end.outcome is Outcome.SAME and not end.notes for end in ends.values()) > 2 * count
    noted = {run for run, end in ends.items() if any(note.startswith("Not decided") for note in end.notes)}
    quiet = {run for run, end in ends.items() if end.outcome is Outcome.SAME} | noted
    return {run: end for run, end in ends.items() if end.drift or run not in quiet}


def test_branches_of_any_shape_come_out_as_recorded(tmp_path: Path) -> None:
    """Gathered branches take the ids of their steps as they come: dbos does not record who came first."""
    assert trees(f"sqlite:///{tmp_path}/trees.sqlite", 40, 300) == {}


@pytest.mark.long
def test_branches_of_any_shape_under_load(tmp_path: Path) -> None:
    assert trees(f"sqlite:///{tmp_path}/trees.sqlite", 400, 900) == {}


@pytest.mark.long
def test_branches_of_any_shape_on_a_server_whose_connections_write_at_the_same_time(server: Any) -> None:
    assert trees(make_database(server, "trees"), 100, 900) == {}


def ended_by_dbos(item: ReplayInput, step: int) -> ReplayInput:
    """The same record, had it been executed again, and had DBOS found another step there than it recorded."""
    record = msgspec.json.decode(item.data)
    record["tables"]["operation_outputs"] = record["tables"]["operation_outputs"][: step - 1]
    error = pickle.dumps(DBOSUnexpectedStepError(item.run_id, step - 1, "add", "named-step"))
    for row in (*record["tables"]["workflow_status"], *record["tables"]["workflow_output"]):
        row |= {"output": None, "error": base64.b64encode(error).decode()}
        row |= {"status": "ERROR", "recovery_attempts": 2} if "status" in row else {}
    return msgspec.structs.replace(item, data=msgspec.json.encode(record))


def test_another_order_of_one_moment_is_found_and_told_from_the_start(shapes_file: Path) -> None:
    item, steps = inputs_of(shapes_file, ["races", "steps"])
    orders = {"a": (1, 2, 3), "b": (1, 3, 2), "c": (3, 1, 2)}
    items = [posing(at_once(item, *order), run, "races") for run, order in orders.items()]
    told = replay([*items, ended_by_dbos(steps, 3)], SHAPES)
    for run in orders:
        assert told[run].end.outcome is Outcome.SAME and not told[run].end.drift and not told[run].end.notes
        assert [(step.n, step.step_id) for step in told[run].steps] == [(0, "1"), (1, "2"), (2, "3")]
    end = told["steps"].end
    assert end.outcome is Outcome.STOPPED and end.divergence is None and not end.drift
    assert end.notes[0].startswith(
        "Not decided: DBOS itself ended this run with DBOSUnexpectedStepError at step 2, "
    )


def test_what_no_order_gives_is_told_all_the_same(shapes_file: Path, tmp_path: Path) -> None:
    (item,) = inputs_of(shapes_file, ["races"])
    edits = Edits(SHAPES, [at_once(item, 1, 2, 3)])
    edits.add("drifted", "races", ("[await task for", "[(await task).upper() for"))
    edits.add("diverged", "races", ('later("y")', 'called_otherwise("y")'))
    told = edits.replay(tmp_path)
    assert told["drifted"].drift == ["result"] and told["drifted"].end.outcome is Outcome.SAME
    assert told["diverged"].end.outcome is Outcome.DIVERGED


def tried(outcome: Callable[[list[int]], tuple[tuple[int, int], str]]) -> Callable[[Before], Tried]:
    """An attempt of steps 1 to 4, of which all are ready at once; what comes of it depends on their order."""

    def attempt(before: Before) -> Tried:
        orders = Orders(before, keeps=True)
        flying = {fid: (0, fid, fid) for fid in (1, 2, 3, 4)}
        while flying:
            turn = orders.first(flying)
            orders.note(turn, flying)
            del flying[turn]
        return Tried(before, *outcome(orders.sequence), orders)

    return attempt


def search(outcome: Callable[[list[int]], tuple[tuple[int, int], str]], budget: float = 60) -> Search:
    return Search(tried(outcome), lambda other, early: early, budget, lambda: None)


def test_every_order_can_be_found() -> None:
    for wanted in ([4, 3, 2, 1], [2, 1, 4, 3], [3, 1, 4, 2]):
        found = search(lambda seen, wanted=wanted: ((int(seen != wanted), 0), str(seen))).run()
        assert found.orders.sequence == wanted


def test_drift_that_depends_on_an_unknown_order_is_not_decided() -> None:
    late = search(lambda seen: ((1, 1), str(seen)), budget=0)
    late.run()
    assert late.decides, "one order alone was tried"
    same = search(lambda seen: ((1, 1), "always the same"))
    same.run()
    whole = search(lambda seen: ((1, 1), str(seen)))
    whole.run()
    assert same.decides and whole.decides, "all orders were tried, and none gives what is recorded"


def test_a_search_that_ran_out_of_time_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(1000))
    monkeypatch.setattr(orders.time, "process_time", lambda: next(seconds))
    varies = search(lambda seen: ((1, 1), str(seen)), budget=5)
    varies.run()
    same = search(lambda seen: ((1, 1), "always the same"), budget=5)
    same.run()
    parted = search(lambda seen: ((2, 0), str(seen)), budget=5)
    parted.run()
    assert not varies.decides and same.decides and parted.decides


def parting(budget: float, *, late: bool, called: str = "", whole: bool = True) -> bool:
    """Whether it is decided that code and history part where each order parts at ``work``."""
    attempt = tried(lambda seen: ((2, 0), str(seen)))

    def parted(before: Before) -> Tried:
        return attempt(before)._replace(wanted="work", late=late)

    found = Search(parted, lambda other, early: early, budget, lambda: None, frozenset({called}), whole=whole)
    found.run()
    return found.decides


def test_a_parting_that_another_order_may_explain_is_left_open_when_the_time_is_over() -> None:
    assert not parting(0, late=True, called="work"), "both steps are there, in an order that was not tried"
    assert parting(0, late=False, called="work"), "the code asks for what the history holds nowhere"
    assert parting(0, late=True), "the code does not call what the history holds any more"
    assert parting(60, late=True, called="work"), "all orders were tried"
    assert not parting(60, late=True, called="work", whole=False), "of a recovered run there are others"


def test_what_is_left_open_names_the_step_and_the_line() -> None:
    at = {"file": "/shop/orders.py", "line": 93, "function": "fulfil"}
    parted = {"kind": "other step", "expected": "charge", "actual": "pack", "step_id": "4", "at": at}
    end = undecided({"outcome": "diverged", "drift": [], "divergence": parted})
    assert end["outcome"] == "stopped" and "divergence" not in end
    assert end["notes"][0].startswith("Not decided (whether the code diverges at step 4): ")
    assert end["notes"][0].endswith("the history has charge, the code pack, line 93.")
