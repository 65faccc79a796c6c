"""What the visible open runs of a list wait on: a handful of batched statements, whatever their number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import history_rows as rows
from engine_bridge.engines.dbos import infer
from engine_bridge.engines.dbos.connect import Database, Reader
from engine_bridge.engines.dbos.history_read import (
    raw_run,
    raw_step,
    read_children,
    run_columns,
    step_columns,
)
from engine_bridge.engines.dbos.history_rows import RawRun, RawStep, Story
from engine_bridge.engines.dbos.infer_context import Context
from engine_bridge.engines.dbos.infer_read import (
    latest_version,
    likely_topic,
    queue_facts,
    read_counts,
    read_limits,
    read_topics,
    read_versions,
)
from engine_bridge.engines.dbos.infer_steps import pending_waits
from engine_bridge.engines.dbos.steps_index import Index
from engine_bridge.engines.dbos.tables import Tables
from engine_bridge.model import Blocked, Run

_IDS_A_READ: Final = 400
_LAST_STEPS: Final = 3  # a wait without a row, its time-out, and what was launched last


def now_texts(
    db: Database, runs: Sequence[Run], now_ns: int, cancel: CancelToken
) -> dict[str, tuple[str, Blocked | None]]:
    """By run id: the "now, or why" text and what the run waits on, for the open runs among ``runs``.

    From the last rows of each run only; the run's own page, which reads all, may know more.
    """
    ids = [run.id for run in runs if not run.status.closed]
    found: dict[str, tuple[str, Blocked | None]] = {}
    for at in range(0, len(ids), _IDS_A_READ):
        with db.reader(cancel) as read:
            for index, context in _indexes(db.tables, read, ids[at : at + _IDS_A_READ], now_ns // 1_000_000):
                blocked = infer.blocked(index, context)
                found[index.story.run.id] = (infer.now_text(blocked, now_ns), blocked)
    return found


def _indexes(tables: Tables, read: Reader, ids: list[str], now_ms: int) -> list[tuple[Index, Context]]:
    table = tables["workflow_status"]
    raw = [
        raw_run(row)
        for row in read.all(sa.select(*run_columns(tables)).where(table.c.workflow_uuid.in_(ids)))
    ]
    working = [run.id for run in raw if run.status == rows.PENDING]
    steps = _last_steps(tables, read, working)
    awaited = [row.child for last in steps.values() for row in last if row.child is not None]
    children = read_children(tables, read, list(dict.fromkeys(awaited)))
    contexts = _contexts(tables, read, [run for run in raw if run.open])
    found = []
    for run in raw:
        last = steps.get(run.id, [])
        story = Story(run, now_ms, last, children=children)
        found.append((Index(story, floor=last[0].id if last else 1), contexts.get(run.id, Context())))
    return _with_topics(tables, read, found)


def _with_topics(
    tables: Tables, read: Reader, found: list[tuple[Index, Context]]
) -> list[tuple[Index, Context]]:
    """Names the signals that runs of the same workflows received where these ones wait."""
    waits = {i: pending_waits(index)[:1] for i, (index, _) in enumerate(found) if index.story.run.open}
    names = sorted({found[i][0].story.run.name for i, wait in waits.items() if wait})
    topics = read_topics(tables, read, names) if names else {}
    for i, wait in waits.items():
        index, context = found[i]
        likely = likely_topic(topics, index.story.run, wait[0]) if wait else None
        if likely is not None:
            found[i] = index, replace(context, topic=likely[0], topic_from=likely[1])
    return found


def _last_steps(tables: Tables, read: Reader, ids: list[str]) -> dict[str, list[RawStep]]:
    if not ids:
        return {}
    table = tables["operation_outputs"]
    top = (
        sa.select(table.c.workflow_uuid.label("id"), sa.func.max(table.c.function_id).label("top"))
        .where(table.c.workflow_uuid.in_(ids))
        .group_by(table.c.workflow_uuid)
        .subquery()
    )
    statement = (
        sa.select(table.c.workflow_uuid.label("owner"), *step_columns(tables))
        .select_from(top.join(table, table.c.workflow_uuid == top.c.id))
        .where(table.c.function_id > top.c.top - _LAST_STEPS)
        .order_by(table.c.workflow_uuid, table.c.function_id)
    )
    found: dict[str, list[RawStep]] = defaultdict(list)
    for row in read.all(statement):
        step = raw_step(row[0], row[1:])
        if step is not None:
            found[row[0]].append(step)
    return found


def _contexts(tables: Tables, read: Reader, runs: list[RawRun]) -> dict[str, Context]:
    if not runs:
        return {}
    versions = read_versions(tables, read)
    queues = sorted({run.queue for run in runs if run.status == rows.ENQUEUED and run.queue is not None})
    counts = read_counts(tables, read, queues) if queues else {}
    limits = read_limits(tables, read, queues) if queues else {}
    found = {}
    for run in runs:
        enqueued = run.status == rows.ENQUEUED and run.queue is not None
        facts = queue_facts(run.queue or "", run.partition, counts, limits) if enqueued else None
        found[run.id] = Context(*latest_version(versions, run.application), facts)
    return found
