"""The shop's past: what each release's worker executes, fast, before the demo opens."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from dbos import DBOS, SetWorkflowID

from resources.demo import crash, engine, releases, traffic
from resources.demo.engine import query
from resources.demo.mail import Mailbox
from resources.demo.traffic import Arrival

Progress = Callable[[int, int], None]
FULL = 350
AT_ONCE = 50
ACTIVE = "('ENQUEUED', 'PENDING', 'DELAYED')"
FOREVER = 14.0
QUICK = 0.5
UNREADABLE = 65
"""The number of a research two of whose sources cannot be read; its dice say so."""


def body(release: str, runs: int) -> list[Arrival]:
    """The runs of a release that end, in the order of their arrival; about ``runs`` with those of both releases."""
    share = runs / FULL
    if release == "v1":
        parts = _orders(10_200, 32, share) + _returns_v1(7, share) + _others(0, share, date(2026, 3, 2), 6)
    else:
        parts = _orders(10_600, 26, share) + _returns_v2(6, share) + _others(60, share, date(2026, 5, 4), 4)
        parts.append(traffic.order(10_701, "unanswered", patience=900, deadline=1.0))
        parts.append(traffic.price_list("spring"))
        parts.append(traffic.research(UNREADABLE, patience=60, answer=14))
    random.Random(release).shuffle(parts)
    return parts


def _count(nominal: int, share: float) -> int:
    return max(1, round(nominal * share))


def _orders(first: int, nominal: int, share: float) -> list[Arrival]:
    # The kinds that a user should find in any demo come first, whatever its size.
    musts = [
        "plain",
        "carrier-down",
        "approved",
        "declined",
        "unanswered",
        "gateway-down",
        "rejected",
        "discontinued",
    ]
    if first < 10_500:
        musts = ["plain", "empty", "flaky"]
    count = max(len(musts), _count(nominal, share))
    kinds: list[str | None] = [*musts, *[None] * (count - len(musts))]
    return [traffic.order(first + i, kind, patience=1.5, answer=16) for i, kind in enumerate(kinds)]


def _returns_v1(nominal: int, share: float) -> list[Arrival]:
    return [
        traffic.returned(releases.process_return("v1"), 2_000 + i, answer=20)
        for i in range(_count(nominal, share))
    ]


def _returns_v2(nominal: int, share: float) -> list[Arrival]:
    kinds = ["arrives", "damaged", "empty-box", "arrives", "arrives", "arrives"][
        : max(3, _count(nominal, share))
    ]
    made = [traffic.returned(releases.process_return("v2"), 2_100 + i, kind) for i, kind in enumerate(kinds)]
    made.append(traffic.returned(releases.process_return("v2"), 2_150, "expires", days=1 / 86_400))
    return made


def _others(first: int, share: float, day: date, nominal: int) -> list[Arrival]:
    count = _count(nominal, share)
    kinds = ["published", "revised", "published", "unanswered", "published", "revised"]
    parts = [
        traffic.research(first + i, kinds[i % 6], patience=2 if i % 6 == 3 else 60, answer=14)
        for i in range(count)
    ]
    parts += [traffic.settlement(day + timedelta(days=i), closed=i % 5 == 2) for i in range(max(3, count))]
    parts += [traffic.invoice(3_000 + first + i) for i in range(max(4, count))]
    parts += [traffic.stocktake(first + i) for i in range(_count(4, share))]
    parts += [
        traffic.report(f"{day.year - 1}-{1 + i:02d}", suffix=f"-{first}") for i in range(_count(2, share))
    ]
    parts += [traffic.catalogue(supplier, first) for supplier in ("alpenrad", "nordlys")[: _count(2, share)]]
    parts += [traffic.reminder(7_000 + first + i, QUICK / 86_400) for i in range(_count(2, share))]
    return parts


def leftovers(release: str) -> list[Arrival]:
    """The runs that a release leaves unfinished: for the user, or, those of v1, stranded by the deployment of v2."""
    if release == "v1":
        return [
            traffic.order(10_499, "waiting", patience=FOREVER * 86_400),
            *[
                traffic.returned(releases.process_return("v1"), 2_080 + i, "waiting", days=30)
                for i in range(3)
            ],
            *[traffic.report(f"2026-0{i}", stays="queued", suffix="-v1") for i in (1, 2, 3)],
        ]
    return [
        *[traffic.order(10_900 + i, "waiting", patience=2 * 86_400) for i in range(4)],
        *[traffic.returned(releases.process_return("v2"), 2_190 + i, "waiting") for i in range(2)],
        traffic.research(199, "waiting", patience=3 * 86_400),
        traffic.reminder(7_200, 3.0, stays="waiting"),
        traffic.coupon(501, 86_400),
        traffic.coupon(502, 2 * 86_400),
        *[traffic.report(f"2026-{i:02d}", stays="queued") for i in (8, 9, 10)],
    ]


def make(database: Path, release: str, runs: int, nights: tuple[int, int], progress: Progress) -> None:
    """Executes a release's past and returns when only leftovers are unfinished.

    ``nights`` are the midnights between which the release made the nightly checks, in days before today; 0 is now.
    """
    arrivals, left = body(release, runs), leftovers(release)
    checks = _nightly_checks(nights)
    total = len(arrivals) + len(checks) + len(left)
    watch = _Watch(database, release)
    _run(arrivals, watch, lambda done: progress(done, total))
    if release == "v2":
        _operate()
    watch.wait_for_end(checks)
    progress(total - len(left), total)
    for arrival in left:
        arrival.begin()
    watch.wait_for_rest(left)
    if release == "v2":
        engine.register_queues(past=False)
    progress(total, total)


def _nightly_checks(nights: tuple[int, int]) -> list[str]:
    now = datetime.now(UTC)
    start, end = (now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=n) for n in nights)
    if nights[1] == 0:
        end = now
    return [handle.workflow_id for handle in DBOS.backfill_schedule("stock-drift-nightly", start, end)]


def _run(arrivals: list[Arrival], watch: _Watch, progress: Callable[[int], None]) -> None:
    """Lets runs arrive, never too many at once, and sends each its messages when they are due."""
    mailbox, waiting, begun = Mailbox(), list(reversed(arrivals)), 0
    while True:
        unfinished = watch.unfinished()
        while waiting and unfinished < AT_ONCE:
            arrival = waiting.pop()
            arrival.begin()
            mailbox.expect(arrival)
            begun, unfinished = begun + 1, unfinished + 1
        mailbox.deliver()
        progress(max(0, begun - unfinished))
        if not (waiting or mailbox or unfinished):
            return
        time.sleep(0.05)


def _operate() -> None:
    """What an operator did: forked a run that had timed out, and approved it; cancelled another."""
    forked = _fork("order-10604", "order-10604-retry", "DBOS.recv")
    DBOS.send(forked, {"approved": True, "by": "ines", "note": "approved late"}, "approval")
    cancelled = traffic.order(10_700, "waiting", patience=900)
    cancelled.begin()
    while not any(step["function_name"] == "DBOS.sleep" for step in DBOS.list_workflow_steps(cancelled.run)):
        time.sleep(0.05)
    DBOS.cancel_workflow(cancelled.run)
    DBOS.retrieve_workflow(forked).get_result(polling_interval_sec=0.1)


def _fork(run: str, new: str, before: str) -> str:
    steps = DBOS.list_workflow_steps(run)
    start = next(step["function_id"] for step in steps if step["function_name"] == before)
    with SetWorkflowID(new):
        return DBOS.fork_workflow(run, start).workflow_id


class _Watch:
    """Asks the database what is still unfinished, with plain SQL: far cheaper than a handle for each run."""

    def __init__(self, database: Path, release: str) -> None:
        self._database = database
        self._release = release

    def _one(self, sql: str, *values: object) -> int:
        return int(query(self._database, sql, *values)[0][0])

    def unfinished(self) -> int:
        """Unfinished runs of the release that nobody started on behalf of another run."""
        return self._one(
            f"SELECT count(*) FROM workflow_status WHERE status IN {ACTIVE}"
            " AND application_version = ? AND queue_partition_key IS NOT ? AND parent_workflow_id IS NULL",
            self._release,
            crash.SUPPLIER,
        )

    def wait_for_end(self, runs: list[str]) -> None:
        """Waits for these runs, and for every child."""
        marks = ",".join("?" * len(runs))
        while self._one(
            f"SELECT count(*) FROM workflow_status WHERE status IN {ACTIVE} AND (workflow_uuid IN ({marks})"
            " OR parent_workflow_id IS NOT NULL AND application_version = ?)",
            *runs,
            self._release,
        ):
            time.sleep(0.1)

    def wait_for_rest(self, runs: list[Arrival]) -> None:
        """Waits until runs have come as far as they will: to a timer, a wait, a queue."""
        for arrival in runs:
            if arrival.stays == "waiting":
                while not self._one(
                    "SELECT count(*) FROM operation_outputs WHERE workflow_uuid = ? AND function_name = 'DBOS.sleep'",
                    arrival.run,
                ):
                    time.sleep(0.05)
