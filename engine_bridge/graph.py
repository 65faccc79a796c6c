"""The observed step graph of a run: what followed what, as far as the record proves it.

An edge A -> B is drawn only if A ended before B began (by position) and no third step lies between them: the
transitive reduction of the interval order. Overlapping steps are parallel and unconnected. Child runs hang from the
step that started them: that edge is a recorded fact. Repeats fold into one node with a count. An entity's stays in
statuses follow each other one by one: there every status is one node, and edges count how often a way was taken. Pure
functions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from engine_bridge.codes import STEP_KINDS, STEP_STATUSES, code
from engine_bridge.history import Columns, History
from engine_bridge.model import RunRef, StepKind, StepStatus

if TYPE_CHECKING:
    import networkx as nx

OPEN: Final = np.iinfo(np.int64).max
# By code, and padded: a code that no status has must not raise.
_CLOSED: Final = np.array([s.closed for s in STEP_STATUSES] + [False] * (256 - len(STEP_STATUSES)))
_SHOWN_FIRST: Final = (
    *(StepStatus.RUNNING, StepStatus.RETRYING, StepStatus.WAITING, StepStatus.SCHEDULED),
    *(StepStatus.FAILED, StepStatus.TIMED_OUT, StepStatus.CANCELLED),
)
_LONGEST_PATTERN: Final = 8
_FOLD_ROUNDS: Final = 6
_MAX_CHILD_NODES: Final = 2_000


@cache
def library() -> Any:
    """networkx. Its first import takes 200 ms and 12 MB, so it waits for the first graph that somebody looks at."""
    import networkx

    return networkx


def ready() -> bool:
    """Whether a graph can be made without waiting for that import."""
    return library.cache_info().currsize > 0


@dataclass(slots=True)
class Node:
    """A node: one step, or ``rows`` of several that are the same step repeated."""

    name: str
    kind: StepKind
    rows: list[int]
    child: RunRef | None = None
    """Set on nodes that stand for a child run instead of steps; then ``rows`` is the step that started it."""

    @property
    def count(self) -> int:
        return len(self.rows)


@dataclass(slots=True)
class RunGraph:
    """``graph`` has integer nodes (indices into ``nodes``); edges carry ``kind`` ("order", "loop", "back" or
    "child") and ``count``: rounds of a loop but for the first, else how often it was passed. ``node_of`` maps a step
    row to its node, -1 for none."""

    nodes: list[Node] = field(default_factory=list)
    graph: nx.DiGraph = field(default_factory=lambda: library().DiGraph())
    node_of: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))


def reduction(
    first: NDArray[np.int64], last: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Edges (from, to) of the transitive reduction of an interval order.

    ``first`` and ``last`` are positions of n intervals, ``last`` OPEN while a step has not ended; no two
    positions are equal but for a step whose first is its last. O(n log n + edges).
    """
    n = len(first)
    if n == 0:
        empty = np.zeros(0, np.int64)
        return empty, empty
    order = np.argsort(first, kind="stable")
    starts = first[order]
    # soonest[i]: the earliest end among the steps that begin at i or later in start order.
    soonest = np.minimum.accumulate(last[order][::-1])[::-1]
    begin = np.searchsorted(starts, last, side="right")
    bound = np.append(soonest, OPEN)[begin]
    end = np.searchsorted(starts, bound, side="right")
    counts = np.where(last == OPEN, 0, np.maximum(end - begin, 0))
    source = np.repeat(np.arange(n), counts)
    offset = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    target = order[np.repeat(begin, counts) + offset]
    # A one-event step ends where it begins, so it may bound itself: keep it, drop only what lies strictly after.
    keep = (first[target] <= bound[source]) & (source != target)
    return source[keep], target[keep]


def observed(history: History, *, fold: bool = True) -> RunGraph:
    """The observed graph of a history. With ``fold`` repeats become one node with a count."""
    steps = history.steps
    if not history.n_steps:
        return RunGraph()
    if (steps["kind"] == code(StepKind.STATUS)).any():
        return visited(history)
    last = np.where(_CLOSED[steps["status"]], steps["last"], OPEN)
    # An inferred step without any event is what the run does now: it comes after everything recorded.
    first = np.where(
        steps["first"] > 0, steps["first"], history.last_position + 1 + np.arange(history.n_steps)
    )
    groups = _alike(steps, first, last) if fold else [[row] for row in range(history.n_steps)]
    heads = np.array([group[0] for group in groups])
    labels = [(history.names[steps["name"][row]], int(steps["kind"][row])) for row in heads]
    folding = _Folding(labels, groups)
    source, target = reduction(first[heads], last[heads])
    folding.add_edges(zip(source.tolist(), target.tolist(), strict=True))
    loops = folding.fold() if fold else []
    result = _to_graph(folding, loops, history.n_steps)
    _add_children(result, history)
    return result


def visited(history: History) -> RunGraph:
    """The statuses that an entity stood on, as a graph: a node each, and the ways it took between them.

    An edge of kind "back" leads to a status that was first reached earlier than the one it leaves.
    """
    steps = history.steps
    stays = np.flatnonzero(steps["kind"] == code(StepKind.STATUS))
    # A stay without any event is where the entity stands now.
    first = np.where(steps["first"][stays] > 0, steps["first"][stays], OPEN)
    rows = stays[np.argsort(first, kind="stable")].tolist()
    result = RunGraph(node_of=np.full(history.n_steps, -1, np.int32))
    node_of: dict[int, int] = {}
    path: list[int] = []
    for row in rows:
        name = int(steps["name"][row])
        if name not in node_of:
            node_of[name] = len(result.nodes)
            result.nodes.append(Node(history.names[name], StepKind.STATUS, []))
        result.nodes[node_of[name]].rows.append(row)
        result.node_of[row] = node_of[name]
        path.append(node_of[name])
    result.graph.add_nodes_from(range(len(result.nodes)))
    for (a, b), count in Counter(pairwise(path)).items():
        if a != b:
            result.graph.add_edge(a, b, kind="order" if a < b else "back", count=count)
    return result


def _alike(steps: Columns, first: NDArray[np.int64], last: NDArray[np.int64]) -> list[list[int]]:
    """Rows grouped where label, all that came before and all that came after are the same.

    In an interval order both sets follow from two ranks, so a gather of 1,000 into another of 1,000 never becomes
    a million edges.
    """
    after = np.searchsorted(np.sort(first), last, side="right")
    before = np.searchsorted(np.sort(last), first, side="left")
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    columns = (steps["name"].tolist(), steps["kind"].tolist(), after.tolist(), before.tolist())
    for row, key in enumerate(zip(*columns, strict=True)):
        groups[key].append(row)
    return list(groups.values())


class _Folding:
    """A mutable digraph of labelled groups of step rows, and the rules that merge them."""

    def __init__(self, labels: list[tuple[str, int]], groups: list[list[int]]) -> None:
        self.labels = dict(enumerate(labels))
        self.members = dict(enumerate(groups))
        self.after: dict[int, set[int]] = defaultdict(set)
        self.before: dict[int, set[int]] = defaultdict(set)

    def add_edges(self, edges: Iterable[tuple[int, int]]) -> None:
        for a, b in edges:
            self.after[a].add(b)
            self.before[b].add(a)

    def fold(self) -> list[tuple[int, int, int]]:
        """Merges repeats until nothing changes; returns loop edges (from, to, times)."""
        loops: list[tuple[int, int, int]] = []
        for _ in range(_FOLD_ROUNDS):
            if not (self._fold_parallel() + self._fold_patterns(loops)):
                break
        alive = self.members.keys()
        return [loop for loop in loops if loop[0] in alive and loop[1] in alive]

    def _merge(self, keep: int, others: Iterable[int]) -> None:
        for other in others:
            self.members[keep] += self.members.pop(other)
            for b in self.after.pop(other, set()):
                self.before[b].discard(other)
                if b != keep:
                    self.after[keep].add(b)
                    self.before[b].add(keep)
            for a in self.before.pop(other, set()):
                self.after[a].discard(other)
                if a != keep:
                    self.before[keep].add(a)
                    self.after[a].add(keep)
        self.members[keep].sort()

    def _fold_parallel(self) -> int:
        """Same label, same neighbours on both sides: parallel repeats."""
        groups: dict[Hashable, list[int]] = defaultdict(list)
        for n in self.members:
            groups[self.labels[n], frozenset(self.before[n]), frozenset(self.after[n])].append(n)
        repeats = [group for group in groups.values() if len(group) > 1]
        for keep, *others in repeats:
            self._merge(keep, others)
        return len(repeats)

    def _fold_patterns(self, loops: list[tuple[int, int, int]]) -> int:
        """In a linear chain, a pattern of 1 to 8 labels that repeats at once becomes one round of it."""
        folded = 0
        for chain in self._chains():
            i = 0
            while i < len(chain):
                period, times = self._repeat_at(chain, i)
                if times < 2:
                    i += 1
                    continue
                rounds = [chain[i + r * period : i + (r + 1) * period] for r in range(times)]
                self._fold_rounds(rounds)
                if period > 1:
                    loops.append((rounds[0][-1], rounds[0][0], times - 1))
                i += period * times
                folded += 1
        return folded

    def _repeat_at(self, chain: list[int], i: int) -> tuple[int, int]:
        best = (1, 1)
        for period in range(1, min(_LONGEST_PATTERN, (len(chain) - i) // 2) + 1):
            pattern = [self.labels[n] for n in chain[i : i + period]]
            times = 1
            while [self.labels[n] for n in chain[i + times * period : i + (times + 1) * period]] == pattern:
                times += 1
            # Two rounds of a long pattern are more likely chance than a loop.
            if times >= (2 if period == 1 else 3) and times * period > best[0] * best[1]:
                best = (period, times)
        return best

    def _fold_rounds(self, rounds: list[list[int]]) -> None:
        leaving = list(self.after[rounds[-1][-1]])
        for k, keep in enumerate(rounds[0]):
            for other in (nodes[k] for nodes in rounds[1:]):
                self.members[keep] += self.members.pop(other)
                for b in self.after.pop(other, set()):
                    self.before[b].discard(other)
                for a in self.before.pop(other, set()):
                    self.after[a].discard(other)
            self.members[keep].sort()
        tail = rounds[0][-1]
        for b in leaving:
            self.after[tail].add(b)
            self.before[b].add(tail)

    def _chains(self) -> list[list[int]]:
        """Maximal paths whose inner edges are the only ones of their ends, in row order."""

        def joins(a: int) -> int | None:
            if len(self.after[a]) != 1:
                return None
            (b,) = self.after[a]
            return b if len(self.before[b]) == 1 else None

        followers = {b for a in list(self.members) if (b := joins(a)) is not None}
        chains = []
        for start in sorted(set(self.members) - followers):
            chain, node = [start], joins(start)
            while node is not None:
                chain.append(node)
                node = joins(node)
            if len(chain) > 1:
                chains.append(chain)
        return chains


def _to_graph(folding: _Folding, loops: list[tuple[int, int, int]], rows: int) -> RunGraph:
    result = RunGraph(node_of=np.full(rows, -1, np.int32))
    index: dict[int, int] = {}
    for key in sorted(folding.members, key=lambda k: folding.members[k][0]):
        name, kind = folding.labels[key]
        index[key] = len(result.nodes)
        members = folding.members[key]
        result.node_of[members] = index[key]
        result.nodes.append(Node(name, STEP_KINDS[kind], members))
    result.graph.add_nodes_from(range(len(result.nodes)))
    for a, targets in folding.after.items():
        for b in targets:
            if a in index and b in index:
                result.graph.add_edge(index[a], index[b], kind="order", count=1)
    for a, b, times in loops:
        if not result.graph.has_edge(index[a], index[b]):
            result.graph.add_edge(index[a], index[b], kind="loop", count=times)
    return result


def _add_children(result: RunGraph, history: History) -> None:
    """One node per child run, beside the step that started it: a recorded fact, unlike the order edges."""
    rows = np.flatnonzero(history.steps["kind"] == code(StepKind.CHILD))[:_MAX_CHILD_NODES]
    by_node: dict[int, list[int]] = defaultdict(list)
    for row in rows.tolist():
        by_node[int(result.node_of[row])].append(row)
    for node, members in by_node.items():
        child = history.step(members[0]).child
        if child is None:
            continue
        number = len(result.nodes)
        label = str(child) if len(members) == 1 else f"{len(members)} child runs"
        result.nodes.append(Node(label, StepKind.CHILD, members, child))
        result.graph.add_edge(node, number, kind="child", count=len(members))


def node_states(graph: RunGraph, status: NDArray[np.uint8]) -> list[tuple[StepStatus, int]]:
    """Each node's status from its steps' status codes, and how many of them are closed. O(steps + nodes).

    Unfinished work shows before failure, and failure before success, for that is the order in which it matters.
    """
    count, kinds = len(graph.nodes), len(STEP_STATUSES)
    rows = np.flatnonzero(graph.node_of >= 0)
    children = [(n, row) for n, node in enumerate(graph.nodes) if node.child is not None for row in node.rows]
    beside = np.array(children, np.int64).reshape(-1, 2)
    nodes = np.concatenate([graph.node_of[rows], beside[:, 0]])
    codes = np.minimum(status[np.concatenate([rows, beside[:, 1]])], kinds - 1)
    seen = np.bincount(nodes * kinds + codes, minlength=count * kinds).reshape(count, kinds)
    done = seen[:, _CLOSED[:kinds]].sum(axis=1)
    result = np.where(done > 0, code(StepStatus.RUNNING), code(StepStatus.PENDING))
    result[done == seen.sum(axis=1)] = code(StepStatus.COMPLETED)
    for shown in reversed(_SHOWN_FIRST):
        result[seen[:, code(shown)] > 0] = code(shown)
    return [(STEP_STATUSES[c], n) for c, n in zip(result.tolist(), done.tolist(), strict=True)]


def edges_of(graph: nx.DiGraph) -> list[tuple[int, int, dict[str, Any]]]:
    """The edges as (from, to, attributes), in a stable order."""
    return sorted(graph.edges(data=True), key=lambda edge: (edge[0], edge[1]))
