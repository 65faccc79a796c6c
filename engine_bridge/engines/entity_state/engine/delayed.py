"""Delayed steps: a small durable table, and the poller that executes what is due, in the context it was sealed in."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from .context import Context, bound, unseal
from .errors import (
    EntityNotFoundError,
    MissingEnvelopeError,
    SelectionError,
    UnknownWorkflowError,
    ValidationFailedError,
)
from .leases import lease
from .logs import log

if TYPE_CHECKING:
    from .engine import Engine

FINAL = (
    SelectionError,
    ValidationFailedError,
    EntityNotFoundError,
    UnknownWorkflowError,
    MissingEnvelopeError,
)
"""Errors that another try would only repeat."""


class Poller:
    """Executes due rows of workflow_delayed, at least once each.

    ``outcome`` of a done row is the outcome's kind, ``superseded`` (the entity had left the expected status),
    ``refused`` (a final error) or ``gave_up`` after ``max_attempts`` tries; ``last_error`` names the error, no payload.
    """

    def __init__(
        self, engine: Engine, *, lease_s: float = 300.0, retry_s: float = 30.0, max_attempts: int = 10
    ) -> None:
        self.engine = engine
        self.table = engine.tables.delayed
        self.lease_s = lease_s
        self.retry_s = retry_s
        self.max_attempts = max_attempts

    def poll(self, tick: Context, limit: int = 50) -> int:
        """Executes what is due, up to ``limit`` rows; how many were tried. Row-level security limits it to a tenant."""
        now = self.engine.clock()
        due = sa.and_(self.table.c.done_at.is_(None), self.table.c.due_at <= now)
        with self.engine.database.write(tick) as connection:
            rows = lease(connection, self.table, due, self.table.c.due_at, now, self.lease_s, limit)
        self.engine.at("leased")
        for row in rows:
            self._one(tick, row)
        return len(rows)

    def _one(self, tick: Context, row: sa.RowMapping) -> None:
        try:
            outcome, retry = self._execute(row), False
            error = ""
            if outcome == "stopped":
                retry, error = True, "the action said no"
        except FINAL as caught:
            outcome, retry, error = "refused", False, type(caught).__name__
        except Exception as caught:  # noqa: BLE001 - whatever a use case raises, the next row is due
            outcome, retry, error = "", True, type(caught).__name__
        self.engine.at("executed")
        if retry and row["attempts"] < self.max_attempts:
            wait = self.retry_s * 2 ** min(row["attempts"] - 1, 10)
            values: dict[str, Any] = {"leased_until": self.engine.clock() + timedelta(seconds=wait)}
        else:
            values = {"done_at": self.engine.clock(), "outcome": "gave_up" if retry else outcome}
        with self.engine.database.write(tick) as connection:
            statement = sa.update(self.table).where(self.table.c.id == row["id"])
            connection.execute(statement.values(last_error=error or None, **values))
        level = logging.ERROR if error == MissingEnvelopeError.__name__ else logging.INFO
        log("delayed", level, workflow=row["workflow_type"], step=row["step_key"], entity=row["entity_id"],
            outcome=values.get("outcome", "retry"), error_type=error or None, count=row["attempts"],
            correlation_id=tick.correlation_id)  # fmt: skip

    def _execute(self, row: sa.RowMapping) -> str:
        with bound(unseal(row["envelope"])):
            runner = self.engine.workflow(row["workflow_type"])
            attempt = runner.attempt(row["requester_type"], row["data"])
            expected = row["expected_status"]
            if expected is not None and runner.read(attempt, row["entity_id"]).status != expected:
                return "superseded"
            outcome = runner.execute_step(
                row["entity_id"], row["requester_type"], row["data"] or {}, step=row["step_key"]
            )
            return outcome.kind
