"""The shop's customers: names, mail addresses, and the tenant each belongs to."""

from __future__ import annotations

import random

FIRST = (
    "Ada",
    "Bruno",
    "Chiara",
    "Deniz",
    "Emeka",
    "Freya",
    "Goran",
    "Hana",
    "Ivo",
    "Jun",
    "Kofi",
    "Lena",
    "Malik",
)
LAST = ("Okafor", "Lindqvist", "Moreau", "Yilmaz", "Novak", "Petrov", "Sato", "Varga", "Weber", "Zhou")
TENANTS = ("acme", "globex", "northwind", "umbra")


def buyer(dice: random.Random) -> tuple[str, str]:
    """A customer's name and mail address."""
    first, last = dice.choice(FIRST), dice.choice(LAST)
    return f"{first} {last}", f"{first}.{last}@{tenant_of(f'{first} {last}')}.example".lower()


def tenant_of(customer: str) -> str:
    """The tenant a customer belongs to."""
    return TENANTS[sum(map(ord, customer)) % len(TENANTS)]
