"""Dead claims: the owning module's janitor decides whether they go back, forward or have failed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from .config import Claim, Step
from .errors import UseCaseError
from .logs import log
from .results import Row, failure
from .runner import Attempt, Runner
from .transitions import Change


class DeadClaim(msgspec.Struct, frozen=True):
    """A claim older than its time-to-live. ``since`` is None where nothing records when it began."""

    workflow_type: str
    row: Row
    step: Step
    claim: Claim
    holder: str | None
    since: datetime | None


class Verdict(msgspec.Struct, frozen=True):
    """A janitor's choice. ``to`` overrides the status it means: back = release, or the step's own status; forward =
    successful_state; failed = the only bad terminal status."""

    choice: Literal["back", "forward", "failed"]
    reason: str
    to: str | None = None


Janitor = Callable[[DeadClaim], Verdict]


class Janitors:
    """Owning module -> janitor. The engine knows no module; it only asks."""

    def __init__(self) -> None:
        self._known: dict[str, Janitor] = {}

    def register(self, owning_module: str) -> Callable[[Janitor], Janitor]:
        """A decorator that enters a module's janitor; raises UseCaseError where it has one."""

        def enter(janitor: Janitor) -> Janitor:
            if owning_module in self._known:
                raise UseCaseError(f"Two janitors for the module “{owning_module}”.")
            self._known[owning_module] = janitor
            return janitor

        return enter

    @property
    def modules(self) -> frozenset[str]:
        """The modules that have one."""
        return frozenset(self._known)

    def ask(self, owning_module: str, dead: DeadClaim) -> Verdict:
        """The verdict of a module's janitor; raises UseCaseError where there is none."""
        janitor = self._known.get(owning_module)
        if janitor is None:
            raise UseCaseError(f"The module “{owning_module}” has no janitor.")
        return janitor(dead)


class Swept(msgspec.Struct, frozen=True):
    """What became of a dead claim; ``to`` is None where the holder, or another janitor, was first, or the janitor
    itself failed (``problem``)."""

    entity_id: Any
    status: str
    choice: str
    to: str | None
    problem: str = ""


def claims_of(attempt: Attempt) -> dict[str, list[tuple[Step, Claim]]]:
    """Claim status -> the steps that claim with it, of all requesters."""
    found: dict[str, list[tuple[Step, Claim]]] = {}
    for view in attempt.document.views:
        for status, pairs in view.by_claim.items():
            found.setdefault(status, []).extend(pairs)
    return found


class Sweep:
    """One look for dead claims of a workflow type."""

    def __init__(self, runner: Runner, attempt: Attempt) -> None:
        self.runner = runner
        self.attempt = attempt

    def run(self, limit: int) -> list[Swept]:
        """Settles up to ``limit`` dead claims of each claim status."""
        with self.runner.engine.database.read(self.attempt.context) as connection:
            found = [
                claim
                for status, pairs in claims_of(self.attempt).items()
                for claim in islice(self._dead(connection, status, pairs), limit)
            ]
        return [self._settle(dead) for dead in found]

    def _dead(
        self, connection: sa.Connection, status: str, pairs: list[tuple[Step, Claim]]
    ) -> Iterator[DeadClaim]:
        shortest = timedelta(seconds=min(claim.ttl_s for _, claim in pairs))
        before = self.runner.engine.clock() - shortest
        entities = self.attempt.transitions.entities
        for row in entities.on_status(connection, self.attempt.context, status, before):
            claim = self.claim(connection, row, pairs)
            if self.is_dead(claim):
                yield claim

    def is_dead(self, claim: DeadClaim) -> bool:
        """Whether a claim is older than its time-to-live; one of unknown age is."""
        if claim.since is None:
            return True
        return (self.runner.engine.clock() - claim.since).total_seconds() > claim.claim.ttl_s

    def claim(self, connection: sa.Connection, row: Row, pairs: list[tuple[Step, Claim]]) -> DeadClaim:
        """Who holds the claim of a row, for which step and since when, by its columns, else by its history."""
        entity = self.attempt.transitions.entities.entity
        last = self.attempt.transitions.last(connection, row.id)
        entered = last if last is not None and last["to_status"] == row.status else None
        key = entered["step_key"] if entered else None
        step, claim = next((pair for pair in pairs if pair[0].key == key), pairs[0])
        since = row.values.get(entity.claimed_at) if entity.claimed_at else None
        holder = row.values.get(entity.claimed_by) if entity.claimed_by else None
        if entered is not None:
            since, holder = since or entered["changed_at"], holder or entered["actor"]
        return DeadClaim(self.runner.workflow_type, row, step, claim, holder, since)

    def _settle(self, dead: DeadClaim) -> Swept:
        flow = self.attempt.document.view(self.attempt.document.requesters[0]).workflow
        try:
            verdict = self.runner.engine.janitors.ask(flow.owning_module, dead)
            to = verdict.to or self._target(dead, verdict, flow.terminal.bad)
        except Exception as error:  # noqa: BLE001 - one janitor's fault must not keep the others' claims dead
            log("janitor_failed", logging.ERROR, workflow=dead.workflow_type, step=dead.step.key, entity=dead.row.id,
                error_type=type(error).__name__, correlation_id=self.attempt.context.correlation_id)  # fmt: skip
            return Swept(dead.row.id, dead.claim.status, "", None, f"{type(error).__name__}: {error}")
        result = failure("ClaimExpired", verdict.reason) if verdict.choice == "failed" else None
        change = Change(dead.row, to, dead.step.key, "janitor", self.attempt.requester, self.attempt.began, result,
                        verdict.reason, notes={"choice": verdict.choice, "holder": dead.holder})  # fmt: skip
        with self.runner.engine.database.write(self.attempt.context) as connection:
            moved = self.attempt.transitions.apply(connection, self.attempt.context, change)
        log("claim_swept", workflow=dead.workflow_type, step=dead.step.key, entity=dead.row.id, from_=dead.row.status,
            to=to, outcome=verdict.choice if moved else "lost",
            correlation_id=self.attempt.context.correlation_id)  # fmt: skip
        return Swept(dead.row.id, dead.claim.status, verdict.choice, to if moved else None)

    @staticmethod
    def _target(dead: DeadClaim, verdict: Verdict, bad: tuple[str, ...]) -> str:
        if verdict.choice == "back":
            return dead.claim.release or dead.step.status
        if verdict.choice == "forward":
            return dead.step.successful_state
        if len(bad) != 1:
            raise UseCaseError(f"“failed” needs a status (“to”): there are {len(bad)} bad terminal ones.")
        return bad[0]
