"""What asynchronous applications usually do, executed by real workers: ``python usual_async.py FOLDER PART``."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from dbos import DBOS, SetWorkflowID

FOLDER, PART = sys.argv[1:3] if len(sys.argv) > 2 and __name__ == "__main__" else (".", "")
KEPT: set[Any] = set()


class Refused(Exception):
    def __init__(self, code: int, why: str = "no") -> None:
        super().__init__(code, why)
        self.code = code


@DBOS.step()
async def work(name: Any, seconds: float = 0.0) -> Any:
    await asyncio.sleep(seconds)
    return name


@DBOS.step()
def blocking(number: int) -> int:
    return number * 2


@DBOS.step(retries_allowed=True, max_attempts=3, interval_seconds=0.01)
async def shaky(number: int) -> int:
    status = DBOS.step_status
    if number < 0 or (status and (status.current_attempt or 0) < 1):
        raise ConnectionError(number)
    return number


@DBOS.step(timeout_seconds=0.05)
async def too_slow(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "in time"


@DBOS.step()
async def refuses(number: int) -> None:
    raise Refused(number)


@DBOS.workflow()
async def child(number: int) -> Any:
    return await work(number, number / 100)


@DBOS.workflow()
async def failing(number: int) -> None:
    await work(number)
    raise Refused(number)


@DBOS.workflow()
async def gathers_errors() -> Any:
    found = await asyncio.gather(
        work(1, 0.02), refuses(2), shaky(3), shaky(-1), failing(4), return_exceptions=True
    )
    return [found, await work("after")]


@DBOS.workflow()
async def times_out() -> Any:
    found = [await too_slow(0.0)]
    with suppress(Exception):
        await too_slow(5)
    try:
        async with asyncio.timeout(0.1):
            await asyncio.gather(work("quick"), work("slow", 60))
    except TimeoutError:
        found.append(await work("timed out"))
    return found


@DBOS.workflow()
async def groups() -> Any:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(child(n)) for n in (3, 1, 2)]
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(work("cut short", 60))
            group.create_task(refuses(1))
    except* Refused as e:
        tasks.append(asyncio.create_task(work(len(e.exceptions))))
    return [await task for task in tasks]


@DBOS.workflow()
async def limited() -> Any:
    """A few at a time, and workers that take what comes from a queue."""
    gate = asyncio.Semaphore(2)

    async def one(number: int) -> Any:
        async with gate:
            return await work(number, 0.01 * (number % 3))

    found = await asyncio.gather(*[one(n) for n in range(6)])
    todo: asyncio.Queue[int] = asyncio.Queue()
    for n in range(5):
        todo.put_nowait(n)
    done: list[Any] = []

    async def worker() -> None:
        while not todo.empty():
            done.append(await work(todo.get_nowait(), 0.01))

    await asyncio.gather(worker(), worker())
    return [found, sorted(done)]


@DBOS.workflow()
async def forgets() -> Any:
    """What it started goes on when it is over."""
    task = asyncio.create_task(work("nobody waits for it", 0.3))
    KEPT.add(task)
    await asyncio.sleep(0)
    return await work("over")


@DBOS.workflow()
async def forgets_before_its_end() -> Any:
    task = asyncio.create_task(work("nobody waits for it"))
    KEPT.add(task)
    return await work("over", 0.3)


@asynccontextmanager
async def lease(name: str) -> AsyncIterator[str]:
    await work(f"take {name}")
    try:
        yield name
    finally:
        await work(f"give {name}")


async def pages(number: int) -> AsyncIterator[Any]:
    for page in range(number):
        yield await work(f"page {page}")


@DBOS.workflow()
async def leases() -> Any:
    async with lease("a") as name:
        found = [page async for page in pages(3)]
        with suppress(Refused):
            await refuses(1)
    shielded = await asyncio.shield(asyncio.ensure_future(work("shielded", 0.01)))
    return [name, found, shielded, await asyncio.to_thread(str.upper, "x")]


@DBOS.workflow()
async def fans_out() -> Any:
    queue = await DBOS.retrieve_queue_async("narrow")
    handles = [await queue.enqueue_async(child, n) for n in range(4)]
    handles += [await DBOS.start_workflow_async(child, n) for n in range(2)]
    first = await DBOS.wait_first_async(handles)
    found = await asyncio.gather(*[handle.get_result() for handle in handles])
    statuses = [(await handle.get_status()).status for handle in handles]
    return [found, first is not None, statuses]


@DBOS.workflow()
async def mixes() -> Any:
    """Synchronous steps within asynchronous code, and messages to itself."""
    me = DBOS.workflow_id or ""
    await DBOS.send_async(me, "hello", "self")
    await DBOS.set_event_async("stage", 1)
    heard = await DBOS.recv_async("self", timeout_seconds=5)
    await DBOS.write_stream_async("log", heard)
    await DBOS.close_stream_async("log")
    stage = await DBOS.get_event_async(me, "stage")
    log = [value async for value in DBOS.read_stream_async(me, "log")]
    return [heard, stage, log, blocking(3), await DBOS.run_step_async({"name": "inline"}, work_inline, 1),
            await DBOS.recv_async("self", timeout_seconds=0.01)]  # fmt: skip


async def work_inline(number: int) -> int:
    await asyncio.sleep(0.01)
    return number


@DBOS.workflow()
async def waits_durably() -> Any:
    done, pending = await DBOS.asyncio_wait(
        [work("a"), work("b", 0.05), DBOS.sleep_async(30)], timeout=0.3, return_when=asyncio.ALL_COMPLETED
    )
    for task in pending:
        task.cancel()
    return [sorted(str(task.result()) for task in done), len(pending), await work("then")]


@DBOS.workflow()
async def reserves() -> Any:
    """Ids that are drawn before their steps run, in another order."""
    reserved = [DBOS.reserve_step() for _ in range(3)]

    async def one(number: int) -> Any:
        await asyncio.sleep(0.02 * (3 - number))
        return await reserved[number].run_async({"name": f"step {number}"}, work_inline, number)

    return await asyncio.gather(*[one(n) for n in range(3)], work("beside"))


@DBOS.workflow()
async def patched() -> Any:
    found = [await DBOS.patch_async("first")]
    await DBOS.deprecate_patch_async("second")
    return [*found, await work(1)]


@DBOS.workflow()
async def recovered() -> Any:
    first = await asyncio.gather(*[work(n, n / 200) for n in range(4)])
    await dies()
    handle = await DBOS.start_workflow_async(child, 3)
    return [first, await asyncio.gather(handle.get_result(), work("b"), DBOS.sleep_async(0.02))]


@DBOS.step()
async def dies() -> None:
    if PART == "dies":
        os._exit(9)


@DBOS.workflow()
async def cancelled() -> Any:
    return await asyncio.gather(work("a"), DBOS.recv_async("never", timeout_seconds=3600), work("b", 0.02))


ALL = (gathers_errors, times_out, groups, limited, forgets, forgets_before_its_end, leases, fans_out, mixes,
       waits_durably, reserves, patched)  # fmt: skip


async def begin(func: Callable[..., Any], *args: Any) -> Any:
    with SetWorkflowID(func.__name__):
        return await DBOS.start_workflow_async(func, *args)


async def end(handle: Any) -> None:
    try:
        await handle.get_result(polling_interval_sec=0.02)
    except Exception as e:  # noqa: BLE001 - many fail by design
        print(handle.workflow_id, type(e).__name__, flush=True)


async def run() -> None:
    DBOS(config={"name": "usual", "system_database_url": f"sqlite:///{FOLDER}/usual_async.sqlite",
                 "application_version": "one", "executor_id": "tester", "log_level": "CRITICAL",
                 "notification_listener_polling_interval_sec": 0.02})  # fmt: skip
    DBOS.launch()
    await DBOS.register_queue_async("narrow", global_concurrency=2, polling_interval_sec=0.02)
    if PART == "dies":
        await end(await begin(recovered))
    handles = [await begin(func) for func in ALL]
    await begin(cancelled)
    for handle in handles:
        await end(handle)
    await end(await DBOS.retrieve_workflow_async("recovered"))
    await DBOS.cancel_workflow_async("cancelled")
    with SetWorkflowID("fork-of-groups"):
        await end(await DBOS.fork_workflow_async("groups", 5))
    await asyncio.sleep(0.3)  # what was forgotten comes to its end
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(run())
