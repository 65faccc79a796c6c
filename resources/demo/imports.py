"""Supplier feeds: long steps, one feed per supplier at a time. Here workers die."""

from __future__ import annotations

import os
import signal
from typing import Any

from dbos import DBOS

from resources.demo import pace


@DBOS.step()
def fetch_feed(supplier: str) -> dict[str, Any]:
    """Downloads a feed; returns where it lies."""
    pace.work(0.8, 2.0)
    return {"path": f"feeds/{supplier}.csv", "rows": 300 + pace.dice().randrange(300)}


@DBOS.step()
def parse_feed(path: str, rows: int) -> list[dict[str, Any]]:
    """Reads a feed's rows. A big one takes its time: kill the worker now and the step begins anew."""
    pace.work(5.0, 8.0)
    dice = pace.dice()
    skus = (f"{dice.choice(('KT', 'LM', 'TB', 'CH'))}-{dice.randrange(100, 999)}" for _ in range(rows))
    return [
        {"sku": sku, "stock": dice.randrange(400), "price": dice.randrange(400, 9000) / 100} for sku in skus
    ]


@DBOS.step()
def apply_feed(supplier: str, products: int) -> int:
    """Writes the products to the shop's catalogue."""
    pace.work(1.5, 3.0)
    return products


@DBOS.workflow()
def import_catalogue(supplier: str) -> int:
    """Queue ``imports`` runs one import per supplier: a run whose worker is gone blocks those behind it."""
    DBOS.set_event("stage", "fetching")
    feed = fetch_feed(supplier)
    DBOS.set_event("stage", "parsing")
    products = parse_feed(feed["path"], feed["rows"])
    DBOS.set_event("stage", "applying")
    return apply_feed(supplier, len(products))


@DBOS.step()
def parse_price_list(path: str) -> int:
    """Reads a spreadsheet with a native library, which this file crashes as a segmentation fault would."""
    pace.work(0.8, 1.0)
    if path.endswith(".xlsb"):
        os.kill(os.getpid(), signal.SIGKILL)
    return 120


@DBOS.workflow(max_recovery_attempts=1)
def import_price_list(path: str) -> int:
    """A poison pill when ``path`` is an .xlsb: whichever worker takes it dies, until DBOS gives up."""
    DBOS.set_event("stage", "parsing")
    return parse_price_list(path)
