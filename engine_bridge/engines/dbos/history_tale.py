"""One run's rows, told: its steps, its events in order, and its header with what it waits on. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from engine_bridge.engines.dbos import infer
from engine_bridge.engines.dbos.history_events import (
    message_event,
    step_events,
    unplaced_events,
    wait_events,
)
from engine_bridge.engines.dbos.history_order import Clock, Draft
from engine_bridge.engines.dbos.history_rows import Story, whole_seconds
from engine_bridge.engines.dbos.history_run import first_start_ms, run_events
from engine_bridge.engines.dbos.infer_context import Context
from engine_bridge.engines.dbos.infer_steps import open_steps
from engine_bridge.engines.dbos.steps import make_step
from engine_bridge.engines.dbos.steps_index import Index
from engine_bridge.model import Evidence, Provenance, Run, Step, StepKind


@dataclass(slots=True)
class Tale:
    """``drafts`` are sorted; ``steps`` are in the order of their ids, recorded and inferred ones together."""

    run: Run
    steps: list[Step] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def tell(story: Story, header: Run, context: Context, stride: int = 1000) -> Iterator[int | Tale]:
    """Yields the number of steps done after every ``stride`` of them, and the Tale last.

    ``header`` is the run as the list shows it: its status and times are kept.
    """
    index = Index(story)
    clock = Clock(story.steps)
    steps: list[Step] = []
    drafts: list[Draft] = []
    for n, row in enumerate(story.steps, 1):
        step = make_step(index, row)
        steps.append(step)
        drafts.extend(step_events(index, clock, row, step))
        if n % stride == 0:
            yield n
    inferred = open_steps(index, context)
    for step in inferred:
        if step.kind is StepKind.SIGNAL_WAIT:
            drafts.extend(wait_events(index, clock, step))
    drafts.extend(message_event(index, clock, message) for message in story.messages)
    drafts.extend(unplaced_events(index))
    drafts.extend(run_events(index, clock, header, steps))
    drafts.sort(key=lambda draft: draft.sort)
    steps = sorted(steps + inferred, key=lambda step: int(step.id)) if inferred else steps
    notes = (*story.notes, *_notes(index, clock, steps))
    yield Tale(_header(index, header, context, steps), steps, drafts, notes)


def _header(index: Index, header: Run, context: Context, steps: list[Step]) -> Run:
    """The list's row with what only the steps tell: when it first began, what it waits on, which step failed."""
    found = infer.blocked(index, context)
    changes: dict[str, object] = {"blocked_on": found, "steps_done": len(index.rows)}
    if found is not None and index.story.run.open:
        changes["now"] = infer.now_text(found, index.story.now_ms * 1_000_000)
    first = first_start_ms(index)
    if first is not None and header.started_ns is not None and first * 1_000_000 < header.started_ns:
        fact = f"step starts at {first} ms, the latest dispatch is at {index.story.run.dispatched_ms} ms"
        changes["started_ns"] = first * 1_000_000
        changes["provenance"] = {**header.provenance, "started_ns": Provenance.REBUILT}
        rule = "only the latest dispatch is recorded; the run began before its first step"
        changes["evidence"] = (*header.evidence, Evidence(rule=rule, facts=(fact,)))
    return msgspec.structs.replace(header, **changes)


def _notes(index: Index, clock: Clock, steps: list[Step]) -> tuple[str, ...]:
    notes = list(clock.notes)
    run = index.story.run
    finer = any(
        not whole_seconds(row.completed_ms) for row in index.story.steps if row.completed_ms is not None
    )
    if finer and whole_seconds(run.created_ms, run.updated_ms, run.completed_ms):
        notes.append("The run's own times are stored in whole seconds, those of its steps in milliseconds.")
    backwards = [s.id for s in steps if (s.duration_ns or 0) < 0]
    if backwards:
        more = f" and {len(backwards) - 3} more" if len(backwards) > 3 else ""
        notes.append(f"Ends before it starts, as recorded: step {', '.join(backwards[:3])}{more}.")
    return tuple(notes)
