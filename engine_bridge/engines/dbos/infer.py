"""What an open run waits on, and how we know (reference/dbos.md §2.3). Pure functions over one run's rows.

DBOS records neither a running step nor a worker's heartbeat, so nothing here says "stuck": it says since
when nothing was recorded.
"""

from __future__ import annotations

from typing import Final

import msgspec

from engine_bridge.engines.dbos import history_rows as rows
from engine_bridge.engines.dbos.history_rows import RawRun, RawStep, ns, run_ref
from engine_bridge.engines.dbos.infer_context import Context
from engine_bridge.engines.dbos.infer_steps import (
    awaited,
    frontier_evidence,
    in_flight,
    pending_waits,
    progress_ms,
    sleeping,
    topic_evidence,
    wait_evidence,
)
from engine_bridge.engines.dbos.steps_index import Index
from engine_bridge.format import duration
from engine_bridge.model import Blocked, Evidence, Provenance

_SILENT_MS: Final = 60_000
_STRANDED: Final = "a run is taken up by workers of its own version only"


def blocked(index: Index, context: Context) -> Blocked | None:
    """What the run waits on now; None for a run that has closed (a given-up run says why)."""
    run = index.story.run
    if run.status == rows.DELAYED:
        return _delayed(run)
    if run.status == rows.EXHAUSTED:
        return _given_up(index)
    if run.status == rows.ENQUEUED:
        return _queued(run, context)
    if run.status != rows.PENDING:
        return None
    return _with_version(_pending(index, context), index, context)


def now_text(found: Blocked | None, now_ns: int) -> str:
    """The list's "now, or why" text of an open run: what it waits on, for how long, until when."""
    if found is None:
        return ""
    verb = {"signal": "waiting for ", "child": "waiting for ", "queue": "queued on "}.get(found.kind, "")
    return f"{verb}{found.what}{_since(found, now_ns)}{_until(found, now_ns)}"


def _since(found: Blocked, now_ns: int) -> str:
    if found.kind == "nothing" or found.until_ns is not None or found.since_ns is None:
        return ""
    word = "for" if found.kind in ("queue", "child") or found.step_id is None else "nothing recorded for"
    return f", {word} {duration(now_ns - found.since_ns)}" if found.since_ns < now_ns else ""


def _until(found: Blocked, now_ns: int) -> str:
    if found.until_ns is None:
        return ""
    gap = found.until_ns - now_ns
    word = "times out" if found.kind == "signal" else "due"
    return f", {word} in {duration(gap)}" if gap > 0 else f", was due {duration(-gap)} ago"


def _pending(index: Index, context: Context) -> Blocked:
    waits = pending_waits(index)
    if waits:
        return _signal(index, waits[0], context)
    row = sleeping(index)
    if row is not None:
        return _timer(index, row)
    row = awaited(index)
    if row is not None:
        return _on_child(index, row)
    return _working(index)


def _signal(index: Index, id_: int, context: Context) -> Blocked:
    timeout = index.timeouts[id_]
    planned = index.planned(timeout)
    overdue = planned is not None and planned <= index.story.now_ms
    evidence = [wait_evidence(index, id_)]
    what = "a signal or event (name unknown)"
    if context.topic is not None:
        what = f"signal {context.topic} (likely)"
        evidence.append(topic_evidence(context, id_))
    waiting = [
        m.topic or "no topic" for m in index.story.messages if not m.consumed and m.consumed_by is None
    ]
    if waiting:
        facts = tuple(f"a message with {topic} is not consumed" for topic in waiting[:5])
        evidence.append(Evidence(rule="messages sent to this run", facts=facts))
    hint = "Its time-out has passed and nothing was recorded since." if overdue else ""
    return Blocked(
        kind="signal",
        what=what,
        since_ns=ns(timeout.started_ms),
        until_ns=ns(planned),
        step_id=str(id_),
        evidence=tuple(evidence),
        hint=hint,
    )


def _timer(index: Index, row: RawStep) -> Blocked:
    fact = f"step {row.id} is the last row, and its planned end lies ahead"
    return Blocked(
        kind="timer",
        what="sleeping",
        since_ns=ns(row.started_ms),
        until_ns=ns(index.planned(row)),
        step_id=str(row.id),
        evidence=(Evidence(rule="a sleep is recorded when it begins, with its planned end", facts=(fact,)),),
    )


def _on_child(index: Index, row: RawStep) -> Blocked:
    child = index.story.children[row.child or ""]
    facts = (
        f"step {row.id}, the last row, started {child.id}",
        f"{child.id} is {child.status}",
        "no step has read its result",
    )
    place = f", queued on {child.queue}" if child.status == rows.ENQUEUED and child.queue else ""
    return Blocked(
        kind="child",
        what=f"child {row.name} {child.id}{place}",
        since_ns=ns(row.started_ms),
        ref=run_ref(child.id),
        step_id=str(row.id),
        evidence=(Evidence(rule="reading a child's result is recorded when it is there", facts=facts),),
    )


def _working(index: Index) -> Blocked:
    run, evidence = index.story.run, [frontier_evidence(index)]
    beside = in_flight(index)
    ids = beside or [index.last_id + 1]
    since = progress_ms(index)
    if run.dispatched_ms is not None and since is not None and run.dispatched_ms > since:
        count = "" if run.dispatches is None else f" ({run.dispatches} dispatches so far)"
        facts = (f"started_at {run.dispatched_ms} ms is after the last recorded step{count}",)
        evidence.append(Evidence(rule="the run was dispatched again", facts=facts))
    names = " and ".join(f"step {id_}" for id_ in ids[:3])
    silent = since is None or index.story.now_ms - since > _SILENT_MS
    return Blocked(
        kind="step",
        what=f"{names} running, or its worker is gone" if silent else f"{names} running",
        since_ns=ns(since),
        step_id=str(ids[0]),
        evidence=tuple(evidence),
        hint="DBOS records a step when it ends, and no sign of life before.",
    )


def _with_version(found: Blocked, index: Index, context: Context) -> Blocked:
    """Adds what an old version means; it is the answer itself when nothing moved since the new one came."""
    run = index.story.run
    if not context.stranded(run):
        return found
    facts = (f"its version is {run.version}", f"the latest registered version is {context.latest}")
    evidence = (*found.evidence, Evidence(rule=_STRANDED, facts=facts))
    hint = f"If no worker of version {run.version} runs any more, nothing will take this run up."
    seen = max((t for t in (progress_ms(index), run.dispatched_ms) if t is not None), default=None)
    silent = seen is not None and context.latest_ms is not None and seen < context.latest_ms
    if found.kind != "step" or not silent:
        return msgspec.structs.replace(found, evidence=evidence, hint=f"{found.hint} {hint}".strip())
    what = f"step {found.step_id} has not ended; {_only(run, context)}"
    return msgspec.structs.replace(found, kind="version", what=what, evidence=evidence, hint=hint)


def _only(run: RawRun, context: Context) -> str:
    return f"version {run.version}: only its workers take this up, the latest is {context.latest}"


def _delayed(run: RawRun) -> Blocked:
    return Blocked(
        kind="delay",
        what="delayed",
        since_ns=ns(run.created_ms),
        until_ns=ns(run.delay_until_ms),
        provenance=Provenance.RECORDED,
        evidence=(Evidence(rule="status DELAYED", facts=(f"delay_until {run.delay_until_ms} ms",)),),
    )


def _given_up(index: Index) -> Blocked:
    run = index.story.run
    last = f"the last recorded step is {index.last_id}" if index.last_id else "no step was ever recorded"
    return Blocked(
        kind="nothing",
        what=f"given up after {run.dispatches} dispatches" if run.dispatches else "given up",
        since_ns=ns(run.completed_ms),
        evidence=(Evidence(rule=f"status {rows.EXHAUSTED}", facts=(f"dispatches: {run.dispatches}", last)),),
        hint="Each time a worker died or was stopped before the run ended. Resume it once the cause is gone.",
    )


def _queued(run: RawRun, context: Context) -> Blocked:
    queue = context.queue
    facts = queue.facts() if queue is not None else ()
    reason = queue.reason() if queue is not None else ""
    since = run.created_ms if run.dispatches in (0, None) else run.updated_ms
    holder = queue.holder() if queue is not None else None
    found = Blocked(
        kind="queue",
        what=_queue_words(run, context, f"{reason}: {holder}" if holder else reason),
        since_ns=ns(since),
        ref=run_ref(holder) if holder else None,
        evidence=(Evidence(rule="status ENQUEUED", facts=facts),),
    )
    if not context.stranded(run):
        return found
    versions = (f"its version is {run.version}", f"the latest registered version is {context.latest}")
    return msgspec.structs.replace(
        found,
        kind="version",
        what=_only(run, context),
        evidence=(*found.evidence, Evidence(rule=_STRANDED, facts=versions)),
        hint=f"Start a worker of version {run.version}, or fork the run onto {context.latest}.",
    )


def _queue_words(run: RawRun, context: Context, reason: str) -> str:
    name = "recovery" if run.queue == rows.INTERNAL_QUEUE else run.queue or "no queue"
    if run.partition is not None:
        name += f" / {run.partition}"
    queue = context.queue
    ahead = "" if queue is None or queue.ahead is None else f", {queue.ahead} ahead"
    return f"{name}{ahead}{f' ({reason})' if reason else ''}"
