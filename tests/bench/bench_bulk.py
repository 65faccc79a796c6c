"""Actions per second of a bulk job, journal on, next to a loop over the engine client's own calls. JSON lines.

    python -m tests.bench.bench_bulk [--items 100] [--rounds 7] [--in-flight 8]

Loop and job take turns on copies of one file, in wall time; ``ratio`` is the median of the rounds'. The job pays for
its child process, a durable intent before every call, the precondition that is read again, the read-back and the
outcome; the loop calls and forgets. The job's process is started, and its canary done, before the clock runs; so is
the client.
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from engine_bridge.actions.bulk import BulkRun
from engine_bridge.actions.bulk_model import ItemState, JobState, Settings
from engine_bridge.actions.bulk_store import BulkStore
from engine_bridge.actions.bulk_targets import plan_all
from engine_bridge.actions.journal import Journal
from engine_bridge.actions.model import Actor, Plan, PlanItem, Target, new_request_id
from engine_bridge.bridge import load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.model import RunRef
from engine_bridge.session import Session
from engine_bridge.sqlite_library import sqlite3
from tests.bench.make_big_db import write
from tests.fakes_actions import ShopActor, make, plan_of

NEVER = CancelToken()
CANARY = 10


def bulk_s(folder: Path, factory: Callable[[], Actor], items: tuple[PlanItem, ...], in_flight: int) -> float:
    """Seconds for all items but the canary."""
    journal = Journal(folder)
    store = BulkStore(folder, journal.owner.dead)
    plan = Plan(id="bench", source="bench", environment="dev", items=items)
    job = store.create(plan, "bench", Settings(canary=CANARY, rate=0, in_flight=in_flight))
    with BulkRun(factory, journal, store, job.id) as run:
        assert run.run(NEVER).state is JobState.CANARY
        began = time.perf_counter()
        ended = run.run(NEVER)
        seconds = time.perf_counter() - began
    assert ended.state is JobState.DONE and ended.count(ItemState.APPLIED) == len(items), ended.counts
    assert journal.verify() is None
    store.close()
    journal.close()
    return seconds


def loop_s(items: list[str], act: Callable[[str], object]) -> float:
    """Seconds for all items but as many as the canary has."""
    for item in items[:CANARY]:
        act(item)
    began = time.perf_counter()
    for item in items[CANARY:]:
        act(item)
    return time.perf_counter() - began


Case = tuple[list[str], Callable[[str], object], Callable[[], Actor], list[PlanItem]]


class OneByOne(ShopActor):
    """A file has one writer: threads that wait for its lock sleep longer and longer."""

    concurrent = False


@contextmanager
def shop(folder: Path, count: int) -> Iterator[Case]:
    """A small SQLite file with compare-and-swap; the loop is the actor's own call."""
    runs = [f"r-{i:04d}" for i in range(count)]
    first, second = make(folder / "a.db", count), make(folder / "b.db", count)
    actor = ShopActor(str(first), "FULL")

    def act(run: str) -> object:
        return actor.execute(plan_of(run), new_request_id(), NEVER)

    yield runs, act, functools.partial(OneByOne, str(second), "FULL"), [plan_of(run) for run in runs]


@contextmanager
def dbos(folder: Path, count: int) -> Iterator[Case]:
    """Cancelling queued runs; the loop is ``DBOSClient.cancel_workflow``."""
    from dbos import DBOSClient

    first, second = folder / "a.sqlite", folder / "b.sqlite"
    write(first, count, days=1, seed=1, now=int(time.time() * 1000), payload=200)
    with closing(sqlite3.connect(first)) as db:
        db.execute("UPDATE workflow_status SET status='ENQUEUED', queue_name='bench', completed_at=NULL")
        db.commit()
        ids = [row[0] for row in db.execute("SELECT workflow_uuid FROM workflow_status LIMIT ?", (count,))]
    shutil.copy(first, second)
    engine, url = load_engine("dbos"), f"dbos+sqlite:///{second}"
    assert engine.actor is not None
    session = Session(functools.partial(engine.bridge, url, None))
    session.open().result()
    targets = [Target(kind="run", id=run, ref=RunRef("workflow", run, run)) for run in ids]
    items = list(plan_all(session, targets, "cancel", {}, NEVER))
    session.close()
    client = DBOSClient(system_database_url=f"sqlite:///{first}")
    yield ids, client.cancel_workflow, functools.partial(engine.actor, url, None), items
    client.destroy()


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--items", type=int, default=100)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--in-flight", type=int, default=8)
    chosen = options.parse_args()
    for name, case in {"shop": shop, "dbos": dbos}.items():
        each = chosen.items + CANARY
        own, bulk = [], []
        with tempfile.TemporaryDirectory() as folder, case(Path(folder), each * chosen.rounds) as made:
            ids, act, factory, items = made
            for start in range(0, each * chosen.rounds, each):
                own.append(loop_s(ids[start : start + each], act))
                part = tuple(items[start : start + each])
                bulk.append(bulk_s(Path(folder) / "journal", factory, part, chosen.in_flight))
        ratio = statistics.median(a / b for a, b in zip(own, bulk, strict=True))
        rates = {"own_per_s": _rate(chosen.items, own), "bulk_per_s": _rate(chosen.items, bulk)}
        print(
            json.dumps(
                {"bench": "bulk", "engine": name, "items": chosen.items, **rates, "ratio": round(ratio, 2)}
            )
        )


def _rate(items: int, seconds: list[float]) -> float:
    return round(items / statistics.median(seconds), 1)


if __name__ == "__main__":
    main()
