"""Executing a step of one workflow type: select, validate, act, transition, after-effects — always in this order."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from .config import Step
from .context import Context, current
from .document import Document
from .errors import ClaimHeldError, EngineError, SelectionError, StaleError, ValidationFailedError
from .logs import log
from .outcomes import Outcome
from .results import Call, Result, Row, success
from .selection import Selection, pick, select
from .transitions import Change, Kind, Transitions

if TYPE_CHECKING:
    from .engine import Engine


class Attempt(msgspec.Struct, frozen=True):
    """The circumstances of one call."""

    context: Context
    document: Document
    transitions: Transitions
    requester: str
    data: Mapping[str, Any]
    began: float


class _RolledBackError(Exception):
    """Ends a transactional step's transaction; never leaves this module."""

    def __init__(self, result: Result | None) -> None:
        self.result = result


class Runner:
    """The steps of one workflow type. Safe for threads; every call needs a bound context."""

    def __init__(self, engine: Engine, workflow_type: str) -> None:
        self.engine = engine
        self.workflow_type = workflow_type

    def execute_step(
        self,
        entity_id: Any,
        requester: str | None = None,
        data: Mapping[str, Any] | None = None,
        *,
        step: str | None = None,
    ) -> Outcome:
        """Executes the one step that applies (``step`` narrows to a key), then those that advance by themselves.

        Raises SelectionError, ValidationFailedError, StaleError, ClaimHeldError, EntityNotFoundError or
        MissingContextError; the first step then wrote nothing. What a use case raises passes through. A later step of
        the chain does not raise what is expected: ``halted`` of the outcome says it.
        """
        attempt = self.attempt(requester, data)
        first, chosen = self._once(attempt, entity_id, step)
        return self._advance(attempt, first, chosen)

    def attempt(self, requester: str | None, data: Mapping[str, Any] | None) -> Attempt:
        """The circumstances of a call that begins now."""
        context = current()
        document = self.engine.catalogue.get(self.workflow_type, context.tenant_id)
        return Attempt(
            context,
            document,
            self.engine.transitions(document, context),
            requester or context.requester_type,
            data or {},
            time.perf_counter(),
        )

    def read(self, attempt: Attempt, entity_id: Any) -> Row:
        """The entity as it is now."""
        with self.engine.database.read(attempt.context) as connection:
            return attempt.transitions.entities.read(connection, attempt.context, entity_id)

    def explain(
        self, entity_id: Any, requester: str | None = None, data: Mapping[str, Any] | None = None
    ) -> Selection:
        """What would apply to the entity now, and why; writes nothing and calls no use case."""
        attempt = self.attempt(requester, data)
        row = self.read(attempt, entity_id)
        return select(attempt.document, row.status, attempt.requester, attempt.data)

    def _once(self, attempt: Attempt, entity_id: Any, key: str | None = None) -> tuple[Outcome, Step]:
        row = self.read(attempt, entity_id)
        step = self.pick(attempt, row, key)
        self.engine.at("selected")
        checked = self._call(attempt, step, step.validation, row)
        self.engine.at("validated")
        outcome = self._fire(attempt, step, row) if checked.ok else self._reject(attempt, step, row, checked)
        self.report(attempt, outcome)
        if outcome.kind in ("moved", "rejected"):
            self.after_effects(attempt, step, Row(row.id, outcome.to_status, outcome.version, row.values))
        return outcome, step

    def _advance(self, attempt: Attempt, first: Outcome, step: Step) -> Outcome:
        chain: list[Outcome] = []
        last, halted = first, ""
        while last.kind == "moved" and step.auto_advance and not halted:
            if len(chain) >= self.engine.max_advance:
                halted = f"stopped after {self.engine.max_advance} steps"
                break
            try:
                last, step = self._once(attempt, first.entity_id)
                chain.append(last)
            except SelectionError as error:
                # The end of a chain: nothing applies by itself to the status reached.
                halted = error.selection.problem
            except EngineError as error:
                halted = str(error)
        return msgspec.structs.replace(first, next=tuple(chain), halted=halted) if chain or halted else first

    def pick(self, attempt: Attempt, row: Row, key: str | None = None) -> Step:
        """The step for a row; a claimed row raises ClaimHeldError unless a step leads out of the claim."""
        document = attempt.document
        try:
            return pick(document, row.status, attempt.requester, attempt.data, key)
        except SelectionError:
            claims = [pair for view in document.views for pair in view.by_claim.get(row.status, ())]
            if not claims:
                raise
        raise self._held(attempt, row, max(claim.ttl_s for _, claim in claims))

    def _held(self, attempt: Attempt, row: Row, ttl_s: float) -> ClaimHeldError:
        entity = attempt.transitions.entities.entity
        since = row.values.get(entity.claimed_at) if entity.claimed_at else None
        age = (self.engine.clock() - since).total_seconds() if since is not None else 0.0
        holder = row.values.get(entity.claimed_by) if entity.claimed_by else None
        return ClaimHeldError(self.label(attempt, row), row.status, holder, age > ttl_s)

    def label(self, attempt: Attempt, row: Row) -> str:
        """How messages name an entity."""
        return f"{attempt.transitions.entities.entity.name} {row.id}"

    def _call(
        self,
        attempt: Attempt,
        step: Step,
        name: str | None,
        row: Row,
        connection: sa.Connection | None = None,
    ) -> Result:
        if name is None:
            return success()
        return self.engine.use_cases.call(name, self.call(attempt, step, (row,), connection))

    def call(
        self, attempt: Attempt, step: Step, rows: tuple[Row, ...], connection: sa.Connection | None = None
    ) -> Call:
        """What a use case is given."""
        return Call(
            self.workflow_type, step.key, rows, attempt.data, attempt.requester, attempt.context, connection
        )

    def _reject(self, attempt: Attempt, step: Step, row: Row, checked: Result) -> Outcome:
        if step.rejection_state is None:
            self.report(
                attempt, Outcome("stopped", row.id, step.key, row.status, row.status, row.version, checked)
            )
            raise ValidationFailedError(step.key, checked)
        change = self.change(attempt, step, row, step.rejection_state, "rejected", checked, checked.message)
        return self._carry_out(attempt, step, change, step.rejection_action)

    def _fire(self, attempt: Attempt, step: Step, row: Row) -> Outcome:
        if step.claim is not None:
            row = self._claim(attempt, step, row, step.claim.status)
            self.engine.at("claimed")
        change = self.change(attempt, step, row, step.successful_state, "step", None)
        outcome = self._carry_out(attempt, step, change, step.action)
        if outcome.kind == "stopped" and step.claim is not None and step.claim.release is not None:
            return self._release(attempt, step, row, step.claim.release, outcome)
        return outcome

    def change(
        self,
        attempt: Attempt,
        step: Step,
        row: Row,
        to: str,
        kind: Kind,
        result: Result | None,
        reason: str | None = None,
        holder: str | None = None,
    ) -> Change:
        """A transition of this call."""
        return Change(
            row, to, step.key, kind, attempt.requester, attempt.began, result, reason or None, holder
        )

    def _claim(self, attempt: Attempt, step: Step, row: Row, status: str) -> Row:
        change = self.change(attempt, step, row, status, "claim", None, holder=self.holder(attempt))
        self.commit(attempt, change)
        self.report(attempt, self._outcome(change, "moved", None), "claim")
        return Row(row.id, status, row.version + 1, row.values)

    def holder(self, attempt: Attempt) -> str:
        """The name under which a claim is held."""
        return attempt.context.user_id or attempt.context.correlation_id

    def _release(self, attempt: Attempt, step: Step, row: Row, to: str, stopped: Outcome) -> Outcome:
        result = stopped.result
        change = self.change(attempt, step, row, to, "released", None, result.message if result else None)
        self.commit(attempt, change, acted=True)
        return msgspec.structs.replace(stopped, to_status=to, version=row.version + 1)

    def _carry_out(self, attempt: Attempt, step: Step, change: Change, action: str | None) -> Outcome:
        """The action and its transition; in a transactional step both in one transaction."""
        if step.transactional and action is not None:
            return self._carry_out_inside(attempt, step, change, action)
        result = self._call(attempt, step, action, change.row)
        self.engine.at("acted")
        if not result.ok:
            return self._outcome(change, "stopped", result)
        change = self._with_result(change, result)
        self.commit(attempt, change, acted=action is not None)
        return self._outcome(change, "rejected" if change.kind == "rejected" else "moved", change.result)

    def _carry_out_inside(self, attempt: Attempt, step: Step, change: Change, action: str) -> Outcome:
        try:
            with self.engine.database.write(attempt.context) as connection:
                result = self._call(attempt, step, action, change.row, connection)
                self.engine.at("acted")
                if not result.ok:
                    raise _RolledBackError(result)
                change = self._with_result(change, result)
                if not attempt.transitions.apply(connection, attempt.context, change):
                    raise _RolledBackError(None)
        except _RolledBackError as rolled:
            if rolled.result is not None:
                return self._outcome(change, "stopped", rolled.result)
            raise self.stale(attempt, change.row, acted=False) from None
        self.engine.at("committed")
        return self._outcome(change, "rejected" if change.kind == "rejected" else "moved", change.result)

    @staticmethod
    def _with_result(change: Change, result: Result) -> Change:
        before = change.result
        if before is None:
            return msgspec.structs.replace(change, result=result)
        # A rejection keeps the validation's reason, and what its action has to tell.
        both = msgspec.structs.replace(
            before, events=before.events + result.events, later=before.later + result.later
        )
        return msgspec.structs.replace(change, result=both)

    def _outcome(self, change: Change, kind: Any, result: Result | None) -> Outcome:
        row = change.row
        if kind == "stopped":
            return Outcome(kind, row.id, change.step, row.status, row.status, row.version, result)
        return Outcome(kind, row.id, change.step, row.status, change.to, row.version + 1, result)

    def commit(self, attempt: Attempt, change: Change, acted: bool = False) -> None:
        """Makes one transition in a transaction of its own; raises StaleError where somebody else was first."""
        with self.engine.database.write(attempt.context) as connection:
            moved = attempt.transitions.apply(connection, attempt.context, change)
        if not moved:
            raise self.stale(attempt, change.row, acted)
        self.engine.at("committed")

    def stale(self, attempt: Attempt, seen: Row, acted: bool) -> StaleError:
        """The error for a lost race, with who won it and what changed."""
        entities = attempt.transitions.entities
        with self.engine.database.read(attempt.context) as connection:
            rows = entities.read_many(connection, attempt.context, [seen.id])
            winner = attempt.transitions.last(connection, seen.id)
        log("stale", workflow=self.workflow_type, entity=seen.id, from_=seen.status,
            to=rows[0].status if rows else None, correlation_id=attempt.context.correlation_id,
            outcome="acted" if acted else "unchanged")  # fmt: skip
        return StaleError(
            self.label(attempt, seen),
            (seen.status, seen.version),
            (rows[0].status, rows[0].version) if rows else None,
            dict(winner) if winner else None,
            acted,
        )

    def after_effects(self, attempt: Attempt, step: Step, row: Row) -> None:
        """Calls the step's after-effects, best effort: what they answer or raise is logged and nothing more."""
        for name in step.after_effects:
            try:
                result = self._call(attempt, step, name, row)
                problem = "" if result.ok else result.error_type
            except Exception as error:  # noqa: BLE001 - best effort means whatever it raises
                problem = type(error).__name__
            if problem:
                log("after_effect_failed", logging.WARNING, workflow=self.workflow_type, step=step.key, entity=row.id,
                    error_type=problem, correlation_id=attempt.context.correlation_id)  # fmt: skip
        self.engine.at("after_effects")

    def report(self, attempt: Attempt, outcome: Outcome, event: str = "step") -> None:
        """One line of the structured log; one more where the entity has failed for good."""
        failed = outcome.result is not None and not outcome.result.ok
        log(
            event,
            workflow=self.workflow_type,
            step=outcome.step,
            entity=outcome.entity_id,
            from_=outcome.from_status,
            to=outcome.to_status,
            outcome=outcome.kind,
            duration_ms=round((time.perf_counter() - attempt.began) * 1000, 3),
            requester=attempt.requester,
            correlation_id=attempt.context.correlation_id,
            tenant=attempt.context.tenant_id,
            error_type=outcome.result.error_type if failed and outcome.result else None,
        )
        if event != "failure" and outcome.to_status in attempt.transitions.bad:
            self.report(attempt, outcome, "failure")
