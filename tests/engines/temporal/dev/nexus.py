"""Recorded databases of a run with two Nexus operations; ``python -m`` of this makes them anew.

Operations that nobody serves, kept in the run's record or as CHASM nodes; and such that workflows serve, one of them in
another namespace.

Run in a process of its own: the client may abort while an interpreter finalises.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import tempfile
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import nexusrpc
import nexusrpc.handler
from temporalio import nexus, workflow
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.engines.temporal.local import NAMESPACE, LocalServer

_DATA = Path(__file__).parents[3] / "data" / "temporal"
_CHASM = (
    "history.enableChasm=true",
    "nexusoperation.enableChasmWorkflowOperations=true",
    "nexusoperation.chasmWorkflowOperationsRolloutPercent=100",
)
RECORDED = {_DATA / "dev_nexus.db.gz": (), _DATA / "dev_nexus_chasm.db.gz": _CHASM}
"""The files, with the server's settings that each takes."""
SERVED = _DATA / "dev_nexus_served.db.gz"
VAULT = "vault"
_UNTIL_BOTH_FAILED_S = 25


@nexusrpc.service
class Bank:
    transfer: nexusrpc.Operation[str, str]


@workflow.defn(name="pays")
class Pays:
    @workflow.run
    async def run(self, count: int) -> None:
        bank = workflow.create_nexus_client(service=Bank, endpoint="bank")
        limit = timedelta(hours=1)
        await asyncio.gather(
            *(
                bank.execute_operation(Bank.transfer, str(number), schedule_to_close_timeout=limit)
                for number in range(count)
            )
        )


@workflow.defn(name="transfers")
class Transfers:
    @workflow.run
    async def run(self, name: str) -> str:
        return f"{name} is paid"


@nexusrpc.handler.service_handler(service=Bank)
class Teller:
    @nexus.workflow_run_operation
    async def transfer(self, ctx: nexus.WorkflowRunOperationContext, name: str) -> nexus.WorkflowHandle[str]:
        return await ctx.start_workflow(Transfers.run, name, id=f"transfer-{name}")


@workflow.defn(name="pays both")
class PaysBoth:
    @workflow.run
    async def run(self) -> None:
        for endpoint in ("bank", VAULT):
            bank = workflow.create_nexus_client(service=Bank, endpoint=endpoint)
            await bank.execute_operation(Bank.transfer, endpoint)


async def _endpoint(client: Client, name: str, namespace: str, queue: str) -> None:
    target = EndpointTarget(worker=EndpointTarget.Worker(namespace=namespace, task_queue=queue))
    await client.operator_service.create_nexus_endpoint(
        CreateNexusEndpointRequest(spec=EndpointSpec(name=name, target=target))
    )


async def serve(server: LocalServer) -> None:
    here, there = [await Client.connect(server.address, namespace=name) for name in (NAMESPACE, VAULT)]
    await _endpoint(here, "bank", NAMESPACE, "payments")
    await _endpoint(here, VAULT, VAULT, "payments")
    await asyncio.sleep(3)
    runner = UnsandboxedWorkflowRunner()
    workers = [
        Worker(
            client,
            task_queue="payments",
            workflows=[PaysBoth, Transfers],
            nexus_service_handlers=[Teller()],
            workflow_runner=runner,
        )
        for client in (here, there)
    ]
    async with workers[0], workers[1]:
        await here.execute_workflow("pays both", id="pays-both", task_queue="payments")


async def run(server: LocalServer) -> None:
    client = await Client.connect(server.address, namespace=NAMESPACE)
    await _endpoint(client, "bank", NAMESPACE, "nobody")
    await asyncio.sleep(2)  # until every part of the server knows it
    runner = UnsandboxedWorkflowRunner()
    async with Worker(client, task_queue="payments", workflows=[Pays], workflow_runner=runner):
        await client.start_workflow("pays", 2, id="pays-1", task_queue="payments")
        await asyncio.sleep(_UNTIL_BOTH_FAILED_S)


def record(path: Path, does: Callable[[LocalServer], Coroutine[Any, Any, None]], *options: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = LocalServer(Path(folder), *options)
        server.start()
        asyncio.run(does(server))
        server.stop()
        path.write_bytes(gzip.compress(server.file.read_bytes(), mtime=0))


def main() -> None:
    for path, settings in RECORDED.items():
        record(path, run, *(part for one in settings for part in ("--dynamic-config-value", one)))
    record(SERVED, serve, "--namespace", VAULT)
    os._exit(0)


if __name__ == "__main__":
    main()
