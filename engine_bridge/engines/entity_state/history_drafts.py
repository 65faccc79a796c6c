"""Events before they have a position, and stays in a status before they are steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from engine_bridge.codes import NONE
from engine_bridge.engines.entity_state.history_rows import ENDS, Story, stay_status
from engine_bridge.model import (
    Event,
    EventKind,
    Evidence,
    Failure,
    PayloadRef,
    Provenance,
    Step,
    StepKind,
    StepStatus,
)

ORDER_DOC: Final = (
    "An event's position is its rank: history rows in the order of the mapping's order column (by default the id), "
    "which is the order of writing. Failures, delayed steps and claims have tables of their own; they are put between "
    "the history rows by their times, a failure before and a delayed step after a row of the same time. Where a row "
    "does not begin where the one before ended, or the entity does not stand where the last row ends, an inferred "
    "change stands between the two. A live entity appends what it learns."
)

FIRST: Final = "first"
"""The id of the stay before the first history row."""

Prints = tuple[Any, ...]


@dataclass(slots=True)
class Draft:
    """An event to be. ``key`` names it between two readings; ``prints`` is what must not change of it."""

    key: str
    kind: EventKind
    name: str
    prints: Prints = ()
    time_ns: int | None = None
    step_id: str | None = None
    step_name: str | None = None
    status: StepStatus | None = None
    run_code: int = NONE
    provenance: Provenance = Provenance.RECORDED
    detail: str = ""
    payloads: tuple[PayloadRef, ...] = ()
    failure: Failure | None = None
    fields: dict[str, Provenance] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)

    def event(self, position: int) -> Event:
        """The event at a position."""
        return Event(
            position=position,
            kind=self.kind,
            name=self.name,
            time_ns=self.time_ns,
            step_id=self.step_id,
            step_name=self.step_name,
            status=self.status,
            detail=self.detail,
            payloads=self.payloads,
            failure=self.failure,
            provenance=self.provenance,
            fields=self.fields,
            evidence=self.evidence,
            attributes=self.attributes,
        )


@dataclass(slots=True)
class Stay:
    """A stay in one status. ``id`` is the order of the history row that entered it (``FIRST`` before any), so that
    other tables' rows can name it; ``left`` is its step status once it is over, None while the entity stands there."""

    id: str
    status: str
    role: str
    start_ns: int | None = None
    end_ns: int | None = None
    planned_ns: int | None = None
    left: StepStatus | None = None
    broken: Failure | None = None
    open_failures: int = 0
    provenance: Provenance = Provenance.RECORDED
    fields: dict[str, Provenance] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    detail: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)

    def leave(self, end_ns: int | None, status: StepStatus) -> None:
        """Ends the stay; a second call has no say."""
        if self.left is None:
            self.left, self.end_ns = status, end_ns

    @property
    def now(self) -> StepStatus:
        """Its step status as of the last row."""
        if self.left is not None:
            return self.left
        if self.open_failures and self.role not in ENDS:
            return StepStatus.FAILED
        return stay_status(self.role)

    def step(self) -> Step:
        """The stay as a step. One that ends the life is a moment: it has no end of its own."""
        ends = self.left is None and self.role in ENDS
        return Step(
            id=self.id,
            name=self.status,
            kind=StepKind.STATUS,
            status=self.now,
            engine_name=self.status,
            start_ns=self.start_ns,
            end_ns=self.start_ns if ends else self.end_ns,
            planned_end_ns=self.planned_ns,
            failure=self.broken,
            detail=self.detail,
            provenance=self.provenance,
            fields=self.fields,
            evidence=self.evidence,
            attributes=self.attributes,
        )


@dataclass(slots=True)
class Tale:
    """A told story: events and steps in order, and what the user must be told. ``status``: where it stands."""

    story: Story
    status: str
    drafts: list[Draft] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    notes: tuple[str, ...] = ()
