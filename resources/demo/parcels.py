"""The steps of a return, shared by both releases of its workflow."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dbos import DBOS

from resources.demo import pace


@dataclass(frozen=True)
class Purchase:
    """What was bought, and for how many euros."""

    order: str
    paid: Decimal


@dataclass(frozen=True)
class Parcel:
    """What the warehouse's gate reports, as a message on topic ``parcel``, when a returned parcel is scanned."""

    label: str
    warehouse: str
    weight_kg: float
    damaged: bool = False


@DBOS.step()
def look_up_purchase(order_id: str) -> Purchase:
    """The purchase that is returned."""
    pace.work(0.5, 1.0)
    return Purchase(order_id, Decimal(pace.dice().randrange(1500, 42000)) / 100)


@DBOS.step()
def send_return_label(order_id: str, email: str) -> str:
    """Mails a label; returns its number."""
    pace.work(0.5, 1.5)
    return f"RL{pace.dice().randrange(10**7):07d}"


@DBOS.step()
def inspect_parcel(parcel: Parcel) -> str:
    """A person's grade: A as new, B used, C damaged, F not what was sold."""
    pace.work(2.0, 5.0)
    if parcel.weight_kg < 0.1:
        return "F"
    return "C" if parcel.damaged else pace.dice().choice("AAAB")


@DBOS.step(retries_allowed=True, max_attempts=5, interval_seconds=pace.seconds(0.5), backoff_rate=2.0)
def pay_back(order_id: str, paid: Decimal, share: float) -> dict[str, Any]:
    """Refunds a share of what was paid; the bank says in how many seconds it arrives, at the second attempt now and
    then.
    """
    pace.work(0.8, 2.0)
    if pace.attempt() == 1 and pace.dice().random() < 0.2:
        raise ConnectionResetError(104, "Connection reset by peer")
    amount = (paid * Decimal(share)).quantize(Decimal("0.01"))
    return {"order": order_id, "amount": amount, "share": share, "arrives_in": pace.seconds(1.0)}
