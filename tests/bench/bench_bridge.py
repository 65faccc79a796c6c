"""Pages of the DBOS bridge against raw SQL for the same rows. JSON lines with ratios.

    python -m tests.bench.bench_bridge [FILE | --runs N] [--limit 200] [--rounds 40]

Raw SQL is what a hand-written client needs for the same page: the columns of the runs, the number of steps of each,
the errors of the failed ones; its rows are fetched and dropped. Both use the same driver and warm caches, in turns.
Times are milliseconds of CPU, medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from engine_bridge.bridge import Sort, load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.tables import COLUMNS
from engine_bridge.query import parse
from engine_bridge.sqlite_library import sqlite3
from tests.bench.make_big_db import write

NEVER = CancelToken()
LISTED = ", ".join(c for c in COLUMNS["workflow_status"] if c not in ("inputs", "output", "error", "request"))
FAILED = "status IN ('ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')"
CASES = {
    "newest": ("", "1"),
    "completed": ("status == completed", "status = 'SUCCESS'"),
    "failed": (
        "status == failed",
        f"{FAILED} AND status IN ('ERROR', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')",
    ),
    "type": ("type == settle_day", "name = 'settle_day'"),
}


def raw_page(client: Any, where: str, limit: int, after: tuple[int, str] | None) -> list[Any]:
    """The page as plain SQL reads it."""
    place = "" if after is None else "AND created_at <= ? AND (created_at < ? OR workflow_uuid < ?)"
    values = () if after is None else (after[0], after[0], after[1])
    rows = client.execute(
        f"SELECT {LISTED} FROM workflow_status WHERE {where} {place} "
        f"ORDER BY created_at DESC, workflow_uuid DESC LIMIT {limit}",
        values,
    ).fetchall()
    marks = ",".join("?" * len(rows))
    ids = [row[0] for row in rows]
    client.execute(
        f"SELECT workflow_uuid, count(*) FROM operation_outputs WHERE workflow_uuid IN ({marks}) GROUP BY 1",
        ids,
    ).fetchall()
    failed = [row[0] for row in rows if row[1] == "ERROR"]
    if failed:
        marks = ",".join("?" * len(failed))
        client.execute(
            f"SELECT workflow_uuid, error FROM workflow_output WHERE workflow_uuid IN ({marks})", failed
        ).fetchall()
    return list(rows)


def cpu_ms(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def compare(path: Path, limit: int, rounds: int) -> list[dict[str, Any]]:
    """One line for each case: medians of both and their ratio."""
    bridge = load_engine("dbos").bridge(f"dbos+sqlite:///{path}", None)
    bridge.open(NEVER)
    client = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    fields = bridge.fields(NEVER)
    lines = []
    for name, (text, where) in CASES.items():
        query = parse(text, fields)
        first = bridge.runs(query, Sort(), None, "forward", limit, NEVER)
        middle = first.after if name == "newest" else None
        last = first.items[-1]
        after = (last.created_ns // 1_000_000, last.id) if middle is not None else None
        ours, plain = [], []
        ask = partial(bridge.runs, query, Sort(), middle, "forward", limit, NEVER)
        ask_plainly = partial(raw_page, client, where, limit, after)
        for _ in range(rounds):
            ours.append(cpu_ms(ask))
            plain.append(cpu_ms(ask_plainly))
        a, b = statistics.median(ours), statistics.median(plain)
        figures = {"bridge_ms": round(a, 3), "raw_ms": round(b, 3), "ratio": round(a / b, 2)}
        lines.append({"bench": "bridge page", "case": name, "rows": limit, **figures})
    lines += others(bridge, fields)
    bridge.close()
    client.close()
    return lines


def others(bridge: Any, fields: Any) -> list[dict[str, Any]]:
    """What has no plain counterpart, once each."""
    work = {
        "facets": lambda: bridge.facets(None, 90, NEVER),
        "anchors": lambda: bridge.anchors(None, Sort(), 1_000, NEVER),
        "count": lambda: bridge.count(None, NEVER),
        "failures": lambda: bridge.failures(None, "", None, 100, NEVER),
        "fields": lambda: bridge.fields(NEVER),
        "unchanged": lambda: bridge.changes(bridge.changes(None, (), NEVER).mark, (), NEVER),
    }
    return [
        {"bench": "bridge call", "case": name, "ms": round(cpu_ms(call), 2)} for name, call in work.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file
        if path is None:
            path = Path(folder) / "big.sqlite"
            write(path, options.runs, days=30, seed=1, now=int(time.time() * 1000), payload=200)
        for line in compare(path, options.limit, options.rounds):
            print(json.dumps(line))


if __name__ == "__main__":
    main()
