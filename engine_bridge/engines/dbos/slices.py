"""Cuts all runs into spans of creation time, so that counting a million of them is many short reads."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.tables import Expression

SLICE_ROWS: Final = 20_000

Span = tuple[int, int]
"""Creation times in milliseconds: from, to (exclusive)."""


def within(created: Expression, span: Span) -> list[Any]:
    """The conditions that a run lies in a span; the index on ``created_at`` serves them."""
    return [created >= span[0], created < span[1]]


def cut(db: Database, low: int, high: int, cancel: CancelToken, rows: int = SLICE_ROWS) -> list[Span]:
    """Spans that cover ``low`` to ``high`` (inclusive), newest first, each of about ``rows`` runs at most."""
    created = db.tables.col("workflow_status", "created_at")
    edges, at = [low], low
    while True:
        step = (
            sa.select(created).where(created >= at, created <= high).order_by(created).limit(1).offset(rows)
        )
        found = db.all(step, cancel)
        if not found:
            break
        at = found[0][0] if found[0][0] > at else at + 1
        edges.append(at)
    edges.append(high + 1)
    return list(pairwise(edges))[::-1]


def extent(db: Database, conditions: list[Any], cancel: CancelToken) -> Span | None:
    """The oldest and newest creation time of the runs that match (both inclusive), None without any."""
    created = db.tables.col("workflow_status", "created_at")
    ends = []
    for order in (created.asc(), created.desc()):
        found = db.all(sa.select(created).where(*conditions).order_by(order).limit(1), cancel)
        if not found or not isinstance(found[0][0], int):
            return None
        ends.append(found[0][0])
    return ends[0], ends[1]
