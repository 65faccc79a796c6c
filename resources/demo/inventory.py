"""Stock: reservations, stocktaking in each warehouse, and the scheduled check for drift."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dbos import DBOS, DBOSConfiguredInstance

from resources.demo import pace
from resources.demo.failures import StockDriftError, ValidationError

DISCONTINUED = {"KT-104", "LM-330"}
TOLERATED_DRIFT = 12


@DBOS.step()
def reserve_item(sku: str, quantity: int) -> str:
    """Takes a quantity out of free stock; returns the reservation's number."""
    pace.work(0.5, 1.2)
    if sku in DISCONTINUED:
        raise ValidationError(f"{sku} is discontinued")
    return f"rsv-{sku}-{quantity}-{pace.dice().randrange(10**5):05d}"


@DBOS.step()
def release_item(reservation: str) -> str:
    """Compensates ``reserve_item``."""
    pace.work(0.3, 0.8)
    return f"released {reservation}"


@DBOS.workflow()
def reserve_inventory(order_id: str, lines: list[dict[str, Any]]) -> list[str]:
    """Reserves every line of an order, or none."""
    reservations: list[str] = []
    try:
        for line in lines:
            reservations.append(reserve_item(line["sku"], line["quantity"]))
    except ValidationError:
        for reservation in reversed(reservations):
            release_item(reservation)
        raise
    return reservations


@DBOS.dbos_class()
class Warehouse(DBOSConfiguredInstance):
    """One site; its runs carry the site's name as their configuration."""

    def __init__(self, site: str) -> None:
        super().__init__(config_name=site)
        self.site = site

    @DBOS.workflow()
    def stocktake(self, aisle: int) -> dict[str, Any]:
        """Counts an aisle shelf by shelf, and books the differences."""
        counted = [count_shelf(self.site, aisle, shelf) for shelf in range(1, 5)]
        missing = sum(c["booked"] - c["found"] for c in counted)
        DBOS.set_event("missing", missing)
        return {"site": self.site, "aisle": aisle, "missing": missing, "shelves": counted}


@DBOS.step()
def count_shelf(site: str, aisle: int, shelf: int) -> dict[str, int]:
    """A picker's count of one shelf."""
    pace.work(0.8, 2.0)
    booked = pace.dice().randrange(20, 60)
    return {"shelf": shelf, "booked": booked, "found": booked - pace.dice().choice((0, 0, 0, 1, 2))}


@DBOS.step()
def read_ledger(site: str) -> int:
    """Items that the ledger believes to be in stock."""
    pace.work(0.5, 1.0)
    return 4200 + pace.dice().randrange(900)


@DBOS.step()
def read_scanners(site: str, booked: int) -> int:
    """Items that the gates' scanners have seen."""
    pace.work(0.5, 1.5)
    return booked - pace.dice().choice((0, 1, 2, 3, 4, 5, 7, 9, 31))


@DBOS.workflow()
def check_stock_drift(scheduled: datetime, context: Any) -> int:
    """Runs on a schedule: compares the ledger with the scanners of one site."""
    booked = read_ledger(context["site"])
    drift = booked - read_scanners(context["site"], booked)
    DBOS.set_event("drift", drift)
    if drift > TOLERATED_DRIFT:
        raise StockDriftError(
            f"{context['site']}: {drift} items are missing, {TOLERATED_DRIFT} are tolerated"
        )
    return drift


SITES = ("leipzig", "rotterdam", "lyon")
WAREHOUSES = {site: Warehouse(site) for site in SITES}
