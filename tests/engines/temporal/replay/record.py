"""Makes the histories that the tests replay, with a real server and worker.

Run as ``python -m tests.engines.temporal.replay.record``. They are kept in
tests/data/temporal/replay, so that the tests need neither.
"""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.worker import Worker

from tests.engines.temporal.local import NAMESPACE, recording
from tests.engines.temporal.replay.apps import order, shapes

DATA = Path(__file__).parents[3] / "data" / "temporal" / "replay"
QUEUE = "replays"
WAYS = ("condition", "limited", "timer", "activity", "child", "gather", "broken")


async def keep(handle: WorkflowHandle[object, object], name: str, run_id: str | None = None) -> None:
    """Writes a history as the server's JSON."""
    from temporalio.client import WorkflowHistory

    found = handle._client.get_workflow_handle(handle.id, run_id=run_id)
    history: WorkflowHistory = await found.fetch_history()
    DATA.mkdir(parents=True, exist_ok=True)
    (DATA / f"{name}.json.gz").write_bytes(gzip.compress(history.to_json().encode(), 9, mtime=0))
    print(name, len(history.events))


async def ended(client: Client) -> None:
    """Runs that come to an end."""
    handle = await client.start_workflow("order", "o-1", id="o-1", task_queue=QUEUE)
    await asyncio.sleep(1)
    await handle.execute_update("move", "there")
    await handle.signal("approve", "ann")
    await handle.result()
    await keep(handle, "order")
    for name in ("compensating", "races", "unsandboxed", "failing"):
        handle = await client.start_workflow(name, id=name, task_queue=QUEUE)
        try:
            await handle.result()
        except WorkflowFailureError as error:
            print(name, "failed", error)
        await keep(handle, name)
    handle = await client.start_workflow("chain", 1, id="chain", task_queue=QUEUE)
    await handle.result()
    await keep(handle, "chain", handle.first_execution_run_id)
    handle = await client.start_workflow("cancelled", id="cancelled", task_queue=QUEUE)
    await asyncio.sleep(0.5)
    await handle.cancel()
    try:
        await handle.result()
    except WorkflowFailureError as error:
        print("cancelled", error)
    await keep(handle, "cancelled")


async def waiting(client: Client) -> None:
    """Runs that go on waiting, and one that was terminated."""
    handles = {}
    for way in WAYS:
        handles[way] = await client.start_workflow("waiting", way, id=f"waiting-{way}", task_queue=QUEUE)
    await asyncio.sleep(1)
    await handles["condition"].signal("call", "once")
    await asyncio.sleep(2)
    for way, handle in handles.items():
        await keep(handle, f"waiting-{way}")
    await handles["timer"].terminate("enough")
    await keep(handles["timer"], "terminated")


async def main(address: str) -> None:
    client = await Client.connect(address, namespace=NAMESPACE)
    workflows = [order.Order, order.Invoice, shapes.Failing, shapes.Compensating, shapes.Chain, shapes.Races,
                 shapes.Unsandboxed, shapes.Cancelled, shapes.Child, shapes.Waiting]  # fmt: skip
    activities = [order.reserve, order.charge_card, order.audit, order.pack, order.ship, order.price, shapes.double,
                  shapes.refuse]  # fmt: skip
    async with Worker(client, task_queue=QUEUE, workflows=workflows, activities=activities):
        await ended(client)
        await waiting(client)


if __name__ == "__main__":
    with recording() as server:
        asyncio.run(main(server.address))
