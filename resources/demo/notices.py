"""Letters to customers: a rate-limited queue, because the mail provider counts."""

from __future__ import annotations

from typing import Any

from dbos import DBOS

from resources.demo import pace


@DBOS.step()
def send_email(to: str, template: str, values: dict[str, Any]) -> str:
    """Hands a message to the mail provider; returns its number there."""
    pace.work(0.5, 1.0)
    return f"msg-{pace.dice().randrange(16**8):08x}"


@DBOS.workflow()
def notify_customer(to: str, template: str, values: dict[str, Any]) -> str:
    """One message. Queue ``notices`` lets a few pass at a time."""
    return send_email(to, template, values)


@DBOS.workflow()
def send_coupon(to: str, percent: int) -> str:
    """A campaign's message, enqueued with a delay of a day."""
    return send_email(to, "coupon", {"percent": percent})
