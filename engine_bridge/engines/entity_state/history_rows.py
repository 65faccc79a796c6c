"""What one entity's history is told from: its row, its moves, failures and delayed steps, as values without SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from engine_bridge.codes import code
from engine_bridge.model import PayloadRef, RunRef, Status, StepStatus


class Roles(Protocol):
    """What the statuses of a workflow mean."""

    def role(self, status: str) -> str:
        """initial, waiting, claim, good, bad, cancelled or unknown."""

    def ttl_s(self, status: str) -> float | None:
        """How long a claim may hold this status, in seconds; None where it is no claim."""


@dataclass(slots=True, frozen=True)
class EntityRow:
    """The entity as it stands. ``status`` None: only its history says; ``tells`` is False in that case."""

    status: str | None
    created_ns: int | None = None
    updated_ns: int | None = None
    claimed_by: str | None = None
    claimed_ns: int | None = None
    tells: bool = True


@dataclass(slots=True, frozen=True)
class MoveRow:
    """One history row. ``order`` is its order column as text; ``source`` None where the table does not say.

    ``facts`` are what an event shows of it (actor, requester, correlation_id, reason, tenant, execution_ms, kind).
    """

    order: str
    source: str | None
    target: str
    step: str | None = None
    at_ns: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    metadata: PayloadRef | None = None
    bad: str = ""


@dataclass(slots=True, frozen=True)
class FailureLine:
    """One row of the permanent failure log."""

    id: str
    error_type: str
    message: str
    step: str | None = None
    status: str | None = None
    attempts: int | None = None
    correlation_id: str | None = None
    at_ns: int | None = None
    resolved_ns: int | None = None
    details: PayloadRef | None = None


@dataclass(slots=True, frozen=True)
class DelayLine:
    """One delayed step. ``leases`` counts hand-outs to a worker, which are not attempts."""

    id: str
    step: str | None = None
    requester: str | None = None
    expected: str | None = None
    due_ns: int | None = None
    created_ns: int | None = None
    leased_ns: int | None = None
    done_ns: int | None = None
    done: bool = False
    leases: int | None = None
    outcome: str | None = None
    error: str | None = None
    data: PayloadRef | None = None


@dataclass(slots=True)
class Story:
    """All rows of one entity, of one moment. ``now_ns`` is the engine's clock."""

    ref: RunRef
    entity: EntityRow
    roles: Roles
    now_ns: int
    moves: list[MoveRow] = field(default_factory=list)
    failures: list[FailureLine] = field(default_factory=list)
    delays: list[DelayLine] = field(default_factory=list)
    initial: str | None = None
    says_source: bool = True
    notes: tuple[str, ...] = ()


_RUN: Final = {
    "good": Status.COMPLETED,
    "bad": Status.FAILED,
    "cancelled": Status.CANCELLED,
    "unknown": Status.UNKNOWN,
}
_STAY: Final = {
    "good": StepStatus.COMPLETED,
    "bad": StepStatus.FAILED,
    "cancelled": StepStatus.CANCELLED,
    "unknown": StepStatus.UNKNOWN,
    "claim": StepStatus.RUNNING,
}
ENDS: Final = frozenset({"good", "bad", "cancelled"})


def run_code(role: str) -> int:
    """The code of the run's status while it stands on a status of this role."""
    return code(_RUN.get(role, Status.RUNNING))


def stay_status(role: str) -> StepStatus:
    """A stay's status while the entity stands there."""
    return _STAY.get(role, StepStatus.WAITING)
