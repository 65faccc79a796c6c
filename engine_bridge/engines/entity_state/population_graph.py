"""The declared graph of a workflow under its observed flows: from its config, from the mapping, or none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from engine_bridge.engines.entity_state import lint_graph
from engine_bridge.engines.entity_state.engine.document import Document
from engine_bridge.engines.entity_state.mapping import Transition
from engine_bridge.engines.entity_state.population_flows import Observed
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.graph import library
from engine_bridge.populations import Flow, StatusNode


@dataclass(slots=True, frozen=True)
class DeclaredGraph:
    """What is declared; nothing where only observation tells. ``config`` names where it is written."""

    nodes: tuple[StatusNode, ...] = ()
    flows: tuple[Flow, ...] = ()
    config: str = ""


def document(store: Store, type: str, tenant: str | None) -> Document | None:
    """The config in force for a tenant's entities, None where none is mapped."""
    catalogue = store.catalogue
    if catalogue is None or type not in catalogue.types:
        return None
    owners = [owner for name, owner in catalogue.documents if name == type]
    # A type with overlays alone has no base to fall back to.
    return catalogue.get(type, tenant or store.tenant or (None if None in owners else owners[0]))


def declared(store: Store, bound: Bound) -> DeclaredGraph:
    """The declared graph of a workflow type, for the source's tenant, or for all."""
    found = _documents(store, bound.type)
    if found and store.catalogue is not None:
        named = " + ".join(Path(file).name for file in found[0].files)
        nodes: dict[str, StatusNode] = {}
        flows: dict[tuple[str, str], Flow] = {}
        for one in found:
            for node in lint_graph.nodes(one, store.catalogue.findings):
                nodes.setdefault(node.status, _roled(bound, node))
            for flow in lint_graph.flows(one):
                flows.setdefault((flow.source, flow.target), flow)
        return DeclaredGraph(tuple(nodes.values()), tuple(flows.values()), named)
    if bound.observed:
        return DeclaredGraph()
    ways = _flows(bound.map.transitions or ())
    return DeclaredGraph(_nodes(bound, ways), ways, Path(store.mapping.path).name)


def _documents(store: Store, type: str) -> list[Document]:
    """The config in force for the source's tenant; without one, the base and what the overlays add to it."""
    first = document(store, type, None)
    if first is None or store.catalogue is None or store.tenant:
        return [] if first is None else [first]
    mine = [found for (name, _), found in store.catalogue.documents.items() if name == type]
    return [first, *(found for found in mine if found is not first)]


def _roled(bound: Bound, node: StatusNode) -> StatusNode:
    """The mapping may say what a status of a config means."""
    known = bound.statuses.get(node.status)
    return node if known is None else msgspec.structs.replace(node, role=known.role)


def _flows(transitions: tuple[Transition, ...]) -> tuple[Flow, ...]:
    steps: dict[tuple[str, str], list[str]] = {}
    for move in transitions:
        steps.setdefault((move.source, move.target), []).append(move.step)
    return tuple(
        Flow(source=source, target=target, steps=tuple(dict.fromkeys(name for name in names if name)))
        for (source, target), names in steps.items()
    )


def _nodes(bound: Bound, flows: tuple[Flow, ...]) -> tuple[StatusNode, ...]:
    nx = library()
    graph: Any = nx.DiGraph((flow.source, flow.target) for flow in flows)
    graph.add_nodes_from(bound.statuses)
    starts = [name for name, info in bound.statuses.items() if info.role == "initial"]
    arrived = set(starts).union(*(nx.descendants(graph, start) for start in starts))
    return (
        tuple(
            StatusNode(status=name, role=info.role, findings=_findings(graph, name, info.terminal, arrived))
            for name, info in bound.statuses.items()
            if name in graph
        )
        if flows
        else tuple(StatusNode(status=name, role=info.role) for name, info in bound.statuses.items())
    )


def _findings(graph: Any, name: str, terminal: bool, arrived: set[str]) -> tuple[str, ...]:
    found = []
    if arrived and name not in arrived:
        found.append(f"no steps lead from the initial status to “{name}”")
    if not terminal and not graph.out_degree(name):
        found.append(f"no step leads away from “{name}”, and it is not terminal")
    return tuple(found)


def joined(declared_flows: tuple[Flow, ...], observed: Observed) -> tuple[Flow, ...]:
    """Declared flows with what was observed of them, then what was only observed, the most frequent first."""
    seen = {(flow.source, flow.target): flow for flow in observed.flows}
    left = {flow.source for flow in observed.flows}
    found = []
    for flow in declared_flows:
        happened = seen.pop((flow.source, flow.target), None)
        share = happened.share if happened is not None else 0.0 if flow.source in left else None
        found.append(
            msgspec.structs.replace(flow, count=happened.count if happened is not None else 0, share=share)
        )
    return (*found, *seen.values())


def weighed(store: Store, bound: Bound) -> tuple[int, int]:
    """Errors and warnings that the load-time checks found about one workflow."""
    flow = bound.map
    number = next((n for n, one in enumerate(store.mapping.workflows) if one.type == flow.type), -1)
    prefix = f"/workflow/{number}"
    mine = [
        found
        for found in store.findings
        if found.file in flow.configs
        or (found.file == store.mapping.path and (found.pointer + "/").startswith(prefix + "/"))
    ]
    errors = sum(found.severity == "error" for found in mine)
    return errors, len(mine) - errors
