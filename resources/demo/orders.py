"""Order fulfilment: a saga. What was done is undone in reverse when a later part fails."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from dbos import DBOS, SetEnqueueOptions

from resources.demo import pace
from resources.demo.failures import (
    ApprovalRejectedError,
    ApprovalTimeoutError,
    GatewayTimeoutError,
    PaymentDeclinedError,
    ValidationError,
)
from resources.demo.inventory import release_item, reserve_inventory
from resources.demo.notices import notify_customer
from resources.demo.shipping import quote_carriers, ship_order

APPROVAL_LIMIT = Decimal(500)


@DBOS.step()
def price_order(order: dict[str, Any]) -> Decimal:
    """Checks an order and adds it up."""
    pace.work(0.5, 1.0)
    if not order["lines"]:
        raise ValidationError(f"order {order['id']} has no lines")
    if "@" not in order["email"]:
        raise ValidationError(f"order {order['id']}: {order['email']!r} is not an e-mail address")
    return sum((Decimal(line["price"]) * line["quantity"] for line in order["lines"]), Decimal(0))


@DBOS.step(
    retries_allowed=True,
    max_attempts=4,
    interval_seconds=pace.seconds(1.0),
    backoff_rate=2.0,
    should_retry=lambda error: not isinstance(error, PaymentDeclinedError),
)
def charge_card(order_id: str, amount: Decimal, card: str) -> dict[str, Any]:
    """Charges through the gateway. Test cards: ``declined``, ``flaky`` (two time-outs), ``gateway-down``."""
    pace.work(0.8, 2.5)
    if card == "declined":
        raise PaymentDeclinedError("51", "insufficient funds")
    if card == "gateway-down" or (card == "flaky" and pace.attempt() <= 2):
        raise GatewayTimeoutError(f"gateway did not answer within 10 s (attempt {pace.attempt()})")
    return {"charge": f"ch_{order_id}", "amount": amount, "attempts": pace.attempt()}


@DBOS.step()
def refund_card(charge: str) -> str:
    """Compensates ``charge_card``."""
    pace.work(0.8, 1.5)
    return charge.replace("ch_", "re_")


def wait_for_approval(order: dict[str, Any], total: Decimal) -> str:
    """Waits for a message on topic ``approval``: ``{"approved": bool, "by": str, "note": str}``."""
    DBOS.set_event("stage", "waiting for approval")
    DBOS.set_event(
        "approval", {"total": str(total), "limit": str(APPROVAL_LIMIT), "customer": order["customer"]}
    )
    decision = DBOS.recv("approval", timeout_seconds=order["approval_timeout"])
    if decision is None:
        raise ApprovalTimeoutError(f"order {order['id']}: nobody approved {total} EUR in time")
    if not decision["approved"]:
        raise ApprovalRejectedError(f"order {order['id']}: rejected by {decision['by']}: {decision['note']}")
    return str(decision["by"])


@DBOS.workflow()
def fulfil_order(order: dict[str, Any]) -> dict[str, Any]:
    """From the basket to the parcel; on failure the customer gets money and message, the shelves their items."""
    DBOS.set_event("stage", "pricing")
    DBOS.write_stream("log", f"order {order['id']} from {order['customer']}")
    undo: list[tuple[Callable[[str], Any], str]] = []
    try:
        total = price_order(order)

        DBOS.set_event("stage", "reserving")
        reservations = reserve_inventory(order["id"], order["lines"])
        undo += [(release_item, reservation) for reservation in reservations]

        if total >= APPROVAL_LIMIT:
            approver = wait_for_approval(order, total)
            DBOS.write_stream("log", f"approved by {approver}")

        DBOS.set_event("stage", "charging")
        charge = charge_card(order["id"], total, order["card"])
        undo.append((refund_card, charge["charge"]))
        DBOS.write_stream("log", f"charged {total} EUR")

        DBOS.set_event("stage", "shipping")
        quote = DBOS.start_workflow(quote_carriers, order["id"], order["weight"]).get_result()
        with SetEnqueueOptions(queue_partition_key=order["warehouse"]):
            shipment = DBOS.enqueue_workflow(
                "warehouse", ship_order, order["id"], order["warehouse"], order["carrier"] or quote["carrier"]
            )
        parcel = shipment.get_result()

        DBOS.sleep(parcel["trackable_in"])  # as the carrier said: its tracking page does not know it yet
        DBOS.enqueue_workflow("notices", notify_customer, order["email"], "shipped", parcel)
        DBOS.set_event("stage", "done")
        DBOS.write_stream("log", f"shipped as {parcel['tracking']}")
        DBOS.close_stream("log")
        return {"order": order["id"], "total": total, "charge": charge, "parcel": parcel}
    except Exception as error:
        DBOS.set_event("stage", f"undoing after {type(error).__name__}")
        for compensate, what in reversed(undo):
            compensate(what)
        DBOS.enqueue_workflow("notices", notify_customer, order["email"], "failed", {"order": order["id"]})
        DBOS.write_stream("log", f"failed: {error}")
        DBOS.close_stream("log")
        raise
