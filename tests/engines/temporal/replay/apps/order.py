"""The order whose history the tests replay with edited copies of this code. Run by record.py's worker once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError

SHORT = timedelta(seconds=10)


@dataclass
class Parcel:
    order: str
    part: int


@activity.defn
async def reserve(order: str) -> str:
    return f"{order} reserved"


@activity.defn
async def charge_card(order: str, amount: int) -> int:
    return amount


@activity.defn
async def audit(what: str) -> str:
    return what


@activity.defn
async def pack(parcel: Parcel) -> str:
    return f"{parcel.order}/{parcel.part}"


@activity.defn
async def ship(parcels: list[str]) -> str:
    if not parcels:
        raise ApplicationError("nothing to ship", type="Empty", non_retryable=True)
    return ",".join(parcels)


@activity.defn
async def price(order: str) -> int:
    return len(order)


@workflow.defn(name="invoice")
class Invoice:
    @workflow.run
    async def run(self, order: str) -> str:
        return f"invoice of {order}"


@workflow.defn(name="order")
class Order:
    def __init__(self) -> None:
        self.approved = False
        self.status = "new"
        self.address = ""

    @workflow.signal
    def approve(self, by: str) -> None:
        self.approved = bool(by)

    @workflow.update
    async def move(self, address: str) -> str:
        await workflow.execute_activity(audit, f"move {address}", start_to_close_timeout=SHORT)
        self.address, old = address, self.address
        return old

    @workflow.run
    async def run(self, order: str) -> str:
        await workflow.execute_activity(reserve, order, start_to_close_timeout=SHORT)
        amount = await workflow.execute_local_activity(price, order, start_to_close_timeout=SHORT)
        self.status = "reserved"
        if workflow.patched("fraud-pause"):
            await asyncio.sleep(0.05)
        charged = await workflow.execute_activity(
            charge_card, args=[order, amount], start_to_close_timeout=SHORT
        )
        self.status = "charged"
        await workflow.wait_condition(lambda: self.approved, timeout=timedelta(hours=1))
        parcels = await asyncio.gather(
            *[
                workflow.execute_activity(pack, Parcel(order, part), start_to_close_timeout=SHORT)
                for part in range(3)
            ]
        )
        for turn in range(2):
            await workflow.execute_activity(audit, f"turn {turn}", start_to_close_timeout=SHORT)
        bill = await workflow.execute_child_workflow(Invoice.run, order, id=f"{order}-invoice")
        shipped = await workflow.execute_activity(ship, list(parcels), start_to_close_timeout=SHORT)
        self.status = "shipped"
        return f"{shipped}; {bill}; {charged}"
