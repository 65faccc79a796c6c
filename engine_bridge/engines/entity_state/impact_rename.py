"""Renamed statuses, found by structure: what led to one and away from it now leads to and away from another."""

from __future__ import annotations

from typing import Final, NamedTuple

from engine_bridge.engines.entity_state.engine.document import Document
from engine_bridge.engines.entity_state.engine.edges import edges
from engine_bridge.engines.entity_state.lint_graph import roles

LEAST: Final = 0.5
"""The share of a status's ways that must be the same for two names to mean one status."""


class Rename(NamedTuple):
    """The new name, and what speaks for it."""

    to: str
    evidence: str


Renames = dict[str, Rename]


class _Way(NamedTuple):
    """One way to or from a status: by a step, from or to another status."""

    away: bool
    kind: str
    step: str
    other: str


def renamed_statuses(before: Document, after: Document) -> Renames:
    """Old name -> new name; only where each is the other's best match, and no other is as good."""
    old, new = roles(before), roles(after)
    gone, come = [s for s in old if s not in new], [s for s in new if s not in old]
    if not gone or not come:
        return {}
    was, now = _ways(before), _ways(after)
    scores = {
        (a, b): _score(was.get(a, []), now.get(b, []))
        for a in gone
        for b in come
        if old[a] == new[b]
    }  # fmt: skip
    found: Renames = {}
    for (a, b), score in sorted(scores.items(), key=lambda item: -item[1]):
        rivals = [s for (x, y), s in scores.items() if (x == a) != (y == b)]
        if score >= LEAST and score > max(rivals, default=0.0):
            found[a] = Rename(b, _evidence(a, b, was.get(a, []), now.get(b, [])))
    return found


def _ways(document: Document) -> dict[str, list[_Way]]:
    found: dict[str, list[_Way]] = {}
    for edge in edges(document):
        found.setdefault(edge.source, []).append(_Way(True, edge.kind, edge.step, edge.target))
        found.setdefault(edge.target, []).append(_Way(False, edge.kind, edge.step, edge.source))
    return found


def _score(was: list[_Way], now: list[_Way]) -> float:
    return 2 * len(_same(was, now)) / (len(was) + len(now)) if was and now else 0.0


def _same(was: list[_Way], now: list[_Way]) -> list[tuple[_Way, _Way]]:
    """Pairs of ways that are one: the same step, or the same status at the other end; each is used once."""
    left = list(now)
    pairs: list[tuple[_Way, _Way]] = []
    for alike in (("step", "other"), ("step",), ("other",)):
        for way in [way for way in was if all(way is not paired for paired, _ in pairs)]:
            fields = ("away", "kind", *alike)
            fits = (n for n in left if all(getattr(n, f) == getattr(way, f) for f in fields))
            match = next(fits, None)
            if match is not None:
                left.remove(match)
                pairs.append((way, match))
    return pairs


def _evidence(old: str, new: str, was: list[_Way], now: list[_Way]) -> str:
    pairs = _same(was, now)
    into = dict.fromkeys(b.step for a, b in pairs if not a.away)
    away = dict.fromkeys(b.step for a, b in pairs if a.away)
    facts = [f"{_steps(into)} led to {old} and now to {new}"] if into else []
    facts += [f"{_steps(away)} led on from {old} and now from {new}"] if away else []
    return f"{'; '.join(facts)} ({len(pairs)} of {max(len(was), len(now))} ways are the same)"


def _steps(names: dict[str, None]) -> str:
    return ("step " if len(names) == 1 else "steps ") + ", ".join(names)
