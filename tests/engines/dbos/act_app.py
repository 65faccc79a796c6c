"""A worker that lives: operators act on its runs while it works. usage: python act_app.py URL EXECUTOR FOLDER

Every execution of a step adds a line to FOLDER/steps; ``flaky`` fails while FOLDER/broken exists, ``hang`` never ends
while FOLDER/hanging does.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

from tests.engines.dbos.app import engine_of

FOLDER = Path(sys.argv[3])


def note(text: str) -> None:
    with (FOLDER / "steps").open("a") as file:
        file.write(f"{text}\n")


@DBOS.step()
def one(name: str) -> str:
    note(f"one {name}")
    return f"1{name}"


@DBOS.step()
def flaky(name: str) -> str:
    note(f"flaky {name}")
    if (FOLDER / "broken").exists():
        raise ValueError("broken")
    return f"2{name}"


@DBOS.step()
def undo(name: str) -> None:
    note(f"undo {name}")


@DBOS.step()
def hang(name: str) -> str:
    note(f"hang {name}")
    while (FOLDER / "hanging").exists():
        time.sleep(0.05)
    return f"3{name}"


@DBOS.workflow()
def approve(name: str) -> str:
    answer = DBOS.recv("approval", timeout_seconds=3600)
    return f"{name}: {answer['by']}"


@DBOS.workflow()
def saga(name: str, when: datetime) -> str:
    first = one(name)
    try:
        return first + flaky(name) + when.isoformat()
    except ValueError:
        undo(name)
        raise


@DBOS.workflow()
def stuck(name: str) -> str:
    return one(name) + hang(name)


@DBOS.workflow()
def plain(value: Any) -> Any:
    return value


@DBOS.workflow()
def tick(scheduled: datetime, context: Any) -> None:
    one("tick")


def hold() -> None:
    """What is done by the worker that is killed."""
    tick_each_second = {
        "schedule_name": "tick",
        "workflow_fn": tick,
        "schedule": "* * * * * *",
        "context": None,
    }
    DBOS.apply_schedules([tick_each_second])
    (FOLDER / "hanging").touch()
    with SetWorkflowID("stuck-1"):
        DBOS.start_workflow(stuck, "stuck-1")


def start() -> None:
    (FOLDER / "broken").touch()
    for name in ("approve-1", "approve-2"):
        with SetWorkflowID(name):
            DBOS.start_workflow(approve, name)
    with SetWorkflowID("approve-1"):
        DBOS.start_workflow(approve, "approve-1")
    for name in ("saga-1", "saga-2", "saga-3"):
        with SetWorkflowID(name):
            DBOS.start_workflow(saga, name, datetime(2026, 11, 20, 12))
    with SetWorkflowID("later-1"), SetEnqueueOptions(delay_seconds=3600):
        DBOS.enqueue_workflow("limited", plain, "late")


def main() -> None:
    config: dict[str, Any] = {
        "name": "acted",
        "application_version": "v1",
        "executor_id": sys.argv[2],
        "log_level": "CRITICAL",
        "scheduler_polling_interval_sec": 0.2,
        "notification_listener_polling_interval_sec": 0.1,
    }
    engine = engine_of(sys.argv[1])
    config |= {"system_database_url": sys.argv[1]} if engine is None else {"system_database_engine": engine}
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue("limited", worker_concurrency=1, polling_interval_sec=0.1)
    hold() if sys.argv[2] == "a" else start()
    print("READY", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
