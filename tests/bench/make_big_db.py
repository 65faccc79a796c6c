"""Writes a big, plausible DBOS system database: ``python -m tests.bench.make_big_db OUT.sqlite --runs 1000000``.

The schema is what the installed DBOS migrates to. A few hundred families of runs are made up in Python; SQLite then
copies them under new ids and times, which is many times faster than inserting millions of rows from Python. Indexes are
built last. The same seed and ``--now`` give the same rows. Like DBOS, it leaves the file without ANALYZE.
"""

from __future__ import annotations

import argparse
import base64
import bisect
import itertools
import json
import pickle
import random
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine_bridge.sqlite_library import sqlite3
from resources.demo import failures

MINUTE = 60_000
DAY = 1440 * MINUTE
TEMPLATES = 600
OPEN_TEMPLATES = 60
VERSIONS = 9
# name, share of roots, steps, median of a step in ms, queue, children (of the names below)
ROOTS = (
    (
        "fulfil_order",
        40,
        9,
        180,
        None,
        ("reserve_inventory", "quote_carriers", "ship_order", "notify_customer"),
    ),
    ("process_return", 12, 7, 400, None, ("notify_customer",)),
    ("issue_invoice", 14, 3, 90, None, ()),
    ("settle_day", 6, 6, 120, "ledger", ()),
    ("research", 5, 10, 2500, None, ("read_source", "read_source", "read_source")),
    ("check_stock_drift", 10, 2, 300, "_dbos_internal_queue", ()),
    ("import_catalogue", 4, 4, 5000, "imports", ()),
    ("monthly_report", 2, 24, 900, "reports", ()),
    ("remind_debtor", 7, 3, 60, "campaigns", ()),
)
CHILDREN = {
    "reserve_inventory": (2, 60, None),
    "quote_carriers": (4, 150, None),
    "ship_order": (3, 350, "warehouse"),
    "notify_customer": (1, 80, "notices"),
    "read_source": (2, 1500, None),
}
STEPS = (
    *(
        "price_order",
        "charge_card",
        "reserve_item",
        "book_carrier",
        "print_label",
        "send_email",
        "post_entry",
    ),
    *("fetch_feed", "parse_feed", "apply_feed", "llm.draft", "llm.summarise", "web.fetch", "render_section"),
    *("DBOS.setEvent", "DBOS.setEvent", "DBOS.writeStream", "DBOS.send"),
)
ERRORS: tuple[Exception, ...] = (
    failures.ValidationError("order has no lines"),
    failures.PaymentDeclinedError("51", "insufficient funds"),
    failures.GatewayTimeoutError("gateway did not answer within 10 s"),
    failures.CarrierDownError("hermes: 503 Service Unavailable"),
    failures.ApprovalTimeoutError("nobody approved 734.00 EUR in time"),
    failures.LedgerError("period 2026-03 is closed", TimeoutError("canceling statement due to lock timeout")),
    KeyError("email"),
)
ENDS = ("SUCCESS",) * 940 + ("ERROR",) * 42 + ("CANCELLED",) * 14 + ("MAX_RECOVERY_ATTEMPTS_EXCEEDED",) * 4
STATUS_COLUMNS = (
    *(
        "template",
        "suffix",
        "parent",
        "status",
        "name",
        "class_name",
        "config_name",
        "created",
        "started",
        "completed",
    ),
    *(
        "queue",
        "partition",
        "priority",
        "attempts",
        "attributes",
        "delay",
        "serialization",
        "schedule",
        "rate_limited",
    ),
    *("input", "output", "error"),
)
STEP_COLUMNS = (
    "template",
    "suffix",
    "function_id",
    "name",
    "output",
    "error",
    "child",
    "started",
    "completed",
    "kind",
)


@dataclass
class Templates:
    """Rows of made-up families; times in ms from the family's start, ids as suffixes to the root's id."""

    dice: random.Random
    payload: int
    runs: list[tuple[Any, ...]] = field(default_factory=list)
    steps: list[tuple[Any, ...]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def add(self, *, finished: bool) -> None:
        """One more family: a root and its children."""
        name, _, steps, median, queue, children = self.dice.choices(ROOTS, [root[1] for root in ROOTS])[0]
        status = self.dice.choice(
            ENDS if finished else ("PENDING", "PENDING", "PENDING", "ENQUEUED", "DELAYED")
        )
        if status in ("ENQUEUED", "DELAYED"):
            queue = queue or "reports"
        before = len(self.runs)
        self._run(name, "", None, status, 0, steps, median, queue, children)
        self.sizes.append(len(self.runs) - before)

    def _run(
        self, name: str, suffix: str, parent: str | None, status: str, at: int,
        steps: int, median: int, queue: str | None, children: tuple[str, ...] = (),
    ) -> int:  # fmt: skip
        """Adds a run that arrives at ``at``; returns when it ended or came to a halt."""
        place = len(self.runs)
        self.runs.append(())
        waiting = status in ("ENQUEUED", "DELAYED")
        started = at + self._span(40) if queue and not waiting else None
        now = (started or at) + self.dice.randrange(1, 6)
        if not waiting:
            now = self._steps(suffix, status, now, steps, median, children)
        ended = now if status in ENDS else None
        attributes = {"tenant": f"t{self.dice.randrange(40)}", "tier": self.dice.choice(("gold", "basic"))}
        error = self._pickle(self.dice.choice(ERRORS)) if status == "ERROR" else None
        self.runs[place] = (
            *(len(self.sizes), suffix, parent, status, name, None, None, at, started, ended, queue),
            self.dice.choice(("leipzig", "lyon", "rotterdam")) if queue == "warehouse" else None,
            *(self.dice.randrange(3) if queue else 0, 0 if waiting else 1 + (self.dice.random() < 0.01)),
            json.dumps(attributes) if parent is None and self.dice.random() < 0.5 else None,
            *(
                DAY if status == "DELAYED" else None,
                "py_pickle",
                None if name != "check_stock_drift" else "drift",
            ),
            queue == "notices",
            self._pickle({"args": ({"id": self.dice.randrange(10**6), "note": self._text()},), "kwargs": {}}),
            *(self._pickle({"ok": True, "note": self._text()}) if status == "SUCCESS" else None, error),
        )
        return now

    def _steps(
        self, suffix: str, status: str, now: int, count: int, median: int, children: tuple[str, ...]
    ) -> int:
        count = count if status in ("SUCCESS", "ERROR") else self.dice.randrange(count)
        starts = dict(
            zip(
                sorted(self.dice.sample(range(1, count + 1), min(count, len(children)))),
                children,
                strict=False,
            )
        )
        numbers = itertools.count(1)
        for index in range(1, count + 1):
            failed = status == "ERROR" and index == count
            if index in starts and not failed:
                now = self._child(starts[index], suffix, next(numbers), next(numbers), now)
            else:
                now = self._step(suffix, next(numbers), now, self._span(median), failed)
        return now + self.dice.randrange(1, 9)

    def _step(self, suffix: str, number: int, now: int, span: int, failed: bool) -> int:
        name = self.dice.choice(STEPS if not failed else STEPS[:14])
        bare = name.startswith("DBOS.")
        error = self._pickle(self.dice.choice(ERRORS)) if failed else None
        output = None if bare or failed else self._pickle({"ok": True, "note": self._text()})
        end = now + (1 if bare else span)
        row = (suffix, number, name, output, error, None, now, end, None if bare else "py_pickle")
        self.steps.append((len(self.sizes), *row))
        return end + self.dice.randrange(1, 4)

    def _child(self, name: str, suffix: str, number: int, result: int, now: int) -> int:
        child = f"{suffix}-{number}"
        steps, median, queue = CHILDREN[name]
        self.steps.append((len(self.sizes), suffix, number, name, None, None, child, now, now + 2, None))
        end = self._run(name, child, suffix, "SUCCESS", now + 1, steps, median, queue) + 3
        value = self._pickle({"ok": True})
        self.steps.append(
            (len(self.sizes), suffix, result, "DBOS.getResult", value, None, child, now + 3, end, "py_pickle")
        )
        return end + 1

    def _span(self, median: int) -> int:
        return 1 + int(self.dice.lognormvariate(0, 1.1) * median)

    def _text(self) -> str:
        return "x" * self.dice.randrange(max(1, self.payload))

    @staticmethod
    def _pickle(value: object) -> str:
        return base64.b64encode(pickle.dumps(value, 4)).decode()


def families(
    templates: Templates, closed: int, runs: int, now: int, days: float
) -> list[tuple[int, str, int, int]]:
    """(template, root id, start, version) of each family to write, oldest first, until there are enough runs."""
    dice = templates.dice
    chosen, total = [], 0
    while total < runs:
        template = dice.randrange(closed)
        total += templates.sizes[template]
        chosen.append(template)
    rows = []
    recent = len(chosen) - max(40, len(chosen) // 500)
    for index, (template, at) in enumerate(zip(chosen, _starts(dice, len(chosen), now, days), strict=True)):
        # Some of the newest are unfinished, and a few of any age are stuck.
        if dice.random() < (0.4 if index >= recent else 0.0003):
            template = dice.randrange(closed, len(templates.sizes))
        version = 1 + int(VERSIONS * (at - now + days * DAY) / (days * DAY + 1))
        rows.append((template, str(uuid.UUID(int=dice.getrandbits(128), version=4)), at, version))
    return rows


def _starts(dice: random.Random, count: int, now: int, days: float) -> list[int]:
    """Moments before ``now``, in order, denser in office hours."""
    hours = int(days * 24)
    weights = list(itertools.accumulate(1.0 if 8 <= hour % 24 < 18 else 0.25 for hour in range(hours)))
    picks = sorted(dice.random() * weights[-1] for _ in range(count))
    first = now - hours * 60 * MINUTE
    return [
        first + bisect.bisect_left(weights, pick) * 60 * MINUTE + dice.randrange(60 * MINUTE)
        for pick in picks
    ]


COPY = {
    "workflow_status": """INSERT INTO workflow_status (workflow_uuid, status, name, class_name, config_name,
            executor_id, created_at, updated_at, application_version, recovery_attempts, queue_name,
            queue_partition_key, priority,
            started_at_epoch_ms, completed_at, parent_workflow_id, attributes, delay_until_epoch_ms, serialization,
            schedule_name, rate_limited, application_name, owner_xid, creator_xid)
        SELECT id || suffix, status, name, class_name, config_name, 'worker-' || (at % 6),
            at + created, at + coalesce(completed, started, created), 'v' || version, attempts,
            queue, partition, priority, at + started, at + completed, id || parent, attributes,
            at + delay, serialization,
            schedule, rate_limited, 'shop', CASE status WHEN 'PENDING' THEN id END, id
        FROM family JOIN run USING (template) ORDER BY family.rowid, run.rowid""",
    "workflow_input": """INSERT INTO workflow_input (workflow_uuid, inputs, retention_timestamp)
        SELECT id || suffix, input, at + created FROM family JOIN run USING (template)
        ORDER BY family.rowid, run.rowid""",
    "workflow_output": """INSERT INTO workflow_output (workflow_uuid, output, error, retention_timestamp)
        SELECT id || suffix, output, error, at + completed FROM family JOIN run USING (template)
        WHERE output IS NOT NULL OR error IS NOT NULL ORDER BY family.rowid, run.rowid""",
    "operation_outputs": """INSERT INTO operation_outputs (workflow_uuid, function_id, function_name, output, error,
            child_workflow_id, started_at_epoch_ms, completed_at_epoch_ms, serialization, application_name,
            retention_timestamp)
        SELECT id || suffix, function_id, name, output, error, id || child, at + started, at + completed, kind, 'shop',
            at + completed
        FROM family JOIN step USING (template) ORDER BY family.rowid, step.rowid""",
    "workflow_events": """INSERT INTO workflow_events (workflow_uuid, key, value, serialization)
        SELECT id || suffix, 'stage', input, 'py_pickle' FROM family JOIN run USING (template)
        WHERE name = 'fulfil_order'""",
}


def write(out: Path, runs: int, *, days: float, seed: int, now: int, payload: int) -> tuple[int, int]:
    """Writes the file, replacing it; returns the numbers of runs and steps."""
    from dbos import DBOS

    out.unlink(missing_ok=True)
    DBOS.migrate(f"sqlite:///{out.resolve()}")
    made = Templates(random.Random(seed), payload)
    for _ in range(TEMPLATES):
        made.add(finished=True)
    for _ in range(OPEN_TEMPLATES):
        made.add(finished=False)
    with closing(sqlite3.connect(out, isolation_level=None)) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "temp_store=MEMORY", "cache_size=-600000"):
            connection.execute(f"PRAGMA {pragma}")
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type='index' AND sql IS NOT NULL"
        ).fetchall()
        connection.execute("BEGIN")
        for name, _ in indexes:
            connection.execute(f'DROP INDEX "{name}"')
        _load(connection, "run", STATUS_COLUMNS, made.runs)
        _load(connection, "step", STEP_COLUMNS, made.steps)
        _load(
            connection,
            "family",
            ("template", "id", "at", "version"),
            families(made, TEMPLATES, runs, now, days),
        )
        for statement in COPY.values():
            connection.execute(statement)
        for _, sql in indexes:
            connection.execute(sql)
        _surroundings(connection, now, days)
        connection.execute("COMMIT")
        count = "SELECT (SELECT count(*) FROM workflow_status), (SELECT count(*) FROM operation_outputs)"
        written: tuple[int, int] = connection.execute(count).fetchone()
        connection.execute("PRAGMA journal_mode=DELETE")
    return written


def _load(connection: sqlite3.Connection, table: str, columns: tuple[str, ...], rows: list[Any]) -> None:
    connection.execute(f"CREATE TEMP TABLE {table} ({', '.join(columns)})")
    connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)
    if table != "family":
        connection.execute(f"CREATE INDEX temp.by_template_{table} ON {table} (template)")


def _surroundings(connection: sqlite3.Connection, now: int, days: float) -> None:
    versions = [
        (f"v{n}", f"v{n}", int(now - days * DAY * (VERSIONS + 1 - n) / VERSIONS))
        for n in range(1, VERSIONS + 1)
    ]
    connection.executemany(
        "INSERT INTO application_versions (version_id, version_name, version_timestamp, application_name)"
        " VALUES (?, ?, ?, 'shop')",
        versions,
    )
    queues = [
        ("warehouse", 6, 2),
        ("notices", None, None),
        ("reports", 1, None),
        ("imports", None, 1),
        ("ledger", 4, None),
    ]
    connection.executemany(
        "INSERT INTO queues (name, concurrency, partition_concurrency, application_name) VALUES (?, ?, ?, 'shop')",
        queues,
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--now", type=int, default=int(time.time() * 1000), help="epoch ms at which the data ends"
    )
    parser.add_argument("--payload", type=int, default=200, help="longest filler text in a payload, in bytes")
    given = parser.parse_args()
    began = time.monotonic()
    runs, steps = write(
        given.out, given.runs, days=given.days, seed=given.seed, now=given.now, payload=given.payload
    )
    size = given.out.stat().st_size / 1e6
    print(f"{runs:,} runs, {steps:,} steps, {size:,.0f} MB in {time.monotonic() - began:.1f} s: {given.out}")


if __name__ == "__main__":
    main()
