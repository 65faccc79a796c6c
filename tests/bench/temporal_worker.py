"""Makes the runs that the benchmarks of Temporal look at, on a server, as fast as it takes them.

    python -m tests.bench.temporal_worker HOST:PORT NAMESPACE long EVENTS
    python -m tests.bench.temporal_worker HOST:PORT NAMESPACE many RUNS [SECONDS]
    python -m tests.bench.temporal_worker HOST:PORT NAMESPACE export RUN FILE
    python -m tests.bench.temporal_worker HOST:PORT NAMESPACE lists QUERY …
    python -m tests.bench.temporal_worker HOST:PORT NAMESPACE one ID

``long`` makes one completed run of about so many events: activities, a hundred at a time, and a timer a round.
``many`` makes short runs of a dozen types and two tenants: of each twenty 16 go on, one was terminated, two completed
and one failed; it stops after SECONDS. ``export`` writes the long run to FILE as the SDK does, and tells what the raw
calls and the SDK's parser take, ms. ``lists`` times the raw calls, ms: two pages of 200 and the count of each QUERY, in
the server's own order. ``one`` starts a run and tells when (ns). The answer is a line of JSON: what was made. It leaves
by ``os._exit``, because the client may abort while the interpreter finalises.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import temporalio.api.workflowservice.v1 as service
from temporalio import activity, workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.history.v1 import History
from temporalio.client import Client, WorkflowHistory
from temporalio.common import RawValue, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE: Final = "bench"
LONG_ID: Final = "order-long"
NEEDLE: Final = "refund_payment"
"""The one activity of its name, in the middle of the long run."""
TYPES: Final = 12
_AT_ONCE: Final = 100
_STARTS: Final = 64
_SHORT: Final = timedelta(seconds=60)
_NOTE: Final = (
    "the customer asked for the parcel to be left with the neighbours, who are at home after six " * 3
)
_TENANT: Final = SearchAttributeKey.for_keyword("tenant")


@activity.defn(name="charge_card")
async def charge(order: dict[str, Any]) -> dict[str, Any]:
    return {"order_id": order["order_id"], "charged": True, "note": order["note"]}


@activity.defn(name=NEEDLE)
async def refund(order: str) -> str:
    return f"{order}: refunded"


@workflow.defn(name="long_order")
class LongOrder:
    @workflow.run
    async def run(self, events: int) -> int:
        made, refunded = 0, False
        while (length := workflow.info().get_current_history_length()) < events - 10:
            if not refunded and length > events // 2:
                refunded = True
                await workflow.execute_activity(refund, "ord-needle", start_to_close_timeout=_SHORT)
            count = min(_AT_ONCE, max(1, (events - length) // 6))
            await asyncio.gather(*(self._charge(made + n) for n in range(count)))
            made += count
            await workflow.sleep(0.001)
        return made

    async def _charge(self, number: int) -> None:
        order = {"order_id": f"ord-{number:08x}", "amount": number / 100, "note": _NOTE}
        await workflow.execute_activity(charge, order, start_to_close_timeout=_SHORT)


@workflow.defn(dynamic=True)
class Short:
    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> str:
        if workflow.info().workflow_id.endswith("7"):
            raise ApplicationError("no funds left", type="CardDeclined")
        return "done"


async def long(client: Client, events: int) -> dict[str, Any]:
    options: dict[str, Any] = {"task_queue": QUEUE, "task_timeout": _SHORT}
    handle = await client.start_workflow("long_order", events, id=LONG_ID, **options)
    activities = await handle.result()
    described = await handle.describe()
    return {"run": handle.result_run_id, "events": described.history_length, "activities": activities}


async def many(client: Client, runs: int, seconds: float) -> dict[str, Any]:
    """Sixty-four at a time."""
    numbers, deadline = iter(range(runs)), time.monotonic() + seconds

    async def start() -> None:
        for number in numbers:
            if time.monotonic() > deadline:
                return
            kind = number % 20
            tenant = SearchAttributePair(_TENANT, "acme" if number % 3 else "globex")
            handle = await client.start_workflow(
                f"type-{number % TYPES:02d}", id=f"run-{number:06d}",
                task_queue=QUEUE if kind in (7, 8, 9) else "nobody", memo={"number": number},
                search_attributes=TypedSearchAttributes([tenant]),
            )  # fmt: skip
            if kind == 0:
                await handle.terminate(reason="not needed any more")

    await asyncio.gather(*(start() for _ in range(_STARTS)))
    open_ones = f"TaskQueue = '{QUEUE}' and ExecutionStatus = 'Running'"
    while (await client.count_workflows(open_ones)).count:
        await asyncio.sleep(0.2)
    return {"runs": (await client.count_workflows()).count}


async def raw(client: Client, run: str) -> list[bytes]:
    """The whole history of the long run, by as few calls as there are."""
    request = service.GetWorkflowExecutionHistoryRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=LONG_ID, run_id=run),
        maximum_page_size=1_000,
    )
    found: list[bytes] = []
    while True:
        answer = await client.workflow_service.get_workflow_execution_history(request)
        found += [blob.data for blob in answer.raw_history] or [answer.history.SerializeToString()]
        request.next_page_token = answer.next_page_token
        if not answer.next_page_token:
            return found


async def export(client: Client, run: str, path: Path) -> dict[str, Any]:
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        parts = await raw(client, run)
        took.append(round((time.perf_counter() - begun) * 1000))
    history = WorkflowHistory(LONG_ID, list(History.FromString(b"".join(parts)).events))
    path.write_text(history.to_json())
    text, begun = path.read_text(), time.perf_counter()
    WorkflowHistory.from_json(LONG_ID, text)
    parsed = round((time.perf_counter() - begun) * 1000)
    return {
        "raw_rpc_ms": min(took),
        "from_json_ms": parsed,
        "events": len(history.events),
        "mb": round(len(text) / 1e6, 1),
    }


async def lists(client: Client, queries: list[str]) -> dict[str, Any]:
    """The least of five rounds, per query: first page, next page, count; "" asks for all, counted by status too."""
    found: dict[str, Any] = {}
    for query in queries:
        rounds = [await _list(client, query) for _ in range(5)]
        found[query] = {name: min(one[name] for one in rounds) for name in rounds[0]}
    return found


async def _list(client: Client, query: str) -> dict[str, float]:
    took: dict[str, float] = {}

    async def timed(name: str, call: Any, request: Any) -> Any:
        begun = time.perf_counter()
        answer = await call(request)
        took[name] = round((time.perf_counter() - begun) * 1000, 1)
        return answer

    at, name = client.workflow_service, client.namespace
    request = service.ListWorkflowExecutionsRequest(namespace=name, page_size=200, query=query)
    answer = await timed("first", at.list_workflow_executions, request)
    if answer.next_page_token:
        request.next_page_token = answer.next_page_token
        await timed("next", at.list_workflow_executions, request)
    counted = service.CountWorkflowExecutionsRequest(namespace=name, query=query)
    await timed("count", at.count_workflow_executions, counted)
    counted.query = f"{query} GROUP BY ExecutionStatus".strip()
    await timed("by_status", at.count_workflow_executions, counted)
    return took


async def one(client: Client, id: str) -> dict[str, Any]:
    await client.start_workflow("type-new", id=id, task_queue="nobody")
    return {"started_ns": time.time_ns()}


async def main(address: str, namespace: str, what: str, *more: str) -> None:
    client = await Client.connect(address, namespace=namespace, identity="bench-worker")
    begun = time.perf_counter()
    if what in ("export", "lists", "one"):
        asked: dict[str, Any] = {
            "export": lambda: export(client, more[0], Path(more[1])),
            "lists": lambda: lists(client, list(more)),
            "one": lambda: one(client, more[0]),
        }
        print(json.dumps(await asked[what]()), flush=True)
        return
    size, seconds = int(more[0]), float((more[1:] or ("600",))[0])
    async with Worker(
        client, task_queue=QUEUE, workflows=[LongOrder, Short], activities=[charge, refund],
        workflow_runner=UnsandboxedWorkflowRunner(), max_concurrent_activities=50,
    ):  # fmt: skip
        made = await (long(client, size) if what == "long" else many(client, size, seconds))
    print(json.dumps({**made, "seconds": round(time.perf_counter() - begun, 1)}), flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    finally:
        sys.stdout.flush()
        os._exit(0)
