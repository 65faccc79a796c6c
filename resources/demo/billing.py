"""Invoices: portable JSON payloads (other languages read them), a ledger that may refuse, reminders after days."""

from __future__ import annotations

from datetime import date
from typing import Any

from dbos import DBOS, PortableWorkflowError, WorkflowSerializationFormat

from resources.demo import pace
from resources.demo.failures import LedgerError
from resources.demo.notices import send_email


@DBOS.step()
def number_invoice(order_id: str) -> str:
    """The next number of the year's series."""
    pace.work(0.5, 1.0)
    return f"2026-{pace.dice().randrange(10**5):05d}"


@DBOS.step()
def check_vat(country: str, vat_id: str) -> bool:
    """Asks the tax office whether a VAT number exists."""
    pace.work(0.5, 2.0)
    return vat_id.startswith(country)


@DBOS.workflow(serialization_type=WorkflowSerializationFormat.PORTABLE)
def issue_invoice(order_id: str, amount: float, country: str, vat_id: str) -> dict[str, Any]:
    """Numbers an invoice; a wrong VAT number is an error that a TypeScript client understands too."""
    number = number_invoice(order_id)
    DBOS.set_event("number", number)
    if not check_vat(country, vat_id):
        raise PortableWorkflowError(
            f"VAT number {vat_id} is not of {country}",
            name="InvalidVatId",
            code="VAT-404",
            data={"order": order_id, "country": country, "vat_id": vat_id},
        )
    return {"number": number, "order": order_id, "amount": amount, "currency": "EUR"}


@DBOS.step(retries_allowed=True, max_attempts=3, interval_seconds=pace.seconds(0.5))
def post_entry(account: str, amount: float, period: date) -> int:
    """Posts to the ledger; returns the entry's number."""
    pace.work(0.5, 1.5)
    if account == "closed":
        low = TimeoutError("canceling statement due to lock timeout")
        raise LedgerError(f"period {period:%Y-%m} is closed for account {account}", low)
    return pace.dice().randrange(10**6)


@DBOS.workflow()
def settle_day(day: date, account: str, amounts: list[float]) -> dict[str, Any]:
    """Posts a day's takings, entry by entry."""
    entries = [post_entry(account, amount, day) for amount in amounts]
    return {"day": day, "entries": entries, "sum": round(sum(amounts), 2)}


@DBOS.workflow()
def remind_debtor(invoice: str, email: str, days: float) -> str:
    """Writes at once, again after some days, and then hands the claim over."""
    send_email(email, "invoice", {"invoice": invoice})
    DBOS.set_event("stage", "waiting for the payment")
    DBOS.sleep(days * 86_400)
    return send_email(email, "reminder", {"invoice": invoice})
