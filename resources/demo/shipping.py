"""Carriers: quotes asked for in parallel, and shipments that go through one gate per warehouse."""

from __future__ import annotations

import asyncio
from typing import Any

from dbos import DBOS

from resources.demo import pace
from resources.demo.failures import CarrierDownError

CARRIERS = ("dhl", "ups", "postnl", "gls")


@DBOS.step(name="ask_quote")
async def ask_quote(carrier: str, weight: float) -> dict[str, Any]:
    """One carrier's price for a parcel."""
    await pace.work_async(0.5, 3.0)
    return {"carrier": carrier, "price": round(3 + weight * pace.dice().uniform(0.8, 1.6), 2)}


@DBOS.workflow()
async def quote_carriers(order_id: str, weight: float) -> dict[str, Any]:
    """Asks all carriers at once and takes the cheapest."""
    quotes = await asyncio.gather(*[ask_quote(carrier, weight) for carrier in CARRIERS])
    return min(quotes, key=lambda quote: quote["price"])


@DBOS.step(retries_allowed=True, max_attempts=3, interval_seconds=pace.seconds(1.0), backoff_rate=2.0)
def book_carrier(order_id: str, carrier: str) -> dict[str, Any]:
    """Books the parcel: its tracking number, and the seconds until the carrier's tracking page knows it."""
    pace.work(0.8, 2.0)
    if carrier == pace.CARRIER_DOWN:
        raise CarrierDownError(f"{carrier}: 503 Service Unavailable (attempt {pace.attempt()})")
    tracking = f"{carrier.upper()}{pace.dice().randrange(10**9):09d}"
    return {"tracking": tracking, "trackable_in": pace.seconds(2.0)}


@DBOS.step()
def print_label(tracking: str, warehouse: str) -> str:
    """Prints at the warehouse's gate."""
    pace.work(0.5, 1.0)
    return f"{warehouse}/labels/{tracking}.pdf"


@DBOS.workflow()
def ship_order(order_id: str, warehouse: str, carrier: str) -> dict[str, Any]:
    """Hands a parcel over. Queue ``warehouse`` runs one shipment per warehouse at a time."""
    booking = book_carrier(order_id, carrier)
    DBOS.set_event("tracking", booking["tracking"])
    return booking | {"label": print_label(booking["tracking"], warehouse)}
