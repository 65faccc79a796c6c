"""What tables beside the history tell of an entity: permanent failures and delayed steps, by their times. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine_bridge.engines.entity_state.history_drafts import Draft, Stay
from engine_bridge.engines.entity_state.history_rows import DelayLine, FailureLine, Story
from engine_bridge.model import EventKind, Failure, Step, StepKind, StepStatus

_REFUSED: Final = ("refused", "gave_up", "failed", "error")
_DROPPED: Final = ("superseded", "cancelled", "canceled", "skipped")
_LATE: Final = 2**63


@dataclass(slots=True)
class Aside:
    """An event of another table. ``tell`` makes it, given the stay that the entity is in; ``step`` comes along once."""

    time_ns: int | None
    phase: int  # failures, then what the row of the same time has brought about
    key: str
    tell: Callable[[Stay | None], Draft]
    step: Step | None = None

    def before(self, row_ns: int) -> bool:
        """Whether it stands before a history row of that time."""
        if self.time_ns is None:
            return False
        return self.time_ns <= row_ns if self.phase == 0 else self.time_ns < row_ns


def asides(story: Story) -> list[Aside]:
    """All of them in their order; those without a time last."""
    found = [aside for line in story.failures for aside in _failure(line)]
    found += [aside for line in story.delays for aside in _delay(line, story.now_ns)]
    return sorted(found, key=lambda a: (_LATE if a.time_ns is None else a.time_ns, a.phase))


def failure_of(line: FailureLine) -> Failure:
    """The failure that a row of the log tells."""
    return Failure(
        type=line.error_type or "failure", message=line.message, time_ns=line.at_ns, raw=line.details
    )


def _failure(line: FailureLine) -> list[Aside]:
    found = failure_of(line)

    def tell(stay: Stay | None) -> Draft:
        draft = Draft(
            f"f:{line.id}", EventKind.STEP_FAILED, line.step or found.type, (line.at_ns,), line.at_ns
        )
        draft.failure, draft.detail = found, f"{found.type}: {line.message}" if line.message else found.type
        draft.payloads = (line.details,) if line.details is not None else ()
        facts = {"step": line.step, "attempts": line.attempts, "correlation_id": line.correlation_id}
        draft.attributes = {name: value for name, value in facts.items() if value is not None}
        draft.attributes |= {"status": line.status, "resolved": line.resolved_ns is not None}
        if stay is not None:
            draft.step_id, draft.step_name, draft.status = stay.id, stay.status, StepStatus.FAILED
            stay.broken, stay.open_failures = found, stay.open_failures + 1
        return draft

    def settle(stay: Stay | None) -> Draft:
        draft = Draft(f"r:{line.id}", EventKind.OPERATOR, "failure resolved", (), line.resolved_ns)
        draft.detail = f"{found.type} in {line.step}" if line.step else found.type
        if stay is not None and stay.open_failures:
            stay.open_failures -= 1
            draft.step_id, draft.step_name, draft.status = stay.id, stay.status, stay.now
        return draft

    events = [Aside(line.at_ns, 0, f"f:{line.id}", tell)]
    if line.resolved_ns is not None:
        events.append(Aside(line.resolved_ns, 1, f"r:{line.id}", settle))
    return events


def _delay(line: DelayLine, now_ns: int) -> list[Aside]:
    step = _delay_step(line, now_ns)

    def begin(_stay: Stay | None) -> Draft:
        draft = Draft(f"d:{line.id}", EventKind.TIMER_STARTED, step.name, (line.due_ns,), line.created_ns)
        draft.step_id, draft.step_name, draft.status = step.id, step.name, StepStatus.WAITING
        draft.detail, draft.attributes = "a delayed step", step.attributes
        draft.payloads = (line.data,) if line.data is not None else ()
        return draft

    def end(_stay: Stay | None) -> Draft:
        kind = {StepStatus.FAILED: EventKind.STEP_FAILED, StepStatus.CANCELLED: EventKind.STEP_CANCELLED}
        draft = Draft(f"D:{line.id}", kind.get(step.status, EventKind.TIMER_FIRED), step.name)
        draft.time_ns, draft.failure, draft.detail = line.done_ns, step.failure, line.outcome or "done"
        draft.step_id, draft.step_name, draft.status = step.id, step.name, step.status
        return draft

    events = [Aside(line.created_ns, 1, f"d:{line.id}", begin, step)]
    if line.done:
        events.append(Aside(line.done_ns, 2, f"D:{line.id}", end))
    return events


def _delay_step(line: DelayLine, now_ns: int) -> Step:
    facts = {
        "requester": line.requester,
        "expected_status": line.expected,
        "leases": line.leases,
        "outcome": line.outcome,
        "last_error": line.error,
    }
    status = _delay_status(line, now_ns)
    failed = Failure(type=line.error or line.outcome or "failure") if status is StepStatus.FAILED else None
    return Step(
        id=f"delayed {line.id}",
        name=line.step or "delayed step",
        kind=StepKind.TIMER,
        status=status,
        start_ns=line.created_ns,
        end_ns=line.done_ns,
        planned_end_ns=line.due_ns,
        failure=failed,
        detail="to be taken by the application's own worker",
        attributes={name: value for name, value in facts.items() if value is not None},
    )


def _delay_status(line: DelayLine, now_ns: int) -> StepStatus:
    if line.done:
        if line.outcome in _REFUSED:
            return StepStatus.FAILED
        return StepStatus.CANCELLED if line.outcome in _DROPPED else StepStatus.COMPLETED
    if line.leased_ns is not None and line.leased_ns > now_ns and not line.error:
        return StepStatus.RUNNING
    return StepStatus.RETRYING if line.error else StepStatus.WAITING
