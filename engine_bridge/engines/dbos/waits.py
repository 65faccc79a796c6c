"""What the open runs of a page wait for, and its wording in the list's "now, or why" column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.model import Blocked, Run


def blocked(db: Database, runs: Sequence[Run], now_ns: int, cancel: CancelToken) -> Mapping[str, Blocked]:
    """By run id: what each run waits for, as far as the records tell."""
    return {}


def text(found: Blocked, now_ns: int) -> str:
    """One line: what, how long it may still take, since when."""
    return ""
