"""One workflow type's status graph: how many entities stand where, how they came there, and what is wrong with that.

Counts of statuses and flows are whole; what needs every entity's own history (drift, broken links, dwell times) is
looked at for all entities of a small population and for a sample of a large one, which ``exact`` and a notice say.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import (
    population_checks,
    population_counts,
    population_flows,
    population_graph,
)
from engine_bridge.engines.entity_state.population_counts import Counted, Scope
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.format import count
from engine_bridge.populations import Flow, Population, StatusNode
from engine_bridge.query.ast import Node
from engine_bridge.query.text import quote

_NO_TENANT = (
    "Row-level security hides every entity of this type: no tenant is set. Open the source with tenant=…"
)


@dataclass(slots=True)
class _Parts:
    """What was read of a population."""

    counted: dict[str, Counted] = field(default_factory=dict)
    checked: population_checks.Checked = field(default_factory=population_checks.Checked)
    observed: population_flows.Observed = field(default_factory=population_flows.Observed)
    failures: Counter[str] = field(default_factory=Counter)
    all_failures: bool = True
    unknown: int = 0

    @property
    def total(self) -> int:
        return sum(one.count for one in self.counted.values())


def read(store: Store, type: str, query: Node | None, cancel: CancelToken) -> Population:
    """The population of a workflow type, or of its entities that match. Raises NotFoundError, UsageError."""
    bound = store.workflow(type)
    if bound.hidden:
        return Population(
            type=type, table=_table(bound), total=None, problem=_NO_TENANT, as_of_ns=store.now_ns(cancel)
        )
    now_ns = store.now_ns(cancel)
    scope = Scope.of(store, bound, query, now_ns, cancel)
    parts = _read(store, scope, now_ns, cancel)
    declared = population_graph.declared(store, bound)
    flows = population_graph.joined(declared.flows, parts.observed)
    nodes = _nodes(bound, declared, parts)
    errors, warnings = population_graph.weighed(store, bound)
    return Population(
        type=type,
        table=_table(bound),
        nodes=nodes,
        flows=flows,
        total=parts.total,
        stuck=sum(node.stuck for node in nodes),
        drift=sum(node.drift for node in nodes),
        broken=parts.checked.broken,
        unknown=parts.unknown,
        failures=sum(parts.failures.values()),
        checked=parts.checked.entities,
        exact=parts.checked.exact,
        tenant=store.tenant,
        config=declared.config,
        errors=errors,
        warnings=warnings,
        filters=_filters(bound),
        notices=(*((scope.note,) if scope.note else ()), *_notices(bound, parts)),
        as_of_ns=now_ns,
    )


def _read(store: Store, scope: Scope, now_ns: int, cancel: CancelToken) -> _Parts:
    parts = _Parts()
    cancel.progress(0, 3, "Counting entities")
    parts.counted = population_counts.by_status(store, scope, now_ns, cancel)
    parts.unknown = population_counts.unknown(store, scope, parts.counted, cancel)
    parts.failures, parts.all_failures = population_counts.open_failures(store, scope, cancel)
    cancel.progress(1, 3, "Comparing with the histories")
    parts.checked = population_checks.check(store, scope, parts.total, cancel)
    cancel.progress(2, 3, "Counting moves")
    parts.observed = population_flows.observe(store, scope, parts.checked, cancel)
    return parts


def _table(bound: Bound) -> str:
    return bound.table.fullname


def _filters(bound: Bound) -> dict[str, str]:
    mine = f"type == {quote(bound.type)}"
    found = {"stuck": f"{mine} and stuck == true", "unknown": f"{mine} and unknown == true"}
    if bound.history is not None and bound.status_column is not None:
        found["drift"] = f"{mine} and drift == true"
    if bound.failures is not None:
        found["failures"] = f"{mine} and failures > 0"
    return found


def _nodes(bound: Bound, declared: population_graph.DeclaredGraph, parts: _Parts) -> tuple[StatusNode, ...]:
    """Declared statuses in their order, then what is only in the data."""
    known = {node.status: node for node in declared.nodes}
    seen = dict.fromkeys([*known, *parts.counted, *_ends(parts.observed.flows)])
    return tuple(_node(bound, known.get(status), status, parts) for status in seen)


def _ends(flows: tuple[Flow, ...]) -> list[str]:
    return [status for flow in flows for status in (flow.source, flow.target)]


def _node(bound: Bound, known: StatusNode | None, status: str, parts: _Parts) -> StatusNode:
    info = bound.statuses.get(status) or bound.role(status)
    counted, checked = parts.counted.get(status, Counted()), parts.checked
    findings = known.findings if known is not None else ()
    if known is None and not bound.observed and counted.count:
        findings = ("in the data, but in no config",)
    oldest = counted.oldest_ns if counted.oldest_ns is not None else checked.oldest.get(status)
    return StatusNode(
        status=status,
        role=known.role if known is not None else info.role,
        count=counted.count,
        stuck=counted.stuck,
        drift=checked.drift.get(status, 0),
        failures=parts.failures.get(status, 0),
        oldest_ns=None if info.terminal or not counted.count else oldest,
        dwell_ns=checked.dwell.get(status),
        declared=known is not None and known.declared,
        filter=f"type == {quote(bound.type)} and state == {quote(status)}",
        findings=findings,
    )


def _notices(bound: Bound, parts: _Parts) -> tuple[str, ...]:
    found = []
    if bound.history is None:
        found.append("This type has no history table: flows, dwell times and drift are not known.")
    elif not parts.checked.exact:
        of = f"{count(parts.checked.entities)} of {count(parts.total)} entities"
        found.append(f"Drift, broken links and dwell times are those of a sample: {of}.")
    elif parts.checked.dwell_of < parts.total:
        found.append(f"Dwell times are those of {count(parts.checked.dwell_of)} entities.")
    if not parts.all_failures:
        found.append(f"Open failures are counted of the newest {count(population_counts.FAILURES)}.")
    if parts.observed.note:
        found.append(parts.observed.note)
    return tuple(found)
