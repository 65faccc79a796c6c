"""Recorded replay of a DBOS run next to dbos' own recovery of it; the first step of a warm runner. JSON lines.

    python -m tests.bench.bench_replay [STEPS …] [--rounds 7]

Both execute the same workflow against the same recorded rows after their library and the application are loaded:
recovery as a worker does it (nothing is written), replay with every record (stacks, locals, executed lines), with lines
of calls alone as the gate does it, and with none. Medians of milliseconds, wall and CPU of the process that runs them.
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from dbos import DBOS

from engine_bridge.bridge import load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.replay_input import SPEC
from engine_bridge.model import RunRef
from engine_bridge.replay.model import End, Project, ReplayInput
from engine_bridge.replay.protocol import AnyMessage, Ended, Step
from engine_bridge.replay.supervisor import Limits, Replay, Warm
from engine_bridge.sqlite_library import sqlite3

APP = Path(__file__).with_name("replay_app.py")
LIMITS = Limits(busy_s=0, silence_s=0)


def packed(value: Any) -> str:
    return base64.b64encode(pickle.dumps(value)).decode()


def write(path: Path, steps: int) -> None:
    """A database of one run of each workflow, all steps recorded, to be recovered."""
    DBOS.migrate(f"sqlite:///{path}")
    now = int(time.time() * 1000)
    with closing(sqlite3.connect(path)) as connection, connection:
        for name, step in (("serial", "load"), ("gathered", "fetch")):
            connection.execute(
                "INSERT INTO workflow_status (workflow_uuid, status, name, executor_id, owner_xid, created_at,"
                " updated_at, recovery_attempts, serialization, application_version)"
                " VALUES (?, 'PENDING', ?, 'bench', 'bench', ?, ?, 1, 'py_pickle', 'one')",
                (name, name, now, now),
            )
            connection.execute("INSERT INTO workflow_input (workflow_uuid, inputs) VALUES (?, ?)",
                               (name, packed({"args": (steps,), "kwargs": {}})))  # fmt: skip
            connection.executemany(
                "INSERT INTO operation_outputs (workflow_uuid, function_id, function_name, output, serialization,"
                " started_at_epoch_ms, completed_at_epoch_ms) VALUES (?, ?, ?, ?, 'py_pickle', ?, ?)",
                (
                    (name, n, step, packed({"number": n, "lines": [n] * 5}), now + n, now + n)
                    for n in range(1, steps + 1)
                ),
            )


def recovered(path: Path, run: str, rounds: int) -> tuple[float, float]:
    """Wall and CPU of dbos alone, after one round to get warm."""
    command = [sys.executable, str(APP), str(path), run, str(rounds + 1)]
    times = json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    )
    return statistics.median(t[0] for t in times[1:]), statistics.median(t[1] for t in times[1:])


def read(path: Path, run: str) -> tuple[ReplayInput, float]:
    """The input of a replay, and how long it took to read."""
    bridge = load_engine("dbos").bridge(f"dbos+sqlite:///{path}", None)
    bridge.open(CancelToken())
    begun = time.perf_counter()
    item = bridge.replay_input(RunRef("workflow", "", run), CancelToken())
    took = 1000 * (time.perf_counter() - begun)
    bridge.close()
    return item, took


def again(item: ReplayInput, number: int) -> ReplayInput:
    """The same record under another id."""
    data = item.data.replace(f'"{item.run_id}"'.encode(), f'"{item.run_id}{number}"'.encode())
    data = data.replace(f'"name":"{item.run_id}{number}"'.encode(), f'"name":"{item.run_id}"'.encode())
    return msgspec.structs.replace(item, run_id=f"{item.run_id}{number}", data=data)


def project() -> Project:
    return Project(code=str(APP), python=sys.executable, modules=(str(APP),), paths=(str(APP.parent),))


def replayed(item: ReplayInput, record: str, rounds: int) -> tuple[float, float]:
    """Wall and CPU of the runner, after one round to get warm."""
    ends: list[End] = []

    def hear(message: AnyMessage) -> None:
        if isinstance(message, Ended):
            ends.append(message.end)

    replay = Replay(
        SPEC, project(), [again(item, n) for n in range(rounds + 1)], hear, record=record, limits=LIMITS
    )
    replay.start()
    replay.wait()
    wrong = [end for end in ends if end.outcome != "stopped" or end.now is None or end.now.kind != "nothing"]
    assert not wrong, wrong[0]
    return statistics.median(e.took_ms for e in ends[1:]), statistics.median(e.cpu_ms for e in ends[1:])


def first_step(item: ReplayInput, rounds: int) -> list[float]:
    """From asking to the first step, with a runner that was made ready before."""
    found = []
    for _ in range(rounds):
        warm = Warm(SPEC, sys.executable)
        warm.prepare()
        time.sleep(4)
        first: list[float] = []

        def hear(message: AnyMessage, first: list[float] = first) -> None:
            if isinstance(message, Step) and not first:
                first.append(time.perf_counter())

        gc.collect()
        begun = time.perf_counter()
        replay = Replay(SPEC, project(), [item], hear, limits=LIMITS, warm=warm)
        replay.start()
        replay.wait()
        warm.close()
        found.append(1000 * (first[0] - begun))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("steps", type=int, nargs="*", default=[120, 1500])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for steps in given.steps:
            path = Path(folder) / f"{steps}.sqlite"
            write(path, steps)
            for run in ("serial", "gathered"):
                bare = recovered(path, run, given.rounds)
                item, took = read(path, run)
                line = {"bench": "replay", "run": run, "steps": steps, "read_ms": round(took, 1),
                        "recovery": [round(value, 1) for value in bare]}  # fmt: skip
                for record in ("bare", "places", "full"):
                    own = replayed(item, record, given.rounds)
                    line[record] = [round(value, 1) for value in own]
                    line[f"{record}_ratio"] = [
                        round(value / other, 2) for value, other in zip(own, bare, strict=True)
                    ]
                print(json.dumps(line), flush=True)
        item, _ = read(Path(folder) / f"{given.steps[0]}.sqlite", "serial")
        times = first_step(item, 3)
        print(
            json.dumps({"bench": "replay_first_step", "ms": [round(value, 1) for value in times]}), flush=True
        )


if __name__ == "__main__":
    main()
