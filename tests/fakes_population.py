"""A source of entities in memory: users that register and invoices that are sent, with populations and moves."""

from __future__ import annotations

from collections import Counter

import msgspec

from engine_bridge.actions.model import (
    ActionSpec,
    Change,
    Param,
    ParamType,
    PlanItem,
    Precondition,
    Staged,
    Target,
)
from engine_bridge.bridge import Capability, Cost, Field, FieldType, SourceInfo
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError
from engine_bridge.model import Failure, Provenance, Run, RunRef, Status
from engine_bridge.populations import Flow, Population, StatusNode
from engine_bridge.query.predicate import DEFAULT, predicate
from tests.fakes import NOW, FakeBridge, S

DAY = 86_400 * S
REGISTRATION, INVOICE = "registration", "invoice"
#: Status: its role.
STATUSES = {
    "pending_email": "initial",
    "email_verified": "waiting",
    "pending_documents": "waiting",
    "documents_uploaded": "waiting",
    "pending_approval": "claim",
    "active": "good",
    "rejected": "bad",
}
LEGACY = "on_hold_legacy"
FLOWS = (
    Flow(source="pending_email", target="email_verified", steps=("verify",), count=92, share=0.92),
    Flow(source="pending_email", target="rejected", steps=("expire",), count=8, share=0.08, rejection=True),
    Flow(source="email_verified", target="pending_documents", steps=("ask",), count=90, share=1.0),
    Flow(
        source="pending_documents",
        target="documents_uploaded",
        steps=("upload",),
        requesters=("user", "admin"),
        count=61,
        share=0.61,
    ),
    Flow(source="documents_uploaded", target="pending_approval", steps=("submit",), count=60, share=1.0),
    Flow(source="pending_approval", target="active", steps=("approve",), count=97, share=0.97),
    Flow(
        source="pending_approval", target="rejected", steps=("approve",), count=3, share=0.03, rejection=True
    ),
    Flow(
        source="pending_approval",
        target="pending_documents",
        declared=False,
        steps=("send_back",),
        requesters=("admin",),
        count=14,
    ),
)


def entity_ref(number: int, kind: str = REGISTRATION) -> RunRef:
    return RunRef("entity", kind, f"u-{number:05d}")


def make_entity(number: int, kind: str = REGISTRATION) -> Run:
    """Every 3rd waits for documents, every 15th of all is stuck there with failures, every 21st has drifted."""
    names = (*STATUSES, "pending_documents", "pending_documents")
    state = LEGACY if number == 40 else names[number % len(names)]
    role = STATUSES.get(state, "unknown")
    neutral = {"good": Status.COMPLETED, "bad": Status.FAILED, "unknown": Status.UNKNOWN}
    failed, drift = state == "pending_documents" and number % 5 == 0, number % 21 == 0
    now = "retry limit in notify_upload · 3 failures" if failed else ""
    now = now or ("history says documents_uploaded · changed by raw SQL" if drift else "")
    since = NOW - (number % 40) * DAY - number * S
    return Run(
        ref=entity_ref(number, kind),
        id=f"u-{number:05d}",
        type=kind,
        status=neutral.get(role, Status.RUNNING),
        engine_status=state,
        engine="fake",
        created_ns=since - DAY,
        updated_ns=since,
        version=str(number % 9 + 1),
        now=now,
        failure=Failure(type="RetryLimit", message="gave up") if failed else None,
        attributes={"tenant": "acme-energy" if number % 4 else "globex"},
        extra={"since_ns": since, "drift": drift, "stuck": role == "claim" and number % 2 == 0},
        provenance={"now": Provenance.INFERRED} if drift and not failed else {},
    )


def _lookup(run: Run, field: str, path: str) -> object:
    if field == "state":
        return run.engine_status
    if field == "tenant":
        return run.attributes.get("tenant")
    if field == "here_for":
        return NOW - run.extra["since_ns"]
    if field == "unknown":
        return run.status is Status.UNKNOWN
    return run.extra[field] if field in ("drift", "stuck") else DEFAULT


class FakeEntities(FakeBridge):
    """``count`` users and five invoices; ``problem``: why nothing can be seen, ``writes``: why nothing can be moved."""

    def __init__(self, count: int = 300, *, problem: str = "", writes: str = "") -> None:
        super().__init__(0)
        self._runs = [make_entity(number) for number in range(count)][::-1]
        self._runs += [make_entity(number, INVOICE) for number in range(5)]
        self.problem, self.writes = problem, writes
        self.error: PlayheadError | None = None
        self.asked = 0
        self.touched: list[Run] = []

    def open(self, cancel: CancelToken) -> SourceInfo:
        info = super().open(cancel)
        return msgspec.structs.replace(
            info,
            title="community",
            capabilities=info.capabilities | {Capability.POPULATION, Capability.ACTIONS, Capability.CONFIG},
            entity_types=(REGISTRATION, INVOICE),
        )

    def fields(self, cancel: CancelToken) -> list[Field]:
        states = (*STATUSES, LEGACY)
        return [
            Field(name="status", type=FieldType.STATUS, values=tuple(Status), cost=Cost.INDEXED),
            Field(name="state", type=FieldType.TEXT, values=states, cost=Cost.INDEXED, sortable=True),
            Field(name="type", type=FieldType.TEXT, values=(REGISTRATION, INVOICE)),
            Field(name="id", type=FieldType.TEXT, cost=Cost.INDEXED, sortable=True),
            Field(name="tenant", type=FieldType.TEXT),
            Field(name="created", type=FieldType.TIME, sortable=True),
            Field(name="updated", type=FieldType.TIME, sortable=True),
            Field(name="here_for", type=FieldType.DURATION, sortable=True),
            Field(name="version", type=FieldType.INTEGER),
            *(Field(name=name, type=FieldType.BOOLEAN) for name in ("stuck", "drift", "unknown")),
        ]

    def _matching(self, query: object) -> list[Run]:
        if query is None:
            return self._runs
        return list(filter(predicate(query, NOW, _lookup), self._runs))

    def population(self, type: str, query: object, cancel: CancelToken) -> Population:
        self.asked += 1
        if self.error is not None:
            raise self.error
        if self.problem:
            return Population(type=type, table="users", total=None, problem=self.problem, as_of_ns=NOW)
        runs = [run for run in self._runs if run.type == type]
        return population_of(type, runs)

    def changes(self, mark, visible, cancel: CancelToken):
        touched, self.touched = self.touched, []
        by_ref = {run.ref: run for run in touched}
        self._runs = [by_ref.get(run.ref, run) for run in self._runs]
        self._mark += bool(touched)
        found = super().changes(mark, visible, cancel)
        return msgspec.structs.replace(
            found, mark=str(self._mark).encode(), moved=found.moved or bool(touched), changed=tuple(touched)
        )

    def actions(self, target: Target, cancel: CancelToken) -> list[ActionSpec]:
        choices = tuple(STATUSES)
        return [
            ActionSpec(
                id="move",
                title="Move…",
                effect="Its status changes by compare-and-swap.",
                params=(Param(name="to", title="To", type=ParamType.CHOICE, choices=choices),),
                disabled=self.writes,
                bulk=not self.writes,
            ),
            ActionSpec(id="retry_step", title="Retry step", effect="", disabled="nothing failed", bulk=True),
        ]

    def plan(self, staged: tuple[Staged, ...], cancel: CancelToken) -> list[PlanItem]:
        return [self._plan(one) for one in staged]

    def _plan(self, staged: Staged) -> PlanItem:
        run = next(run for run in self._runs if run.ref == staged.target.ref)
        version, to = int(run.version or 0), str(staged.args["to"])
        return PlanItem(
            staged=staged,
            title=f"Move {run.id} to {to}",
            calls=(
                f"UPDATE users SET status = '{to}', version = {version + 1}"
                f" WHERE id = '{run.id}' AND version = {version} AND status = '{run.engine_status}'",
            ),
            changes=(
                Change(what="status", before=run.engine_status, after=to),
                Change(what="version", before=str(version), after=str(version + 1)),
            ),
            preconditions=(Precondition(what="version", value=version),),
            inverse=Staged(target=staged.target, action="move", args={"to": run.engine_status}),
            side_effects=("One row is added to workflow_history.",),
            warnings=("Guards and callbacks of the application do not run.",),
            copy_as={"CLI": f"playhead act SOURCE {run.id} move to={to}"},
        )


def population_of(kind: str, runs: list[Run]) -> Population:
    """The population of these entities."""
    counts = Counter(run.engine_status for run in runs)
    stuck = Counter(run.engine_status for run in runs if run.extra["stuck"])
    since = {run.engine_status: run.extra["since_ns"] for run in runs}
    roles = {**STATUSES, **({LEGACY: "unknown"} if counts[LEGACY] else {})}
    nodes = tuple(
        StatusNode(
            status=name,
            role=role,
            count=counts[name],
            stuck=stuck[name],
            oldest_ns=since.get(name),
            declared=role != "unknown",
        )
        for name, role in roles.items()
    )
    return Population(
        type=kind,
        table="users",
        nodes=nodes,
        flows=FLOWS,
        total=len(runs),
        stuck=sum(stuck.values()),
        drift=sum(bool(run.extra["drift"]) for run in runs),
        unknown=counts[LEGACY],
        checked=len(runs),
        tenant="acme-energy",
        config="a91f3c",
        filters={"drift": "drift == true", "stuck": "stuck == true", "unknown": "unknown == true"},
        as_of_ns=NOW,
    )
