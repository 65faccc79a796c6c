"""Debouncers, by a workflow, by an application and by a client: ``python debounce.py FOLDER``."""

from __future__ import annotations

import os
import sys
from typing import Any

from dbos import DBOS, DBOSClient, Debouncer, DebouncerClient, SetWorkflowID

FOLDER = sys.argv[1] if len(sys.argv) > 1 and __name__ == "__main__" else "."


@DBOS.step()
def fetch(number: int) -> int:
    return number * 2


@DBOS.workflow()
def refresh(number: int) -> int:
    return fetch(number)


@DBOS.workflow()
async def refresh_async(number: int) -> int:
    return number + 1


@DBOS.workflow()
def asks(key: str) -> Any:
    """The first call enqueues, the others push it back: all of one key are one run."""
    debouncer = Debouncer.create(refresh, queue="quick")
    handles = [debouncer.debounce(key, 0.2, number) for number in (1, 2, 3)]
    fetch(5)
    return [handles[-1].get_result(), len({handle.workflow_id for handle in handles})]


@DBOS.workflow()
async def asks_async(key: str) -> Any:
    debouncer = Debouncer.create_async(refresh_async, queue="quick", debounce_timeout_sec=5)
    first = await debouncer.debounce_async(key, 0.2, 1)
    second = await debouncer.debounce_async(key, 0.2, 2)
    return [await first.get_result(), await second.get_result()]


@DBOS.workflow()
def waits_for_debounced() -> Any:
    return Debouncer.create(refresh, queue="quick").debounce("later", 3600, 1).get_result()


def main() -> None:
    url = f"sqlite:///{FOLDER}/debounce.sqlite"
    DBOS(config={"name": "debounce", "system_database_url": url, "log_level": "CRITICAL",
                 "application_version": "one", "executor_id": "tester"})  # fmt: skip
    DBOS.launch()
    DBOS.register_queue("quick", polling_interval_sec=0.02)
    handles: list[Any] = []
    for func in (asks, asks_async):
        with SetWorkflowID(func.__name__):
            handles.append(DBOS.start_workflow(func, f"of-{func.__name__}"))
    with SetWorkflowID("waits_for_debounced"):
        open_ = DBOS.start_workflow(waits_for_debounced)
    handles.append(Debouncer.create(refresh).debounce("app", 0.1, 7))
    client = DBOSClient(system_database_url=url)
    for number in (8, 9):
        made = DebouncerClient(client, {"workflow_name": "refresh", "queue_name": "quick"})
        handles.append(made.debounce("client", 0.2, number))
    for handle in handles:
        handle.get_result(polling_interval_sec=0.02)
    while len(DBOS.list_workflow_steps(open_.workflow_id)) < 2:
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
