"""Recorded replay of Temporal next to the SDK's own bare replay, per history after start, in the same interpreter.

Run as ``python -m tests.bench.bench_replay_temporal [HISTORIES [ROUNDS]]``: so many in a process, processes in turns.
Limits: 1.3 x in the sandbox, 1.5 x without.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from engine_bridge.bridge import Sort, load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.replay_input import SPEC
from engine_bridge.replay.model import Project, ReplayInput
from engine_bridge.replay.protocol import AnyMessage, Ended, Hello, Step
from engine_bridge.replay.supervisor import Limits, Replay

SAMPLE = Path(__file__).parents[2] / "resources" / "samples" / "loan"
LIMIT = {True: 1.3, False: 1.5}
WARM = 2  # histories at the begin of a process that do not count
BARE = """
import asyncio, json, os, sys, time
sys.path.insert(0, sys.argv[1])
from temporalio.api.history.v1 import History
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
import workflow
data, many = open(sys.argv[2], "rb").read(), int(sys.argv[3])
runner = SandboxedWorkflowRunner() if sys.argv[4] == "1" else UnsandboxedWorkflowRunner()
async def main():
    kinds = [workflow.LoanProcessingWorkflow]
    replayer = Replayer(workflows=kinds, workflow_runner=runner, build_id="bench", debug_mode=True)
    took = []
    async def feed():
        for _ in range(many):
            took.append([time.perf_counter(), time.process_time()])
            yield WorkflowHistory("bench", list(History.FromString(data).events))
    async with replayer.workflow_replay_iterator(feed()) as results:
        async for result in results:
            assert result.replay_failure is None, result.replay_failure
            took[-1] = [1e3 * (time.perf_counter() - took[-1][0]), 1e3 * (time.process_time() - took[-1][1])]
    print(json.dumps(took), flush=True)
    os._exit(0)  # its threads may abort the interpreter at its end
asyncio.run(main())
"""


def history(periods: int) -> bytes:
    """A serialized history of the sample's workflow: 11 events a period."""
    from temporalio.api.enums.v1 import EventType
    from temporalio.api.history.v1 import History, HistoryEvent

    found = History()

    def add(name: str) -> HistoryEvent:
        event = found.events.add(event_id=len(found.events) + 1)
        event.event_type = EventType.Value(f"EVENT_TYPE_{name}")
        event.event_time.FromSeconds(1_700_000_000 + len(found.events))
        return event

    def task() -> None:
        about = add("WORKFLOW_TASK_SCHEDULED").workflow_task_scheduled_event_attributes
        about.attempt, about.task_queue.name = 1, "bench"
        started = add("WORKFLOW_TASK_STARTED")
        started.workflow_task_started_event_attributes.scheduled_event_id = started.event_id - 1
        done = add("WORKFLOW_TASK_COMPLETED")
        done.workflow_task_completed_event_attributes.scheduled_event_id = started.event_id - 1
        done.workflow_task_completed_event_attributes.started_event_id = started.event_id

    def call(seq: int, name: str) -> None:
        event = add("ACTIVITY_TASK_SCHEDULED")
        about = event.activity_task_scheduled_event_attributes
        about.activity_id, about.activity_type.name, about.task_queue.name = str(seq), name, "bench"
        add(
            "ACTIVITY_TASK_STARTED"
        ).activity_task_started_event_attributes.scheduled_event_id = event.event_id
        done = add("ACTIVITY_TASK_COMPLETED").activity_task_completed_event_attributes
        done.scheduled_event_id, done.started_event_id = event.event_id, event.event_id + 1
        task()

    start = add("WORKFLOW_EXECUTION_STARTED").workflow_execution_started_event_attributes
    start.workflow_type.name, start.original_execution_run_id = "LoanProcessingWorkflow", "bench"
    start.task_queue.name, start.attempt = "bench", 1
    info = {"customer_id": "a", "name": "n", "email_address": "e", "amount": 5, "number_of_periods": periods}
    start.input.payloads.add(data=json.dumps(info).encode()).metadata["encoding"] = b"json/plain"
    task()
    call(1, "send_thank_you_to_customer")
    for period in range(1, periods + 1):
        call(period + 1, "charge_customer")
        timer = add("TIMER_STARTED")
        timer.timer_started_event_attributes.timer_id = str(period)
        timer.timer_started_event_attributes.start_to_fire_timeout.FromSeconds(3)
        fired = add("TIMER_FIRED").timer_fired_event_attributes
        fired.timer_id, fired.started_event_id = str(period), timer.event_id
        task()
    add("WORKFLOW_EXECUTION_COMPLETED").workflow_execution_completed_event_attributes.SetInParent()
    return found.SerializeToString()


def inputs(many: int, data: bytes | None = None) -> list[ReplayInput]:
    """The sample, or a history of our own, many times."""
    bridge = load_engine("temporal").bridge(f"temporal+file://{SAMPLE / 'history.json'}", None)
    bridge.open(CancelToken())
    ref = bridge.runs(None, Sort(), None, "forward", 1, CancelToken()).items[0].ref
    item = bridge.replay_input(ref, CancelToken())
    bridge.close()
    data = item.data if data is None else item.data.partition(b"\n")[0] + b"\n" + data
    return [msgspec.structs.replace(item, run_id=str(n), data=data) for n in range(many)]


def recorded(items: list[ReplayInput], sandbox: bool, record: str) -> tuple[list[tuple[float, float]], float]:
    """Milliseconds of each replay (wall, processor), and to the first step after the runner was up."""
    project = Project(
        code=str(SAMPLE), python=sys.executable, modules=(str(SAMPLE / "workflow.py"),), paths=(str(SAMPLE),),
        options={"sandbox": sandbox},
    )  # fmt: skip
    took: list[tuple[float, float]] = []
    marks: dict[str, float] = {}

    def hear(message: AnyMessage) -> None:
        if isinstance(message, Hello):
            marks["up"] = time.perf_counter()
        elif isinstance(message, Step):
            marks.setdefault("first", time.perf_counter())
        elif isinstance(message, Ended):
            assert message.end.outcome.value == "same", message.end
            took.append((message.end.took_ms, message.end.cpu_ms))

    replay = Replay(SPEC, project, items, hear, record=record, limits=Limits(silence_s=60, busy_s=120))
    replay.start()
    assert replay.wait(600)
    return took, (marks.get("first", 0.0) - marks["up"]) * 1000


def bare(item: ReplayInput, many: int, sandbox: bool) -> list[tuple[float, float]]:
    """The same by the SDK alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.bin"
        path.write_bytes(item.data.partition(b"\n")[2])
        command = [sys.executable, "-c", BARE, str(SAMPLE), str(path), str(many), "1" if sandbox else "0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    found: list[tuple[float, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def _low(times: list[float]) -> tuple[float, float]:
    """Fifth percentile and median: other work on the machine only ever adds to a time."""
    ordered = sorted(times)
    return ordered[len(ordered) // 20], statistics.median(ordered)


def measure(events: int, items: list[ReplayInput], sandbox: bool, rounds: int) -> None:
    """One line of each record, all of them in turns."""
    took: dict[str, list[tuple[float, float]]] = {"bare": [], "full": [], "places": []}
    first = []
    for _ in range(rounds):
        took["bare"] += bare(items[0], len(items), sandbox)[WARM:]
        for record in ("full", "places"):
            times, begun = recorded(items, sandbox, record)
            took[record] += times[WARM:]
            first += [begun] if record == "full" else []
    words = "sandboxed" if sandbox else "unsandboxed"
    own = {
        record: [_low([one[column] for one in times]) for column in (1, 0)] for record, times in took.items()
    }
    for record, (cpu, wall) in own.items():
        ratios = [f"{a / b:.2f}" for mine, its in zip((cpu, wall), own["bare"], strict=True)
                  for a, b in zip(mine, its, strict=True)]  # fmt: skip
        print(
            f"{events:>6} events, {words}, {record}: CPU ms {cpu[0]:.1f} (median {cpu[1]:.1f}), wall {wall[0]:.1f} "
            f"({wall[1]:.1f}), x {' '.join(ratios)} of bare, limit {LIMIT[sandbox]}; {len(took[record])} histories",
            flush=True,
        )
    print(f"        first step {min(first):.0f} ms after the runner was up (code imported)", flush=True)


def main(many: int, rounds: int) -> None:
    for events, items in ((121, inputs(many)), (10_014, inputs(WARM + 1, history(909)))):
        for sandbox in (True, False):
            measure(events, items, sandbox, rounds)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(*(int(word) for word in (*sys.argv[1:], *("40", "4")[len(sys.argv) - 1 :])))
