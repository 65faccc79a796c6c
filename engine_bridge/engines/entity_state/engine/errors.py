"""Errors of the engine. Each message says what happened and what to do; none holds payloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .findings import Finding
    from .results import Result
    from .selection import Selection


class EngineError(Exception):
    """Base of every error the engine raises on purpose."""


class ConfigError(EngineError):
    """The configs must not be used; ``findings`` says why."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        errors = [str(f) for f in findings if f.severity == "error"]
        super().__init__(f"{len(errors)} errors in the configs:\n" + "\n".join(errors))
        self.findings = findings


class UnknownWorkflowError(EngineError):
    """No config for this workflow type and tenant."""


class UnknownUseCaseError(EngineError):
    """A name that no use case was registered under."""


class UseCaseError(EngineError):
    """A use case broke its contract (it answered something that is no Result)."""


class MissingContextError(EngineError):
    """Called outside any context: bind one, so that the history can say who did it."""


class MissingEnvelopeError(EngineError):
    """Something crossed a boundary without its context; it is refused."""


class TenantRequiredError(EngineError):
    """The entity belongs to tenants and the context names none: nothing can be seen, which is not "no entities"."""


class EntityNotFoundError(EngineError):
    """No row of this id is visible to this tenant."""


class SelectionError(EngineError):
    """No step, or several, for this status, requester and data; ``selection`` has the reason for each step."""

    def __init__(self, selection: Selection) -> None:
        super().__init__(selection.problem)
        self.selection = selection


class ValidationFailedError(EngineError):
    """The validation said no, and the step has no rejection state: nothing was written."""

    def __init__(self, step: str, result: Result) -> None:
        super().__init__(f"Validation of step {step} failed: {result.error_type}: {result.message}")
        self.step = step
        self.result = result


class StaleError(EngineError):
    """Somebody else moved the entity first; nothing was written. ``now`` and ``winner`` say what and who.

    ``now`` is (status, version) or None where the row is gone; ``winner`` is the last history row as a mapping, or
    None. ``acted`` tells that the action had already been called (a late holder of a claim).
    """

    def __init__(
        self,
        entity: str,
        seen: tuple[str, int],
        now: tuple[str, int] | None,
        winner: dict[str, Any] | None,
        acted: bool,
    ) -> None:
        by = f" by {winner['actor'] or winner['requester_type']}" if winner else ""
        state = f"it is now {now[0]} (version {now[1]}){by}" if now else "it is gone"
        tail = " The action had already run." if acted else ""
        super().__init__(f"{entity} was {seen[0]} (version {seen[1]}) when read; {state}.{tail}")
        self.entity = entity
        self.seen = seen
        self.now = now
        self.winner = winner
        self.acted = acted


class ClaimHeldError(EngineError):
    """The entity is claimed. ``dead`` tells that its time-to-live is over and its janitor is due."""

    def __init__(self, entity: str, status: str, holder: str | None, dead: bool) -> None:
        who = f" by {holder}" if holder else ""
        tail = "the claim is dead and waits for its janitor" if dead else "wait for it to end"
        super().__init__(f"{entity} is claimed{who} ({status}): {tail}.")
        self.entity = entity
        self.status = status
        self.holder = holder
        self.dead = dead
