"""A worker of the shop and its clerk, in a process of its own: one JSON command a line in, one JSON answer a line out.

``python -m tests.engines.temporal.apps.worker HOST:PORT NAMESPACE [encrypted]``; it ends when its input does. It leaves
by ``os._exit``, because the client may abort while the interpreter finalises.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from datetime import timedelta
from typing import Any

import temporalio.api.workflowservice.v1 as service
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleState,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.engines.temporal.apps.shop import ACTIVITIES, TENANT, WORKFLOWS

QUEUE = "shop"
IDENTITY = "shop-worker"


class Clerk:
    """Does what the tests ask for."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def start(
        self,
        type: str,
        id: str,
        *args: Any,
        tenant: str = "acme",
        wait: bool = False,
        queue: str = QUEUE,
        **more: Any,
    ) -> str:
        """Starts a run and answers its run id; with ``wait`` after its end. ``more``: seconds of time-outs, cron."""
        spans = {
            name: timedelta(seconds=value) for name, value in more.items() if isinstance(value, int | float)
        }
        handle = await self._client.start_workflow(
            type,
            args=list(args),
            id=id,
            task_queue=queue,
            search_attributes=TypedSearchAttributes([SearchAttributePair(TENANT, tenant)]),
            memo={"note": f"for {tenant}"},
            **(more | spans),
        )
        run = handle.result_run_id or ""
        if wait:
            await self.wait(id)
        return run

    async def wait(self, id: str) -> str:
        """Waits for the end of the newest run of an id; its result, or the kind of its failure."""
        try:
            return repr(await self._client.get_workflow_handle(id).result())
        except WorkflowFailureError as error:
            return type(error.cause).__name__

    async def signal(self, id: str, name: str, value: Any) -> None:
        await self._client.get_workflow_handle(id).signal(name, value)

    async def update(self, id: str, name: str, value: Any) -> Any:
        return await self._client.get_workflow_handle(id).execute_update(name, value)

    async def cancel(self, id: str) -> None:
        await self._client.get_workflow_handle(id).cancel()

    async def terminate(self, id: str) -> None:
        await self._client.get_workflow_handle(id).terminate(reason="not needed any more")

    async def reset(self, id: str, event: int) -> str:
        answer = await self._client.workflow_service.reset_workflow_execution(
            service.ResetWorkflowExecutionRequest(
                namespace=self._client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=id),
                reason="to try again",
                workflow_task_finish_event_id=event,
                request_id=f"{id}-{event}",
            )
        )
        return answer.run_id

    async def many(self, count: int) -> None:
        """Starts runs that nobody works on, of three types, as fast as the server takes them."""
        gate = asyncio.Semaphore(50)

        async def one(number: int) -> None:
            async with gate:
                await self._client.start_workflow(
                    f"type-{number % 3}",
                    id=f"many-{number:06d}",
                    task_queue="nobody",
                    memo={"number": number},
                )

        await asyncio.gather(*(one(number) for number in range(count)))
        request = service.CountWorkflowExecutionsRequest(namespace=self._client.namespace)
        while (await self._client.workflow_service.count_workflow_executions(request)).count < count:
            await asyncio.sleep(0.05)

    async def listed(self, id: str, closed: bool = True) -> None:
        """Waits until the lists show the runs of an id, and that they have closed."""
        while True:
            found = [run.status async for run in self._client.list_workflows() if run.id == id]
            if found and not (closed and WorkflowExecutionStatus.RUNNING in found):
                return
            await asyncio.sleep(0.02)

    async def schedule(self, id: str, paused: bool) -> None:
        await self._client.create_schedule(
            id,
            Schedule(
                action=ScheduleActionStartWorkflow("fraud_check", "night", id=f"{id}-run", task_queue=QUEUE),
                spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=30))]),
                state=ScheduleState(paused=paused, note="made by a test"),
            ),
            trigger_immediately=not paused,
        )


async def serve(address: str, namespace: str, *, encrypted: bool) -> None:
    more = {}
    if encrypted:
        from tests.engines.temporal.codec.converter import converter

        more = {"data_converter": converter}
    client = await Client.connect(address, namespace=namespace, identity=IDENTITY, **more)
    clerk = Clerk(client)
    loop = asyncio.get_running_loop()
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=WORKFLOWS,
        activities=ACTIVITIES,
        identity=IDENTITY,
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=50,
    ):
        _say("ready")
        while True:
            line = await loop.run_in_executor(None, sys.stdin.readline)
            if not line:
                return
            name, args, options = json.loads(line)
            try:
                _say(await getattr(clerk, name)(*args, **options))
            except Exception as error:  # noqa: BLE001  the test that asked is told
                _say({"error": f"{type(error).__name__}: {error}"})


def _say(value: Any) -> None:
    # The client's core writes its log to the same stream.
    print(f"\n@{json.dumps(value)}", flush=True)


if __name__ == "__main__":
    logging.disable()  # failures of the samples are their purpose
    try:
        asyncio.run(asyncio.wait_for(serve(*sys.argv[1:3], encrypted="encrypted" in sys.argv[3:]), 3600))
    finally:
        sys.stdout.flush()
        os._exit(0)
