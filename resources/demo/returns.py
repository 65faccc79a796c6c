"""Returned parcels, as of release v2: since then a parcel is inspected before the money goes back.

The change is a patch: a run that began under v1 and is continued by this code goes the old way.
"""

from __future__ import annotations

from typing import Any

from dbos import DBOS

from resources.demo.failures import ValidationError
from resources.demo.notices import notify_customer, send_email
from resources.demo.parcels import Parcel, inspect_parcel, look_up_purchase, pay_back, send_return_label


@DBOS.workflow()
def process_return(order_id: str, email: str, days: float) -> dict[str, Any]:
    """Sends a label, waits for the parcel, inspects it, pays back."""
    purchase = look_up_purchase(order_id)
    DBOS.set_event("stage", "waiting for the parcel")
    label = send_return_label(order_id, email)

    arrival = DBOS.recv("parcel", timeout_seconds=days * 86_400)
    if arrival is None:
        send_email(email, "return-expired", {"order": order_id})
        raise TimeoutError(f"return of {order_id}: no parcel with label {label} arrived in time")

    share = 1.0
    if DBOS.patch("inspect-parcel"):
        DBOS.set_event("stage", "inspecting")
        grade = inspect_parcel(Parcel(**arrival))
        if grade == "F":
            raise ValidationError(f"return of {order_id}: the parcel holds something else")
        share = {"A": 1.0, "B": 0.8, "C": 0.5}[grade]

    DBOS.set_event("stage", "paying back")
    refund = pay_back(order_id, purchase.paid, share)
    DBOS.sleep(refund["arrives_in"])
    DBOS.enqueue_workflow("notices", notify_customer, email, "refunded", refund)
    DBOS.set_event("stage", "done")
    return refund
