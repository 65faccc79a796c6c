"""The observed graph never claims an order that the record does not prove."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine_bridge.codes import NONE
from engine_bridge.graph import OPEN, edges_of, node_states, observed, reduction
from engine_bridge.history import BatchBuilder, History
from engine_bridge.model import Event, EventKind, Step, StepKind, StepStatus
from tests.fakes import make_history, make_run, ref


def history_of(*spans: tuple[str, int, int | None], children: dict[int, str] | None = None) -> History:
    """A history of steps (name, first position, last position or None while open)."""
    steps, events = [], []
    for i, (name, first, last) in enumerate(spans):
        child = (children or {}).get(i)
        status = StepStatus.RUNNING if last is None else StepStatus.COMPLETED
        step = Step(
            id=str(i),
            name=name,
            kind=StepKind.CHILD if child else StepKind.STEP,
            status=status,
            child=ref(child) if child else None,
        )
        steps.append(step)
        for position, at in ((first, StepStatus.RUNNING), (last, StepStatus.COMPLETED)):
            if position is not None:
                event = Event(
                    position=position,
                    kind=EventKind.OTHER,
                    name="",
                    step_id=step.id,
                    step_name=name,
                    status=at,
                )
                events.append((event, NONE))
    events.sort(key=lambda pair: pair[0].position)
    history = History()
    history.append(BatchBuilder().build(make_run(0), events, steps))
    return history


def named_edges(history: History, *, fold: bool = True) -> set[tuple[str, str, str]]:
    graph = observed(history, fold=fold)
    return {(graph.nodes[a].name, graph.nodes[b].name, d["kind"]) for a, b, d in edges_of(graph.graph)}


@st.composite
def intervals(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(1, 9))
    cuts = draw(st.lists(st.integers(1, 60), min_size=2 * n, max_size=2 * n, unique=True))
    firsts, lasts = [], []
    for i in range(n):
        first, last = sorted(cuts[2 * i : 2 * i + 2])
        shape = draw(st.sampled_from(["closed", "open", "instant"]))
        firsts.append(first)
        lasts.append({"closed": last, "open": int(OPEN), "instant": first}[shape])
    return np.array(firsts), np.array(lasts)


@given(intervals())
def test_edges_are_the_transitive_reduction_of_the_interval_order(
    spans: tuple[np.ndarray, np.ndarray],
) -> None:
    first, last = spans
    order = nx.DiGraph()
    order.add_nodes_from(range(len(first)))
    order.add_edges_from(
        (a, b) for a in range(len(first)) for b in range(len(first)) if a != b and last[a] < first[b]
    )
    wanted = set(nx.transitive_reduction(order).edges)
    source, target = reduction(first, last)
    assert set(zip(source.tolist(), target.tolist(), strict=True)) == wanted


def test_overlapping_steps_are_parallel() -> None:
    history = history_of(("a", 1, 2), ("b", 3, 6), ("c", 4, 5), ("d", 7, 8))
    assert named_edges(history) == {
        ("a", "b", "order"),
        ("a", "c", "order"),
        ("b", "d", "order"),
        ("c", "d", "order"),
    }


def test_a_gathered_run_folds_into_one_node_with_a_count() -> None:
    spans = [("start", 1, 2), *[("quote", 3 + i, 20 + i) for i in range(12)], ("pick", 40, 41)]
    graph = observed(history_of(*spans))
    assert [(n.name, n.count) for n in graph.nodes] == [("start", 1), ("quote", 12), ("pick", 1)]
    assert list(graph.graph.edges) == [(0, 1), (1, 2)]


def test_a_thousand_into_a_thousand_stays_small() -> None:
    spans = [(name, base + i, base + 2000 + i) for name, base in (("a", 1), ("b", 5000)) for i in range(1000)]
    graph = observed(history_of(*spans))
    assert [n.count for n in graph.nodes] == [1000, 1000]
    assert list(graph.graph.edges) == [(0, 1)]


def test_a_loop_becomes_one_round_with_an_edge_back() -> None:
    spans = [("begin", 1, 2)]
    for i in range(5):
        spans += [("send", 10 * i + 10, 10 * i + 11), ("sleep", 10 * i + 12, 10 * i + 13)]
    spans.append(("end", 90, 91))
    history = history_of(*spans)
    assert named_edges(history) == {
        ("begin", "send", "order"),
        ("send", "sleep", "order"),
        ("sleep", "send", "loop"),
        ("sleep", "end", "order"),
    }
    assert len(named_edges(history, fold=False)) == 4
    assert observed(history, fold=False).graph.number_of_edges() == 11


def test_two_rounds_are_not_called_a_loop() -> None:
    history = history_of(("a", 1, 2), ("b", 3, 4), ("a", 5, 6), ("b", 7, 8))
    assert not [e for e in named_edges(history) if e[2] == "loop"]


def test_a_child_run_hangs_from_the_step_that_started_it() -> None:
    history = history_of(("a", 1, 2), ("ship", 3, 4), ("b", 5, 6), children={1: "order-7-2"})
    assert ("ship", "order-7-2", "child") in named_edges(history)
    assert ("order-7-2", "b", "order") not in named_edges(history)


def test_an_open_step_precedes_nothing() -> None:
    assert named_edges(history_of(("a", 1, None), ("b", 2, 3))) == set()


def test_an_inferred_step_without_events_comes_last() -> None:
    history = history_of(("a", 1, 2), ("b", 3, 4))
    running = Step(id="9", name="step 3", kind=StepKind.STEP, status=StepStatus.RUNNING)
    builder = BatchBuilder()
    for step_id in ("0", "1"):
        builder.row(step_id)
    history.append(builder.build(None, [], [running]))
    history.steps["name"][2] = len(history.names) - 1
    assert named_edges(history) == {("a", "b", "order"), ("b", "step 3", "order")}


def test_node_status_shows_unfinished_work_before_failure_and_failure_before_success() -> None:
    run = make_run(1)
    history = History()
    history.append(BatchBuilder().build(run, *make_history(run)))
    graph = observed(history)
    states = [status for status, _ in node_states(graph, history.steps["status"])]
    assert states[3] is StepStatus.FAILED
    nothing = np.zeros(history.n_steps, np.uint8)
    assert set(node_states(graph, nothing)) == {(StepStatus.PENDING, 0)}


def entity_history(*statuses: str, others: tuple[str, ...] = ()) -> History:
    """An entity that stood on these statuses one after the other; ``others`` are steps that ran meanwhile."""
    steps, events = [], []
    for i, name in enumerate(statuses):
        last = i == len(statuses) - 1
        status = StepStatus.WAITING if last else StepStatus.COMPLETED
        steps.append(Step(id=str(i), name=name, kind=StepKind.STATUS, status=status))
        event = Event(
            position=i + 1, kind=EventKind.STATUS_CHANGED, name="", step_id=str(i), status=StepStatus.WAITING
        )
        events.append((event, NONE))
    steps += [Step(id=name, name=name, kind=StepKind.TIMER, status=StepStatus.WAITING) for name in others]
    history = History()
    history.append(BatchBuilder().build(make_run(0), events, steps))
    return history


def visits(history: History) -> tuple[dict[str, int], dict[tuple[str, str, str], int]]:
    graph = observed(history)
    nodes = {node.name: node.count for node in graph.nodes}
    edges = {
        (graph.nodes[a].name, graph.nodes[b].name, d["kind"]): d["count"] for a, b, d in edges_of(graph.graph)
    }
    return nodes, edges


def test_every_status_is_one_node_whatever_the_order_of_returns() -> None:
    nodes, edges = visits(entity_history("a", "b", "a", "c", "b", "a", "b", "d"))
    assert nodes == {"a": 3, "b": 3, "c": 1, "d": 1}
    assert edges == {
        ("a", "b", "order"): 2,
        ("b", "a", "back"): 2,
        ("a", "c", "order"): 1,
        ("c", "b", "back"): 1,
        ("b", "d", "order"): 1,
    }


def test_the_same_status_again_is_a_second_visit() -> None:
    nodes, edges = visits(entity_history("a", "a", "b"))
    assert nodes == {"a": 2, "b": 1}
    assert edges == {("a", "b", "order"): 1}


def test_what_runs_beside_the_statuses_is_no_place_to_stand_on() -> None:
    history = entity_history("a", "b", others=("reminder",))
    graph = observed(history)
    assert [node.name for node in graph.nodes] == ["a", "b"]
    assert graph.node_of.tolist() == [0, 1, -1]
    assert node_states(graph, history.steps["status"])[1][0] is StepStatus.WAITING


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=30))
def test_visits_and_ways_add_up(life: list[str]) -> None:
    nodes, edges = visits(entity_history(*life))
    assert sum(nodes.values()) == len(life)
    moved = [(a, b) for a, b in pairwise(life) if a != b]
    assert sum(edges.values()) == len(moved)
    assert {(a, b) for a, b, _ in edges} == set(moved)
    ranked = nx.DiGraph((a, b) for a, b, kind in edges if kind == "order")
    assert nx.is_directed_acyclic_graph(ranked)
