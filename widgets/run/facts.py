"""What is known of a run, a step or an event, as rows of name, value and provenance. Pure; no Qt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine_bridge import format as fmt
from engine_bridge.model import (
    Attempt,
    Event,
    Evidence,
    Failure,
    Provenance,
    Run,
    RunRef,
    Step,
    StepKind,
    StepStatus,
)
from engine_bridge.payloads import reason
from engine_bridge.payloads.masking import mask, mask_text
from widgets.run.entity import is_entity
from widgets.run.moment import Moment

_R = Provenance.RECORDED
_SHARED = frozenset({"tenant", "correlation_id", "label"})
"""Attributes that are filter fields of their own where a source has them."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One row. ``exact`` is the value to the last digit; ``status`` puts a state's glyph before it; ``link`` is a
    run that it names; ``field`` a field that runs can be filtered by; ``heading`` rows open a section."""

    name: str
    value: str = ""
    exact: str = ""
    provenance: Provenance = _R
    evidence: tuple[Evidence, ...] = ()
    status: str = ""
    link: RunRef | None = None
    field: str = ""
    heading: bool = False


class _Rows:
    """Collects facts of one subject, leaving out what was not recorded."""

    def __init__(
        self,
        moment: Moment,
        marks: Mapping[str, Provenance],
        evidence: tuple[Evidence, ...],
        whole: Provenance,
    ) -> None:
        self.rows: list[Fact] = []
        self._moment = moment
        self._marks = marks
        self._evidence = evidence
        self._whole = whole

    def add(self, key: str, name: str, value: object, **more: Any) -> None:
        """``key`` is the model's field, which says where the value comes from."""
        text = _words(value)
        if isinstance(value, RunRef) and value.tail:
            more = {"exact": str(value), **more}
        if text:
            mark = self._marks.get(key, self._whole)
            evidence = self._evidence if mark is not _R else ()
            self.rows.append(Fact(name, text, provenance=mark, evidence=evidence, **more))

    def time(self, key: str, name: str, ns: int | None) -> None:
        zone = self._moment.zone
        if ns is not None:
            self.add(key, name, fmt.timestamp(ns, zone), exact=str(ns))

    def duration(self, key: str, name: str, ns: int | None) -> None:
        if ns is not None:
            self.add(key, name, f"{fmt.duration(ns)}  ({fmt.duration_exact(ns)})", exact=str(ns))

    def heading(self, name: str) -> None:
        self.rows.append(Fact(name, heading=True))

    def pairs(
        self, heading: str, values: Mapping[str, Any], prefix: str = "", fields: frozenset[str] = frozenset()
    ) -> None:
        """A section of named values; ``prefix`` makes filter fields of their names, ``fields`` are some themselves."""
        if values:
            self.heading(heading)
        masked: Mapping[str, Any] = mask(dict(values))
        for name, value in masked.items():
            text = fmt.plain(_words(value), 400)
            if name.endswith("_ns") and isinstance(value, int):
                title, text = name.removesuffix("_ns"), fmt.timestamp(value, self._moment.zone)
                self.rows.append(Fact(fmt.plain(title, 80).replace("_", " "), text, exact=str(value)))
                continue
            field = name if name in fields else f"{prefix}{name}" if prefix else ""
            self.rows.append(Fact(fmt.plain(name, 80), text, field=field))


def _words(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.label if isinstance(value, RunRef) else str(value)


def run_facts(run: Run, moment: Moment) -> list[Fact]:
    """The run as recorded, whatever the playhead."""
    rows = _Rows(moment, run.provenance, run.evidence, _R)
    status = run.status.value.replace("_", " ")
    rows.add("id", "id", run.id, field="id")
    rows.add("type", "type", run.type, field="type")
    rows.add("status", "status", status, status=run.status.value, field="status")
    if is_entity(run):
        rows.add("engine_status", "stands on", run.engine_status, field="state")
    else:
        rows.add("engine_status", "engine status", run.engine_status)
    rows.add("bad", "unreadable", run.bad)
    rows.add("error", "error", mask_text(run.error or ""))
    for key in ("created", "started", "ended", "updated", "deadline", "delay_until"):
        rows.time(f"{key}_ns", key.replace("_", " "), getattr(run, f"{key}_ns"))
    rows.duration("ended_ns", "duration", run.duration_ns)
    rows.add("parent", "parent", run.parent, link=run.parent)
    rows.add("forked_from", "forked from", run.forked_from, link=run.forked_from)
    for key in ("queue", "partition", "priority", "worker", "version", "schedule", "attempts", "dispatches"):
        rows.add(key, key, getattr(run, key), field=key)
    rows.add("steps_done", "steps done", run.steps_done)
    rows.add("engine", "engine", run.engine)
    rows.pairs("attributes", run.attributes, "attributes.", _SHARED if is_entity(run) else frozenset())
    rows.pairs("engine's own", run.extra)
    return rows.rows


def event_facts(event: Event, moment: Moment) -> list[Fact]:
    """An event as recorded."""
    rows = _Rows(moment, event.fields, event.evidence, event.provenance)
    rows.add("position", "position", event.position)
    rows.time("time_ns", "time", event.time_ns)
    if event.time_ns is None:
        rows.rows.append(Fact("time", "not recorded"))
    rows.add("kind", "event", event.kind.value)
    rows.add("name", "engine's name", event.name)
    rows.add("step_name", "step", event.step_name)
    rows.add("step_id", "step id", event.step_id)
    if event.status is not None:
        rows.add("status", "step is then", event.status.value.replace("_", " "), status=event.status.value)
    rows.add("attempt", "attempt", event.attempt)
    rows.add("detail", "detail", mask_text(event.detail))
    rows.add("ref", "run", event.ref, link=event.ref)
    rows.rows += _failure_rows(event.failure)
    rows.pairs("attributes", event.attributes, fields=_SHARED)
    return rows.rows


def step_facts(step: Step, status: StepStatus, first: int, last: int, moment: Moment) -> list[Fact]:
    """A step at the playhead. ``first`` and ``last`` are the positions of its events (0: none)."""
    rows = _Rows(moment, step.fields, step.evidence, step.provenance)
    later = status is StepStatus.PENDING and not moment.live
    words = f"not started yet at event {moment.position}" if later else status.value.replace("_", " ")
    rows.add("status", "status" if moment.live else "status here", words, status=status.value)
    if not moment.live and step.status is not status:
        rows.add("status", "in the end", step.status.value.replace("_", " "), status=step.status.value)
    rows.add("kind", "kind", step.kind.value.replace("_", " "))
    rows.add("name", "name", step.name)
    rows.add("engine_name", "engine's name", step.engine_name)
    rows.add("id", "step id", step.id)
    rows.time("start_ns", "started", step.start_ns)
    rows.time("end_ns", "ended" if _past(step.end_ns, moment) else "ended (later)", step.end_ns)
    rows.time("planned_end_ns", "planned end", step.planned_end_ns)
    _lengths(rows, step, moment)
    _attempts(rows, step, moment)
    rows.add("child", "run", step.child, link=step.child)
    rows.add("parent_step", "inside step", step.parent_step)
    if last:
        rows.add("events", "events", f"{first}" if first == last else f"{first} to {last}")
    rows.add("detail", "detail", mask_text(step.detail))
    rows.rows += _failure_rows(step.failure if _past(step.end_ns, moment) else None)
    rows.pairs("attributes", step.attributes, fields=_SHARED)
    return rows.rows


def _past(ns: int | None, moment: Moment) -> bool:
    return moment.live or ns is None or moment.time_ns is None or ns <= moment.time_ns


def _lengths(rows: _Rows, step: Step, moment: Moment) -> None:
    if step.start_ns is None:
        return
    if _past(step.end_ns, moment) and step.end_ns is not None:
        rows.duration("end_ns", "duration", step.duration_ns)
    elif moment.time_ns is not None and moment.time_ns >= step.start_ns:
        rows.duration("start_ns", "so far", moment.time_ns - step.start_ns)


def _attempts(rows: _Rows, step: Step, moment: Moment) -> None:
    past = [a for a in step.attempt_list if _past(a.start_ns, moment)]
    if step.kind is StepKind.STATUS:
        return
    if step.attempts is None and not step.attempt_list:
        rows.rows.append(Fact("attempts", "not recorded"))
        return
    limit = f" of at most {step.max_attempts}" if step.max_attempts is not None else ""
    total = step.attempts if step.attempts is not None else len(step.attempt_list)
    text = f"{total}{limit}" if moment.live else f"{len(past)} so far, {total} in the end{limit}"
    rows.add("attempts", "attempts", text)
    rows.rows += [_attempt_row(attempt, moment) for attempt in past]


def _attempt_row(attempt: Attempt, moment: Moment) -> Fact:
    over = _past(attempt.end_ns, moment)
    status = attempt.status if over else StepStatus.RUNNING
    parts = [status.value.replace("_", " "), fmt.clock(attempt.start_ns, moment.zone)]
    if over and attempt.start_ns is not None and attempt.end_ns is not None:
        parts.append(fmt.duration(attempt.end_ns - attempt.start_ns))
    if over and attempt.failure is not None:
        parts.append(failure_line(attempt.failure))
    return Fact(
        f"  attempt {attempt.number}",
        fmt.plain(" · ".join(part for part in parts if part)),
        exact="" if attempt.start_ns is None else str(attempt.start_ns),
        status=status.value,
        provenance=attempt.provenance,
    )


def failure_line(failure: Failure) -> str:
    """A failure in one line ("CardDeclined: insufficient funds"), secrets masked."""
    return fmt.plain(mask_text(reason(failure)[:800]), 400)


def _failure_rows(failure: Failure | None) -> Iterable[Fact]:
    if failure is None:
        return ()
    return (Fact("error", failure_line(failure), status="failed"),)
