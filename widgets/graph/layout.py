"""Layered layout (Sugiyama's method) of a step graph, top to bottom, in numpy. No Qt; any thread.

Ranks by longest path, dummies on long edges, order within layers by barycentre sweeps and sifting under
a time budget, coordinates by isotonic regression (pool adjacent violators). Deterministic for a given budget-free run.
K. Sugiyama, S. Tagawa, M. Toda: Methods for visual understanding of hierarchical system structures, IEEE SMC 1981.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine_bridge.graph import library

if TYPE_CHECKING:
    import networkx as nx

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROW_GAP = 26.0
COLUMN_GAP = 18.0
_DUMMY_WIDTH = 8.0
_SIFT_MAX = 300  # nodes in a layer
_UNRANKED = ("loop", "back")


@dataclass(slots=True)
class Layout:
    """Centres of nodes in px, ``rank`` by node, and for each edge (in ``edges`` order) its bend points."""

    x: Floats
    y: Floats
    rank: Ints
    edges: list[tuple[int, int]]
    routes: list[Floats]
    """Each of shape (k, 2): from the source's centre over the dummies to the target's centre."""
    width: float
    height: float
    crossings: int


def layout(graph: nx.DiGraph, widths: Floats, height: float, *, budget_s: float | None = None) -> Layout:
    """Lays out ``graph`` (integer nodes 0..n-1; edges of kind "loop" or "back" and self-loops do not rank).

    ``widths`` are node widths in px, ``height`` the common height. After ``budget_s`` seconds of crossing
    reduction (by default 20 ms and 30 µs a node, at most 120 ms) the best order so far is taken.
    """
    n = len(widths)
    budget_s = min(0.02 + 3e-5 * n, 0.12) if budget_s is None else budget_s
    if n == 0:
        empty = np.zeros(0)
        return Layout(empty, empty, np.zeros(0, np.int64), [], [], 0.0, 0.0, 0)
    every = [(int(a), int(b)) for a, b in graph.edges]
    ranking = [(a, b) for a, b, kind in graph.edges(data="kind") if kind not in _UNRANKED and a != b]
    ranking = _without_cycles(n, ranking)
    rank = _ranks(n, ranking)
    net = _Net(n, rank, ranking, widths)
    net.order(budget_s)
    x = net.coordinates()
    y: Floats = rank.astype(np.float64) * (height + ROW_GAP) + height / 2
    x -= float((x[:n] - widths / 2).min())
    routes = _routes(every, net, x, rank, height)
    right = float((x[:n] + widths / 2).max())
    return Layout(x[:n], y, rank, every, routes, right, float(y.max() + height / 2), net.best_crossings)


def _without_cycles(n: int, edges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Drops the back edges of a depth-first walk, which leaves an acyclic graph."""
    graph: nx.DiGraph = library().DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(edges)
    if library().is_directed_acyclic_graph(graph):
        return edges
    kept, state = [], np.zeros(n, np.int8)
    for root in range(n):
        if state[root]:
            continue
        stack = [(root, iter(sorted(graph.successors(root))))]
        state[root] = 1
        while stack:
            node, successors = stack[-1]
            for after in successors:
                if state[after] != 1:
                    kept.append((node, after))
                if not state[after]:
                    state[after] = 1
                    stack.append((after, iter(sorted(graph.successors(after)))))
                    break
            else:
                state[node] = 2
                stack.pop()
    return kept


def _ranks(n: int, edges: list[tuple[int, int]]) -> Ints:
    """Longest path from the sources, then shorter edges."""
    graph: nx.DiGraph = library().DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(edges)
    rank = np.zeros(n, np.int64)
    for generation, nodes in enumerate(library().topological_generations(graph)):
        rank[list(nodes)] = generation
    _shorten(graph, rank)
    return rank


def _shorten(graph: nx.DiGraph, rank: Ints) -> None:
    """Moves nodes within their slack to shorten edges: towards the side with more of them.

    A cheap stand-in for the network simplex of E. R. Gansner et al., A technique for drawing directed graphs (1993).
    """
    for _ in range(8):
        moved = False
        for node in reversed(list(library().topological_sort(graph))):
            low = max((int(rank[a]) + 1 for a in graph.predecessors(node)), default=0)
            high = min((int(rank[b]) - 1 for b in graph.successors(node)), default=int(rank[node]))
            pull = graph.out_degree(node) - graph.in_degree(node)
            wanted = high if pull > 0 else low if pull < 0 else int(rank[node])
            if wanted != rank[node]:
                rank[node], moved = wanted, True
        if not moved:
            return


class _Net:
    """The proper layered graph: real nodes 0..n-1, then dummies; edges only between neighbouring layers."""

    def __init__(self, n: int, rank: Ints, edges: list[tuple[int, int]], widths: Floats) -> None:
        self.n = n
        self.chains: dict[tuple[int, int], list[int]] = {}
        ranks = rank.tolist()
        pairs: list[tuple[int, int]] = []
        for a, b in edges:
            chain = [a]
            for r in range(ranks[a] + 1, ranks[b]):
                chain.append(len(ranks))
                ranks.append(r)
            chain.append(b)
            self.chains[a, b] = chain
            pairs += pairwise(chain)
        self.rank = np.array(ranks, np.int64)
        self.widths = np.concatenate([widths, np.full(len(ranks) - n, _DUMMY_WIDTH)])
        self.up = np.array(pairs, np.int64).reshape(-1, 2)
        self.layers = [np.flatnonzero(self.rank == r) for r in range(int(self.rank.max()) + 1)]
        self.between = self._split()
        self.best_crossings = 0

    def _split(self) -> list[Ints]:
        """Edges by the rank of their upper end."""
        if not len(self.up):
            return [self.up for _ in self.layers]
        upper = self.rank[self.up[:, 0]]
        order = np.argsort(upper, kind="stable")
        bounds = np.searchsorted(upper[order], np.arange(len(self.layers) + 1))
        return [self.up[order[a:b]] for a, b in pairwise(bounds.tolist())]

    def order(self, budget_s: float) -> None:
        """Finds an order with few crossings: sweeps down and up, switches, and keeps the best."""
        place = self._start()
        best, self.best_crossings = place.copy(), self._crossings(place)
        deadline, stale = time.perf_counter() + budget_s, 0
        for sweep in range(40):
            if self.best_crossings == 0 or stale >= 8 or time.perf_counter() > deadline:
                break
            self._sweep(place, down=sweep % 2 == 0)
            self._sift_all(place, deadline, down=sweep % 2 == 0)
            crossings = self._crossings(place)
            stale = 0 if crossings < self.best_crossings else stale + 1
            if crossings < self.best_crossings:
                best, self.best_crossings = place.copy(), crossings
        self.layers = [layer[np.argsort(best[layer], kind="stable")] for layer in self.layers]

    def _start(self) -> Floats:
        """Depth-first order from the sources keeps branches together."""
        graph: dict[int, list[int]] = {}
        for a, b in self.up.tolist():
            graph.setdefault(a, []).append(b)
        place = np.full(len(self.rank), -1.0)
        counter = 0.0
        for root in np.argsort(self.rank, kind="stable").tolist():
            stack = [root] if place[root] < 0 else []
            while stack:
                node = stack.pop()
                if place[node] >= 0:
                    continue
                place[node] = counter
                counter += 1
                stack += reversed(graph.get(node, []))
        self._normalise(place)
        return place

    def _normalise(self, place: Floats) -> None:
        for layer in self.layers:
            place[layer[np.argsort(place[layer], kind="stable")]] = np.arange(len(layer))

    def _sweep(self, place: Floats, *, down: bool) -> None:
        ranks = range(1, len(self.layers)) if down else range(len(self.layers) - 2, -1, -1)
        for r in ranks:
            edges = self.between[r - 1] if down else self.between[r]
            self._barycentre(self.layers[r], edges[:, 1 if down else 0], edges[:, 0 if down else 1], place)

    def _barycentre(self, layer: Ints, mine: Ints, fixed: Ints, place: Floats) -> None:
        index = np.searchsorted(layer, mine)
        degree = np.bincount(index, minlength=len(layer))
        total = np.bincount(index, place[fixed], len(layer))
        wanted = np.where(degree > 0, total / np.maximum(degree, 1), place[layer])
        place[layer[np.lexsort((place[layer], wanted))]] = np.arange(len(layer))

    def _sift_all(self, place: Floats, deadline: float, *, down: bool) -> None:
        """Moves each node to the best place within its layer, both neighbouring layers held fixed."""
        ranks = range(len(self.layers)) if down else range(len(self.layers) - 1, -1, -1)
        for r in ranks:
            if 1 < len(self.layers[r]) <= _SIFT_MAX and time.perf_counter() < deadline:
                self._sift(r, place)

    def _sift(self, r: int, place: Floats) -> None:
        layer = self.layers[r]
        cost = self._pair_costs(r, place)
        difference = cost - cost.T
        order = np.argsort(place[layer], kind="stable")
        for node in order.copy().tolist():
            at = int(np.flatnonzero(order == node)[0])
            rest = np.delete(order, at)
            # gain[k]: crossings more than at the far left when ``node`` stands behind k of the others.
            gain = np.concatenate([[0.0], np.cumsum(difference[rest, node])])
            best = int(gain.argmin())
            if gain[best] < gain[at]:
                order = np.insert(rest, best, node)
        place[layer[order]] = np.arange(len(layer))

    def _pair_costs(self, r: int, place: Floats) -> Floats:
        """cost[i, j]: crossings between edges of layer nodes i and j when i stands left of j."""
        layer = self.layers[r]
        cost = np.zeros((len(layer), len(layer)))
        sides = []
        if r:
            sides.append((self.between[r - 1][:, 1], self.between[r - 1][:, 0], len(self.layers[r - 1])))
        if r + 1 < len(self.layers):
            sides.append((self.between[r][:, 0], self.between[r][:, 1], len(self.layers[r + 1])))
        for mine, fixed, size in sides:
            at = np.zeros((len(layer), size))
            np.add.at(at, (np.searchsorted(layer, mine), place[fixed].astype(np.int64)), 1)
            below = np.cumsum(at, axis=1) - at
            cost += at @ below.T
        return cost

    def _crossings(self, place: Floats) -> int:
        return sum(
            _inversions(place[edges[:, 0]], place[edges[:, 1]]) for edges in self.between if len(edges)
        )

    def coordinates(self) -> Floats:
        """x of every node and dummy: each layer is pulled towards its neighbours, keeping the gaps."""
        x = np.zeros(len(self.rank))
        gaps = []
        for layer in self.layers:
            half = self.widths[layer] / 2
            step = np.concatenate([[0.0], half[:-1] + half[1:] + COLUMN_GAP])
            gaps.append(np.cumsum(step))
            x[layer] = gaps[-1] - gaps[-1][-1] / 2
        rounds = 6 if len(self.rank) < 4_000 else 2
        for k in range(2 * rounds):
            down = k % 2 == 0
            ranks = range(1, len(self.layers)) if down else range(len(self.layers) - 2, -1, -1)
            for r in ranks:
                edges = self.between[r - 1] if down else self.between[r]
                self._pull(r, edges[:, 1 if down else 0], edges[:, 0 if down else 1], gaps[r], x)
        return x

    def _pull(self, r: int, mine: Ints, fixed: Ints, gap: Floats, x: Floats) -> None:
        layer = self.layers[r]
        slot = np.empty(len(self.rank), np.int64)
        slot[layer] = np.arange(len(layer))
        index = slot[mine]
        degree = np.bincount(index, minlength=len(layer))
        total = np.bincount(index, x[fixed], len(layer))
        wanted = np.where(degree > 0, total / np.maximum(degree, 1), x[layer])
        # Dummies weigh more, so that long edges run straight.
        weight = np.where(layer >= self.n, 4.0, 1.0) * np.where(degree > 0, 1.0, 0.1)
        x[layer] = _isotonic(wanted - gap, weight) + gap


def _inversions(upper: Floats, lower: Floats) -> int:
    """Crossings of edges between two layers: inversions of the lower ends in order of the upper ones.

    Counted by merge sort, bottom up, in numpy: O(e log² e).
    """
    values = lower[np.lexsort((lower, upper))].astype(np.int64)
    values = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    total, size, n = 0, 1, len(values)
    while size < n:
        block = np.arange(n) // (2 * size)
        right = (np.arange(n) // size) % 2 == 1
        # Within a block, sort by value; each right-hand element counts the left-hand ones that stand behind it.
        order = np.lexsort((values, block))
        is_left = ~right[order]
        lefts = np.cumsum(is_left)
        ends = np.searchsorted(block[order], np.arange(block[-1] + 1), side="right") - 1
        total += int((lefts[ends][block[order]] - lefts)[~is_left].sum())
        values = values[order]
        size *= 2
    return total


def _isotonic(wanted: Floats, weight: Floats) -> Floats:
    """Least-squares non-decreasing fit (pool adjacent violators)."""
    means: list[float] = []
    weights: list[float] = []
    counts: list[int] = []
    for value, w in zip(wanted.tolist(), weight.tolist(), strict=True):
        count = 1
        while means and means[-1] > value:
            other = weights.pop()
            value = (value * w + means.pop() * other) / (w + other)
            w += other
            count += counts.pop()
        means.append(value)
        weights.append(w)
        counts.append(count)
    return np.repeat(means, counts)


def _routes(every: list[tuple[int, int]], net: _Net, x: Floats, rank: Ints, height: float) -> list[Floats]:
    y = net.rank * (height + ROW_GAP) + height / 2
    routes = []
    for a, b in every:
        chain = net.chains.get((a, b))
        if chain is None:
            back = net.chains.get((b, a))
            chain = back[::-1] if back is not None and rank[a] >= rank[b] else [a, b]
        routes.append(np.column_stack([x[chain], y[chain]]))
    return routes
