"""Entities that exist in memory only: runs whose steps are statuses, a failure log with rows of its own, next steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from engine_bridge.actions.model import ActionSpec, Param, ParamType, PlanItem, Staged, Target
from engine_bridge.bridge import (
    Capability,
    Cost,
    FailureRow,
    Field,
    FieldType,
    Page,
    Relations,
    Resource,
    SourceInfo,
)
from engine_bridge.cancel import CancelToken
from engine_bridge.codes import code
from engine_bridge.history import Batch, BatchBuilder
from engine_bridge.model import (
    Event,
    EventKind,
    Evidence,
    Failure,
    Provenance,
    Run,
    RunRef,
    Status,
    Step,
    StepKind,
    StepStatus,
)
from engine_bridge.populations import Candidate, Resolution
from tests.fakes import NOW, FakeBridge, S

DAY = 86_400 * S
WEEK = 7 * DAY
_TARGETS = ("active", "rejected", "documents_uploaded")
TENANTS = ("acme", "globex")
ENDS = {"active": Status.COMPLETED, "rejected": Status.FAILED}
LIVES = (
    ("pending_email", "email_verified", "pending_documents"),
    ("pending_email", "email_verified", "pending_documents", "pending_approval", "active"),
    ("pending_email", "pending_documents", "pending_email", "pending_documents", "pending_email", "rejected"),
)
"""The statuses that entity n passed, by n modulo 3; a life of the third kind goes back twice."""


def entity_ref(number: int) -> RunRef:
    return RunRef("entity", "registration", str(number))


def make_entity(number: int) -> Run:
    life = LIVES[number % len(LIVES)]
    since = NOW - (number + 1) * DAY // 4
    return Run(
        ref=entity_ref(number),
        id=str(number),
        type="registration",
        status=ENDS.get(life[-1], Status.RUNNING),
        engine_status=life[-1],
        engine="fake",
        created_ns=since - len(life) * DAY,
        started_ns=since - len(life) * DAY,
        ended_ns=since if life[-1] in ENDS else None,
        updated_ns=since,
        version=str(len(life)),
        now="retry limit in upload_documents · 3 failures" if number % 3 == 0 else "",
        attributes={"tenant": TENANTS[number % 2]},
        extra={"since_ns": since},
    )


def entity_history(run: Run, *, drift: bool = False) -> tuple[list[tuple[Event, int]], list[Step]]:
    """One stay in each status of its life, a day long; with ``drift`` the last one is inferred."""
    life = LIVES[int(run.id) % len(LIVES)]
    start = (run.created_ns or 0) + DAY // 2
    events, steps = [], []
    for number, status in enumerate(life, 1):
        last = number == len(life)
        guess = Provenance.INFERRED if drift and last else Provenance.RECORDED
        evidence = (Evidence(rule="drift", facts=("changed without a history row, as by raw SQL",)),)
        began = start + (number - 1) * DAY
        done = {Status.COMPLETED: StepStatus.COMPLETED, Status.FAILED: StepStatus.FAILED}
        here = done.get(ENDS.get(status, Status.RUNNING), StepStatus.WAITING)
        steps.append(
            Step(
                id=str(number),
                name=status,
                kind=StepKind.STATUS,
                status=here if last else StepStatus.COMPLETED,
                start_ns=began,
                end_ns=(None if here is StepStatus.WAITING else began) if last else began + DAY,
                provenance=guess,
                evidence=evidence if guess is Provenance.INFERRED else (),
            )
        )
        before = life[number - 2] if number > 1 else None
        facts: dict[str, Any] = {"requester": "admin", "actor": "anna", "correlation_id": f"req-{number}"}
        if number == 3:
            facts["reason"] = "documents came by mail"
        event = Event(
            position=number,
            kind=EventKind.STATUS_CHANGED if before else EventKind.RUN_CREATED,
            name=f"step_{number}",
            time_ns=began,
            step_id=str(number),
            step_name=status,
            status=here,
            detail=f"{before} → {status}" if before else status,
            attributes=facts if before else {},
            provenance=guess,
            evidence=evidence if guess is Provenance.INFERRED else (),
        )
        events.append((event, code(ENDS.get(status, Status.RUNNING))))
    return events, steps


def log_row(number: int) -> FailureRow:
    """Row ``number`` of the log, counted from the newest; three a week, every second one resolved."""
    resolved = number % 2 == 1
    attributes: dict[str, Any] = {
        "tenant": TENANTS[number // 2 % 2],
        "correlation_id": f"req-{number // 4}",
        "attempts": 3,
        "status": "rejected",
    }
    if resolved:
        attributes["resolved_ns"] = NOW
    return FailureRow(
        id=f"registration/{number}",
        ref=entity_ref(number),
        run_type="registration",
        time_ns=NOW - number * WEEK // 3,
        failure=Failure(type="DocumentsMissing" if number % 3 else "Timeout", message=f"try {number}"),
        step_name="upload_documents",
        resolved=resolved,
        attributes=attributes,
    )


class EntitiesBridge(FakeBridge):
    """``runs`` entities of one type, and a log of ``failed`` rows."""

    def __init__(self, runs: int = 30, failed: int = 40) -> None:
        super().__init__(0)
        self._runs = [make_entity(i) for i in range(runs)]
        self.log = [log_row(i) for i in range(failed)]
        self.queries: list[Any] = []
        self.users_can = self.admins_need_data = True
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def open(self, cancel: CancelToken) -> SourceInfo:
        info = super().open(cancel)
        more = {Capability.CONFIG, Capability.POPULATION, Capability.ACTIONS}
        return msgspec.structs.replace(
            info,
            capabilities=info.capabilities | more,
            resource_kinds=("claims", "failures", "delayed"),
            entity_types=("registration",),
        )

    def fields(self, cancel: CancelToken) -> list[Field]:
        values = tuple(dict.fromkeys(status for life in LIVES for status in life))
        return [
            Field(name="status", type=FieldType.STATUS, values=tuple(Status), cost=Cost.INDEXED),
            Field(name="state", type=FieldType.TEXT, values=values, cost=Cost.INDEXED),
            Field(name="type", type=FieldType.TEXT, values=("registration",)),
            Field(name="id", type=FieldType.TEXT, cost=Cost.INDEXED, sortable=True),
            Field(name="tenant", type=FieldType.TEXT),
            Field(name="created", type=FieldType.TIME, cost=Cost.INDEXED, sortable=True),
            Field(name="version", type=FieldType.INTEGER),
            Field(name="here_for", type=FieldType.DURATION, sortable=True),
            Field(name="correlation_id", type=FieldType.TEXT),
        ]

    def history(self, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
        run = self.run(ref, cancel)
        events, steps = entity_history(run)
        yield BatchBuilder().build(run, events, steps, total=len(events), engine_now_ns=NOW)

    def failures(self, query: Any, text: str, cursor: Any, limit: int, cancel: CancelToken) -> Page:
        rows = [
            row
            for row in self.log
            if text.casefold() in f"{row.failure.type} {row.failure.message}".casefold()
        ]
        self.queries.append(query)
        at = int(cursor or 0)
        after = str(at + limit).encode() if at + limit < len(rows) else None
        return Page(items=tuple(rows[at : at + limit]), after=after)

    def related(self, ref: RunRef, cursor: bytes | None, limit: int, cancel: CancelToken) -> Relations:
        return Relations()

    def resources(self, kind: str, cancel: CancelToken) -> list[Resource]:
        return []

    def next_steps(
        self, ref: RunRef, requester: str, data: dict[str, Any], cancel: CancelToken
    ) -> Resolution:
        run = self.run(ref, cancel)
        asked = requester or "user"
        self.asked.append((asked, data))
        fits = asked == "admin" and (data.get("checked") is True or not self.admins_need_data)
        approve = Candidate(
            step="approve",
            applies=fits,
            reasons=("it is for the requesters admin", "it asks for checked = True")
            if fits
            else ("it is for the requesters admin", "it asks for checked = True, which the data lack"),
            targets=("active", "rejected"),
        )
        upload = Candidate(
            step="upload_documents",
            applies=asked == "user" and self.users_can,
            reasons=("it is for the status pending_documents", "it is for the requesters user"),
            targets=("documents_uploaded",),
        )
        chosen = next((c.step for c in (upload, approve) if c.applies), "")
        return Resolution(
            ref=ref,
            status=run.engine_status,
            requester=asked,
            step=chosen,
            problem="" if chosen else f"No step applies to {run.engine_status} for {asked} with these data.",
            candidates=(upload, approve),
            requesters=("user", "admin"),
            fields={"checked": (True, False), "kind": ("bank", "card")},
            config="registration.json",
        )

    def actions(self, target: Target, cancel: CancelToken) -> list[ActionSpec]:
        if target.kind == "failures":
            return [ActionSpec(id="resolve_failure", title="Resolve its failures", effect="It is settled.")]
        move = ActionSpec(
            id="move",
            title="Move…",
            effect="It stands on the chosen status.",
            params=(
                Param(
                    name="to",
                    title="To",
                    type=ParamType.CHOICE,
                    choices=("active", "rejected", "documents_uploaded"),
                ),
            ),
            bulk=True,
        )
        retry = ActionSpec(
            id="retry_step",
            title="Retry step…",
            effect="The application's worker takes the step again.",
            params=(
                Param(name="step", title="Step", required=False),
                Param(name="requester", title="Requester"),
            ),
        )
        return [move, retry]

    def plan(self, staged: tuple[Staged, ...], cancel: CancelToken) -> list[PlanItem]:
        return [PlanItem(staged=one, title=one.action, calls=("UPDATE …",)) for one in staged]
