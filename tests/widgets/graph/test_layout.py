"""The layered layout: ranks respect edges, nodes never overlap, crossings are counted right."""

from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from widgets.graph.layout import COLUMN_GAP, _inversions, layout


@st.composite
def graphs(draw: st.DrawFn) -> nx.DiGraph:
    n = draw(st.integers(1, 25))
    pairs = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=50))
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(((a, b) for a, b in pairs if a != b), kind="order")
    return graph


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_no_node_overlaps_another_and_every_edge_is_routed(graph: nx.DiGraph) -> None:
    widths = np.array([60.0 + 10 * (i % 5) for i in graph])
    placed = layout(graph, widths, 28.0)
    for rank in np.unique(placed.rank):
        row = np.flatnonzero(placed.rank == rank)
        row = row[np.argsort(placed.x[row])]
        gaps = np.diff(placed.x[row]) - (widths[row][:-1] + widths[row][1:]) / 2
        assert (gaps >= COLUMN_GAP - 1e-6).all()
    assert len(placed.routes) == graph.number_of_edges()
    for (a, b), route in zip(placed.edges, placed.routes, strict=True):
        assert route[0].tolist() == [placed.x[a], placed.y[a]]
        assert route[-1].tolist() == [placed.x[b], placed.y[b]]
    if nx.is_directed_acyclic_graph(graph):
        assert all(placed.rank[a] < placed.rank[b] for a, b in graph.edges)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40))
def test_crossings_between_two_layers(pairs: list[tuple[int, int]]) -> None:
    wanted = sum(
        (a < c and b > d) or (a > c and b < d) for i, (a, b) in enumerate(pairs) for c, d in pairs[:i]
    )
    upper, lower = (np.array([p[k] for p in pairs], float) for k in (0, 1))
    assert _inversions(upper, lower) == wanted


def test_a_planar_tree_is_drawn_without_crossings() -> None:
    tree = nx.balanced_tree(3, 3, create_using=nx.DiGraph)
    assert layout(tree, np.full(len(tree), 80.0), 28.0).crossings == 0


def test_the_same_graph_is_drawn_the_same_twice() -> None:
    graph = nx.gnp_random_graph(60, 0.05, seed=3, directed=True)
    graph = nx.DiGraph((a, b) for a, b in graph.edges if a < b)
    graph = nx.convert_node_labels_to_integers(graph)
    first, second = (layout(graph, np.full(len(graph), 80.0), 28.0, budget_s=60).x for _ in range(2))
    assert first.tolist() == second.tolist()
