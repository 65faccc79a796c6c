"""An application on uvloop, which DBOS takes for its workflows: ``python uvloops.py FOLDER``."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import uvloop
from dbos import DBOS, SetWorkflowID

FOLDER = sys.argv[1] if len(sys.argv) > 1 and __name__ == "__main__" else "."
uvloop.install()


@DBOS.step()
async def work(name: str, seconds: float = 0.0) -> str:
    await asyncio.sleep(seconds)
    return name


@DBOS.workflow()
async def child(name: str) -> str:
    return await work(name, 0.01)


@DBOS.workflow()
async def gathers() -> Any:
    first = await asyncio.gather(work("a", 0.03), work("b"), DBOS.sleep_async(0.02), child("c"))
    handle = await DBOS.start_workflow_async(child, "d")
    return [first, await handle.get_result(), await asyncio.to_thread(len, "four")]


@DBOS.workflow()
async def races() -> Any:
    done, pending = await DBOS.asyncio_wait(
        [work("quick"), work("slow", 3600)], return_when=asyncio.FIRST_COMPLETED
    )
    for task in pending:
        task.cancel()
    async with asyncio.timeout(5):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work(f"t{n}", n / 100)) for n in range(3)]
    return [await task for task in done] + [task.result() for task in tasks]


@DBOS.workflow()
async def gives_up() -> Any:
    try:
        await asyncio.wait_for(DBOS.recv_async("never", 3600), 0.1)
    except TimeoutError:
        return await work("gave up")


@DBOS.workflow()
async def waits() -> Any:
    await asyncio.sleep(0.01)
    return await asyncio.gather(work("a"), DBOS.recv_async("go", timeout_seconds=3600))


async def run() -> None:
    DBOS(config={"name": "uvloops", "system_database_url": f"sqlite:///{FOLDER}/uvloops.sqlite",
                 "log_level": "CRITICAL", "application_version": "one", "executor_id": "tester"})  # fmt: skip
    DBOS.launch()
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
    handles = []
    for func in (waits, gathers, races, gives_up):
        with SetWorkflowID(func.__name__):
            handles.append(await DBOS.start_workflow_async(func))
    for handle in handles[1:]:
        await handle.get_result(polling_interval_sec=0.02)
    while len(await DBOS.list_workflow_steps_async("waits")) < 2:
        await asyncio.sleep(0.01)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(run())
