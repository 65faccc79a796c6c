"""Pages of the bridge of entities against raw SQL for the same rows. JSON lines with ratios.

    python -m tests.bench.bench_entity_list [FILE | --entities N] [--limit 200] [--rounds 40]

Raw SQL is what a hand-written client needs for the same page: the columns of the entities, the newest history row of
each, their failures and open delayed steps; its rows are fetched and dropped. Both use the same driver and warm caches,
in turns. Times are milliseconds of CPU, medians; as in the application (app/garbage.py) nothing is collected meanwhile.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from engine_bridge.bridge import Sort, load_engine
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.engine import Tables
from engine_bridge.query import parse
from engine_bridge.sqlite_library import sqlite3
from tests.engines.entity_state import sample

NEVER = CancelToken()
WAYS = (
    ("draft",), ("draft", "approved"), ("draft", "approved", "sending", "sent"),
    ("draft", "approved", "sending", "sent", "paid"), ("draft", "approved", "sending", "sent", "overdue", "lost"),
)  # fmt: skip
COLUMNS = "id, status, version, tenant_id, number, claimed_by, claimed_at, created_at, updated_at"
CASES = {
    "newest": ("type == invoice", "1"),
    "state": ("type == invoice and state == sent", "status = 'sent'"),
    "failed": ("type == invoice and status == failed", "status = 'lost'"),
}


def write(path: Path, entities: int, seed: int = 1) -> Path:
    """A file of invoices with their histories; its mapping's path."""
    engine = sample.engine(path)
    invoices, users = sample.tables()
    for table in (invoices, users):
        table.metadata.create_all(engine)
    Tables().create(engine)
    engine.dispose()
    with closing(sqlite3.connect(path)) as client:
        client.execute("PRAGMA synchronous = OFF")
        client.execute("CREATE INDEX invoices_created ON invoices (created_at)")
        client.execute("CREATE INDEX invoices_status ON invoices (status, created_at)")
        client.executemany(
            "INSERT INTO invoices VALUES (?, ?, ?, ?, NULL, NULL, ?, ?, ?, NULL)", _invoices(entities, seed)
        )
        client.executemany(
            "INSERT INTO workflow_history (entity_type, entity_id, workflow_type, step_key, from_status, to_status, "
            "requester_type, actor, changed_at) VALUES ('Invoice', ?, 'invoice', ?, ?, ?, 'user', 'ann', ?)",
            _moves(entities, seed),
        )
        client.executemany(
            "INSERT INTO workflow_permanent_failure_log (entity_type, entity_id, workflow_type, step_key, status, "
            "error_type, message, failed_at) VALUES ('Invoice', ?, 'invoice', 'give_up', 'lost', 'Refused', 'no', ?)",
            ((id, _text(at)) for id, way, at in _lives(entities, seed) if way[-1] == "lost"),
        )
        client.commit()
        client.execute("ANALYZE")
    return sample.write_mapping(path.parent)


def _lives(entities: int, seed: int) -> Iterator[tuple[str, tuple[str, ...], datetime]]:
    choice, now = random.Random(seed), datetime.now(UTC).replace(tzinfo=None)
    for number in range(entities):
        yield f"inv-{number:08d}", choice.choice(WAYS), now - timedelta(seconds=7 * (entities - number))


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")


def _invoices(entities: int, seed: int) -> Iterator[tuple[Any, ...]]:
    for id, way, at in _lives(entities, seed):
        yield (
            id,
            way[-1],
            len(way) - 1,
            "acme",
            _text(at),
            _text(at + timedelta(minutes=len(way))),
            f"2026-{id[4:]}",
        )


def _moves(entities: int, seed: int) -> Iterator[tuple[Any, ...]]:
    for id, way, at in _lives(entities, seed):
        for count in range(1, len(way)):
            yield id, f"to_{way[count]}", way[count - 1], way[count], _text(at + timedelta(minutes=count))


def raw_page(client: Any, where: str, limit: int, after: tuple[str, str] | None) -> None:
    """The page as plain SQL reads it."""
    place = "" if after is None else "AND created_at <= ? AND (created_at < ? OR id < ?)"
    values = () if after is None else (after[0], after[0], after[1])
    rows = client.execute(
        f"SELECT {COLUMNS} FROM invoices WHERE {where} {place} AND created_at IS NOT NULL "
        f"ORDER BY created_at DESC, id DESC LIMIT {limit}",
        values,
    ).fetchall()
    ids = [row[0] for row in rows]
    marks = ",".join("?" * len(ids))
    mine = f"entity_type = 'Invoice' AND workflow_type = 'invoice' AND entity_id IN ({marks})"
    client.execute(
        "SELECT h.entity_id, to_status, changed_at, step_key, actor, requester_type, correlation_id "
        f"FROM workflow_history h JOIN (SELECT max(id) AS newest FROM workflow_history WHERE {mine} "
        "GROUP BY entity_id) ON h.id = newest",
        ids,
    ).fetchall()
    client.execute(
        "SELECT entity_id, error_type, message, failed_at, resolved_at, step_key FROM workflow_permanent_failure_log "
        f"WHERE {mine} ORDER BY entity_id, id DESC",
        ids,
    ).fetchall()
    client.execute(
        "SELECT entity_id, step_key, due_at, last_error FROM workflow_delayed WHERE workflow_type = 'invoice' "
        f"AND entity_id IN ({marks}) AND done_at IS NULL ORDER BY due_at",
        ids,
    ).fetchall()


def cpu_ms(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def compare(path: Path, mapping: Path, limit: int, rounds: int) -> Iterator[dict[str, Any]]:
    """One line for each case: medians of both and their ratio."""
    bridge = load_engine("entity_state").bridge(sample.file_url(path, mapping), None)
    bridge.open(NEVER)
    client = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    fields = bridge.fields(NEVER)
    for name, (text, where) in CASES.items():
        query = parse(text, fields)
        first = bridge.runs(query, Sort(), None, "forward", limit, NEVER)
        last = first.items[-1]
        created = _text(datetime(1970, 1, 1) + timedelta(microseconds=last.created_ns // 1_000))
        ask = partial(bridge.runs, query, Sort(), first.after, "forward", limit, NEVER)
        ask_plainly = partial(raw_page, client, where, limit, (created, last.id))
        ours, plain = [], []
        for _ in range(rounds):
            ours.append(cpu_ms(ask))
            plain.append(cpu_ms(ask_plainly))
        a, b = statistics.median(ours), statistics.median(plain)
        figures = {"bridge_ms": round(a, 3), "raw_ms": round(b, 3), "ratio": round(a / b, 2)}
        yield {"bench": "entity page", "case": name, "rows": limit, **figures}
    for name, call in _others(bridge, fields).items():
        yield {"bench": "entity call", "case": name, "ms": round(cpu_ms(call), 2)}
    bridge.close()
    client.close()


def _others(bridge: Any, fields: Any) -> dict[str, Callable[[], Any]]:
    """What has no plain counterpart, once each."""
    mark = bridge.changes(None, (), NEVER).mark
    drift = parse("drift == true", fields)
    return {
        "merged page": lambda: bridge.runs(None, Sort(), None, "forward", 200, NEVER),
        "facets": lambda: bridge.facets(None, 90, NEVER),
        "anchors": lambda: bridge.anchors(None, Sort(), 1_000, NEVER),
        "count": lambda: bridge.count(None, NEVER),
        "a page of a scan": lambda: bridge.runs(drift, Sort(), None, "forward", 200, NEVER),
        "fields": lambda: bridge.fields(NEVER),
        "unchanged": lambda: bridge.changes(mark, (), NEVER),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--entities", type=int, default=20_000)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder) / "entities.sqlite"
        mapping = path.parent / "billing.toml"
        if not path.exists():
            mapping = write(path, options.entities)
        for line in compare(path, mapping, options.limit, options.rounds):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
