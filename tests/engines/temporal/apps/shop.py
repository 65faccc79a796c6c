"""Sample workflows of a shop: everything a history can hold, small. Imported by the worker's process only."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy, SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError

SHORT = timedelta(seconds=10)
TENANT = SearchAttributeKey.for_keyword("tenant")
FAST = RetryPolicy(initial_interval=timedelta(milliseconds=20), backoff_coefficient=1.0)


@activity.defn
async def validate_order(order: str) -> str:
    return f"{order}: valid"


@activity.defn
async def charge_card(order: str) -> str:
    if "poor" in order:
        raise ApplicationError(
            "insufficient funds", {"order": order}, type="CardDeclined", non_retryable=True
        )
    if activity.info().attempt < 3:
        raise ApplicationError(f"gateway busy, attempt {activity.info().attempt}", type="GatewayBusy")
    return "charged"


@activity.defn
async def export_ledger(order: str) -> str:
    """Never succeeds: its run stays open with a pending activity."""
    activity.heartbeat("page", 7)
    raise ApplicationError(f"ledger is locked for {order}", type="LedgerLocked")


@activity.defn
async def reserve_stock(order: str) -> int:
    return len(order)


@workflow.defn(name="fraud_check")
class FraudCheck:
    @workflow.run
    async def run(self, order: str) -> str:
        await workflow.sleep(0.01)
        return "clean"


@workflow.defn(name="fulfil_order")
class FulfilOrder:
    def __init__(self) -> None:
        self.approved_by = ""
        self.address = "here"

    @workflow.signal
    def approve_order(self, by: str) -> None:
        self.approved_by = by

    @workflow.query
    def approval(self) -> str:
        return self.approved_by

    @workflow.update
    async def change_address(self, address: str) -> str:
        await workflow.sleep(0.01)
        self.address, old = address, self.address
        return old

    @change_address.validator
    def check_address(self, address: str) -> None:
        if not address:
            raise ValueError("an address is needed")

    @workflow.run
    async def run(self, order: str, wait: bool = False) -> str:
        workflow.patched("no-fax")
        await workflow.execute_activity(
            validate_order, order, start_to_close_timeout=SHORT, summary="looks at the order"
        )
        await workflow.execute_local_activity(reserve_stock, order, start_to_close_timeout=SHORT)
        await workflow.execute_activity(charge_card, order, start_to_close_timeout=SHORT, retry_policy=FAST)
        await workflow.execute_child_workflow(FraudCheck.run, order, id=f"{order}-fraud")
        workflow.upsert_memo({"charged": True})
        if wait:
            await workflow.wait_condition(lambda: bool(self.approved_by), timeout=timedelta(hours=6))
        return f"{order} sent to {self.address}"


@workflow.defn(name="import_catalog")
class ImportCatalog:
    @workflow.run
    async def run(self, left: int) -> str:
        await workflow.execute_activity(validate_order, str(left), start_to_close_timeout=SHORT)
        if left:
            workflow.continue_as_new(left - 1)
        return "imported"


@workflow.defn(name="nightly_export")
class NightlyExport:
    """Stuck: its activity fails for ever, with long pauses between."""

    @workflow.run
    async def run(self, order: str) -> str:
        retries = RetryPolicy(
            initial_interval=timedelta(milliseconds=50),
            backoff_coefficient=100_000.0,
            maximum_interval=timedelta(hours=1),
            maximum_attempts=9,
        )
        timer = asyncio.create_task(workflow.sleep(3600))
        done: str = await workflow.execute_activity(
            export_ledger,
            order,
            start_to_close_timeout=SHORT,
            heartbeat_timeout=SHORT,
            retry_policy=retries,
        )
        timer.cancel()
        return done


@workflow.defn(name="send_invoice")
class SendInvoice:
    """Waits for ever, and tells others when it is asked to."""

    def __init__(self) -> None:
        self.tell = ""

    @workflow.signal
    def send_to(self, other: str) -> None:
        self.tell = other

    @workflow.run
    async def run(self, order: str) -> str:
        while True:
            await workflow.wait_condition(lambda: bool(self.tell))
            other, self.tell = self.tell, ""
            await workflow.get_external_workflow_handle(other).signal("approve_order", order)


@workflow.defn(name="research_agent")
class ResearchAgent:
    """A parent of many children at once."""

    @workflow.run
    async def run(self, children: int) -> int:
        own = workflow.info().workflow_id
        await asyncio.gather(
            *(
                workflow.execute_child_workflow(FraudCheck.run, own, id=f"{own}-{number}")
                for number in range(children)
            )
        )
        return children


@workflow.defn(name="new_release")
class NewRelease:
    """Its code has a bug: the workflow task fails again and again."""

    @workflow.run
    async def run(self, order: str) -> str:
        raise KeyError(order)


@workflow.defn(name="many_steps")
class ManySteps:
    @workflow.run
    async def run(self, rounds: int, width: int) -> int:
        for _ in range(rounds):
            await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(width)))
        return rounds * width


@workflow.defn(name="slow_refund")
class SlowRefund:
    """An activity that can be cancelled, in a run that handles it."""

    @workflow.run
    async def run(self, order: str) -> str:
        try:
            await workflow.execute_activity(
                export_ledger,
                order,
                start_to_close_timeout=SHORT,
                retry_policy=FAST,
                schedule_to_close_timeout=timedelta(seconds=3),
            )
        except ActivityError:
            return "given up"
        return "refunded"


@activity.defn
async def await_bank(order: str) -> str:
    """Stays at work until somebody completes it by its id."""
    activity.raise_complete_async()


@workflow.defn(name="bank_transfer")
class BankTransfer:
    @workflow.run
    async def run(self, order: str) -> str:
        done: str = await workflow.execute_activity(
            await_bank, order, start_to_close_timeout=timedelta(hours=1), retry_policy=FAST
        )
        return done


@workflow.defn(name="two_at_once")
class TwoAtOnce:
    @workflow.run
    async def run(self, order: str) -> str:
        checked = workflow.execute_activity(validate_order, order, start_to_close_timeout=SHORT)
        paid = workflow.execute_activity(await_bank, order, start_to_close_timeout=timedelta(hours=1))
        return " ".join(await asyncio.gather(checked, paid))


WORKFLOWS = [
    FulfilOrder, FraudCheck, ImportCatalog, NightlyExport, SendInvoice, ResearchAgent, NewRelease, ManySteps,
    SlowRefund, BankTransfer, TwoAtOnce,
]  # fmt: skip
ACTIVITIES = [validate_order, charge_card, export_ledger, reserve_stock, await_bank]
