"""Gate: recorded runs a second against the code that made them, in one process and on all cores.

``python -m tests.bench.bench_gate [RUNS]``: RUNS histories of the sample database (repeated where it holds fewer)
against its own code. ``runner`` is the share of the time in which the runner replays, by its own clock; the rest is the
start of processes, reading inputs and telling.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine_bridge.bridge import load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.replay.gate import GateJob, cores, run_gate
from engine_bridge.replay.gate_runs import choose, inputs
from engine_bridge.replay.model import Project, ReplayInput
from engine_bridge.session import Session

DATA = Path(__file__).parents[1] / "data" / "dbos"
WHICH = 'version == "v1" and status in (completed, failed, running) and type != "poison_pill"'


def main(runs: int) -> None:
    """Prints one line of JSON for each number of processes."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("orders.sqlite", "orders_app.py"):
            Path(folder, name).write_bytes(gzip.decompress((DATA / f"{name}.gz").read_bytes()))
        engine = load_engine("dbos")
        session = Session(lambda: engine.bridge(f"dbos+sqlite:///{folder}/orders.sqlite", None))
        try:
            session.open().result()
            for processes in dict.fromkeys((1, cores())):
                measure(session, Path(folder, "orders_app.py"), runs, processes)
        finally:
            session.close()


def measure(session: Session, code: Path, runs: int, processes: int) -> None:
    """One gate, whose every run must go on as recorded."""
    token = CancelToken()
    found = choose(session, session.call("fields").result(), WHICH, None, token)
    project = Project(code=str(code), python=sys.executable, modules=(str(code),), paths=(str(code.parent),))
    job = GateJob(spec=session.call("replayer").result(), project=project, parallel=processes, total=runs)
    began = time.perf_counter()
    read = sum(1 for _ in inputs(session, found, token)) / (time.perf_counter() - began)
    report = run_gate(job, repeated(session, found, runs, token), token)
    assert report.passed(), report.totals()
    busy = sum(result.took_ms for result in report.results) / 1000
    print(
        json.dumps(
            {
                "bench": "gate",
                "runs": runs,
                "processes": processes,
                "steps": sum(result.steps for result in report.results),
                "seconds": round(report.took_s, 2),
                "runs_per_s": round(runs / report.took_s, 1),
                "runner": round(busy / report.took_s / processes, 2),
                "inputs_read_per_s": round(read),
            }
        )
    )


def repeated(session: Session, found: list, runs: int, token: CancelToken) -> Iterator[ReplayInput]:
    """So many inputs; copies are runs of another name."""
    made = 0
    while made < runs:
        for value in inputs(session, found[: runs - made], token):
            assert isinstance(value, ReplayInput)
            yield (
                value
                if made < len(found)
                else msgspec.structs.replace(value, run_id=f"{value.run_id} {made}")
            )
            made += 1


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
