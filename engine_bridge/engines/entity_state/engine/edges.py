"""The graph a config declares: every way from one status to another, with who may take it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from .config import Step
from .document import Document

EdgeKind = Literal["success", "rejection", "claim", "release"]


class Edge(msgspec.Struct, frozen=True):
    """One declared way; ``requesters`` may take it. ``override`` marks one that only an admin has."""

    source: str
    target: str
    step: str
    kind: EdgeKind
    requesters: tuple[str, ...]
    auto_advance: bool = False
    override: bool = False


def step_edges(step: Step) -> Iterator[tuple[str, str, EdgeKind]]:
    """The ways of one step: (from, to, kind). A claim splits the success way in two."""
    start = step.status
    if step.claim is not None:
        yield start, step.claim.status, "claim"
        yield step.claim.status, step.successful_state, "success"
        if step.claim.release is not None:
            yield step.claim.status, step.claim.release, "release"
    else:
        yield start, step.successful_state, "success"
    if step.rejection_state is not None:
        yield start, step.rejection_state, "rejection"


def edges(document: Document) -> tuple[Edge, ...]:
    """Every declared edge, in the order of the steps, its requesters gathered."""
    found: dict[tuple[str, str, str, EdgeKind, bool], list[str]] = {}
    for view in document.views:
        for step in view.workflow.steps:
            for source, target, kind in step_edges(step):
                auto = step.auto_advance and kind == "success"
                found.setdefault((step.key, source, target, kind, auto), []).append(view.requester)
    ordinary = {(s, t) for (_, s, t, _, _), who in found.items() if set(who) != {"admin"}}
    order = {node.plain().get("key"): i for i, node in enumerate(document.step_nodes)}
    rows = sorted(found.items(), key=lambda item: order.get(item[0][0], 0))
    return tuple(
        Edge(
            source,
            target,
            step,
            kind,
            tuple(who),
            auto,
            who == ["admin"] and (source, target) not in ordinary,
        )
        for (step, source, target, kind, auto), who in rows
    )
