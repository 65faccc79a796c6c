"""What a well-shaped config must also satisfy before the engine starts: names, claims, ambiguity (see graph_checks)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import combinations

import msgspec

from .config import Step
from .document import Document, View
from .findings import Place, Report, suggest
from .graph_checks import check_graph
from .json_nodes import Node


class Known(msgspec.Struct, frozen=True):
    """What the application registered; None means that nobody can say, and the check is left out."""

    use_cases: frozenset[str] | None = None
    janitors: frozenset[str] | None = None


def check_document(document: Document, known: Known, report: Report) -> None:
    """Adds every finding about a document whose shape is right."""
    for check in (_statuses, _terminal, _steps, _references, _claims, _ambiguous):
        check(document, report)
    _registered(document, known, report)
    check_graph(document, report)


def place_of(view: View, index: int, field: str) -> Place:
    """Where a field of the view's step number ``index`` was written for this requester, or its step."""
    node = view.nodes[index]
    found = node.get(field)
    if found is None:
        return node.place
    own = found.get(view.requester) or (found.get("default") if isinstance(found.value, dict) else None)
    return (own or found).place


def each_step(document: Document) -> Iterator[tuple[View, int, Step]]:
    """Every step as every one of its requesters sees it."""
    for view in document.views:
        for index, step in enumerate(view.workflow.steps):
            yield view, index, step


def _statuses(document: Document, report: Report) -> None:
    node = document.root.get("status_types")
    for view in document.views[:1]:
        seen: set[str] = set()
        for index, status in enumerate(view.workflow.status_types):
            if status in seen and node is not None and isinstance(node.value, list):
                reason = f"the status “{status}” is listed twice"
                report.add("duplicate_status", node.value[index].place, reason, "Remove one of the two.")
            seen.add(status)


def _terminal(document: Document, report: Report) -> None:
    for view in document.views:
        flow = view.workflow
        for kind, names in (("good", flow.terminal.good), ("bad", flow.terminal.bad)):
            for name in names:
                _status(name, document.place("terminal", kind), flow.status_types, report)
        _status(flow.initial, document.place("initial"), flow.status_types, report)
        for name in sorted(set(flow.terminal.good) & set(flow.terminal.bad)):
            place = document.place("terminal", "bad")
            report.add("terminal_twice", place, f"“{name}” is a good and a bad end", "Keep one of the two.")
        if flow.initial in flow.terminal.all:
            place = document.place("initial")
            report.add(
                "initial_terminal", place, f"“{flow.initial}” is initial and terminal", "Choose another."
            )


def _status(name: str, place: Place, known: Collection[str], report: Report) -> None:
    if name not in known:
        reason = f"the status “{name}” is not in status_types"
        report.add("unknown_status", place, reason, suggest(name, known, "Add it to status_types."))


def _steps(document: Document, report: Report) -> None:
    seen: dict[str, Node] = {}
    for node in document.step_nodes:
        key = node.get("key")
        if key is not None and key.value in seen:
            reason = f"the step “{key.value}” is written twice"
            report.add("duplicate_step", key.place, reason, "Rename one of the two.")
        elif key is not None:
            seen[key.value] = node
        for requester in (node.get("requesters") or node).value or ():
            if isinstance(requester, Node) and requester.value not in document.requesters:
                reason = f"“{requester.value}” is no requester type"
                report.add(
                    "unknown_requester",
                    requester.place,
                    reason,
                    suggest(requester.value, document.requesters),
                )


def _references(document: Document, report: Report) -> None:
    for view, index, step in each_step(document):
        known = view.workflow.status_types
        for field in ("status", "successful_state", "rejection_state"):
            name = getattr(step, field)
            if name is not None:
                _status(name, place_of(view, index, field), known, report)
        if step.rejection_action and not step.rejection_state:
            place = place_of(view, index, "rejection_action")
            reason = "a rejection action without a rejection state never runs"
            report.add("rejection_without_state", place, reason, "Add rejection_state, or remove the action.")
        if step.rejection_state and not step.validation:
            place = place_of(view, index, "rejection_state")
            reason = "a rejection state without a validation is never entered"
            report.add(
                "rejection_without_validation", place, reason, "Add a validation, or remove it.", "warning"
            )


def _claims(document: Document, report: Report) -> None:
    for view, index, step in each_step(document):
        claim, flow = step.claim, view.workflow
        if claim is None:
            continue
        place = place_of(view, index, "claim")
        for name in (claim.status, claim.release):
            if name is not None:
                _status(name, place, flow.status_types, report)
        if claim.status in (step.status, step.successful_state, *flow.terminal.all):
            reason = (
                f"“{claim.status}” cannot hold the claim of step {step.key}: it is where it begins or ends"
            )
            report.add("claim_status", place, reason, "Use a status of its own.")
        if claim.release == claim.status:
            report.add("claim_status", place, "the claim is released to itself", "Name the status before it.")
        ways = [s for v in document.views for s in v.by_status.get(claim.status, ())]
        if claim.release is None and not ways:
            reason = f"the claim “{claim.status}” has no way back"
            report.add("claim_without_way_back", place, reason, f"Add “release”: “{step.status}”.")


def _ambiguous(document: Document, report: Report) -> None:
    for view in document.views:
        places = {id(step): place_of(view, i, "key") for i, step in enumerate(view.workflow.steps)}
        for status, steps in view.by_status.items():
            for first, second in combinations(steps, 2):
                if overlap(first, second):
                    reason = f"steps {first.key} and {second.key} both apply to {status} for {view.requester}"
                    fix = "Give them different requesters, or a “when” on one field with different values."
                    report.add("ambiguous_step", places[id(second)], reason, fix)


def overlap(first: Step, second: Step) -> bool:
    """Whether some data satisfies the ``when`` of both: no field is asked for disjoint values."""
    return not any(
        not _values(first, name) & _values(second, name) for name in first.when.keys() & second.when.keys()
    )


def _values(step: Step, name: str) -> frozenset[tuple[type, object]]:
    wanted = step.when[name]
    # True equals 1 in Python but not in JSON.
    return frozenset((type(v), v) for v in (wanted if isinstance(wanted, list) else [wanted]))


def _registered(document: Document, known: Known, report: Report) -> None:
    for view, index, step in each_step(document):
        for field in ("validation", "action", "rejection_action", "after_effects"):
            named = getattr(step, field) or ()
            for name in (named,) if isinstance(named, str) else named:
                if known.use_cases is not None and name not in known.use_cases:
                    place = place_of(view, index, field)
                    fix = suggest(name, known.use_cases, "Register it before the engine starts.")
                    report.add("unknown_use_case", place, f"no use case is registered as “{name}”", fix)
        module = view.workflow.owning_module
        if step.claim is not None and known.janitors is not None and module not in known.janitors:
            reason = f"the module “{module}” has no janitor for the claims of step {step.key}"
            fix = "Register one: a dead claim would stay for ever."
            report.add("claim_without_janitor", document.place("owning_module"), reason, fix)
