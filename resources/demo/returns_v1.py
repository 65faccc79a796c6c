"""Returned parcels as release v1 had them, kept to run the demo's past: money goes back unseen."""

from __future__ import annotations

from typing import Any

from dbos import DBOS

from resources.demo.notices import notify_customer, send_email
from resources.demo.parcels import look_up_purchase, pay_back, send_return_label


@DBOS.workflow()
def process_return(order_id: str, email: str, days: float) -> dict[str, Any]:
    """Sends a label, waits for the parcel, pays back."""
    purchase = look_up_purchase(order_id)
    DBOS.set_event("stage", "waiting for the parcel")
    label = send_return_label(order_id, email)

    arrival = DBOS.recv("parcel", timeout_seconds=days * 86_400)
    if arrival is None:
        send_email(email, "return-expired", {"order": order_id})
        raise TimeoutError(f"return of {order_id}: no parcel with label {label} arrived in time")

    DBOS.set_event("stage", "paying back")
    refund = pay_back(order_id, purchase.paid, 1.0)
    DBOS.sleep(refund["arrives_in"])
    DBOS.enqueue_workflow("notices", notify_customer, email, "refunded", refund)
    DBOS.set_event("stage", "done")
    return refund
