"""Where statuses stand, and how ways between them run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine_bridge.populations import Flow, Population, StatusNode
from tests.widgets.entities.populations import large, registration
from widgets.entities.layout import NODE_H, NODE_W, arc, levels, merged, place, topology


def _overlap(one: tuple[float, float], two: tuple[float, float]) -> bool:
    return abs(one[0] - two[0]) < NODE_W and abs(one[1] - two[1]) < NODE_H


def _x(population: Population) -> dict[str, float]:
    return {status: x for status, (x, _) in place(population).boxes.items()}


def test_statuses_run_from_left_to_right_by_the_longest_way() -> None:
    x = _x(registration())
    order = ["pending_email", "email_verified", "pending_documents", "documents_uploaded", "pending_approval"]
    assert [x[status] for status in order] == sorted(x[status] for status in order)
    assert x["active"] == x["rejected"] > x["pending_approval"]


def test_ways_back_and_undeclared_ones_run_above() -> None:
    placed = place(registration())
    back = placed.routes["pending_approval", "pending_documents"]
    top = min(placed.boxes[status][1] for status in ("pending_documents", "pending_approval"))
    assert back.shape == "bow"
    assert back.label[1] < top
    assert placed.routes["pending_email", "email_verified"].shape == "curve"


def test_unknown_statuses_stand_apart_below() -> None:
    placed = place(registration())
    assert placed.apart == ("on_hold_legacy",)
    lowest = max(y for status, (_, y) in placed.boxes.items() if status not in placed.apart)
    assert placed.boxes["on_hold_legacy"][1] > lowest + NODE_H


def test_without_a_config_what_was_observed_gives_the_order() -> None:
    nodes = tuple(StatusNode(status=name, declared=False) for name in ("c", "a", "b"))
    flows = tuple(Flow(source=s, target=t, declared=False, count=3) for s, t in (("a", "b"), ("b", "c")))
    x = _x(Population(type="t", nodes=nodes, flows=flows))
    assert x["a"] < x["b"] < x["c"]


def test_figures_do_not_move_statuses() -> None:
    assert topology(registration(100)) == topology(registration(200))


def test_flows_between_the_same_two_are_one() -> None:
    flows = (
        Flow(source="a", target="b", steps=("go",), count=3, share=0.25),
        Flow(source="a", target="b", steps=("reject",), count=1, share=0.5, rejection=True),
    )
    (one,) = merged(flows)
    assert (one.steps, one.count, one.share, one.rejection) == (("go", "reject"), 4, 0.75, False)


def test_arcs_over_the_same_columns_have_their_own_levels() -> None:
    placed = place(registration())
    pairs = [
        ("pending_approval", "pending_documents"),
        ("pending_approval", "pending_email"),
        ("active", "rejected"),
    ]
    found = levels(placed, pairs)
    assert found[pairs[0]] != found[pairs[1]]
    assert min(found.values()) == 0


def test_staged_arcs_run_below() -> None:
    placed = place(registration())
    route = arc(placed, "pending_documents", "pending_approval", 0, below=True)
    assert route.label[1] > placed.boxes["pending_documents"][1] + NODE_H
    assert route.tip == (0.0, -1.0)


def test_no_two_boxes_overlap_among_a_hundred() -> None:
    boxes = list(place(large(100)).boxes.values())
    assert len(boxes) == 100
    assert not any(_overlap(a, b) for n, a in enumerate(boxes) for b in boxes[:n])


NAMES = [f"s{n}" for n in range(8)]
NODES = st.lists(st.sampled_from(NAMES), min_size=1, max_size=8, unique=True)
EDGES = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.booleans()), max_size=14)


@given(NODES, EDGES, st.sets(st.sampled_from(NAMES)))
def test_any_graph_is_laid_out_without_overlap(
    names: list[str], edges: list[tuple[str, str, bool]], unknown: set[str]
) -> None:
    nodes = tuple(StatusNode(status=n, role="unknown" if n in unknown else "waiting") for n in names)
    flows = tuple(Flow(source=s, target=t, declared=d, count=1) for s, t, d in edges)
    placed = place(Population(type="t", nodes=nodes, flows=flows))
    boxes = list(placed.boxes.values())
    assert set(placed.boxes) == set(names)
    assert not any(_overlap(a, b) for n, a in enumerate(boxes) for b in boxes[:n])
    assert set(placed.routes) == {(s, t) for s, t, _ in edges if {s, t} <= set(names)}
    assert all(x >= 0 and y >= 0 for x, y in boxes)
