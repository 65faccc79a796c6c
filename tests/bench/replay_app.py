"""Workflows of many steps for bench_replay; run as a script, what dbos alone takes to recover such runs.

python replay_app.py DATABASE RUN ROUNDS
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from typing import Any

from dbos import DBOS


@DBOS.step()
def load(number: int) -> dict[str, Any]:
    return {"number": number, "lines": [number] * 5}


@DBOS.step()
async def fetch(number: int) -> dict[str, Any]:
    return {"number": number, "lines": [number] * 5}


@DBOS.workflow()
def serial(steps: int) -> int:
    total, seen, last = 0, [], {}
    for number in range(1, steps + 1):
        found = load(number)
        total += sum(found["lines"])
        seen.append(found["number"])
        last = {"total": total, "found": found}
        if len(seen) > 20:
            seen.clear()
    return total + len(last) * 0


@DBOS.workflow()
async def gathered(steps: int) -> int:
    found: list[dict[str, Any]] = []
    for first in range(1, steps + 1, 10):
        found += await asyncio.gather(*[fetch(number) for number in range(first, first + 10)])
        found = found[-20:]
    return len(found)


def recover(database: str, run: str, rounds: int) -> None:
    """Prints milliseconds of every round: wall, CPU."""
    import dbos._core as core
    from dbos import _dbos

    for name in (
        "queue_thread",
        "background_jobs_thread",
        "dynamic_scheduler_loop",
        "startup_recovery_thread",
    ):
        if hasattr(_dbos, name):
            setattr(_dbos, name, lambda *values, **named: None)
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{database}", "application_version": "one",
                 "executor_id": "bench", "log_level": "CRITICAL"})  # fmt: skip
    DBOS.launch()
    instance = _dbos._dbos_global_instance
    assert instance is not None
    status = instance._sys_db.get_workflow_status(run)
    assert status is not None
    # The outcome is not written, so that every round recovers the same run.
    instance._sys_db.update_workflow_outcome = lambda *values, **named: True
    core._deferred_workflow_result = None
    times = []
    for _ in range(rounds):
        gc.collect()
        begun, cpu = time.perf_counter(), time.process_time()
        handle = core.execute_dequeued_workflow(instance, status, "bench")
        future = getattr(handle, "future", None)
        if future is not None:
            future.result()
        else:
            while instance._workflow_tasks:
                time.sleep(0.0005)
        times.append([1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - cpu)])
    print(json.dumps(times), flush=True)
    os._exit(0)


if __name__ == "__main__":
    recover(sys.argv[1], sys.argv[2], int(sys.argv[3]))
