"""What is declared for one workflow, as actions need it: ways from a status, steps, claims and their release."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from engine_bridge.engines.entity_state.engine.config import Claim, Step
from engine_bridge.engines.entity_state.engine.document import Document
from engine_bridge.engines.entity_state.engine.edges import Edge, edges
from engine_bridge.engines.entity_state.mapping import WorkflowMap


@dataclass(frozen=True, slots=True)
class Way:
    """One declared way on. ``requesters`` is empty where the declaration names none."""

    target: str
    step: str
    requesters: tuple[str, ...] = ()
    override: bool = False

    def __str__(self) -> str:
        who = f" by {', '.join(self.requesters)}" if self.requesters else ""
        return f"{self.target} (step {self.step or 'unnamed'}{who})"


@dataclass(frozen=True, slots=True)
class Declared:
    """``ways`` by status. ``empty``: nothing is declared, neither in a config nor in the mapping."""

    ways: dict[str, tuple[Way, ...]] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    claims: dict[str, tuple[tuple[Step, Claim], ...]] = field(default_factory=dict)
    requesters: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.ways

    def targets(self, status: str) -> tuple[str, ...]:
        """Statuses that a declared step leads to from here, those of everybody before an admin's."""
        found = sorted(self.ways.get(status, ()), key=lambda way: way.override)
        return tuple(dict.fromkeys(way.target for way in found))

    def way(self, status: str, target: str) -> Way | None:
        """The first declared way between two statuses."""
        return next((way for way in self.ways.get(status, ()) if way.target == target), None)

    def steps_from(self, status: str) -> tuple[Step, ...]:
        """The steps that apply to a status, one for each key; those that hold a claim apply to the claim's too."""
        found = [s for s in self.steps if status == s.status]
        return tuple({step.key: step for step in reversed(found)}.values())[::-1]

    def requesters_of(self, key: str) -> tuple[str, ...]:
        """Who may take a step."""
        return next((step.requesters for step in self.steps if step.key == key), ())

    def step(self, key: str) -> Step | None:
        """A step by its key."""
        return next((step for step in self.steps if step.key == key), None)

    def release(self, status: str, step: str | None) -> tuple[str, str]:
        """Where a claim of this status goes back to, and the step that claims; "", "" where nothing says."""
        pairs = self.claims.get(status, ())
        if not pairs:
            return "", ""
        claiming, claim = next((pair for pair in pairs if pair[0].key == step), pairs[0])
        return claim.release or claiming.status, claiming.key


@lru_cache(maxsize=64)
def of_document(document: Document) -> Declared:
    """What a config declares."""
    ways: dict[str, list[Way]] = {}
    for edge in edges(document):
        ways.setdefault(edge.source, []).append(_way(edge))
    for view in document.views:
        # Past the claim: what somebody else did, or what is put right by hand, held none.
        for step in view.workflow.steps:
            known = {way.target for way in ways.get(step.status, ())}
            if step.claim is not None and step.successful_state not in known:
                ways[step.status].append(Way(step.successful_state, step.key, step.requesters))
    claims: dict[str, tuple[tuple[Step, Claim], ...]] = {}
    for view in document.views:
        for status, pairs in view.by_claim.items():
            claims[status] = (*claims.get(status, ()), *pairs)
    steps = tuple(step for view in document.views for step in view.workflow.steps)
    return Declared({s: tuple(w) for s, w in ways.items()}, steps, claims, document.requesters)


def _way(edge: Edge) -> Way:
    return Way(edge.target, edge.step, edge.requesters, edge.override)


def of_mapping(map: WorkflowMap) -> Declared:
    """What the mapping lists itself."""
    ways: dict[str, list[Way]] = {}
    for move in map.transitions or ():
        ways.setdefault(move.source, []).append(Way(move.target, move.step))
    return Declared({status: tuple(found) for status, found in ways.items()})


def observed(moves: Iterable[tuple[str | None, str]]) -> Declared:
    """Where nothing is declared, what was seen (pairs of statuses)."""
    ways: dict[str, list[Way]] = {}
    for source, target in moves:
        if source is not None and source != target:
            ways.setdefault(source, []).append(Way(target, "seen in the history"))
    return Declared({status: tuple(found) for status, found in ways.items()})
