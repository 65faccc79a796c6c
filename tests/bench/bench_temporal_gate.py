"""Gate of many Temporal histories next to the SDK's own ``replay_workflows``, from the same files to verdicts.

    python -m tests.bench.bench_temporal_gate [RUNS] [--rounds N]

RUNS histories of the sample's workflow, 19 to 239 events, as binary files of one folder: the gate opens it as a source,
in one process and on all cores; the SDK reads them in a process of its own. Wall seconds from the start of either to
its last verdict, imports included, and processor seconds of all of it; medians of the rounds, in turns. Budget: 1.5 of
the SDK on one core.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Final

from engine_bridge.bridge import load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.replay.gate import GateJob, cores, run_gate
from engine_bridge.replay.gate_runs import choose, inputs
from engine_bridge.replay.model import Project
from engine_bridge.session import Session
from tests.bench.bench_replay_temporal import SAMPLE, history
from tests.bench.temporal_place import load, say

_PERIODS: Final = 21
SDK: Final = """
import asyncio, os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from temporalio.api.history.v1 import History
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
import workflow
runner = SandboxedWorkflowRunner() if sys.argv[3] == "1" else UnsandboxedWorkflowRunner()
async def histories():
    for path in sorted(Path(sys.argv[2]).iterdir()):
        yield WorkflowHistory(path.stem, list(History.FromString(path.read_bytes()).events))
async def main():
    kinds = [workflow.LoanProcessingWorkflow]
    replayer = Replayer(workflows=kinds, workflow_runner=runner, build_id="bench")
    results = await replayer.replay_workflows(histories(), raise_on_replay_failure=False)
    assert not results.replay_failures, results.replay_failures
    print("done", flush=True)
    os._exit(0)  # its threads may abort the interpreter at its end
asyncio.run(main())
"""


def write(folder: Path, runs: int) -> int:
    """So many histories as files; answers how many events they have."""
    from temporalio.api.history.v1 import History

    kinds = [History.FromString(history(periods)) for periods in range(1, _PERIODS + 1)]
    events = 0
    for number in range(runs):
        one = kinds[number % _PERIODS]
        started = one.events[0].workflow_execution_started_event_attributes
        started.workflow_id, started.original_execution_run_id = (
            f"loan-{number:04d}",
            str(uuid.UUID(int=number)),
        )
        (folder / f"loan-{number:04d}.bin").write_bytes(one.SerializeToString())
        events += len(one.events)
    return events


def spent() -> float:
    """Processor seconds of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def sdk(folder: Path, sandbox: bool) -> tuple[float, float]:
    """Seconds of the SDK: wall, processor."""
    begun, used = time.perf_counter(), spent()
    command = [sys.executable, "-c", SDK, str(SAMPLE), str(folder), "1" if sandbox else "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=True)
    assert "done" in done.stdout
    return time.perf_counter() - begun, spent() - used


def gate(folder: Path, sandbox: bool, processes: int, runs: int) -> tuple[float, float, float]:
    """(seconds of the gate: wall, processor; the part of its processes' time in which they replayed)."""
    begun, used, token = time.perf_counter(), spent(), CancelToken()
    engine = load_engine("temporal")
    session = Session(lambda: engine.bridge(f"temporal+file://{folder}", None))
    try:
        session.open().result()
        found = choose(session, session.call("fields").result(), "", None, token)
        project = Project(
            code=str(SAMPLE), python=sys.executable, modules=(str(SAMPLE / "workflow.py"),), paths=(str(SAMPLE),),
            options={"sandbox": sandbox},
        )  # fmt: skip
        spec = session.call("replayer").result()
        job = GateJob(spec=spec, project=project, parallel=processes, total=len(found))
        report = run_gate(job, inputs(session, found, token), token)
    finally:
        session.close()
    took = time.perf_counter() - begun
    assert len(report.results) == runs and report.passed(), report.totals()
    busy = sum(result.took_ms for result in report.results) / 1000
    return took, spent() - used, busy / report.took_s / processes


def measure(folder: Path, sandbox: bool, runs: int, rounds: int) -> None:
    """The lines of one way to run the code."""
    theirs: list[tuple[float, float]] = []
    ours: dict[int, list[tuple[float, float]]] = {count: [] for count in sorted({1, cores()})}
    share: dict[int, float] = {}
    for _ in range(rounds):
        theirs.append(sdk(folder, sandbox))
        for processes, took in ours.items():
            wall, cpu, share[processes] = gate(folder, sandbox, processes, runs)
            took.append((wall, cpu))
    bare, bare_cpu = (statistics.median(column) for column in zip(*theirs, strict=True))
    for processes, took in ours.items():
        own, cpu = (statistics.median(column) for column in zip(*took, strict=True))
        say(
            "temporal_gate", runs=runs, sandbox=sandbox, processes=processes, s=round(own, 2), sdk_s=round(bare, 2),
            ratio=round(own / bare, 2), cpu_s=round(cpu, 2), sdk_cpu_s=round(bare_cpu, 2),
            cpu_ratio=round(cpu / bare_cpu, 2), budget=1.5, runs_per_s=round(runs / own),
            replaying=round(share[processes], 2), load=load(),
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="?", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        say("temporal_gate", what="histories", runs=chosen.runs, events=write(Path(name), chosen.runs))
        for sandbox in (True, False):
            measure(Path(name), sandbox, chosen.runs, chosen.rounds)


if __name__ == "__main__":
    main()
