"""Workflows that use all that the SDK offers, one kind of thing each. Run by record.py's worker once."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import nexusrpc
import nexusrpc.handler
from temporalio import activity, nexus, workflow
from temporalio.common import RawValue, RetryPolicy, SearchAttributeKey
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    NexusOperationError,
    WorkflowAlreadyStartedError,
)
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

SHORT = timedelta(seconds=10)
ONCE = RetryPolicy(maximum_attempts=1)
TENANT = SearchAttributeKey.for_keyword("tenant")
ITEMS = SearchAttributeKey.for_int("items")
ENDPOINT = "variety"


@activity.defn
async def add(a: int, b: int = 1) -> int:
    return a + b


@activity.defn
async def slow(number: int) -> int:
    await asyncio.sleep(number / 10)
    return number


@activity.defn
async def flaky(name: str) -> int:
    attempt = activity.info().attempt
    if attempt < 3:
        raise ApplicationError(f"{name} fails", type="Flaky")
    return attempt


@activity.defn
async def beats() -> str:
    try:
        for n in range(600):
            activity.heartbeat(n)
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        await asyncio.sleep(0.1)
        raise
    return "never"


@activity.defn(dynamic=True)
async def anything(args: Sequence[RawValue]) -> str:
    return f"{activity.info().activity_type}/{len(args)}"


async def call(number: int, **more: Any) -> int:
    return await workflow.execute_activity(add, args=[number], start_to_close_timeout=SHORT, **more)


@dataclasses.dataclass
class Amount:
    cents: int
    currency: str = "EUR"


@workflow.defn(name="updated")
class Updated:
    """Updates with validators, at once and one after the other, during an activity, at the end."""

    @workflow.init
    def __init__(self, limit: int) -> None:
        self.limit, self.sums, self.lock = limit, [0], asyncio.Lock()

    @workflow.update
    async def put(self, amount: Amount) -> int:
        async with self.lock:
            self.sums.append(await call(self.sums[-1] + amount.cents))
        return self.sums[-1]

    @put.validator
    def check(self, amount: Amount) -> None:
        if amount.cents < 0:
            raise ApplicationError("too little", type="Negative")

    @workflow.update
    def quick(self) -> int:
        return len(self.sums)

    @workflow.update
    async def fails(self) -> None:
        await workflow.sleep(0.05)
        raise ApplicationError("refused")

    @workflow.run
    async def run(self, limit: int) -> list[int]:
        await workflow.wait_condition(lambda: len(self.sums) > limit)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.sums


@workflow.defn(name="local")
class Local:
    """Local activities: in turn, at once, tried again behind a timer, cancelled, longer than a workflow task."""

    @workflow.run
    async def run(self) -> list[Any]:
        local = workflow.execute_local_activity
        told: list[Any] = [await local(add, args=[1, 2], start_to_close_timeout=SHORT)]
        told += await asyncio.gather(*[local(slow, n, start_to_close_timeout=SHORT) for n in (3, 1, 2)])
        again = RetryPolicy(initial_interval=timedelta(milliseconds=300), backoff_coefficient=1)
        threshold = timedelta(milliseconds=100)
        told.append(await local(flaky, "local", start_to_close_timeout=SHORT, retry_policy=again,
                                local_retry_threshold=threshold))  # fmt: skip
        try:
            await local(flaky, "once", start_to_close_timeout=SHORT, retry_policy=ONCE)
        except ActivityError as error:
            told.append(type(error.cause).__name__)
        told.append(await local(slow, 25, start_to_close_timeout=SHORT))
        handle = workflow.start_local_activity(beats, start_to_close_timeout=SHORT)
        await asyncio.sleep(0.2)
        handle.cancel()
        try:
            await handle
        except (ActivityError, asyncio.CancelledError):
            told.append("cancelled")
        return [*told, await call(1)]


@workflow.defn(name="grown-child")
class GrownChild:
    def __init__(self) -> None:
        self.go = False

    @workflow.signal
    def leave(self) -> None:
        self.go = True

    @workflow.run
    async def run(self, how: str) -> str:
        if how == "fails":
            raise ApplicationError("a child that fails", type="Childish", non_retryable=True)
        if how == "waits":
            await workflow.wait_condition(lambda: self.go)
        return how


@workflow.defn(name="parent")
class Parent:
    """Children with every close policy: awaited, left, signalled, cancelled, that fail, whose id is taken."""

    @workflow.run
    async def run(self) -> list[str]:
        me, told = workflow.info().workflow_id, []
        start = workflow.start_child_workflow
        waits = await start(GrownChild.run, "waits", id=f"{me}-1")
        await waits.signal(GrownChild.leave)
        told.append(await waits)
        for policy in (workflow.ParentClosePolicy.ABANDON, workflow.ParentClosePolicy.REQUEST_CANCEL):
            await start(GrownChild.run, "waits", id=f"{me}-{policy.name}", parent_close_policy=policy)
        try:
            await start(GrownChild.run, "waits", id=f"{me}-ABANDON")
        except WorkflowAlreadyStartedError as error:
            told.append(type(error).__name__)
        try:
            await workflow.execute_child_workflow(GrownChild.run, "fails", id=f"{me}-2")
        except ChildWorkflowError as error:
            told.append(str(error.cause))
        patient = workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED
        doomed = await start(GrownChild.run, "waits", id=f"{me}-3", cancellation_type=patient)
        doomed.cancel()
        try:
            await doomed
        except ChildWorkflowError as error:
            told.append(type(error.cause).__name__)
        other = workflow.get_external_workflow_handle(f"{me}-ABANDON")
        await other.signal("leave")
        try:
            await workflow.get_external_workflow_handle("nobody-at-all").signal("leave")
        except ApplicationError:
            told.append("nobody")
        await workflow.get_external_workflow_handle(f"{me}-REQUEST_CANCEL").cancel()
        together = [
            workflow.execute_child_workflow(GrownChild.run, str(n), id=f"{me}-4-{n}") for n in range(3)
        ]
        return told + list(await asyncio.gather(*together))


@workflow.defn(name="again")
class Again:
    """Continues as new with other arguments, a memo and search attributes."""

    @workflow.run
    async def run(self, left: int, said: str = "") -> str:
        await call(left)
        if left:
            workflow.upsert_search_attributes([ITEMS.value_set(left)])
            workflow.continue_as_new(
                args=[left - 1, f"{said}{left}"], memo={"left": left}, run_timeout=timedelta(hours=1)
            )
        return said


@workflow.defn(name="patched")
class Patched:
    """Patches: taken, asked twice, in a handler, one that is deprecated."""

    @workflow.signal
    async def poke(self) -> None:
        if workflow.patched("poke"):
            await call(7)

    @workflow.run
    async def run(self) -> int:
        total = 0
        for _ in range(2):
            if workflow.patched("first"):
                total += await call(1)
        workflow.deprecate_patch("old")
        total += await call(2)
        if workflow.patched("second") and workflow.patched("first"):
            await asyncio.sleep(0.05)
        return total


@workflow.defn(name="marked")
class Marked:
    """Search attributes and memos, set and unset, with and without a patch beside them."""

    @workflow.run
    async def run(self) -> str:
        workflow.upsert_search_attributes([TENANT.value_set("acme"), ITEMS.value_set(3)])
        await call(1)
        workflow.upsert_search_attributes([TENANT.value_unset()])
        workflow.upsert_memo({"note": "kept", "more": [1, 2]})
        if workflow.patched("marks"):
            workflow.upsert_search_attributes([TENANT.value_set("zeta")])
        await asyncio.sleep(0.05)
        workflow.upsert_memo({"note": None})
        return str(workflow.info().typed_search_attributes.get(ITEMS))


@workflow.defn(dynamic=True)
class Dynamic:
    """Takes whatever comes: its type, signals, updates, queries, and an activity of any name."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.signal(dynamic=True)
    async def on_signal(self, name: str, args: Sequence[RawValue]) -> None:
        self.seen.append(f"{name}/{len(args)}")

    @workflow.update(dynamic=True)
    async def on_update(self, name: str, args: Sequence[RawValue]) -> str:
        await workflow.execute_activity("whatever", args=[1, 2], start_to_close_timeout=SHORT)
        return name

    @workflow.query(dynamic=True)
    def on_query(self, name: str, args: Sequence[RawValue]) -> int:
        return len(self.seen)

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> list[str]:
        await workflow.wait_condition(lambda: len(self.seen) == 2)
        return [workflow.info().workflow_type, *self.seen]


@workflow.defn(name="scopes")
class Scopes:
    """What is cancelled, shielded, limited: activities with every cancellation type, timers, groups."""

    @workflow.run
    async def run(self) -> list[str]:
        told = []
        for kind in workflow.ActivityCancellationType:
            handle = workflow.start_activity(
                beats, start_to_close_timeout=SHORT, heartbeat_timeout=timedelta(seconds=2), cancellation_type=kind,
                retry_policy=ONCE,
            )  # fmt: skip
            await asyncio.sleep(0.3)
            handle.cancel()
            try:
                await handle
            except ActivityError as error:
                told.append(type(error.cause).__name__)
        try:
            await asyncio.wait_for(workflow.execute_activity(slow, 30, start_to_close_timeout=SHORT), 0.2)
        except (TimeoutError, ActivityError, CancelledError) as error:
            told.append(type(error).__name__)
        kept = asyncio.ensure_future(call(1))
        try:
            await asyncio.wait_for(asyncio.shield(kept), 0.0001)
        except TimeoutError:
            told.append("late")
        told.append(str(await kept))
        try:
            async with asyncio.timeout(0.1):
                await workflow.wait_condition(lambda: False)
        except TimeoutError:
            told.append("timeout")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(3600))
                group.create_task(self.breaks())
        except* ApplicationError:
            told.append("group")
        never = asyncio.create_task(asyncio.sleep(3600))
        never.cancel()  # before it began
        timer = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0)
        timer.cancel()
        return told

    async def breaks(self) -> None:
        await call(2)
        raise ApplicationError("breaks")


@workflow.defn(name="conditions")
class Conditions:
    """Conditions with time limits that pass, that hold, that hold at once; queues, events, semaphores."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.full = asyncio.Event()

    @workflow.signal
    async def push(self, number: int) -> None:
        await self.queue.put(number)
        if number % 2:
            await call(number)
        if number >= 4:
            self.full.set()

    @workflow.run
    async def run(self) -> list[Any]:
        told: list[Any] = []
        for limit in (0.05, timedelta(seconds=0.05)):
            try:
                await workflow.wait_condition(lambda: False, timeout=limit, timeout_summary="a while")
            except TimeoutError:
                told.append("late")
        await workflow.wait_condition(lambda: True, timeout=10)
        await self.full.wait()
        while not self.queue.empty():
            told.append(await self.queue.get())
        two = asyncio.Semaphore(2)

        async def limited(number: int) -> int:
            async with two:
                return await call(number)

        told += await asyncio.gather(*map(limited, range(5)))
        for task in workflow.as_completed([limited(n) for n in range(3)]):
            told.append(await task)
        first, rest = await workflow.wait(
            [asyncio.create_task(limited(n)) for n in (7, 8)], return_when=asyncio.FIRST_COMPLETED
        )
        told.append(len(first))
        await asyncio.gather(*rest, return_exceptions=True)
        await workflow.wait(
            [asyncio.create_task(workflow.sleep(0.05)), asyncio.create_task(limited(9))], timeout=10
        )
        await workflow.wait_condition(workflow.all_handlers_finished)
        return told


@workflow.defn(name="chances")
class Chances:
    """Random numbers, ids, clocks, logs: what the SDK makes the same again."""

    @workflow.run
    async def run(self) -> list[Any]:
        told = [workflow.random().randint(0, 10**6), str(workflow.uuid4()), workflow.now().isoformat()]
        workflow.logger.info("on the way")
        await call(workflow.random().randint(0, 100), summary="a chance")
        await workflow.sleep(0.01, summary="a nap")
        told += [workflow.time(), workflow.info().get_current_history_length(), workflow.info().attempt]
        await call(len(told), activity_id="by-name", priority=workflow.Priority(priority_key=2)) if hasattr(
            workflow, "Priority"
        ) else await call(len(told), activity_id="by-name")
        workflow.set_current_details("at the end")
        return [*told, await workflow.execute_activity(flaky, "far", start_to_close_timeout=SHORT,
                retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=20)))]  # fmt: skip


@workflow.defn(name="stumbles", failure_exception_types=[KeyError])
class Stumbles:
    """Fails a workflow task, and goes on when it is tried again; fails the run by an error of its own in the end."""

    @workflow.run
    async def run(self) -> None:
        await call(1)
        with workflow.unsafe.sandbox_unrestricted():
            marker = Path(tempfile.gettempdir()) / f"playhead-{workflow.info().run_id}"
            if not workflow.unsafe.is_replaying() and not marker.exists():
                marker.touch()
                raise RuntimeError("the first time")
        await call(2)
        raise KeyError("gone")


@nexusrpc.service
class Desk:
    stamp: nexusrpc.Operation[str, str]
    clerk: nexusrpc.Operation[str, str]


@nexusrpc.handler.service_handler(service=Desk)
class DeskHandler:
    @nexusrpc.handler.sync_operation
    async def stamp(self, ctx: nexusrpc.handler.StartOperationContext, text: str) -> str:
        if text == "never":
            raise nexusrpc.OperationError("refused", state=nexusrpc.OperationErrorState.FAILED)
        return f"{text}!"

    @nexus.workflow_run_operation
    async def clerk(self, ctx: nexus.WorkflowRunOperationContext, text: str) -> nexus.WorkflowHandle[str]:
        return await ctx.start_workflow(GrownChild.run, text, id=f"clerk-{uuid.uuid4()}")


@workflow.defn(name="outward")
class Outward:
    """Nexus operations: at once, by a workflow, one that fails, one that is cancelled."""

    @workflow.run
    async def run(self) -> list[str]:
        desk = workflow.create_nexus_client(service=Desk, endpoint=ENDPOINT)
        told = [await desk.execute_operation(Desk.stamp, "a"), await desk.execute_operation(Desk.clerk, "b")]
        try:
            await desk.execute_operation(Desk.stamp, "never")
        except NexusOperationError as error:
            told.append(type(error).__name__)
        waits = await desk.start_operation(Desk.clerk, "waits")
        waits.cancel()
        try:
            await waits
        except NexusOperationError as error:
            told.append(type(error).__name__)
        return told


class Audited(Interceptor):
    """An interceptor that puts an activity before each run, and headers and a time limit on all."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        return AuditedRun


class AuditedRun(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(AuditedCalls(outbound))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        before = await call(100)
        return [before, await super().execute_workflow(input)]


class AuditedCalls(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        input.schedule_to_close_timeout = timedelta(seconds=33)
        return super().start_activity(input)


@workflow.defn(name="audited")
class AuditedFlow:
    @workflow.run
    async def run(self) -> int:
        return await call(1)


def auditors() -> list[Interceptor]:
    """For a Replayer."""
    return [Audited()]
