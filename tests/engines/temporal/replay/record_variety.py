"""Makes the histories of apps/variety.py with a real server and worker: ``python -m`` of this. See record.py."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import RetryPolicy
from temporalio.worker import Worker

from tests.engines.temporal.local import NAMESPACE, recording
from tests.engines.temporal.replay.apps import variety
from tests.engines.temporal.replay.record import keep

QUEUE, AUDITED = "variety", "variety-audited"
PLAIN = ("local", "parent", "marked", "scopes", "chances", "stumbles", "outward")


async def ended(handle: WorkflowHandle[Any, Any]) -> None:
    try:
        print(handle.id, await handle.result(follow_runs=False))
    except WorkflowFailureError as error:
        print(handle.id, "ended", type(error).__name__, error.__cause__)


async def plain(client: Client) -> None:
    """Runs that need nobody."""
    handles = [
        await client.start_workflow(name, id=name, task_queue=QUEUE, task_timeout=timedelta(seconds=2))
        for name in PLAIN
    ]
    for handle in handles:
        await ended(handle)
        await keep(handle, handle.id)
    again = await client.start_workflow("again", args=[2], id="again", task_queue=QUEUE)
    await again.result()
    await keep(again, "again", again.first_execution_run_id)
    audited = await client.start_workflow("audited", id="audited", task_queue=AUDITED)
    await ended(audited)
    await keep(audited, "audited")


async def spoken_to(client: Client) -> None:
    """Runs that are signalled and updated."""
    updated = await client.start_workflow("updated", 3, id="updated", task_queue=QUEUE)
    amounts = [variety.Amount(1), variety.Amount(2)]
    await asyncio.gather(
        *(updated.execute_update("put", one) for one in amounts), updated.execute_update("quick")
    )
    for name, given in (("put", [variety.Amount(-1)]), ("fails", []), ("nobody", [])):
        try:
            await updated.execute_update(name, args=given)
        except WorkflowUpdateFailedError as error:
            print(name, error.__cause__)
    await updated.execute_update("put", variety.Amount(3))
    await ended(updated)
    await keep(updated, "updated")
    dynamic = await client.start_workflow("whatever", args=[1, "x"], id="dynamic", task_queue=QUEUE)
    await dynamic.signal("one", args=[1, 2])
    await dynamic.execute_update("anything", args=[3])
    await dynamic.signal("two")
    await ended(dynamic)
    await keep(dynamic, "dynamic")
    conditions = await client.start_workflow(
        "conditions", id="conditions", task_queue=QUEUE, start_signal="push", start_signal_args=[0]
    )
    for number in range(1, 5):
        await conditions.signal("push", number)
    await ended(conditions)
    await keep(conditions, "conditions")
    patched = await client.start_workflow("patched", id="patched", task_queue=QUEUE)
    await patched.signal("poke")
    await ended(patched)
    await keep(patched, "patched")


async def begun_anew(client: Client) -> None:
    """A run that was reset in its middle, and the second attempt of one."""
    handle = await client.start_workflow("conditions", id="reset", task_queue=QUEUE)
    for number in range(5):
        await handle.signal("push", number)
    await ended(handle)
    history = await handle.fetch_history()
    tasks = [e.event_id for e in history.events if e.HasField("workflow_task_completed_event_attributes")]
    request = ResetWorkflowExecutionRequest(
        namespace=NAMESPACE, workflow_execution=WorkflowExecution(workflow_id="reset"), request_id="reset",
        reason="test", workflow_task_finish_event_id=tasks[len(tasks) // 2],
    )  # fmt: skip
    made = await client.workflow_service.reset_workflow_execution(request)
    reset = client.get_workflow_handle("reset", run_id=made.run_id)
    await ended(reset)
    await keep(reset, "reset", made.run_id)
    twice = RetryPolicy(maximum_attempts=2, initial_interval=timedelta(milliseconds=100))
    stumbles = await client.start_workflow("stumbles", id="twice", task_queue=QUEUE, retry_policy=twice)
    try:
        await stumbles.result()
    except WorkflowFailureError as error:
        print("twice", error)
    described = await client.get_workflow_handle("twice").describe()
    await keep(stumbles, "twice", described.run_id)


async def main(address: str) -> None:
    client = await Client.connect(address, namespace=NAMESPACE)
    target = EndpointTarget(worker=EndpointTarget.Worker(namespace=NAMESPACE, task_queue=QUEUE))
    await client.operator_service.create_nexus_endpoint(
        CreateNexusEndpointRequest(spec=EndpointSpec(name=variety.ENDPOINT, target=target))
    )
    await asyncio.sleep(2)  # until every part of the server knows it
    flows = [
        variety.Updated, variety.Local, variety.GrownChild, variety.Parent, variety.Again, variety.Patched,
        variety.Marked, variety.Dynamic, variety.Scopes, variety.Conditions, variety.Chances, variety.Stumbles,
        variety.Outward,
    ]  # fmt: skip
    acts = [variety.add, variety.slow, variety.flaky, variety.beats, variety.anything]
    async with (
        Worker(client, task_queue=QUEUE, workflows=flows, activities=acts,
               nexus_service_handlers=[variety.DeskHandler()]),
        Worker(client, task_queue=AUDITED, workflows=[variety.AuditedFlow], activities=acts,
               interceptors=[variety.Audited()]),
    ):  # fmt: skip
        for part in (plain, spoken_to, begun_anew):
            await part(client)


if __name__ == "__main__":
    with recording() as server:
        asyncio.run(main(server.address))
