"""kill -9 at every point of an action: whatever was left open is settled, truly, and nothing is applied twice."""

from __future__ import annotations

import functools
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from engine_bridge.actions.execute import Execution
from engine_bridge.actions.journal import Journal, Kind
from engine_bridge.actions.model import Plan
from engine_bridge.cancel import CancelToken
from tests.engine_bridge.actions.operator import CHILD_POINTS, PARENT_POINTS
from tests.fakes_actions import ShopActor, add_fault, applied, clear_faults, make, requests
from tests.waiting import LIMIT_S

ROOT = Path(__file__).parents[3]
KINDS = [
    *(("parent", point) for point in PARENT_POINTS),
    *(("child", point) for point in CHILD_POINTS),
    *(("orphan", point) for point in CHILD_POINTS),
    ("random", ""),
    ("random", ""),
]


def operator(shop: Path, folder: Path, point: str, *runs: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.engine_bridge.actions.operator",
            str(shop),
            str(folder),
            point or "-",
            *runs,
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def settle_all(shop: Path, folder: Path) -> None:
    """What the next Playhead does; an orphaned child keeps its intents until it has ended."""
    journal = Journal(folder)
    plan = Plan(id="", source="", environment="", items=())
    deadline = time.monotonic() + LIMIT_S
    with Execution(functools.partial(ShopActor, str(shop)), journal, plan, "") as execution:
        while journal.open_intents() and time.monotonic() < deadline:
            for intent in journal.take_over():
                execution.settle(intent, CancelToken())
    journal.close()


def check(shop: Path, folder: Path) -> None:
    journal = Journal(folder)
    assert journal.open_intents() == [] and journal.verify() is None
    done = set(requests(shop))
    rows = journal.rows()
    outcomes = [row for row in rows if row.kind is Kind.OUTCOME]
    assert len({row.request_id for row in outcomes}) == len(outcomes)
    assert {row.request_id for row in rows if row.kind is Kind.INTENT} == {row.request_id for row in outcomes}
    for row in outcomes:
        assert (row.verdict == "applied") == (row.request_id in done), row
    assert done <= {row.request_id for row in outcomes}
    assert all(times == 1 for times in applied(shop).values())


def one_round(folder: Path, kind: str, point: str, chance: random.Random) -> None:
    shop = make(folder / "shop.db", 8)
    runs = [f"r-{i:04d}" for i in range(3)]
    if kind in ("child", "orphan"):
        add_fault(shop, runs[1], point, "kill" if kind == "child" else "kill-parent")
    process = operator(shop, folder / "journal", point if kind == "parent" else "", *runs)
    if kind == "random":
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.02))
        process.kill()
    _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode in ((0,) if kind == "child" else (-9,) if kind != "random" else (0, -9)), said
    settle_all(shop, folder / "journal")
    check(shop, folder / "journal")
    clear_faults(shop)
    after = applied(shop)
    settle_all(shop, folder / "journal")
    assert applied(shop) == after
    check(shop, folder / "journal")


@pytest.mark.parametrize(("kind", "point"), KINDS, ids=lambda value: value or "any")
def test_killed_once_at_every_point(tmp_path: Path, kind: str, point: str) -> None:
    one_round(tmp_path, kind, point, random.Random(point))


@pytest.mark.long
@pytest.mark.parametrize("number", range(100))
def test_killed_a_hundred_times(tmp_path: Path, number: int) -> None:
    chance = random.Random(number)
    one_round(tmp_path, *chance.choice(KINDS), chance)


def test_a_killed_child_is_settled_by_its_own_playhead_which_goes_on(tmp_path: Path) -> None:
    shop = make(tmp_path / "shop.db", 4)
    add_fault(shop, "r-0001", "after-commit", "kill")
    said, _ = operator(shop, tmp_path / "journal", "", "r-0000", "r-0001", "r-0002").communicate(
        timeout=LIMIT_S
    )
    assert said.splitlines()[1::2] == ["applied False"] * 3
    check(shop, tmp_path / "journal")


def test_an_orphaned_child_is_waited_for_before_its_intent_is_settled(tmp_path: Path) -> None:
    shop = make(tmp_path / "shop.db", 2)
    add_fault(shop, "r-0000", "after-commit", "orphan")
    with operator(shop, tmp_path / "journal", "", "r-0000") as process:
        process.wait(LIMIT_S)
    journal = Journal(tmp_path / "journal")
    (row,) = journal.open_intents()
    assert journal.take_over() == []
    pids = [int(path.read_text()) for path in (tmp_path / "journal" / "owners").iterdir()]
    (orphan,) = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    orphan.resume()
    psutil.wait_procs([orphan], LIMIT_S)
    assert [one.request_id for one in journal.take_over()] == [row.request_id]
    journal.close()
    settle_all(shop, tmp_path / "journal")
    check(shop, tmp_path / "journal")
    assert list((tmp_path / "journal" / "owners").iterdir()) == []


def test_two_playheads_at_once_write_one_journal_and_apply_everything_once(tmp_path: Path) -> None:
    shop = make(tmp_path / "shop.db", 20)
    runs = [f"r-{i:04d}" for i in range(20)]
    both = [operator(shop, tmp_path / "journal", "", *order) for order in (runs, runs[::-1])]
    told = [process.communicate(timeout=LIMIT_S)[0].splitlines()[1::2] for process in both]
    assert applied(shop) == dict.fromkeys(runs, 1)
    every = [*told[0], *told[1]]
    assert every.count("applied False") == 20 and every.count("not applied True") == 20
    check(shop, tmp_path / "journal")
    stale = [row for row in Journal(tmp_path / "journal").rows() if row.stale]
    assert len(stale) == 20 and all("won" in row.evidence[0] for row in stale)


def test_two_settlers_at_once_settle_each_intent_once(tmp_path: Path) -> None:
    shop = make(tmp_path / "shop.db", 12)
    runs = [f"r-{i:04d}" for i in range(12)]
    dead = [operator(shop, tmp_path / "journal", "before-outcome", run) for run in runs[:4]]
    for process in dead:
        process.communicate(timeout=LIMIT_S)
    code = (
        "import sys; from pathlib import Path; from tests.engine_bridge.actions.test_kill import settle_all;"
        "settle_all(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(shop), str(tmp_path / "journal")]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    settlers = [subprocess.Popen(command, cwd=ROOT, env=env) for _ in range(2)]
    assert [process.wait(LIMIT_S) for process in settlers] == [0, 0]
    check(shop, tmp_path / "journal")
    rows = Journal(tmp_path / "journal").rows()
    assert sum(row.kind is Kind.SETTLING for row in rows) == 4
