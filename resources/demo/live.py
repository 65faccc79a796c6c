"""The shop's present: runs arrive at human speed for as long as somebody watches, fewer as time passes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from dbos import DBOS

from resources.demo import releases, traffic
from resources.demo.engine import query
from resources.demo.mail import Mailbox
from resources.demo.traffic import Arrival

KEEP = 4_000
FIRST = 11_000
FIRST_GAPS = (0.2, 1.0, 1.5, 2.0, 2.5)
# Seconds between arrivals once so many have come: a window left open over night does not drown in runs.
GAPS = ((150, 5.0), (600, 15.0), (2_000, 60.0))
RARELY = 600.0
KINDS = {
    "order": 58,
    "return": 8,
    "research": 10,
    "invoice": 8,
    "settle": 4,
    "stocktake": 4,
    "report": 3,
    "import": 5,
}


def serve(database: Path) -> None:
    """Starts runs and answers some of those that wait; never returns."""
    _forget_old(database)
    first = _next_number(database)
    dice = random.Random(first)
    mailbox, count, next_at = Mailbox(), 0, time.monotonic()
    while True:
        if time.monotonic() >= next_at:
            arrival = _arrival(first + count, dice)
            arrival.begin()
            mailbox.expect(arrival)
            next_at = time.monotonic() + _gap(count) * dice.uniform(0.6, 1.4)
            count += 1
        mailbox.deliver()
        time.sleep(0.2)


def _gap(count: int) -> float:
    if count < len(FIRST_GAPS):
        return FIRST_GAPS[count]
    return next((gap for limit, gap in GAPS if count < limit), RARELY)


def _arrival(number: int, dice: random.Random) -> Arrival:
    kind = dice.choices(list(KINDS), list(KINDS.values()))[0]
    makers: dict[str, Callable[[], Arrival]] = {
        "order": lambda: traffic.order(number, answer=dice.uniform(15, 60)),
        "return": lambda: traffic.returned(
            releases.process_return("v2"),
            number,
            dice.choice(("arrives", "arrives", "damaged", "empty-box")),
            days=1,
        ),
        "research": lambda: traffic.research(number, dice.choice(("published", "revised", "unanswered"))),
        "invoice": lambda: traffic.invoice(number),
        "settle": lambda: traffic.settlement(date.today(), closed=dice.random() < 0.3, suffix=f"-{number}"),
        "stocktake": lambda: traffic.stocktake(number),
        "report": lambda: traffic.report("2026-11", suffix=f"-{number}", deadline=dice.choice((None, 8.0))),
        "import": lambda: traffic.catalogue(dice.choice(("alpenrad", "nordlys")), number),
    }
    return makers[kind]()


def _next_number(database: Path) -> int:
    """Beyond every number in use, so that no id is taken twice however often the demo is started."""
    runs = query(database, "SELECT workflow_uuid FROM workflow_status WHERE parent_workflow_id IS NULL")
    tails = [run.rpartition("-")[2] for (run,) in runs]
    return 1 + max([FIRST - 1, *(int(tail) for tail in tails if tail.isdigit() and len(tail) < 7)])


def _forget_old(database: Path) -> None:
    """Deletes the oldest finished runs beyond ``KEEP``, as a shop's retention would."""
    old = query(
        database,
        "SELECT workflow_uuid FROM workflow_status WHERE completed_at IS NOT NULL AND parent_workflow_id IS NULL"
        " ORDER BY created_at DESC LIMIT -1 OFFSET ?",
        KEEP,
    )
    if old:
        DBOS.delete_workflows([row[0] for row in old], delete_children=True)
