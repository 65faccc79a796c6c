"""Batch steps: one select, one validation, one action, one transaction, however many entities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .config import Step
from .errors import ClaimHeldError, SelectionError
from .logs import log
from .outcomes import BatchOutcome
from .results import Result, Row, success
from .runner import Attempt, Runner
from .transitions import Change


def execute_batch(
    runner: Runner,
    entity_ids: Iterable[Any],
    requester: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> BatchOutcome:
    """Executes the batch step that applies to each of the entities, grouped by step; losers are told, not raised.

    Entities that do not exist, are claimed, or have no batch step now are ``skipped`` with the reason. A batch does
    not advance by itself beyond further batch steps. Needs a bound context.
    """
    attempt = runner.attempt(requester, data)
    outcome = BatchOutcome()
    ids = list(entity_ids)
    for _ in range(runner.engine.max_advance):
        groups = _groups(runner, attempt, ids, outcome, first=not outcome.moved)
        ids = []
        for step, rows in groups:
            moved = _Batch(runner, attempt, step, outcome).run(rows)
            ids += moved if step.auto_advance else []
        if not ids:
            break
    return outcome


def _groups(
    runner: Runner, attempt: Attempt, ids: list[Any], outcome: BatchOutcome, first: bool
) -> list[tuple[Step, list[Row]]]:
    entities = attempt.transitions.entities
    with runner.engine.database.read(attempt.context) as connection:
        rows = entities.read_many(connection, attempt.context, ids)
    found: dict[str, tuple[Step, list[Row]]] = {}
    for row in rows:
        try:
            step = runner.pick(attempt, row)
        except (SelectionError, ClaimHeldError) as error:
            reason = str(error)
        else:
            reason = "" if step.batch else f"The step {step.key} is no batch step."
            if not reason:
                found.setdefault(step.key, (step, []))[1].append(row)
        if reason and first:
            outcome.skipped[row.id] = reason
    if first:
        present = {row.id for row in rows}
        for key in map(entities.key, ids):
            if key not in present:
                outcome.skipped[key] = f"There is no {entities.entity.name} {key} for this tenant."
    return list(found.values())


class _Batch:
    """One step of a batch."""

    def __init__(self, runner: Runner, attempt: Attempt, step: Step, outcome: BatchOutcome) -> None:
        self.runner = runner
        self.attempt = attempt
        self.step = step
        self.outcome = outcome

    def run(self, rows: list[Row]) -> list[Any]:
        """The ids that moved to the successful state."""
        step = self.step
        self.runner.engine.at("selected")
        checked = self._results(step.validation, rows)
        self.runner.engine.at("validated")
        good = [row for row in rows if checked[row.id].ok]
        bad = [row for row in rows if not checked[row.id].ok]
        if step.rejection_state is None:
            self.outcome.stopped.update({row.id: checked[row.id] for row in bad})
            bad = []
        refused = self._results(step.rejection_action, bad)
        self.outcome.stopped.update({i: result for i, result in refused.items() if not result.ok})
        rejected = [
            self._change(row, step.rejection_state or "", "rejected", checked[row.id])
            for row in bad
            if refused[row.id].ok
        ]
        moved = self._transactional(good, rejected) if step.transactional else self._plain(good, rejected)
        self._report(len(moved), len(rows))
        for row in good:
            if row.id in moved:
                self.runner.after_effects(self.attempt, step, row)
        return list(moved)

    def _results(self, name: str | None, rows: list[Row], connection: Any = None) -> dict[Any, Result]:
        if name is None or not rows:
            return {row.id: success() for row in rows}
        call = self.runner.call(self.attempt, self.step, tuple(rows), connection)
        return self.runner.engine.use_cases.call_batch(name, call)

    def _change(
        self, row: Row, to: str, kind: Any, result: Result | None, holder: str | None = None
    ) -> Change:
        reason = result.message if result is not None and not result.ok else None
        return self.runner.change(self.attempt, self.step, row, to, kind, result, reason, holder)

    def _claimed(self, rows: list[Row]) -> list[Row]:
        claim = self.step.claim
        if claim is None or not rows:
            return rows
        holder = self.runner.holder(self.attempt)
        changes = [self._change(row, claim.status, "claim", None, holder) for row in rows]
        with self.runner.engine.database.write(self.attempt.context) as connection:
            won = self.attempt.transitions.apply_many(connection, self.attempt.context, changes)
        self.runner.engine.at("claimed")
        self._lose(row.id for row in rows if row.id not in won)
        return [Row(row.id, claim.status, row.version + 1, row.values) for row in rows if row.id in won]

    def _plain(self, good: list[Row], rejected: list[Change]) -> set[Any]:
        held = self._claimed(good)
        results = self._results(self.step.action, held)
        self.runner.engine.at("acted")
        with self.runner.engine.database.write(self.attempt.context) as connection:
            return self._settle(connection, held, results, rejected)

    def _transactional(self, good: list[Row], rejected: list[Change]) -> set[Any]:
        held = self._claimed(good)
        database = self.runner.engine.database
        with database.write(self.attempt.context) as connection, connection.begin_nested() as inner:
            results = self._results(self.step.action, held, connection)
            self.runner.engine.at("acted")
            # One transaction for all: a single no takes back what the action wrote for the others.
            if all(result.ok for result in results.values()):
                return self._settle(connection, held, results, rejected)
            inner.rollback()
        self.outcome.stopped.update(results)
        with database.write(self.attempt.context) as connection:
            return self._settle(connection, held, results, rejected)

    def _settle(
        self, connection: Any, held: list[Row], results: dict[Any, Result], rejected: list[Change]
    ) -> set[Any]:
        step, outcome = self.step, self.outcome
        yes = [
            self._change(row, step.successful_state, "step", results[row.id])
            for row in held
            if results[row.id].ok
        ]
        no = [row for row in held if not results[row.id].ok]
        outcome.stopped.update({row.id: results[row.id] for row in no})
        if step.transactional and no:
            yes, no = [], held
        back = step.claim.release if step.claim is not None else None
        released = [self._change(row, back, "released", results[row.id]) for row in no] if back else []
        moved = self.attempt.transitions.apply_many(
            connection, self.attempt.context, yes + released + rejected
        )
        outcome.moved.update({c.row.id: c.to for c in yes if c.row.id in moved})
        outcome.rejected.update({c.row.id: c.to for c in rejected if c.row.id in moved})
        self._lose(c.row.id for c in (*yes, *rejected) if c.row.id not in moved)
        return {c.row.id for c in yes if c.row.id in moved}

    def _lose(self, ids: Iterable[Any]) -> None:
        self.outcome.lost += [i for i in ids if i not in self.outcome.lost]

    def _report(self, moved: int, asked: int) -> None:
        log(
            "batch",
            workflow=self.runner.workflow_type,
            step=self.step.key,
            to=self.step.successful_state,
            outcome=f"{moved} of {asked}",
            count=moved,
            requester=self.attempt.requester,
            correlation_id=self.attempt.context.correlation_id,
            tenant=self.attempt.context.tenant_id,
        )
