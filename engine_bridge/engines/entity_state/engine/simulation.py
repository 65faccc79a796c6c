"""Walking synthetic entities through a config with chosen outcomes. Pure: no database, no use case is called."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from .config import Step
from .document import Document
from .selection import matches

Fate = Literal["success", "rejection", "failure", "death"]
"""What becomes of a step: it succeeds, is rejected, its action says no, or its worker dies while it holds a claim."""
End = Literal["good", "bad", "stuck", "bound"]


class Option(msgspec.Struct, frozen=True):
    """A step that applies, for one requester."""

    requester: str
    step: Step


class Hop(msgspec.Struct, frozen=True):
    """One attempt of a walk; ``target`` equals ``source`` where the status stayed."""

    source: str
    target: str
    step: str
    requester: str
    fate: Fate


class Walk(msgspec.Struct, frozen=True):
    """The life of one synthetic entity. ``stuck``: nothing applies, or nobody chose to go on."""

    status: str
    end: End
    hops: tuple[Hop, ...]


Chooser = Callable[[str, tuple[Option, ...]], tuple[Option, Fate] | None]
"""Decides at a status what happens next; None ends the walk."""


class Chances(msgspec.Struct, frozen=True):
    """Weights of the fates of a step. Those a step cannot meet (no rejection state, no claim) do not count."""

    success: float = 1.0
    rejection: float = 0.0
    failure: float = 0.0
    death: float = 0.0


class Simulation(msgspec.Struct, frozen=True):
    """Counts over ``n`` walks: by last status, by kind of end, by (from, to, step); hops as min, median, max."""

    n: int
    statuses: dict[str, int]
    ends: dict[str, int]
    edges: dict[tuple[str, str, str], int]
    hops: tuple[int, int, int]
    samples: tuple[Walk, ...]


class Simulator:
    """Walks through one document. ``data`` None means that every ``when`` can be met."""

    def __init__(self, document: Document, data: Mapping[str, Any] | None = None) -> None:
        first = document.views[0].workflow
        self.initial = first.initial
        self.good = frozenset(first.terminal.good)
        self.ends = frozenset(first.terminal.all)
        self._options: dict[str, tuple[Option, ...]] = {}
        for status in first.status_types:
            self._options[status] = tuple(
                Option(view.requester, step)
                for view in document.views
                for step in view.by_status.get(status, ())
                if data is None or matches(step, data)
            )

    def options(self, status: str) -> tuple[Option, ...]:
        """What applies at a status."""
        return self._options.get(status, ())

    def walk(self, choose: Chooser, start: str | None = None, bound: int = 100) -> Walk:
        """One life from ``start`` (the initial status) to an end, at most ``bound`` hops."""
        status = start or self.initial
        hops: list[Hop] = []
        while status not in self.ends:
            if len(hops) >= bound:
                return Walk(status, "bound", tuple(hops))
            chosen = choose(status, self.options(status))
            if chosen is None:
                return Walk(status, "stuck", tuple(hops))
            hop = self.hop(status, *chosen)
            hops.append(hop)
            status = hop.target
        return Walk(status, "good" if status in self.good else "bad", tuple(hops))

    @staticmethod
    def hop(status: str, option: Option, fate: Fate) -> Hop:
        """Where a fate leads. A dead worker leaves the claim's status, an action's no its release."""
        step, target = option.step, status
        if fate == "success":
            target = step.successful_state
        elif fate == "rejection" and step.rejection_state is not None:
            target = step.rejection_state
        elif fate == "death" and step.claim is not None:
            target = step.claim.status
        elif fate == "failure" and step.claim is not None:
            target = step.claim.release or step.claim.status
        return Hop(status, target, step.key, option.requester, fate)


def random_chooser(
    rng: random.Random,
    chances: Mapping[str, Chances] | None = None,
    requesters: Mapping[str, float] | None = None,
) -> Chooser:
    """Chooses by weight: ``chances`` by step key ("*" for the others), ``requesters`` by kind (an absent one: 0)."""
    known = chances or {}
    otherwise = known.get("*", Chances())
    fates: dict[str, tuple[list[Fate], list[float]]] = {}

    def choose(_status: str, options: tuple[Option, ...]) -> tuple[Option, Fate] | None:
        weights = [1.0 if requesters is None else requesters.get(o.requester, 0.0) for o in options]
        if not any(weights):
            return None
        option = rng.choices(options, weights)[0] if len(options) > 1 else options[0]
        if option.step.key not in fates:
            fates[option.step.key] = _fates(option.step, known.get(option.step.key, otherwise))
        names, shares = fates[option.step.key]
        return (option, rng.choices(names, shares)[0] if len(names) > 1 else names[0]) if names else None

    return choose


def _fates(step: Step, chances: Chances) -> tuple[list[Fate], list[float]]:
    possible: list[tuple[Fate, float]] = [("success", chances.success), ("failure", chances.failure)]
    if step.rejection_state is not None:
        possible.append(("rejection", chances.rejection))
    if step.claim is not None:
        possible.append(("death", chances.death))
    possible = [(name, weight) for name, weight in possible if weight > 0]
    return [name for name, _ in possible], [weight for _, weight in possible]


def simulate(
    document: Document,
    n: int,
    *,
    seed: int = 0,
    chances: Mapping[str, Chances] | None = None,
    requesters: Mapping[str, float] | None = None,
    data: Mapping[str, Any] | None = None,
    bound: int = 100,
    samples: int = 5,
    cancelled: Callable[[], bool] = lambda: False,
) -> Simulation:
    """``n`` random lives; the same seed gives the same. Ends early, with the ``n`` done, once ``cancelled`` says so."""
    simulator = Simulator(document, data)
    # Not for secrets: a seed must give the same walks again.
    choose = random_chooser(random.Random(seed), chances, requesters)  # noqa: S311
    statuses: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    taken: Counter[tuple[str, str, str]] = Counter()
    lengths: list[int] = []
    kept: list[Walk] = []
    for _ in range(n):
        if cancelled():
            break
        walk = simulator.walk(choose, bound=bound)
        statuses[walk.status] += 1
        ends[walk.end] += 1
        taken.update((hop.source, hop.target, hop.step) for hop in walk.hops)
        lengths.append(len(walk.hops))
        if len(kept) < samples:
            kept.append(walk)
    lengths.sort()
    spread = (lengths[0], lengths[len(lengths) // 2], lengths[-1]) if lengths else (0, 0, 0)
    return Simulation(len(lengths), dict(statuses), dict(ends), dict(taken), spread, tuple(kept))
