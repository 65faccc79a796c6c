"""The journal as a file for others: JSON lines with the hashes, or CSV for a spreadsheet."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from engine_bridge.actions.journal_rows import Row, parse
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError, UsageError
from engine_bridge.sqlite_library import sqlite3

FORMS: Final = ("jsonl", "csv")
_EVERY: Final = 500


def export(db: sqlite3.Connection | None, path: Path, form: str, cancel: CancelToken) -> int:
    """Writes all rows, oldest first, and answers their number. The file appears whole or not at all."""
    if form not in FORMS:
        raise UsageError(f"A journal is not exported as {form!r}.", f"Choose one of: {', '.join(FORMS)}.")
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("w", encoding="utf-8", newline="") as file:
            count = _write(db, file, form, cancel)
        fresh.replace(path)
    except OSError as error:
        raise PlayheadError(f"{path} cannot be written.", "Choose another place.", str(error)) from None
    finally:
        fresh.unlink(missing_ok=True)
    return count


def _write(db: sqlite3.Connection | None, file: IO[str], form: str, cancel: CancelToken) -> int:
    put = _json_lines(file) if form == "jsonl" else _csv(file)
    count = 0
    for body, digest in db.execute("SELECT body, hash FROM journal ORDER BY seq") if db else ():
        put(body, digest)
        count += 1
        if count % _EVERY == 0:
            cancel.progress(count, None, "Exporting the journal")
    return count


def _json_lines(file: IO[str]) -> Callable[[str, str], None]:
    """Each line is the hashed text with the hash added last: without it, anybody can check the chain."""

    def put(body: str, digest: str) -> None:
        file.write(f'{body[:-1]},"hash":"{digest}"}}\n')

    return put


def _csv(file: IO[str]) -> Callable[[str, str], None]:
    writer = csv.writer(file)
    writer.writerow(Row.__struct_fields__)

    def put(body: str, digest: str) -> None:
        writer.writerow(_cells(parse(body, digest)))

    return put


def _cells(row: Row) -> list[Any]:
    return [_cell(value) for value in msgspec.structs.astuple(row)]


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return "" if value is None else value
    text = value if isinstance(value, str) else json.dumps(msgspec.to_builtins(value), ensure_ascii=True)
    # A spreadsheet would run what begins like a formula.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
