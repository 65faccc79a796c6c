"""Recorded databases of a run with two Nexus operations that nobody serves, kept in the run's record or as CHASM nodes;
``python -m`` of this makes them anew.

Run in a process of its own: the client may abort while an interpreter finalises.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import tempfile
from datetime import timedelta
from pathlib import Path

import nexusrpc
from temporalio import workflow
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


async def run(server: LocalServer) -> None:
    client = await Client.connect(server.address, namespace=NAMESPACE)
    target = EndpointTarget(worker=EndpointTarget.Worker(namespace=NAMESPACE, task_queue="nobody"))
    await client.operator_service.create_nexus_endpoint(
        CreateNexusEndpointRequest(spec=EndpointSpec(name="bank", target=target))
    )
    await asyncio.sleep(2)  # until every part of the server knows it
    runner = UnsandboxedWorkflowRunner()
    async with Worker(client, task_queue="payments", workflows=[Pays], workflow_runner=runner):
        await client.start_workflow("pays", 2, id="pays-1", task_queue="payments")
        await asyncio.sleep(_UNTIL_BOTH_FAILED_S)


def record() -> None:
    for path, settings in RECORDED.items():
        with tempfile.TemporaryDirectory() as folder:
            options = [part for one in settings for part in ("--dynamic-config-value", one)]
            server = LocalServer(Path(folder), *options)
            server.start()
            asyncio.run(run(server))
            server.stop()
            path.write_bytes(gzip.compress(server.file.read_bytes(), mtime=0))
    os._exit(0)


if __name__ == "__main__":
    record()
