"""What of shapes.py is executed, and left as it is: its workflows by name, ended ones and open ones."""

from __future__ import annotations

import os
from datetime import date
from typing import Any

from dbos import DBOS, Debouncer, SetEnqueueOptions, SetWorkflowID, SetWorkflowTimeout

OF: dict[str, Any] = {}
PENDING = ("waits", "asleep", "waits_for_child", "waits_in_child", "stuck", "stuck_async", "stuck_in_body", "swallows",
           "async_waits", "async_waits_for_child", "async_sleeps")  # fmt: skip
CLOSED = ("inline_steps", "sleeps", "children", "failed_children", "first_of", "asks_dbos",
          "compensates", "sealed_error", "sealed_end", "declined", "transacts", "in_threads", "gathers", "branches",
          "first_done", "as_completed", "races", "gives_up", "async_children", "async_threads", "async_fails",
          "patched_async")  # fmt: skip


def begin(name: str, *args: Any, run: str = "") -> Any:
    with SetWorkflowID(run or name):
        return DBOS.start_workflow(OF[name], *args)


def end(handles: list[Any]) -> None:
    for handle in handles:
        try:
            handle.get_result(polling_interval_sec=0.02)
        except Exception as error:  # noqa: BLE001 - many fail by design
            print(handle.workflow_id, type(error).__name__, flush=True)


def execute() -> None:
    for name in PENDING:
        begin(name)
    begin("waits_for_event", "nobody")
    handles = [begin(name) for name in CLOSED]
    handles += [begin("steps", 1), begin("loops", 12), begin("tells"), begin("gets")]
    handles += [begin("portable", date(2026, 3, 4), 2.5, run="portable-ok")]
    handles += [begin("portable", date(2026, 3, 4), -1.0, run="portable-bad")]
    for name, func in (
        ("count", OF["SHELF"].count),
        ("of_class", OF["Shelf"].of_class),
        ("of_nobody", OF["Shelf"].of_nobody),
    ):
        with SetWorkflowID(name):
            handles.append(DBOS.start_workflow(func, 3))
    handles += [begin("sends", "gets"), begin("gets_event", "tells")]
    with SetWorkflowTimeout(0.25):
        handles.append(begin("cancelled"))
    handles.append(Debouncer.create(OF["debounced"]).debounce("key", 0.05, 1))
    DBOS.create_schedule(
        schedule_name="s", workflow_fn=OF["scheduled"], schedule="0 0 1 1 *", context={"region": "eu"}
    )
    handles.append(DBOS.trigger_schedule("s"))
    with SetWorkflowID("enqueued"), SetEnqueueOptions(delay_seconds=3600):
        DBOS.enqueue_workflow("work", OF["steps"], 1)
    end(handles)
    end([begin("reads_stream", "tells"), begin("async_reads", "tells")])
    with SetWorkflowID("fork"):
        end([DBOS.fork_workflow("children", 4)])


def run(names: dict[str, Any], folder: str) -> None:
    """``names`` are those of shapes.py, which is executed as a script: what it pickles is of ``__main__``."""
    OF.update(names)
    DBOS(config={
        "name": "shapes", "system_database_url": f"sqlite:///{folder}/shapes.sqlite", "application_version": "one",
        "executor_id": "tester", "log_level": "CRITICAL", "notification_listener_polling_interval_sec": 0.02,
        "enable_patching": True,
    })  # fmt: skip
    DBOS.launch()
    DBOS.register_queue("work", polling_interval_sec=0.02)
    execute()
    # Those that wait are left as they are.
    os._exit(0)
