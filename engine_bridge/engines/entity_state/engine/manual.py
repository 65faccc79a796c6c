"""Transitions that no use case makes: observed ones, moves by an operator, releases, sweeps, delayed steps."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from .claims import Sweep, Swept, claims_of
from .config import Step
from .context import current
from .errors import ClaimHeldError, EngineError, StaleError
from .logs import log
from .outcomes import Outcome
from .results import Later, Row
from .runner import Attempt, Runner
from .transitions import Change, Kind, delayed_row


class UndeclaredError(EngineError):
    """No declared step leads from where the entity stands to where it is said to be, or the status is unknown."""


class Manual(Runner):
    """A runner that also records what happened elsewhere and what people decide."""

    def observe(
        self,
        entity_id: Any,
        to_status: str,
        requester: str | None = None,
        data: Mapping[str, Any] | None = None,
        *,
        observation: str | None = None,
    ) -> Outcome:
        """Records a transition that somebody else made: no validation, no action; after-effects run.

        Repeats do nothing (``already``): by the status, and by ``observation`` (the other side's id of the event) also
        after the entity has moved on. Raises UndeclaredError where no step leads there.
        """
        attempt = self.attempt(requester, data)
        row = self.read(attempt, entity_id)
        if row.status == to_status or (observation and self._observed(attempt, row, observation)):
            return Outcome("already", row.id, "", row.status, row.status, row.version)
        step = self._leading(attempt, row, to_status)
        change = Change(row, to_status, step.key, "observed", attempt.requester, attempt.began,
                        notes={"observation": observation} if observation else None)  # fmt: skip
        try:
            self.commit(attempt, change)
        except StaleError as error:
            if error.now is not None and error.now[0] == to_status:
                return Outcome("already", row.id, step.key, to_status, to_status, error.now[1])
            raise
        outcome = Outcome("observed", row.id, step.key, row.status, to_status, row.version + 1)
        self.report(attempt, outcome)
        self.after_effects(attempt, step, Row(row.id, to_status, row.version + 1, row.values))
        return outcome

    def _observed(self, attempt: Attempt, row: Row, observation: str) -> bool:
        history = self.engine.tables.history
        statement = sa.select(history.c.id).where(
            attempt.transitions.of_entity(row.id),
            history.c.metadata["observation"].as_string() == observation,
        )
        with self.engine.database.read(attempt.context) as connection:
            return connection.execute(statement.limit(1)).first() is not None

    @staticmethod
    def _leading(attempt: Attempt, row: Row, to_status: str) -> Step:
        views = [attempt.document.view(attempt.requester), *attempt.document.views]
        for view in views:
            for step in view.workflow.steps:
                here = (step.status, step.claim.status if step.claim else None)
                if row.status in here and to_status in step.targets:
                    return step
        raise UndeclaredError(f"No step leads from {row.status} to {to_status}.")

    def move(
        self,
        entity_id: Any,
        to_status: str,
        reason: str,
        *,
        seen: tuple[str, int],
        step: str = "operator_move",
    ) -> Outcome:
        """Moves an entity by hand, if it still has the status and version ``seen``; guards and actions do not run.

        Raises StaleError (who won, what changed) or UndeclaredError for a status the config does not know.
        """
        attempt = self.attempt(None, None)
        flow = attempt.document.view(attempt.document.requesters[0]).workflow
        if to_status not in flow.status_types:
            raise UndeclaredError(f"{self.workflow_type} does not know the status {to_status}.")
        row = Row(attempt.transitions.entities.key(entity_id), seen[0], seen[1], {})
        return self._by_hand(attempt, row, to_status, step, "moved", reason)

    def _by_hand(self, attempt: Attempt, row: Row, to: str, step: str, kind: Kind, reason: str) -> Outcome:
        self.commit(attempt, Change(row, to, step, kind, attempt.requester, attempt.began, None, reason))
        outcome = Outcome(
            "released" if kind == "released" else "moved", row.id, step, row.status, to, row.version + 1
        )
        self.report(attempt, outcome, "release" if kind == "released" else "move")
        return outcome

    def release_claim(self, entity_id: Any, reason: str, *, force: bool = False) -> Outcome:
        """Takes a claim back to where it came from. A live one only by force: its holder then loses."""
        attempt = self.attempt(None, None)
        row = self.read(attempt, entity_id)
        pairs = claims_of(attempt).get(row.status)
        if not pairs:
            raise UndeclaredError(f"{self.label(attempt, row)} is not claimed: it is {row.status}.")
        sweep = Sweep(self, attempt)
        with self.engine.database.read(attempt.context) as connection:
            held = sweep.claim(connection, row, pairs)
        if not force and not sweep.is_dead(held):
            raise ClaimHeldError(self.label(attempt, row), row.status, held.holder, False)
        return self._by_hand(
            attempt, row, held.claim.release or held.step.status, held.step.key, "released", reason
        )

    def sweep_claims(self, limit: int = 100) -> list[Swept]:
        """Hands dead claims to the owning module's janitor; at most ``limit`` entities of each claim status."""
        return Sweep(self, self.attempt(None, None)).run(limit)

    def schedule(self, entity_id: Any, later: Later, *, request_id: str | None = None) -> str:
        """Enters a step to be executed later, with the current context as its envelope; the request id.

        The same request id is entered once. See delayed.py for who executes it.
        """
        context = current()
        row = delayed_row(context, self.workflow_type, entity_id, later, self.engine.clock(), request_id)
        # Entered before, or by another caller at this moment.
        with suppress(IntegrityError), self.engine.database.write(context) as connection:
            connection.execute(sa.insert(self.engine.tables.delayed), row)
        log("scheduled", workflow=self.workflow_type, step=later.step, entity=entity_id,
            correlation_id=context.correlation_id, tenant=context.tenant_id)  # fmt: skip
        return str(row["request_id"])
