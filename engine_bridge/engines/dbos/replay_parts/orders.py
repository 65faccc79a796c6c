"""Runner part: orders of concurrent results. Where the record leaves one open, others are tried until all comes out.

dbos keeps when a result was written, not when the code went on with it: of results within the same moment either may
have been first, and so may a sleep that ended then. A run that comes out otherwise in one order and as recorded in
another has not changed.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from typing import Any, NamedTuple

Before = frozenset[tuple[int, int]]
Decision = tuple[int, tuple[tuple[int, int], ...]]
OTHERS = 6
BUDGET_S = 8.0  # of CPU
SIGN_S = 1.0
IDLE = 100.0  # what is held against changes on top of one that had no effect
EACH = 20  # for each pair that is changed
FAR = 30  # for each part that is wrong
_SAME, _DRIFTED, _DIVERGED, _ELSE = range(4)
SUSPECT = (_DRIFTED, _DIVERGED)


class Orders:
    """The order of one walk: that of the record, but for the pairs of which the second waits for the first.

    ``decisions`` are steps that went on while others were ready too, with the next few of those and how many
    milliseconds of the record these came later; kept where ``keeps``. Timers count as steps, by numbers below 0.
    """

    def __init__(self, before: Before = frozenset(), *, keeps: bool = False) -> None:
        self._behind: dict[int, set[int]] = {}
        for first, second in before:
            self._behind.setdefault(second, set()).add(first)
        self._keeps = keeps
        self.contended = False
        self.decisions: list[Decision] = []
        self.sequence: list[int] = []
        self.parted = 0
        self._taken: dict[int, int] = {}

    @property
    def is_trial(self) -> bool:
        """Whether nothing counts but how far it comes."""
        return self._keeps

    def take(self, fid: int) -> None:
        """The code took a step's id."""
        if self._keeps:
            self._taken[fid] = len(self.decisions)

    def part(self, fid: int) -> None:
        """The code asks for something else than what the record holds as this step."""
        self.parted = min(self.parted or fid, fid)

    @property
    def open(self) -> list[Decision]:
        """The decisions that may be to blame."""
        return self.decisions[: self._taken.get(self.parted, len(self.decisions))]

    def first(self, flying: dict[int, tuple[int, int, int]]) -> int:
        """Whose turn it is among steps with their places in the record."""
        found = min(flying.values())[-1]
        passed: set[int] = set()
        while found in self._behind and found not in passed:
            passed.add(found)
            ahead = [fid for fid in self._behind[found] if fid in flying and fid not in passed]
            if ahead:
                found = min(ahead, key=flying.__getitem__)
        return found

    def note(self, turn: int, flying: dict[int, tuple[int, int, int]]) -> None:
        """A step goes on."""
        if len(flying) > 1:
            self.contended = True
        if self._keeps:
            self.sequence.append(turn)
            near = heapq.nsmallest(OTHERS + 1, flying.values())
            place = flying[turn][0] if turn in flying else 0
            others = tuple((fid, max(0, time - place)) for time, _, fid in near if fid != turn)
            if others:
                self.decisions.append((turn, others))


class Tried(NamedTuple):
    """What came of one order: ``score`` falls with what is wrong, ``sign`` tells two ways of going wrong apart.

    Where code and history part, ``wanted`` is the step of the history, and ``late``: what the code asks for comes later
    in the history ("" and False where it ends there instead).
    """

    before: Before
    score: tuple[int, int]
    sign: str
    orders: Orders
    wanted: str = ""
    late: bool = False


def score(values: dict[str, Any], come: int, apart: int) -> tuple[int, int]:
    """How far from the record: 0 nothing is wrong, then drift (how much), then a divergence (how late)."""
    if values["outcome"] == "diverged":
        return _DIVERGED, -come
    if values["outcome"] not in ("same", "stopped"):
        return _ELSE, 0
    return (_DRIFTED, len(values["drift"]) + apart) if values.get("drift") else (_SAME, 0)


def undecided(values: dict[str, Any]) -> dict[str, Any]:
    """An end that depends on what the record does not hold."""
    what = ", ".join(dict.fromkeys(entry["what"] for entry in values.get("drift", ())))
    tried = "None of the orders that were tried in the time there is gives what is recorded."
    parted = values.pop("divergence", None)
    if parted is not None:
        values["outcome"], at = "stopped", parted.get("at") or {}
        step = f"step {parted['step_id']}" if parted.get("step_id") else "the end"
        what = f"whether the code diverges at {step}"
        where = f", line {at['line']}" if at.get("line") else ""
        tried += f" The one that comes furthest parts there: the history has {parted['expected']}, the code"
        tried += f" {parted['actual']}{where}."
    note = (
        f"Not decided ({what}): it depends on which of several steps went on first, which DBOS does not record when"
        f" they end at the same moment. {tried}"
    )
    return {**values, "drift": [], "notes": [note]}


class Search:
    """Looks for an order in which a run comes out as recorded, the likeliest first.

    ``attempt`` replays it in one; ``doubt`` is about how many milliseconds of the record speak against a step that
    comes so many too early; ``alive`` is called now and then; ``budget`` is in seconds of CPU; ``called`` are the steps
    of the history that the code calls anywhere. ``whole``: whether no other orders than those of one execution count.
    """

    def __init__(
        self,
        attempt: Callable[[Before], Tried],
        doubt: Callable[[int, int], int],
        budget: float,
        alive: Callable[[], None],
        called: frozenset[str] = frozenset(),
        *,
        whole: bool = True,
    ) -> None:
        self._attempt = attempt
        self._doubt = doubt
        self._alive = alive
        self._until = time.process_time() + budget
        self._told = time.monotonic()
        self._serial = 0
        self._open: list[tuple[float, int, Tried, float, tuple[int, int]]] = []
        self._seen: set[tuple[int, ...]] = set()
        self._signs: set[str] = set()
        self._called = called
        self._whole = whole
        self.decides = True
        """Whether the best order gives what the code does: false where that depends on an order that nobody knows."""

    def run(self) -> Tried:
        """The best order found. Its score is 0 where the run comes out as recorded."""
        first = best = self._add(frozenset())
        while best.score[0] != _SAME:
            if time.process_time() > self._until:
                self.decides = self._decides(first, best)
                break
            found = self._next()
            if found is None:
                self.decides = self._whole or self._decides(first, best)
                break
            best = min(best, found, key=lambda tried: tried.score)
        return best

    def _decides(self, first: Tried, best: Tried) -> bool:
        """With orders left that were not tried."""
        if best.score[0] == _DRIFTED:
            return len(self._signs) == 1
        if best.score[0] != _DIVERGED:
            return True
        if not best.wanted:
            return best.score >= first.score
        # A step that the history does not hold behind it, or the code nowhere calls, comes of no order.
        return not (best.late and best.wanted in self._called)

    def _add(self, before: Before, spent: float = 0, parent: Tried | None = None) -> Tried:
        if time.monotonic() - self._told > SIGN_S:
            self._alive()
            self._told = time.monotonic()
        tried = self._attempt(before)
        if parent is not None and tried.sign == parent.sign:
            spent += IDLE
        if tried.score[0] == _DRIFTED:
            self._signs.add(tried.sign)
        sequence = tuple(tried.orders.sequence)
        if sequence not in self._seen:
            self._seen.add(sequence)
            for flip, cost in self._flips(tried).items():
                self._serial += 1
                heapq.heappush(
                    self._open, (spent + cost + _far(tried), self._serial, tried, spent + cost, flip)
                )
        return tried

    def _next(self) -> Tried | None:
        if not self._open:
            return None
        _, _, parent, spent, flip = heapq.heappop(self._open)
        return self._add(frozenset({*parent.before, flip}), spent, parent)

    def _flips(self, tried: Tried) -> dict[tuple[int, int], float]:
        """Pairs to try the other way round, with what speaks against each: far from the failure, far in the record."""
        found: dict[tuple[int, int], float] = {}
        decisions = tried.orders.open
        for number, (turn, others) in enumerate(decisions):
            late = len(decisions) - number if tried.score[0] == _DIVERGED else 0
            for place, (other, early) in enumerate(others):
                pair = other, turn
                if pair not in tried.before and (turn, other) not in tried.before:
                    cost = EACH + self._doubt(other, early) / 10 + 10 * late + place
                    found[pair] = min(cost, found.get(pair, cost))
        return found


def _far(tried: Tried) -> float:
    """How much is wrong with one order, next to the costs of changing it."""
    rank, measure = tried.score
    return 100_000 * rank + FAR * measure
