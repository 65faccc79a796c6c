"""What a call of the engine did."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from .results import Result

OutcomeKind = Literal["moved", "rejected", "stopped", "observed", "already", "released"]


class Outcome(msgspec.Struct, frozen=True):
    """One step of one entity. ``stopped``: the action said no, ``result`` says why; ``already``: nothing to do.

    ``next`` holds what auto-advance did afterwards, ``halted`` why it went no further (empty: nothing held it).
    """

    kind: OutcomeKind
    entity_id: Any
    step: str
    from_status: str
    to_status: str
    version: int
    result: Result | None = None
    next: tuple[Outcome, ...] = ()
    halted: str = ""

    @property
    def final(self) -> Outcome:
        """The last outcome of the chain."""
        return self.next[-1] if self.next else self


class BatchOutcome(msgspec.Struct):
    """Many entities. Each id is in exactly one of: ``moved`` and ``rejected`` (id -> new status), ``stopped`` (id ->
    the failure), ``lost`` (somebody else was first), ``skipped`` (id -> why no step was tried)."""

    moved: dict[Any, str] = {}
    rejected: dict[Any, str] = {}
    stopped: dict[Any, Result] = {}
    lost: list[Any] = []
    skipped: dict[Any, str] = {}
