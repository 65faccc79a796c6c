"""Synthetic lives through configs, with weights for what becomes of each step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.configs import Simulation
from engine_bridge.engines.entity_state.engine import simulation
from engine_bridge.engines.entity_state.engine.document import Document
from engine_bridge.engines.entity_state.engine.findings import suggest
from engine_bridge.errors import UsageError

USUAL: Final = simulation.Chances(success=1.0, rejection=0.1, failure=0.1, death=0.01)
"""Weights of every step unless told otherwise."""

Weights = Mapping[str, Mapping[str, float]]


def simulate(
    document: Document, cancel: CancelToken, *, count: int, seed: int, chances: Weights | None
) -> Simulation:
    """``count`` lives through one document. Raises UsageError for a weight that names nothing or is no number."""
    done = 0

    def cancelled() -> bool:
        nonlocal done
        done += 1
        if done % 500 == 1:
            cancel.progress(done - 1, count, "Simulating")
        return False

    found = simulation.simulate(
        document, count, seed=seed, chances=_chances(document, chances or {}), cancelled=cancelled
    )
    return Simulation(
        type=document.workflow_type,
        n=found.n,
        seed=seed,
        statuses=found.statuses,
        ends=found.ends,
        edges=tuple((*edge, n) for edge, n in sorted(found.edges.items(), key=lambda item: -item[1])),
        hops=found.hops,
        samples=tuple(_statuses(walk) for walk in found.samples),
    )


def check(documents: list[Document], chances: Weights | None) -> None:
    """Raises UsageError for a step that no document has, so that a misspelt one is not left out in silence."""
    steps = {step.key for d in documents for view in d.views for step in view.workflow.steps}
    for name in chances or {}:
        if name != "*" and name not in steps:
            raise UsageError(f"No step is called {name!r}.", suggest(name, steps))


def _chances(document: Document, weights: Weights) -> dict[str, simulation.Chances]:
    otherwise = _with(USUAL, weights.get("*", {}))
    named = {name: _with(otherwise, own) for name, own in weights.items() if name != "*"}
    return {"*": otherwise, **named}


def _with(base: simulation.Chances, weights: Mapping[str, float]) -> simulation.Chances:
    fates = base.__struct_fields__
    for fate, weight in weights.items():
        if fate not in fates:
            raise UsageError(f"No outcome of a step is called {fate!r}.", f"Known: {', '.join(fates)}.")
        if not math.isfinite(weight) or weight < 0:
            raise UsageError(f"The weight of {fate} must be 0 or more.")
    return msgspec.structs.replace(base, **weights)


def _statuses(walk: simulation.Walk) -> tuple[str, ...]:
    if not walk.hops:
        return (walk.status,)
    return (walk.hops[0].source, *(hop.target for hop in walk.hops))
