"""Workflows of every shape that a replay meets: how they wait, how they end, what they are made of."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

SHORT = timedelta(seconds=10)
ONCE = RetryPolicy(maximum_attempts=1)


@activity.defn
async def double(number: int) -> int:
    return number * 2


@activity.defn
async def refuse(why: str) -> None:
    raise ApplicationError(why, type="Refused")


@workflow.defn(name="failing")
class Failing:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(refuse, "no", start_to_close_timeout=SHORT, retry_policy=ONCE)


@workflow.defn(name="compensating")
class Compensating:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.execute_activity(refuse, "no", start_to_close_timeout=SHORT, retry_policy=ONCE)
        except ActivityError:
            await workflow.execute_activity(double, 1, start_to_close_timeout=SHORT)
        return "undone"


@workflow.defn(name="chain")
class Chain:
    @workflow.run
    async def run(self, left: int) -> int:
        await workflow.execute_activity(double, left, start_to_close_timeout=SHORT)
        if left:
            workflow.continue_as_new(left - 1)
        return left


@workflow.defn(name="races")
class Races:
    """First of two, a time limit that passes, a timer that is taken back at once."""

    @workflow.run
    async def run(self) -> list[str]:
        told = []
        slow = asyncio.create_task(asyncio.sleep(3600), name="slow")
        quick = asyncio.create_task(self.quick(), name="quick")
        done, _ = await workflow.wait([slow, quick], return_when=asyncio.FIRST_COMPLETED)
        slow.cancel()
        told.append(str(len(done)))
        try:
            await workflow.wait_condition(lambda: False, timeout=0.02)
        except TimeoutError:
            told.append("late")
        await workflow.wait_condition(lambda: True, timeout=30)
        for task in workflow.as_completed([self.quick(), self.quick()]):
            told.append(str(await task))
        return told

    async def quick(self) -> int:
        return await workflow.execute_activity(double, 2, start_to_close_timeout=SHORT)


@workflow.defn(name="unsandboxed", sandboxed=False)
class Unsandboxed:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(double, 4, start_to_close_timeout=SHORT)


@workflow.defn(name="cancelled")
class Cancelled:
    @workflow.run
    async def run(self) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.shield(workflow.execute_activity(double, 8, start_to_close_timeout=SHORT))


@workflow.defn(name="child")
class Child:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@workflow.defn(name="waiting")
class Waiting:
    """Waits in the way that it is told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    @workflow.signal
    async def call(self, what: str) -> None:
        self.calls.append(what)
        await workflow.sleep(3600)

    @workflow.run
    async def run(self, way: str) -> None:
        if way == "condition":
            await workflow.wait_condition(lambda: len(self.calls) > 9)
        elif way == "limited":
            await workflow.wait_condition(lambda: len(self.calls) > 9, timeout=7200)
        elif way == "timer":
            await asyncio.sleep(7200)
        elif way == "activity":
            await workflow.execute_activity(double, 1, task_queue="nobody", start_to_close_timeout=SHORT)
        elif way == "child":
            await workflow.execute_child_workflow(Child.run, id="waiting-child-1")
        elif way == "gather":
            await asyncio.gather(self.nap("a"), self.nap("b"), workflow.wait_condition(lambda: False))
        elif way == "broken":
            await workflow.execute_activity(double, 1, start_to_close_timeout=SHORT)
            raise KeyError("price")

    async def nap(self, name: str) -> None:
        await workflow.sleep(7200)
