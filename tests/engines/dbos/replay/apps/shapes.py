"""Workflows of every shape, executed by a real worker: ``python shapes.py FOLDER`` leaves FOLDER/shapes.sqlite."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

import shapes_classes
from dbos import (
    DBOS,
    SetEnqueueOptions,
    SetWorkflowID,
    SetWorkflowTimeout,
    SQLAlchemyDatasource,
    WorkflowSerializationFormat,
)

FOLDER = sys.argv[1] if len(sys.argv) > 1 and __name__ == "__main__" else "."
shop = SQLAlchemyDatasource.create(f"sqlite:///{FOLDER}/shop.sqlite")


class Colour(Enum):
    RED = 1


class Plain:
    """Equal to itself alone."""

    def __init__(self, value: Any) -> None:
        self.value = value


@dataclass
class Parcel:
    weight: float
    colour: Colour
    things: Any = None


class Declined(Exception):
    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code = code


class Sealed(Exception):
    """Cannot be unpickled: what pickle keeps of it is one argument."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)


@DBOS.step()
def add(a: Any, b: Any) -> Any:
    return a + b


@DBOS.step(name="named-step")
def called_otherwise(value: Any) -> Any:
    return value


@DBOS.step(retries_allowed=True, max_attempts=3, interval_seconds=0.01)
def flaky(value: int) -> int:
    raise Declined("51", f"no {value}")


@DBOS.step()
def sealed() -> None:
    raise Sealed("a", "b")


@DBOS.step()
def hang() -> None:
    threading.Event().wait()


@DBOS.step()
async def later(value: Any, seconds: float = 0.0) -> Any:
    await asyncio.sleep(seconds)
    return value


@shop.transaction
def sold(amount: int) -> int:
    return amount + 1


def helper(value: int) -> int:
    return add(value, 10)


@DBOS.workflow()
def child(value: int) -> Any:
    return add(value, 1)


@DBOS.workflow()
def failing_child(value: int) -> Any:
    raise Declined("7", str(value))


@DBOS.workflow()
async def child_async(value: int) -> Any:
    return await later(value)


@DBOS.workflow()
def never(topic: str) -> Any:
    return DBOS.recv(topic, timeout_seconds=3600)


# One after the other --------------------------------------------------------------------------------------------


@DBOS.workflow()
def steps(number: int) -> Any:
    total = add(number, 1)
    total = helper(total)
    called_otherwise(total)
    return {
        "total": total,
        "parcel": Parcel(1.5, Colour.RED, [Plain(1), {2, 3}]),
        "at": datetime(2026, 1, 2),
        "nan": float("nan"),
    }


@DBOS.workflow()
def inline_steps() -> Any:
    return [DBOS.run_step({"name": "inline"}, lambda: 7), DBOS.run_step(None, helper_step, 2)]


def helper_step(value: int) -> int:
    return value * 2


@DBOS.workflow()
def sleeps() -> str:
    DBOS.sleep(0.05)
    return str(add("a", "b"))


@DBOS.workflow()
def asleep() -> None:
    add(1, 2)
    DBOS.sleep(3600)
    add(3, 4)


@DBOS.workflow()
def waits() -> Any:
    add(1, 2)
    return DBOS.recv("go", timeout_seconds=3600)


@DBOS.workflow()
def gets() -> Any:
    first = DBOS.recv("go", timeout_seconds=60)
    nothing = DBOS.recv("other", timeout_seconds=0.05)
    plain = DBOS.recv(timeout_seconds=60)
    return [first, nothing, plain]


@DBOS.workflow()
def waits_for_event(other: str) -> Any:
    return DBOS.get_event(other, "never", timeout_seconds=3600)


@DBOS.workflow()
def gets_event(other: str) -> Any:
    return [DBOS.get_event(other, "stage", 60), DBOS.get_event(other, "none", 0.05)]


@DBOS.workflow()
def tells() -> None:
    DBOS.set_event("stage", {"at": 1})
    DBOS.write_stream("log", Parcel(1, Colour.RED))
    DBOS.set_event("stage", "done")
    DBOS.write_stream("log", "two")
    DBOS.close_stream("log")


@DBOS.workflow()
def reads_stream(other: str) -> list[Any]:
    return [getattr(value, "weight", value) for value in DBOS.read_stream(other, "log")]


@DBOS.workflow()
def sends(other: str) -> None:
    DBOS.send(other, {"hello": 1}, topic="go")
    DBOS.send(other, "plain")


@DBOS.workflow()
def children() -> Any:
    direct = child(1)
    handle = DBOS.start_workflow(child, 2)
    with SetWorkflowID(f"{DBOS.workflow_id}-own"):
        own = DBOS.start_workflow(child, value=3)
    with SetEnqueueOptions(priority=5):
        queued = DBOS.enqueue_workflow("work", child, 4)
    statuses = handle.get_status()
    with SetWorkflowTimeout(30):
        limited = DBOS.start_workflow(child, 5)
    return [direct, handle.get_result(), own.get_result(), queued.get_result(), limited.get_result(),
            handle.get_result(), statuses is not None]  # fmt: skip


@DBOS.workflow()
def failed_children() -> str:
    try:
        failing_child(1)
    except Declined as error:
        add(error.code, "!")
    try:
        DBOS.start_workflow(failing_child, 2).get_result()
    except Declined as error:
        return error.code
    return ""


@DBOS.workflow()
def waits_for_child() -> Any:
    handle = DBOS.start_workflow(never, "t")
    add(1, 1)
    return handle.get_result()


@DBOS.workflow()
def waits_in_child() -> Any:
    return never("direct")


@DBOS.workflow()
def first_of() -> Any:
    slow, quick = DBOS.start_workflow(never, "s"), DBOS.start_workflow(child, 2)
    done = DBOS.wait_first([slow, quick])
    DBOS.send(slow.workflow_id, "over", topic="s")
    return [done.get_result(), slow.get_result()]


@DBOS.workflow()
def asks_dbos() -> Any:
    found = DBOS.list_workflows(name="steps")
    status = DBOS.get_workflow_status(DBOS.workflow_id or "")
    return [len(found) >= 0, status is not None, DBOS.application_version, DBOS.step_id]


@DBOS.workflow()
def stuck() -> None:
    add(1, 2)
    hang()


@DBOS.workflow()
async def stuck_async() -> None:
    await later(1)
    await later("x", 3600)


@DBOS.workflow()
async def patched_async() -> Any:
    await later(1)
    if await DBOS.patch_async("old"):
        await later(2)
    return await later(3)


@DBOS.workflow()
def stuck_in_body() -> None:
    add(1, 2)
    time.sleep(3600)
    add(3, 4)


@DBOS.workflow()
def compensates() -> None:
    undo = [add(1, 2)]
    try:
        flaky(undo[0])
    except Exception as error:
        called_otherwise(type(error).__name__)
        raise


@DBOS.workflow()
def sealed_error() -> str:
    try:
        sealed()
    except Sealed:
        return str(add("seal", "ed"))
    return ""


@DBOS.workflow()
def sealed_end() -> None:
    raise Sealed("x", "y")


@DBOS.workflow()
def declined() -> None:
    raise Declined("9", "never")


@DBOS.workflow()
def loops(turns: int) -> int:
    total = 0
    for turn in range(turns):
        total = add(total, turn)
    return total


@DBOS.workflow()
def cancelled() -> None:
    """Whenever its time is over, it stands before a step."""
    for turn in range(100):
        add(turn, 1)
        time.sleep(0.1)


@DBOS.workflow()
def transacts() -> int:
    return sold(sold(1))


@DBOS.workflow(serialization_type=WorkflowSerializationFormat.PORTABLE)
def portable(on: date, amount: float) -> dict[str, Any]:
    DBOS.set_event("day", on.isoformat())
    called_otherwise((on.isoformat(), amount))
    if amount < 0:
        raise ValueError("negative")
    return {"year": on.year, "parts": (1, 2)}


@DBOS.workflow()
def debounced(value: int) -> int:
    return int(add(value, 1))


@DBOS.workflow()
def scheduled(at: datetime, context: Any) -> str:
    return str(add(at.isoformat()[:4], context["region"]))


@DBOS.workflow()
def swallows() -> Any:
    for turn in range(3):
        try:
            return [add(turn, 1), DBOS.recv("go", 3600)]
        except BaseException:  # noqa: BLE001 - swallowing is what it is about
            called_otherwise("cleaning up")
    return add(1, 1)


@DBOS.workflow()
def in_threads(other: bool = False) -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(sum(range(10))))
    thread.start()
    thread.join()
    return int(add(found[0], 1))


# At the same time -----------------------------------------------------------------------------------------------


@DBOS.workflow()
async def gathers() -> Any:
    together = await asyncio.gather(*[later(n, 0.03 - n / 100) for n in range(3)])
    inline = await DBOS.run_step_async({"name": "inline"}, later_inline, 4)
    await DBOS.sleep_async(0.02)
    await DBOS.set_event_async("stage", together)
    return [together, inline]


async def later_inline(value: int) -> int:
    return value + 1


async def branch(name: str, first: float, second: float) -> list[Any]:
    return [await later(f"{name}1", first), await later(f"{name}2", second)]


@DBOS.workflow()
async def branches() -> Any:
    return await asyncio.gather(branch("a", 0.06, 0), branch("b", 0.0, 0.1), branch("c", 0.03, 0))


@DBOS.workflow()
async def first_done() -> Any:
    done, pending = await DBOS.asyncio_wait(
        [later("quick"), later("slow", 3600)], return_when=asyncio.FIRST_COMPLETED
    )
    for task in pending:
        task.cancel()
    return [await task for task in done] + [await later("after")]


@DBOS.workflow()
async def as_completed() -> Any:
    found = []
    for task in asyncio.as_completed([later("x", 0.06), later("y"), later("z", 0.03)]):
        found.append(await later(await task))
    return found


@DBOS.workflow()
async def races() -> Any:
    return [await task for task in asyncio.as_completed([later("x", 0.06), later("y"), later("z", 0.03)])]


@DBOS.workflow()
async def gives_up() -> Any:
    try:
        await asyncio.wait_for(DBOS.recv_async("never", 3600), 0.1)
    except TimeoutError:
        return await later("gave up")


@DBOS.workflow()
async def async_children() -> Any:
    handle = await DBOS.start_workflow_async(child_async, 1)
    queued = await DBOS.enqueue_workflow_async("work", child_async, 2)
    direct = await child_async(3)
    both = await asyncio.gather(handle.get_result(), queued.get_result())
    return [both, direct, await asyncio.gather(child_async(4), child_async(5))]


@DBOS.workflow()
async def async_waits() -> Any:
    return await asyncio.gather(branch("a", 0, 0), DBOS.recv_async("go"), branch("b", 0.03, 0))


@DBOS.workflow()
async def async_waits_for_child() -> Any:
    handle = await DBOS.start_workflow_async(never_async, "x")
    return await asyncio.gather(handle.get_result(), branch("a", 0, 0))


@DBOS.workflow()
async def never_async(topic: str) -> Any:
    return await DBOS.recv_async(topic, 3600)


@DBOS.workflow()
async def async_threads() -> Any:
    return await asyncio.to_thread(helper, 3)


@DBOS.workflow()
async def async_sleeps() -> Any:
    await asyncio.sleep(0.05)
    return await asyncio.gather(DBOS.sleep_async(3600), later(1))


@DBOS.workflow()
async def async_reads(other: str) -> Any:
    return [getattr(value, "weight", value) async for value in DBOS.read_stream_async(other, "log")]


@DBOS.workflow()
async def async_fails() -> Any:
    try:
        await asyncio.gather(later_fails("a"), later("b", 0.05))
    except Declined as error:
        await later(error.code)
        raise


@DBOS.step()
async def later_fails(name: str) -> None:
    raise Declined(name, "async")


def main() -> None:
    from shapes_run import run

    run(globals() | vars(shapes_classes), FOLDER)


if __name__ == "__main__":
    main()
