"""Where entities come from: users sign up, and those who are customers are billed."""

from __future__ import annotations

import random
from typing import Any

from resources.demo.people import buyer
from resources.demo_entities.community import TENANTS, Community
from resources.demo_entities.tables import INVOICES, USERS

DAY_S = 86_400.0
TERM_S = 14 * DAY_S
EXPRESS_S = 45.0
"""The term of some invoices while somebody watches: a reminder that is due within a minute."""
DOUBTS = ("DocumentForged", "UnderAge", "DuplicateAccount", "SanctionsMatch")


def tenant_of(dice: random.Random) -> str:
    """Half of the community is with Acme."""
    return dice.choices(TENANTS, (5, 3, 2))[0]


def sign_up(app: Community, key: str, tenant: str, dice: random.Random, **documents: Any) -> None:
    """A new user; ``documents`` overrides what chance says about them."""
    name, _ = buyer(dice)
    mail = f"{name.replace(' ', '.').lower()}@{tenant}.example"
    profile = {
        "email": mail,
        "code": f"{dice.randrange(10**6):06}",
        "complete": dice.random() < 0.9 or bool(documents),
        "partner": tenant != "acme-energy" and dice.random() < 0.06,
        "risk": dice.randrange(100),
        "documents": _documents(tenant, dice) | documents,
    }
    if dice.random() < 0.11 and not documents:
        profile["doubt"] = dice.choice(DOUBTS)
    app.insert(USERS, id=key, status="pending_email", tenant_id=tenant, name=name, profile=profile)


def _documents(tenant: str, dice: random.Random) -> dict[str, Any]:
    archive = dice.choices(("vault-1", "vault-2", "vault-0"), (90, 5, 5))[0]
    return {
        "archive": archive if tenant == "acme-energy" else "store",
        "format": "heic" if dice.random() < 0.04 else "pdf",
        "sharp": dice.random() < 0.9,
        "pages": dice.randint(1, 4),
    }


def bill(app: Community, user: str, tenant: str, key: str = "") -> None:
    """A draft of an invoice, under a new id unless one is given."""
    key = key or f"i-{app.number(INVOICES)}"
    dice = random.Random(key)
    kwh = dice.randint(80, 900)
    amount = round(kwh * 31.4)
    if dice.random() < 0.03:
        amount *= 10_000
    lines: dict[str, Any] = {"kWh": kwh, "cents_per_kWh": 31.4}
    if dice.random() < 0.03:
        lines["bounces"] = True
    term = TERM_S if app.past or dice.random() < 0.5 else EXPRESS_S * app.pace
    app.insert(
        INVOICES, id=key, status="draft", tenant_id=tenant, user_id=user, amount_cents=amount, term_s=term,
        lines=lines,
    )  # fmt: skip
    app.born("invoice", key, tenant, "draft")
