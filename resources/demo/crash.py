"""How a worker dies: a poison pill kills it twice, and its third life ends in the middle of a step."""

from __future__ import annotations

import time

from dbos import DBOS

from resources.demo import traffic

SUPPLIER = "brandt"
POISON = "prices-autumn"
VICTIM = f"import-{SUPPLIER}-90"
BEHIND = (91, 92, 93)


def live_and_die(life: int) -> None:
    """Never returns: this worker is killed from within in its first two lives, and from outside in its third."""
    if life == 1:
        traffic.price_list(POISON.removeprefix("prices-"), "xlsb").begin()
    if life == 3:
        while DBOS.retrieve_workflow(POISON).get_status().status != "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
            time.sleep(0.05)
        traffic.catalogue(SUPPLIER, 90).begin()
        for number in BEHIND:
            traffic.catalogue(SUPPLIER, number, stays="queued").begin()
    while True:
        time.sleep(1)
