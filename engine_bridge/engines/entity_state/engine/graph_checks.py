"""Checks of the declared graph: orphaned statuses, and chains of auto-advance that never end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from .document import Document, View
from .edges import Edge, edges
from .findings import Place, Report


def check_graph(document: Document, report: Report) -> None:
    """Adds the findings about reachability, dead ends and endless chains."""
    declared = edges(document)
    _reachable(document, declared, report)
    for view in document.views:
        _endless(view, report)


def status_places(document: Document) -> Mapping[str, Place]:
    """Where each status is listed in status_types."""
    node = document.root.get("status_types")
    if node is None or not isinstance(node.value, list):
        return defaultdict(lambda: (node or document.root).place)
    return defaultdict(lambda: node.place, {item.value: item.place for item in node.value})


def reachable(starts: Iterable[str], declared: Iterable[Edge]) -> set[str]:
    """The statuses that can be reached from the given ones, these included."""
    onward: dict[str, set[str]] = defaultdict(set)
    for edge in declared:
        onward[edge.source].add(edge.target)
    seen: set[str] = set()
    queue = list(starts)
    while queue:
        status = queue.pop()
        if status not in seen:
            seen.add(status)
            queue += onward[status] - seen
    return seen


def _reachable(document: Document, declared: tuple[Edge, ...], report: Report) -> None:
    places = status_places(document)
    flows = [view.workflow for view in document.views]
    arrived = reachable({flow.initial for flow in flows}, declared)
    left = {edge.source for edge in declared}
    ends = {status for flow in flows for status in flow.terminal.all}
    for status in dict.fromkeys(status for flow in flows for status in flow.status_types):
        if status not in arrived:
            reason = f"no steps lead from the initial status to “{status}”"
            report.add(
                "unreachable_status", places[status], reason, "Add a step to it, or remove the status."
            )
        if status not in left and status not in ends:
            reason = f"no step leads away from “{status}”, and it is not terminal"
            report.add("dead_end", places[status], reason, "Add a step from it, or list it under terminal.")


def _endless(view: View, report: Report) -> None:
    onward: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for index, step in enumerate(view.workflow.steps):
        if step.auto_advance:
            onward[step.status].append((step.successful_state, index))
    done: set[str] = set()
    told: set[frozenset[str]] = set()
    for start in onward:
        cycle = _cycle(start, onward, done)
        round_ = frozenset(status for status, _ in cycle)
        if cycle and round_ not in told:
            told.add(round_)
            node = view.nodes[cycle[0][1]]
            chain = " → ".join([status for status, _ in cycle] + [cycle[0][0]])
            reason = f"auto_advance never ends for {view.requester}: {chain}"
            place = (node.get("auto_advance") or node).place
            report.add(
                "endless_auto_advance", place, reason, "Let one step of the chain not advance by itself."
            )


def _cycle(start: str, onward: Mapping[str, list[tuple[str, int]]], done: set[str]) -> list[tuple[str, int]]:
    """The first cycle met from ``start`` as (status, step index) pairs, empty if there is none."""
    path: list[tuple[str, int]] = []
    stack: list[tuple[str, int, int]] = [(start, -1, 0)]
    while stack:
        status, _, taken = stack.pop()
        del path[len(stack) :]
        ways = onward.get(status, [])
        if status in done or taken >= len(ways):
            done.add(status)
            continue
        target, index = ways[taken]
        stack.append((status, index, taken + 1))
        path.append((status, index))
        at = next((i for i, (seen, _) in enumerate(path) if seen == target), None)
        if at is not None:
            return path[at:]
        stack.append((target, -1, 0))
    return []
