"""What passes between the engine and use cases: calls in, results out. No exception crosses for an expected no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from .context import Context

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Row(msgspec.Struct, frozen=True):
    """An entity as read: ``values`` holds every column of its row."""

    id: Any
    status: str
    version: int
    values: Mapping[str, Any]


class DomainEvent(msgspec.Struct, frozen=True):
    """Something to tell others, written to the outbox in the transition's transaction. ``payload`` is plain JSON."""

    type: str
    payload: dict[str, Any] = {}


class Later(msgspec.Struct, frozen=True):
    """A step to be executed ``after_s`` seconds after this transition, if it commits.

    It is dropped if the entity has left ``expected_status`` by then (None: whatever its status).
    """

    after_s: float
    requester: str = "system"
    data: dict[str, Any] = {}
    expected_status: str | None = None
    step: str | None = None


class Result(msgspec.Struct, frozen=True):
    """The answer of a use case. ``message`` and ``details`` of a failure may reach the failure log."""

    ok: bool
    error_type: str = ""
    message: str = ""
    details: dict[str, Any] | None = None
    attempts: int | None = None
    events: tuple[DomainEvent, ...] = ()
    later: tuple[Later, ...] = ()


def success(*, events: tuple[DomainEvent, ...] = (), later: tuple[Later, ...] = ()) -> Result:
    """Yes, with what to tell and what to do later."""
    return Result(True, events=events, later=later)


def failure(
    error_type: str, message: str = "", *, details: dict[str, Any] | None = None, attempts: int | None = None
) -> Result:
    """No, and why. ``attempts`` counts from 1 with the first included; None is unknown."""
    return Result(False, error_type, message, details, attempts)


class Call(msgspec.Struct, frozen=True):
    """One call of a use case. ``connection`` is the transition's own transaction in a transactional step, else None.

    A batch step calls once with all its ``rows``; any other step with one, which is ``row`` too.
    """

    workflow_type: str
    step: str
    rows: tuple[Row, ...]
    data: Mapping[str, Any]
    requester: str
    context: Context
    connection: Connection | None = None

    @property
    def row(self) -> Row:
        """The entity of a call for one."""
        return self.rows[0]
