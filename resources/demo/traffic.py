"""Who comes to the shop: runs as they arrive, and the messages that people send to them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from dbos import (
    DBOS,
    DBOSContextSetAuth,
    SetEnqueueOptions,
    SetWorkflowAttributes,
    SetWorkflowID,
    SetWorkflowTimeout,
)

from resources.demo import billing, imports, inventory, library, notices, orders, pace, reports
from resources.demo import research as agent
from resources.demo.people import buyer, tenant_of

WAREHOUSES = inventory.SITES
REVIEWERS = ("mara", "tobias", "ines")


@dataclass(frozen=True)
class Message:
    """Sent ``after`` seconds (at human speed) from the run's arrival."""

    after: float
    topic: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Arrival:
    """A run to start; ``stays`` says in which state it is left: "" (it ends), "waiting" or "queued"."""

    run: str
    start: Callable[[], Any]
    messages: tuple[Message, ...] = ()
    stays: str = ""

    def begin(self) -> None:
        """Starts or enqueues the run under its id."""
        with SetWorkflowID(self.run):
            self.start()


ORDER_KINDS = {
    "plain": 62,
    "flaky": 7,
    "declined": 5,
    "gateway-down": 3,
    "carrier-down": 4,
    "empty": 2,
    "discontinued": 2,
    "approved": 8,
    "rejected": 3,
    "unanswered": 2,
}


def order(
    number: int,
    kind: str | None = None,
    *,
    patience: float = 900,
    answer: float = 25,
    deadline: float | None = None,
) -> Arrival:
    """An order; an approval comes after ``answer`` seconds, or times out after ``patience``; ``deadline`` cancels."""
    dice = random.Random(f"order-{number}")
    kind = kind or dice.choices(list(ORDER_KINDS), list(ORDER_KINDS.values()))[0]
    customer, email = buyer(dice)
    payload = {
        "id": f"{number}",
        "customer": customer,
        "email": email,
        "lines": _lines(dice, kind),
        "card": kind if kind in ("flaky", "declined", "gateway-down") else "visa",
        "carrier": pace.CARRIER_DOWN if kind == "carrier-down" else None,
        "warehouse": dice.choice(WAREHOUSES),
        "weight": round(dice.uniform(0.4, 9), 1),
        # Of those that are answered none may time out for want of a worker.
        "approval_timeout": patience if kind in ("unanswered", "waiting") else max(patience, 900),
    }

    def start() -> None:
        with people(customer, dice), SetWorkflowTimeout(deadline):
            DBOS.start_workflow(orders.fulfil_order, payload)

    return Arrival(f"order-{number}", start, _decision(kind, answer), "waiting" if kind == "waiting" else "")


def _lines(dice: random.Random, kind: str) -> list[dict[str, Any]]:
    if kind == "empty":
        return []
    if kind in ("approved", "rejected", "unanswered", "waiting"):
        return [
            {"sku": "CH-900", "quantity": dice.randrange(2, 9), "price": f"{dice.randrange(280, 640)}.00"}
        ]
    skus = [
        f"{dice.choice(('KT', 'LM', 'TB'))}-{dice.randrange(110, 320)}" for _ in range(dice.randrange(1, 4))
    ]
    if kind == "discontinued":
        skus.append("LM-330")
    return [
        {"sku": sku, "quantity": dice.randrange(1, 4), "price": f"{dice.randrange(9, 45)}.90"} for sku in skus
    ]


def _decision(kind: str, answer: float) -> tuple[Message, ...]:
    if kind == "approved":
        return (Message(answer, "approval", {"approved": True, "by": "mara", "note": "known customer"}),)
    if kind == "rejected":
        return (
            Message(answer, "approval", {"approved": False, "by": "tobias", "note": "credit limit exceeded"}),
        )
    return ()


def returned(
    workflow: Any, number: int, kind: str = "arrives", *, days: float = 14, answer: float = 20
) -> Arrival:
    """A return under the workflow of either release; kinds: arrives, damaged, empty-box, expires, waiting."""
    dice = random.Random(f"return-{number}")
    customer, email = buyer(dice)
    parcel = {
        "label": f"RL{dice.randrange(10**7):07d}",
        "warehouse": dice.choice(WAREHOUSES),
        "weight_kg": 0.05 if kind == "empty-box" else round(dice.uniform(0.4, 6), 2),
        "damaged": kind == "damaged",
    }

    def start() -> None:
        with people(customer, dice):
            DBOS.start_workflow(workflow, str(number), email, days)

    lost = kind in ("expires", "waiting")
    messages = () if lost else (Message(answer, "parcel", parcel),)
    return Arrival(f"return-{number}", start, messages, "waiting" if kind == "waiting" else "")


def research(number: int, kind: str = "published", *, patience: float = 900, answer: float = 30) -> Arrival:
    """A question for the agent; kinds: published, revised, unanswered, waiting."""
    dice = random.Random(f"research-{number}")
    question = library.QUESTIONS[number % len(library.QUESTIONS)]
    reviewer = dice.choice(REVIEWERS)

    def start() -> None:
        with (
            DBOSContextSetAuth(reviewer, ["editor"]),
            SetWorkflowAttributes({"tenant": "internal", "team": "market"}),
        ):
            DBOS.start_workflow(agent.research, question, reviewer, patience)

    messages: list[Message] = []
    if kind == "revised":
        messages.append(Message(answer, "review", {"verdict": "revise", "comment": "name the sources"}))
    if kind in ("published", "revised"):
        messages.append(Message(answer * 2, "review", {"verdict": "publish", "comment": ""}))
    return Arrival(f"research-{number}", start, tuple(messages), "waiting" if kind == "waiting" else "")


def invoice(number: int) -> Arrival:
    """A portable invoice; every fourth has a wrong VAT number."""
    dice = random.Random(f"invoice-{number}")
    customer, _ = buyer(dice)
    country = dice.choice(("DE", "FR", "NL"))
    vat = f"{'XX' if number % 4 == 3 else country}{dice.randrange(10**9):09d}"

    def start() -> None:
        with people(customer, dice):
            DBOS.start_workflow(
                billing.issue_invoice, str(number), dice.randrange(2000, 90000) / 100, country, vat
            )

    return Arrival(f"invoice-{number}", start)


def settlement(day: date, *, closed: bool = False, suffix: str = "") -> Arrival:
    """A day's takings; a closed account is refused by the ledger."""
    dice = random.Random(f"settle-{day}{suffix}")
    amounts = [dice.randrange(500, 50000) / 100 for _ in range(dice.randrange(3, 7))]
    account = "closed" if closed else "4400"
    return Arrival(
        f"settle-{day}{suffix}", lambda: DBOS.start_workflow(billing.settle_day, day, account, amounts)
    )


def stocktake(number: int) -> Arrival:
    """A warehouse's count of one aisle: a workflow of an instance."""
    warehouse = list(inventory.WAREHOUSES.values())[number % 3]
    return Arrival(f"stocktake-{number}", lambda: DBOS.start_workflow(warehouse.stocktake, number % 12))


def report(month: str, *, deadline: float | None = None, stays: str = "", suffix: str = "") -> Arrival:
    """A report on its queue, once a month only; ``deadline`` cancels it after so many seconds."""

    def start() -> None:
        options = SetEnqueueOptions(priority=1 + len(suffix), deduplication_id=f"report-{month}{suffix}")
        with options, SetWorkflowTimeout(deadline):
            DBOS.enqueue_workflow("reports", reports.monthly_report, month)

    return Arrival(f"report-{month}{suffix}", start, (), stays)


def catalogue(supplier: str, number: int, *, stays: str = "") -> Arrival:
    """A supplier's feed on the partitioned queue."""

    def start() -> None:
        with SetEnqueueOptions(queue_partition_key=supplier), SetWorkflowAttributes({"tenant": supplier}):
            DBOS.enqueue_workflow("imports", imports.import_catalogue, supplier)

    return Arrival(f"import-{supplier}-{number}", start, (), stays)


def price_list(name: str, kind: str = "csv") -> Arrival:
    """A price list; ``xlsb`` crashes whoever reads it."""
    return Arrival(
        f"prices-{name}", lambda: DBOS.start_workflow(imports.import_price_list, f"prices/{name}.{kind}")
    )


def coupon(number: int, delay: float) -> Arrival:
    """A campaign's message, ``delay`` seconds from now."""
    dice = random.Random(f"coupon-{number}")
    customer, email = buyer(dice)

    def start() -> None:
        with people(customer, dice), SetEnqueueOptions(delay_seconds=delay):
            DBOS.enqueue_workflow("campaigns", notices.send_coupon, email, dice.choice((5, 10, 15)))

    return Arrival(f"coupon-{number}", start, (), "queued")


def reminder(number: int, days: float, stays: str = "") -> Arrival:
    """A reminder that sleeps for days."""
    dice = random.Random(f"reminder-{number}")
    customer, email = buyer(dice)

    def start() -> None:
        with people(customer, dice):
            DBOS.start_workflow(billing.remind_debtor, f"2026-{number:05d}", email, days)

    return Arrival(f"reminder-{number}", start, (), stays)


@contextmanager
def people(customer: str, dice: random.Random) -> Iterator[None]:
    """Runs started in here belong to a customer of a tenant, and were asked for by that customer's user."""
    attributes = {
        "tenant": tenant_of(customer),
        "customer": customer,
        "tier": dice.choice(("gold", "silver", "basic")),
    }
    with ExitStack() as stack:
        stack.enter_context(SetWorkflowAttributes(attributes))
        if dice.random() < 0.4:
            stack.enter_context(DBOSContextSetAuth(customer.split()[0].lower(), ["customer"]))
        yield
