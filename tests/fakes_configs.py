"""Configs that exist in memory only: reports as an engine would give them, and a bridge that answers with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import msgspec

from engine_bridge.actions.model import Staged, Target
from engine_bridge.bridge import Capability, SourceInfo
from engine_bridge.cancel import CancelToken
from engine_bridge.configs import (
    ConfigFile,
    ConfigTools,
    Declared,
    Divergence,
    DivergenceGroup,
    Finding,
    Impact,
    ImpactReport,
    LintReport,
    Path,
    Paths,
    ReplayReport,
    Simulation,
    StatusChange,
    Stranded,
)
from engine_bridge.errors import NotFoundError
from engine_bridge.populations import Flow, StatusNode
from tests.fakes import FakeBridge, ref
from widgets.configs.places import Places

BASE = "/srv/app/configs/registration.json"
ACME = "/srv/app/configs/registration.acme.json"
INVOICE = "/srv/app/configs/invoice.json"
STATUSES = (
    ("pending_email", "initial"),
    ("email_verified", "waiting"),
    ("pending_documents", "waiting"),
    ("documents_uploaded", "waiting"),
    ("pending_approval", "waiting"),
    ("checking", "claim"),
    ("active", "good"),
    ("rejected", "bad"),
)
STEPS = (
    ("verify_email", "pending_email", "email_verified", ("user",), ""),
    ("ask_documents", "email_verified", "pending_documents", ("system",), ""),
    ("upload", "pending_documents", "documents_uploaded", ("user",), ""),
    ("submit", "documents_uploaded", "pending_approval", ("user", "system"), ""),
    ("approve", "pending_approval", "active", ("admin",), "rejected"),
    ("send_back", "pending_approval", "pending_documents", ("admin",), ""),
    ("give_up", "pending_documents", "rejected", ("cron",), ""),
)
CONFIG: dict[str, Any] = {
    "workflow_type": "registration",
    "entity": {"table": "users", "tenant": "tenant_id"},
    "owning_module": "community",
    "status_types": [status for status, _ in STATUSES],
    "initial": "pending_email",
    "terminal": {"good": ["active"], "bad": ["rejected"]},
    "steps": [
        {"key": key, "status": source, "requesters": list(who), "action": f"do_{key}", "successful_state": to}
        | ({"rejection_state": no} if no else {})
        for key, source, to, who, no in STEPS
    ],
}
OVERLAY: dict[str, Any] = {
    "workflow_type": "registration",
    "tenant": "acme",
    "steps": [{"key": "approve", "requesters": ["admin", "system"]}],
}


def _merged() -> str:
    merged = deepcopy(CONFIG)
    merged["steps"][4]["requesters"] = ["admin", "system"]
    return json.dumps(merged, indent=2)


BASE_TEXT = json.dumps(CONFIG, indent=2)
ACME_TEXT = json.dumps(OVERLAY, indent=2)
MERGED_TEXT = _merged()


def _origins(*, overlaid: bool) -> dict[str, str]:
    base, over = Places(BASE_TEXT), Places(ACME_TEXT)
    found = {spot.pointer: f"{BASE}:{base.line(spot.start)}" for spot in base.spots}
    if overlaid:
        for name in ("", "/0", "/1"):
            line = over.line_of(f"/steps/0/requesters{name}")
            found[f"/steps/4/requesters{name}"] = f"{ACME}:{line}"
    return found


FILES = (
    ConfigFile(name=BASE, text=BASE_TEXT, type="registration"),
    ConfigFile(name=ACME, text=ACME_TEXT, type="registration", tenant="acme"),
    ConfigFile(name=INVOICE, text='{"workflow_type": "invoice"}', type="invoice"),
)
NODES = tuple(StatusNode(status=status, role=role) for status, role in STATUSES)
FLOWS = (
    *(Flow(source=s, target=t, steps=(key,), requesters=who) for key, s, t, who, _ in STEPS),
    Flow(
        source="pending_approval",
        target="rejected",
        steps=("approve",),
        requesters=("admin",),
        rejection=True,
    ),
)


def _path(*keys: str, good: bool = True) -> Path:
    steps = {key: (source, to) for key, source, to, _, _ in STEPS}
    return Path(statuses=(steps[keys[0]][0], *(steps[key][1] for key in keys)), steps=keys, good=good)


SHORTEST = _path("verify_email", "ask_documents", "give_up", good=False)
LONGEST = _path("verify_email", "ask_documents", "upload", "submit", "approve")
PATHS = Paths(
    paths=(SHORTEST, LONGEST),
    shortest=SHORTEST,
    longest=LONGEST,
    loops=(("pending_documents", "documents_uploaded", "pending_approval", "pending_documents"),),
    overrides=("send_back: pending_approval → pending_documents",),
)


def declared(tenant: str = "", **changes: Any) -> Declared:
    """The registration as a tenant sees it."""
    made = Declared(
        type="registration",
        tenant=tenant,
        nodes=NODES,
        flows=FLOWS,
        paths=PATHS,
        requesters=("user", "admin", "system", "cron"),
        origins=_origins(overlaid=bool(tenant)),
        merged=MERGED_TEXT if tenant else BASE_TEXT,
    )
    return msgspec.structs.replace(made, **changes)


_LINES = Places(BASE_TEXT)
FINDINGS = (
    Finding(
        code="unreachable",
        severity="warning",
        file=BASE,
        pointer="/status_types/5",
        reason="No step leads to “checking”.",
        fix="Remove it, or make it the claim of a step.",
        line=_LINES.line_of("/status_types/5"),
        column=5,
    ),
    Finding(
        code="use_case",
        severity="error",
        file=BASE,
        pointer="/steps/2/action",
        reason="The use case “do_upload” is not registered.",
        fix="Did you mean “do_uploads”?",
        line=_LINES.line_of("/steps/2/action"),
        column=17,
    ),
    Finding(
        code="unknown_status",
        severity="error",
        file=ACME,
        pointer="/steps/0",
        reason="1 906 entities stand on “pending_docs”, which no config knows.",
        fix="Add it to status_types, or move them.",
        line=5,
        column=5,
        count=1906,
        filter='state == "pending_docs"',
    ),
)
LINT = LintReport(
    files=FILES,
    findings=FINDINGS,
    declared=(
        declared(),
        declared("acme"),
        Declared(type="invoice", nodes=(StatusNode(status="draft", role="initial"),)),
    ),
)
SIMULATION = Simulation(
    type="registration",
    n=10_000,
    seed=7,
    statuses={"active": 8_123, "rejected": 1_777, "pending_documents": 100},
    ends={"good": 8_123, "bad": 1_777, "stuck": 100},
    edges=(
        ("pending_email", "email_verified", "verify_email", 10_000),
        ("email_verified", "pending_documents", "ask_documents", 10_000),
        ("pending_documents", "rejected", "give_up", 1_000),
    ),
    hops=(3, 5, 12),
    samples=(LONGEST.statuses, SHORTEST.statuses),
)
GROUPS = (
    DivergenceGroup(
        kind="no such step",
        recorded="pending_documents → rejected",
        expected="upload",
        count=31,
        entities=tuple(
            Divergence(
                ref=ref(f"run-{i:04d}"),
                position=3,
                kind="no such step",
                recorded="pending_documents → rejected",
                expected="upload",
                step="give_up",
            )
            for i in range(31)
        ),
    ),
    DivergenceGroup(
        kind="other target",
        recorded="pending_approval → active",
        expected="checking",
        count=2,
        entities=(
            Divergence(
                ref=ref("run-0100"),
                position=5,
                kind="other target",
                recorded="pending_approval → active",
                expected="checking",
            ),
        ),
    ),
)
REPLAY = ReplayReport(type="registration", entities=48_210, moves=201_344, groups=GROUPS)


def impact() -> ImpactReport:
    """A change that removes one status, adds another, and renames a step."""
    new_nodes = tuple(node for node in NODES if node.status != "documents_uploaded")
    new = declared(
        nodes=(*new_nodes, StatusNode(status="screening")),
        flows=(
            *(f for f in FLOWS if "documents_uploaded" not in (f.source, f.target)),
            Flow(
                source="pending_documents", target="screening", steps=("upload_files",), requesters=("user",)
            ),
            Flow(source="screening", target="pending_approval", steps=("submit",), requesters=("system",)),
        ),
    )
    stranded = Stranded(
        status="documents_uploaded",
        count=12,
        target="pending_documents",
        why="the step before it leads there",
        filter='type == "registration" and state == "documents_uploaded"',
        action=Staged(
            target=Target(kind="status", id="documents_uploaded"),
            action="degrade",
            args={"to": "pending_documents"},
        ),
        sql="UPDATE users SET status='pending_documents' WHERE status='documents_uploaded'",
    )
    changes = (
        StatusChange(what="status", kind="removed", name="documents_uploaded"),
        StatusChange(what="status", kind="added", name="screening"),
        StatusChange(what="step", kind="renamed", name="upload", to="upload_files"),
        StatusChange(what="step", kind="changed", name="submit", detail="requesters: user, system → system"),
    )
    item = Impact(
        type="registration",
        changes=changes,
        stranded=(stranded, Stranded(status="limbo", count=0, target="pending_email", why="the initial one")),
        migration=True,
        old=declared(),
        new=new,
        notices=("Counted now; entities go on moving.",),
    )
    return ImpactReport(items=(item,), old=LintReport(files=FILES), new=LintReport(files=FILES, findings=()))


class FakeTools(ConfigTools):
    """Says what report it was given."""

    def recognises(self, places: tuple[str, ...]) -> bool:
        return True

    def lint(self, places: tuple[str, ...], cancel: CancelToken, **_: Any) -> LintReport:
        return LINT

    def html(self, report: LintReport) -> str:
        return f"<!doctype html><title>{len(report.findings)} findings</title>"

    def simulate(self, places: tuple[str, ...], cancel: CancelToken, **_: Any) -> tuple[Simulation, ...]:
        return (SIMULATION,)

    def impact(
        self, old: tuple[str, ...], new: tuple[str, ...], cancel: CancelToken, **_: Any
    ) -> ImpactReport:
        return impact()

    def replay(self, places: tuple[str, ...], type: str, moves: Any, cancel: CancelToken) -> ReplayReport:
        return REPLAY


class FakeConfigBridge(FakeBridge):
    """A source with configs. ``asked`` holds each call with its arguments; ``slow`` calls wait to be cancelled."""

    def __init__(self, runs: int = 40) -> None:
        super().__init__(runs)
        self.report = LINT
        self.impact_report = impact()
        self.replayed = REPLAY
        self.asked: list[tuple[Any, ...]] = []
        self.slow = False

    def open(self, cancel: CancelToken) -> SourceInfo:
        info = super().open(cancel)
        more = {Capability.CONFIG, Capability.POPULATION, Capability.ACTIONS}
        return msgspec.structs.replace(
            info, capabilities=info.capabilities | more, entity_types=("registration", "invoice")
        )

    def _ask(self, cancel: CancelToken, *asked: Any) -> None:
        self.asked.append(asked)
        if self.slow:
            cancel.progress(120, 400, "Replaying")
            cancel.wait(30)
            cancel.raise_if_cancelled()
        if "missing" in str(asked):
            raise NotFoundError("There is no such place.", "Name a file, a folder, or REV:path.")

    def lint(self, places: tuple[str, ...], tenant: str | None, cancel: CancelToken) -> LintReport:
        self._ask(cancel, "lint", places, tenant)
        return self.report

    def simulate(
        self, places: tuple[str, ...], settings: Mapping[str, Any], cancel: CancelToken
    ) -> tuple[Simulation, ...]:
        self._ask(cancel, "simulate", places, settings)
        return (SIMULATION,)

    def impact(
        self, old: tuple[str, ...], new: tuple[str, ...], tenant: str | None, cancel: CancelToken
    ) -> ImpactReport:
        self._ask(cancel, "impact", old, new, tenant)
        return self.impact_report

    def replay_moves(
        self, places: tuple[str, ...], type: str, query: Any, cancel: CancelToken
    ) -> ReplayReport:
        self._ask(cancel, "replay", places, type, query)
        return self.replayed
