"""Adds one very long run with a very large result to a database that make_big_db wrote, or to the demo's."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from engine_bridge.sqlite_library import sqlite3

ID: Final = "bench-long-run"
_GAP_MS: Final = 40


def add(path: Path, steps: int, payload_bytes: int) -> str:
    """Writes the newest run of the file: ``steps`` checkpoints of 40 names, a JSON result. Answers its id."""
    begin = int(time.time() * 1000) - steps * _GAP_MS
    line = {"sku": "A-1048", "quantity": 3, "price": "12.90", "tags": ["fragile", "cold"]}
    result = json.dumps({"lines": [line] * (payload_bytes // len(json.dumps(line)))})
    end = begin + steps * _GAP_MS
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO workflow_status (workflow_uuid, status, name, executor_id, created_at, updated_at,"
            " started_at_epoch_ms, completed_at, recovery_attempts, serialization, application_name)"
            " VALUES (?, 'SUCCESS', 'import_catalogue', 'worker-1', ?, ?, ?, ?, 1, 'portable_json', 'shop')",
            (ID, begin, end, begin, end),
        )
        connection.execute("INSERT INTO workflow_output (workflow_uuid, output) VALUES (?, ?)", (ID, result))
        connection.executemany(
            "INSERT INTO operation_outputs (workflow_uuid, function_id, function_name, output,"
            " started_at_epoch_ms, completed_at_epoch_ms, serialization, application_name)"
            " VALUES (?, ?, ?, '{\"ok\": true}', ?, ?, 'portable_json', 'shop')",
            (
                (ID, n, f"import_page_{n % 40}", begin + n * _GAP_MS, begin + n * _GAP_MS + 30)
                for n in range(1, steps + 1)
            ),
        )
    return ID
