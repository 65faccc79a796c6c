"""Replay of recorded moves against configs: the first move of each entity that a config would not make.

A move conforms when a declared way leads from its source to its target, for its requester where one was recorded. How
a step is called does not matter; what it does, does. Nobody asks who ends a claim (its holder or a janitor, which may
also fail it), or who observed what happened elsewhere; an operator's hand needs only statuses that the config knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final

from engine_bridge.cancel import CancelToken
from engine_bridge.configs import Divergence, DivergenceGroup, Move, ReplayReport
from engine_bridge.engines.entity_state.engine.catalogue import Catalogue
from engine_bridge.engines.entity_state.engine.document import Document
from engine_bridge.engines.entity_state.engine.edges import Edge, edges
from engine_bridge.errors import CancelledError
from engine_bridge.model import RunRef

MOST_ENTITIES: Final = 100
_EVERY: Final = 1_000


class Declaration:
    """What one document allows, indexed for asking often."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.initial = tuple(dict.fromkeys(view.workflow.initial for view in document.views))
        self.known = frozenset(s for view in document.views for s in view.workflow.status_types)
        self.ways: dict[tuple[str, str], list[Edge]] = {}
        self.out: dict[str, list[Edge]] = {}
        self.bad = frozenset(s for view in document.views for s in view.workflow.terminal.bad)
        self.claims: dict[str, set[str]] = {}
        for edge in edges(document):
            if edge.kind == "claim":
                self.claims.setdefault(edge.target, set()).add(edge.source)
            self.ways.setdefault((edge.source, edge.target), []).append(edge)
            self.out.setdefault(edge.source, []).append(edge)

    @cached_property
    def steps(self) -> dict[str, list[Edge]]:
        """Ways by step."""
        found: dict[str, list[Edge]] = {}
        for ways in self.out.values():
            for edge in ways:
                found.setdefault(edge.step, []).append(edge)
        return found

    def judge(self, move: Move, first: bool) -> tuple[str, str, str] | None:
        """(kind, recorded, expected) of a move that the config would not make, else None."""
        if first and move.source not in self.initial:
            # A history may also begin with the row that made the entity: it has a target only.
            start = move.source or move.target
            if start not in self.initial:
                return "initial", f"begins at {start or 'no status'}", f"begins at {_or(self.initial)}"
        if not move.source:
            return None if move.target in self.known else self._unknown(move.target)
        for status in (move.source, move.target):
            if status not in self.known:
                return self._unknown(status)
        if move.kind == "moved" or self._ends_claim(move):
            return None
        ways = self.ways.get((move.source, move.target))
        return self._other_way(move) if ways is None else _asked(move, ways)

    def _ends_claim(self, move: Move) -> bool:
        back = self.claims.get(move.source)
        return back is not None and (
            (move.source, move.target) in self.ways or move.target in back or move.target in self.bad
        )

    def _unknown(self, status: str) -> tuple[str, str, str]:
        return "unknown status", status, "a status of the config"

    def _other_way(self, move: Move) -> tuple[str, str, str]:
        recorded = f"{move.source} → {move.target}"
        own = [edge for edge in self.steps.get(move.step, ()) if edge.source == move.source]
        if own:
            targets = dict.fromkeys(edge.target for edge in own)
            return "other target", f"{move.step}: {recorded}", f"{move.step}: {move.source} → {_or(targets)}"
        named = f"{move.step}: {recorded}" if move.step else recorded
        there = dict.fromkeys(f"{edge.step} → {edge.target}" for edge in self.out.get(move.source, ()))
        return "no such step", named, _or(there) or f"nothing leads on from {move.source}"


def replay(catalogue: Catalogue, type: str, moves: Iterable[Move], cancel: CancelToken) -> ReplayReport:
    """The first divergence of every entity, grouped; each entity's moves must come together and in order.

    A cancelled replay answers what it found so far, and is not ``complete``. Raises UnknownWorkflowError.
    """
    judges: dict[str, Declaration] = {}
    catalogue.get(type)
    groups: dict[tuple[str, str, str], list[Divergence]] = {}
    counts: dict[tuple[str, str, str], int] = {}
    entities = seen = 0
    now: RunRef | None = None
    diverged = False
    complete = True
    for move in _until_cancelled(moves, cancel):
        if move is None:
            complete = False
            break
        seen += 1
        first = move.ref != now
        if first:
            now, diverged, entities = move.ref, False, entities + 1
        if diverged:
            continue
        if move.tenant not in judges:
            judges[move.tenant] = Declaration(catalogue.get(type, move.tenant or None))
        found = judges[move.tenant].judge(move, first)
        if found is not None:
            diverged = True
            counts[found] = counts.get(found, 0) + 1
            if counts[found] <= MOST_ENTITIES:
                groups.setdefault(found, []).append(_divergence(move, found))
        if seen % _EVERY == 0:
            cancel.progress_through(seen, None, "Replaying moves")
    return ReplayReport(
        type=type, entities=entities, moves=seen, groups=_groups(groups, counts), complete=complete
    )


def _until_cancelled(moves: Iterable[Move], cancel: CancelToken) -> Iterator[Move | None]:
    """The moves, and a last None where somebody cancelled."""
    try:
        for move in moves:
            cancel.raise_if_cancelled()
            yield move
    except CancelledError:
        yield None


def _divergence(move: Move, found: tuple[str, str, str]) -> Divergence:
    kind, recorded, expected = found
    return Divergence(
        ref=move.ref, position=move.position, kind=kind, recorded=recorded, expected=expected, step=move.step
    )


def _groups(
    found: dict[tuple[str, str, str], list[Divergence]], counts: dict[tuple[str, str, str], int]
) -> tuple[DivergenceGroup, ...]:
    most = sorted(found, key=lambda key: (-counts[key], key))
    return tuple(
        DivergenceGroup(
            kind=key[0], recorded=key[1], expected=key[2], count=counts[key], entities=tuple(found[key])
        )
        for key in most
    )


def _asked(move: Move, ways: list[Edge]) -> tuple[str, str, str] | None:
    who = dict.fromkeys(name for edge in ways for name in edge.requesters)
    if not move.requester or move.kind == "observed" or move.requester in who:
        return None
    recorded = f"{move.source} → {move.target} by {move.requester}"
    return "other requester", recorded, f"by {_or(who)}"


def _or(names: Iterable[str]) -> str:
    return " or ".join(names)
