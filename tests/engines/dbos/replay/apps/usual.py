"""What applications usually do, executed by real workers, one of which is killed: ``python usual.py FOLDER PART``."""

from __future__ import annotations

import logging
import os
import random
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from dbos import (
    DBOS,
    DBOSConfiguredInstance,
    DBOSContextSetAuth,
    SendMessage,
    SetEnqueueOptions,
    SetWorkflowAttributes,
    SetWorkflowID,
    SetWorkflowTimeout,
    error,
)

FOLDER, PART = sys.argv[1:3] if len(sys.argv) > 2 and __name__ == "__main__" else (".", "")
log = logging.getLogger("usual")


class Refused(Exception):
    def __init__(self, code: int, why: str = "no") -> None:
        super().__init__(code, why)
        self.code = code


@dataclass
class Line:
    sku: str
    price: Decimal
    tags: list[str] = field(default_factory=list)


@dataclass
class Basket:
    lines: list[Line]
    made: datetime


@DBOS.step()
def fetch(number: int) -> Basket:
    line = Line(f"s{number}", Decimal("9.90"), ["new"])
    return Basket([line] * number, datetime(2026, 1, number + 1, tzinfo=UTC))


@DBOS.step()
def double(number: int) -> int:
    return number * 2


@DBOS.step(retries_allowed=True, max_attempts=3, interval_seconds=0.01)
def shaky(number: int) -> int:
    status = DBOS.step_status
    if number < 0 or (status and (status.current_attempt or 0) < 1):
        raise ConnectionError(number)
    return number


@DBOS.step(retries_allowed=True, should_retry=lambda error: not isinstance(error, Refused))
def refuses(number: int) -> int:
    raise Refused(number)


@DBOS.step()
def tells_from_within(key: str) -> str:
    DBOS.set_event(key, "from a step")
    DBOS.write_stream("log", "from a step")
    DBOS.write_stream("log", double(4))
    return f"{double(3)}"


@DBOS.step()
def now() -> float:
    return time.time()


@DBOS.workflow()
def task(number: int, *more: int, by: str = "nobody", **rest: Any) -> Any:
    return [double(number), more, by, rest]


@DBOS.workflow()
def failing(number: int) -> None:
    raise Refused(number)


@DBOS.workflow()
def slow() -> str:
    for _ in range(400):
        DBOS.sleep(0.05)
    return "late"


@DBOS.workflow()
def values() -> Any:
    baskets = [fetch(n) for n in range(3)]
    log.warning("%s made it", DBOS.workflow_id)
    DBOS.logger.info("logged")
    total = sum((line.price for basket in baskets for line in basket.lines), Decimal(0))
    return {
        "total": total,
        "last": baskets[-1],
        "who": DBOS.authenticated_user,
        "roles": DBOS.authenticated_roles,
    }


@DBOS.workflow()
def chance_of_its_own() -> Any:
    """Neither clock nor dice are on record, but nothing that is depends on them."""
    begun, trace = datetime.now(), uuid.uuid4()
    log.debug("%s %s", begun, trace)
    dice = random.Random(DBOS.workflow_id)
    double(random.randrange(9))
    picked = double(dice.randrange(9))
    took = now() - now()
    return [picked, took <= 0, isinstance(trace, uuid.UUID)]


@DBOS.workflow()
def retries() -> Any:
    found: list[Any] = [shaky(3)]
    for call in (lambda: shaky(-1), lambda: refuses(7)):
        try:
            call()
        except Refused as e:
            found.append(e.code)
        except Exception as e:  # noqa: BLE001 - whatever it is, it is compared
            found.append(e)
    return found


@DBOS.workflow()
def fans_out() -> Any:
    queue = DBOS.retrieve_queue("narrow")
    handles = [queue.enqueue(task, n, n + 1, by="queue") for n in range(5)]
    with SetEnqueueOptions(priority=2, deduplication_id="one"):
        handles.append(DBOS.enqueue_workflow("narrow", task, 9, extra=1))
    return [handle.get_result() for handle in reversed(handles)]


@DBOS.workflow()
def refused_twin() -> Any:
    with SetEnqueueOptions(deduplication_id="twin", delay_seconds=3600):
        DBOS.enqueue_workflow("narrow", task, 1)
    try:
        with SetEnqueueOptions(deduplication_id="twin"):
            DBOS.enqueue_workflow("narrow", task, 2)
    except error.DBOSQueueDeduplicatedError as e:
        return [type(e).__name__, double(1)]


@DBOS.workflow()
def governs() -> Any:
    """Acts on other runs."""
    handle = DBOS.start_workflow(slow)
    polls = 0
    while handle.get_status().status != "PENDING":
        polls += 1
    DBOS.cancel_workflow(handle.workflow_id)
    try:
        handle.get_result()
    except Exception as e:  # noqa: BLE001 - whatever it is, it is compared
        gone = type(e).__name__
    first = DBOS.start_workflow(task, 1)
    first.get_result()
    forked = DBOS.fork_workflow(first.workflow_id, 1)
    found = DBOS.retrieve_workflow(first.workflow_id).get_result()
    steps = len(DBOS.list_workflow_steps(first.workflow_id))
    return [gone, found, forked.get_result(), steps, DBOS.get_result(first.workflow_id)]


@DBOS.workflow()
def administers() -> Any:
    """Schedules, delays, attributes, lists, and runs that go away: each of them is a step."""
    DBOS.create_schedule(schedule_name="yearly", workflow_fn=ticks, schedule="0 0 1 1 *", context=1)
    DBOS.pause_schedule("yearly")
    names = [schedule["schedule_name"] for schedule in DBOS.list_schedules()]
    DBOS.resume_schedule("yearly")
    found = DBOS.get_schedule("yearly")
    DBOS.delete_schedule("yearly")
    with SetEnqueueOptions(delay_seconds=3600):
        late = DBOS.enqueue_workflow("narrow", task, 1)
    DBOS.set_workflow_delay(late.workflow_id, delay_seconds=0.01)
    DBOS.update_workflow_attributes(late.workflow_id, {"late": True})
    late.get_result()
    count = len(DBOS.list_workflows(name="task")) + len(DBOS.list_queued_workflows())
    DBOS.delete_workflow(late.workflow_id)
    reserved = DBOS.reserve_step()
    return [
        names,
        found is not None,
        count > 0,
        double(1),
        reserved.run({"name": "reserved"}, double_plainly, 2),
    ]


def double_plainly(number: int) -> int:
    return number * 2


@DBOS.workflow()
def ticks(at: datetime, context: Any) -> None:
    double(context)


@DBOS.workflow()
def limits() -> Any:
    """A child that is too slow is cancelled, which its parent is told."""
    with SetWorkflowTimeout(0.3):
        handle = DBOS.start_workflow(slow)
    try:
        handle.get_result()
    except Exception as e:  # noqa: BLE001 - whatever it is, it is compared
        return [type(e).__name__, double(2)]


@DBOS.workflow()
def has_time() -> Any:
    """Its own limit is that of its children too."""
    handles = [DBOS.start_workflow(task, 1), DBOS.enqueue_workflow("narrow", task, 2)]
    with SetWorkflowTimeout(None):
        handles.append(DBOS.start_workflow(task, 3))
    return [task(4), *[handle.get_result() for handle in handles]]


@DBOS.workflow()
def counts_down(number: int) -> int:
    return 0 if number == 0 else 1 + counts_down(number - 1)


@DBOS.workflow()
def names_children() -> Any:
    found = []
    for n in range(2):
        with SetWorkflowID(f"{DBOS.workflow_id}/{n}"), SetWorkflowAttributes({"n": n}):
            found.append(task(n))
        try:
            failing(n)
        except Refused as e:
            found.append(e.code)
    with DBOSContextSetAuth("ada", ["admin"]):
        found.append(DBOS.start_workflow(task, 8, kind="kw").get_result())
    return found


@DBOS.workflow()
def tells() -> Any:
    DBOS.set_event("stage", None)
    found = tells_from_within("inner")
    for n in range(3):
        DBOS.write_stream("log", {"n": n})
        DBOS.set_event("stage", n)
    DBOS.close_stream("log")
    return [found, DBOS.get_event(DBOS.workflow_id, "stage"), DBOS.get_all_events(DBOS.workflow_id)]


@DBOS.workflow()
def hears(other: str) -> Any:
    heard = list(DBOS.read_stream(other, "log"))
    DBOS.send(other, "too late")
    DBOS.send_bulk([SendMessage(other, n, topic="many") for n in range(2)])
    return [
        heard,
        DBOS.recv("nothing", timeout_seconds=0),
        DBOS.get_event("nobody", "x", timeout_seconds=0.01),
    ]


@DBOS.workflow()
def patched(number: int) -> Any:
    found = [DBOS.patch("first")]
    if DBOS.patch("second"):
        found.append(double(number))
    DBOS.deprecate_patch("third")
    return [*found, double(1)]


@DBOS.workflow()
def in_threads() -> Any:
    """What threads do is no step, steps called there run as plain functions."""
    with ThreadPoolExecutor(2) as pool:
        sums = list(pool.map(sum, ([1, 2], [3, 4])))
    return [sums, double(sums[0])]


@DBOS.workflow()
def steps_in_threads() -> Any:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(double, (1, 2)))


@DBOS.workflow()
def gives_errors_back() -> Any:
    found: list[Any] = []
    for call in (lambda: failing(3), lambda: refuses(4)):
        try:
            call()
        except Exception as e:  # noqa: BLE001 - whatever it is, it is compared
            found.append(e)
    return found


@DBOS.workflow()
def recovered() -> Any:
    """Its first worker is killed in the middle."""
    before = [double(1), DBOS.start_workflow(task, 2).get_result()]
    DBOS.sleep(0.01)
    dies()
    return [before, double(3), DBOS.recv("go", timeout_seconds=60)]


@DBOS.step()
def dies() -> None:
    if PART == "dies":
        os._exit(9)


@DBOS.workflow()
def resumed() -> Any:
    return [double(1), DBOS.recv("on", timeout_seconds=0.3), double(2)]


@DBOS.dbos_class()
class Shop(DBOSConfiguredInstance):
    def __init__(self, name: str) -> None:
        super().__init__(config_name=name)
        self.name, self.calls = name, 0

    @DBOS.step()
    def look(self, number: int) -> str:
        self.calls += 1
        return f"{self.name}{number}"

    @DBOS.workflow()
    def visit(self, other: str) -> Any:
        found = [self.look(n) for n in range(2)]
        there = SHOPS[other]
        return [found, there.look(7), DBOS.start_workflow(there.part, 3).get_result(), there.part(4)]

    @DBOS.workflow()
    def part(self, number: int) -> str:
        return self.look(number)


SHOPS = {name: Shop(name) for name in ("north", "south")}


def begin(func: Callable[..., Any], *args: Any, run: str = "") -> Any:
    with SetWorkflowID(run or func.__name__):
        return DBOS.start_workflow(func, *args)


def end(handle: Any) -> None:
    try:
        handle.get_result(polling_interval_sec=0.02)
    except Exception as e:  # noqa: BLE001 - whatever it is, it is compared
        print(handle.workflow_id, type(e).__name__, flush=True)


def execute() -> None:
    with DBOSContextSetAuth("ada", ["admin", "clerk"]), SetWorkflowTimeout(600):
        handles = [begin(values), begin(has_time)]
    funcs = (chance_of_its_own, retries, fans_out, refused_twin, governs, administers, limits, names_children, tells,
             in_threads, steps_in_threads, gives_errors_back)  # fmt: skip
    handles += [begin(func) for func in funcs]
    handles += [begin(counts_down, 3), begin(patched, 3), begin(SHOPS["north"].visit, "south", run="visit")]
    for handle in handles:
        end(handle)
    end(begin(hears, "tells"))
    handle = begin(resumed)
    while not DBOS.list_workflow_steps("resumed"):
        time.sleep(0.01)
    DBOS.cancel_workflow("resumed")
    end(handle)
    end(DBOS.resume_workflow("resumed"))
    with SetWorkflowID("fork-of-names"):
        end(DBOS.fork_workflow("names_children", 4))
    with SetWorkflowID("fork-of-values"):
        end(DBOS.fork_workflow("values", 3, application_version="one"))
    DBOS.send("recovered", "on", topic="go")
    end(DBOS.retrieve_workflow("recovered"))


def main() -> None:
    DBOS(config={"name": "usual", "system_database_url": f"sqlite:///{FOLDER}/usual.sqlite", "log_level": "CRITICAL",
                 "application_version": "one", "executor_id": "tester",
                 "notification_listener_polling_interval_sec": 0.02})  # fmt: skip
    DBOS.launch()
    DBOS.register_queue("narrow", global_concurrency=2, worker_concurrency=1, polling_interval_sec=0.02)
    if PART == "dies":
        end(begin(recovered))
    execute()
    os._exit(0)


if __name__ == "__main__":
    main()
