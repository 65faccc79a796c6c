"""What applies to an entity now: the reference engine's own step selection, on the entity as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.engine import selection
from engine_bridge.engines.entity_state.engine.config import Step
from engine_bridge.engines.entity_state.engine.document import Document
from engine_bridge.engines.entity_state.population_graph import document
from engine_bridge.engines.entity_state.row_parts import labelled, text
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import NO_STATUS, Bound
from engine_bridge.errors import NotFoundError
from engine_bridge.model import RunRef
from engine_bridge.populations import Candidate, Resolution


def next_steps(
    store: Store, ref: RunRef, requester: str, data: dict[str, Any], cancel: CancelToken
) -> Resolution:
    """Which declared step applies, with the reasons of all. "" asks for the first requester. Raises NotFoundError."""
    bound = store.workflow(ref.group)
    status, tenant = _stands(store, bound, ref, cancel)
    found = document(store, bound.type, tenant)
    if found is not None:
        return _by_config(found, ref, status, requester or found.requesters[0], data)
    if bound.map.transitions:
        return _by_mapping(store, bound, ref, status)
    problem = (
        f"Nothing declares the steps of {bound.type}: the mapping names neither a config nor transitions."
    )
    return Resolution(ref=ref, status=status, requester=requester, problem=problem)


def _stands(store: Store, bound: Bound, ref: RunRef, cancel: CancelToken) -> tuple[str, str | None]:
    mine = [bound.id == bound.key(ref.run), *bound.scope]
    with store.reader(cancel) as read:
        statement = sa.select(*labelled(bound.status, bound.tenant)).select_from(bound.table)
        row = read.one(statement.where(*mine))
    if row is None:
        raise NotFoundError(f"There is no {ref.group} {ref.run[:200]}.", "It may have been deleted.")
    return text(row[0]) or NO_STATUS, text(row[1])


def _by_config(found: Document, ref: RunRef, status: str, requester: str, data: dict[str, Any]) -> Resolution:
    chosen = selection.select(found, status, requester, data)
    own = {step.key: step for step in found.view(requester).workflow.steps}
    others = {step.key: step for view in found.views for step in view.workflow.steps}
    candidates = tuple(_candidate(one, own.get(one.step) or others[one.step]) for one in chosen.candidates)
    return Resolution(
        ref=ref,
        status=status,
        requester=requester,
        step=chosen.step.key if chosen.step is not None else "",
        problem=_held(found, status) or chosen.problem,
        candidates=candidates,
        requesters=found.requesters,
        fields=_fields(found, status),
        config=" + ".join(Path(file).name for file in found.files),
    )


def _candidate(one: selection.Candidate, step: Step) -> Candidate:
    targets = tuple(dict.fromkeys(step.targets))
    claim = step.claim.status if step.claim is not None else ""
    return Candidate(step=one.step, applies=one.applies, reasons=one.reasons, targets=targets, claim=claim)


def _held(found: Document, status: str) -> str:
    """Why nothing is selected on a claiming status: its step is under way."""
    keys = dict.fromkeys(step.key for view in found.views for step, _ in view.by_claim.get(status, ()))
    if not keys:
        return ""
    named = " or ".join(keys)
    return f"{status} is the claim of {named}: it ends when that step does, or when the claim is released."


def _fields(found: Document, status: str) -> dict[str, tuple[Any, ...]]:
    """What the steps ask of the data, those of this status first, with every value that any of them names."""
    steps = [step for view in found.views for step in view.workflow.steps]
    known: dict[str, dict[tuple[str, Any], Any]] = {}
    for step in sorted(steps, key=lambda step: step.status != status):
        for name, wanted in step.when.items():
            for option in wanted if isinstance(wanted, list) else [wanted]:
                # True equals 1 in Python but not in JSON.
                known.setdefault(name, {})[type(option).__name__, option] = option
    return {name: tuple(values.values()) for name, values in known.items()}


def _by_mapping(store: Store, bound: Bound, ref: RunRef, status: str) -> Resolution:
    """Transitions listed in the mapping know neither requesters nor data: whatever leads on applies."""
    moves = bound.map.transitions or ()
    candidates = tuple(
        Candidate(
            step=move.step or f"to {move.target}",
            applies=move.source == status,
            reasons=(f"it leads from {move.source} to {move.target}",),
            targets=(move.target,),
        )
        for move in moves
    )
    fitting = [one.step for one in candidates if one.applies]
    problem = ""
    if not fitting:
        problem = f"No transition of the mapping leads on from {status}."
    elif len(fitting) > 1:
        problem = f"Several transitions lead on from {status}: {', '.join(fitting)}."
    return Resolution(
        ref=ref,
        status=status,
        requester="",
        step=fitting[0] if len(fitting) == 1 else "",
        problem=problem,
        candidates=candidates,
        config=Path(store.mapping.path).name,
    )
