"""The declared graph of a document in the words of the seam: statuses with roles, flows, paths, origins."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from engine_bridge.configs import Declared, Path, Paths
from engine_bridge.engines.entity_state.engine import paths as engine_paths
from engine_bridge.engines.entity_state.engine.document import Document
from engine_bridge.engines.entity_state.engine.edges import Edge, edges
from engine_bridge.engines.entity_state.engine.findings import Finding, Place
from engine_bridge.engines.entity_state.engine.graph_checks import status_places
from engine_bridge.engines.entity_state.store_states import of_document
from engine_bridge.populations import Flow, StatusNode

MOST_PATHS: Final = 500


def declare(document: Document, found: Iterable[Finding] = ()) -> Declared:
    """The graph, paths and origins of a document; findings about a status go to its node."""
    return Declared(
        type=document.workflow_type,
        tenant=document.tenant or "",
        nodes=nodes(document, found),
        flows=flows(document),
        paths=paths(document),
        requesters=document.requesters,
        origins={pointer: _at(place) for pointer, place in document.origins.items()},
        merged=json.dumps(document.root.plain(), indent=2, ensure_ascii=False),
    )


def roles(document: Document) -> dict[str, str]:
    """The role of every status (see StatusNode), in the order written."""
    found: dict[str, str] = {status: info.role for status, info in of_document(document).items()}
    others = (status for view in document.views for status in view.workflow.status_types)
    return found | {status: "waiting" for status in others if status not in found}


def nodes(document: Document, found: Iterable[Finding] = ()) -> tuple[StatusNode, ...]:
    """Every status in the order written."""
    about: dict[tuple[str, str], list[str]] = {}
    for finding in found:
        about.setdefault((finding.file, finding.pointer), []).append(finding.reason)
    places, known = status_places(document), roles(document)
    named = [
        StatusNode(
            status=status, role=role, findings=tuple(about.get((places[status].file, places[status].pointer), ()))
        )
        for status, role in known.items()
    ]  # fmt: skip
    strange = dict.fromkeys(
        status for edge in edges(document) for status in (edge.source, edge.target) if status not in known
    )
    why = ("not in status_types",)
    return (*named, *(StatusNode(status=s, role="unknown", declared=False, findings=why) for s in strange))


def flows(document: Document) -> tuple[Flow, ...]:
    """Every way from one status to another, once; ``rejection`` where nothing but rejections lead there."""
    gathered: dict[tuple[str, str], list[Edge]] = {}
    for edge in edges(document):
        gathered.setdefault((edge.source, edge.target), []).append(edge)
    return tuple(
        Flow(
            source=source,
            target=target,
            steps=tuple(dict.fromkeys(edge.step for edge in ways)),
            requesters=tuple(dict.fromkeys(who for edge in ways for who in edge.requesters)),
            rejection=all(edge.kind == "rejection" for edge in ways),
        )
        for (source, target), ways in gathered.items()
    )


def paths(document: Document, limit: int = MOST_PATHS) -> Paths:
    """Path analysis; the shortest path is exact also where the list was cut."""
    found = engine_paths.analyse(document, limit)
    order = {status: number for number, status in enumerate(roles(document))}
    return Paths(
        paths=tuple(_path(path) for path in found.paths),
        shortest=_shortest(document)
        if found.truncated
        else _path(found.shortest)
        if found.shortest
        else None,
        longest=_path(found.longest) if found.longest else None,
        loops=tuple(sorted((_from_first(loop.statuses, order) for loop in found.loops), key=_by_length)),
        overrides=tuple(f"{edge.step}: {edge.source} → {edge.target}" for edge in found.overrides),
        truncated=found.truncated or found.loops_truncated,
    )


def _shortest(document: Document) -> Path | None:
    """The shortest way to an end, by breadth first search: for graphs with too many ways to list."""
    known = roles(document)
    ways: dict[str, list[Edge]] = {}
    for edge in edges(document):
        if edge.kind != "release":
            ways.setdefault(edge.source, []).append(edge)
    queue: list[tuple[Edge, ...]] = [
        (edge,) for status in known if known[status] == "initial" for edge in ways.get(status, ())
    ]
    seen: set[str] = set()
    for way in queue:
        end = way[-1].target
        if known.get(end) in ("good", "bad", "cancelled"):
            good = end in document.workflow.terminal.good
            steps = tuple(edge.step for edge in way)
            return Path(statuses=(way[0].source, *(edge.target for edge in way)), steps=steps, good=good)
        if end not in seen:
            seen.add(end)
            queue += [(*way, edge) for edge in ways.get(end, ())]
    return None


def _from_first(loop: tuple[str, ...], order: dict[str, int]) -> tuple[str, ...]:
    """A loop told from the status that the config lists first."""
    round_ = loop[:-1]
    at = min(range(len(round_)), key=lambda i: order.get(round_[i], len(order)))
    return (*round_[at:], *round_[:at], round_[at])


def _by_length(loop: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    return len(loop), loop


def _path(path: engine_paths.Path) -> Path:
    return Path(
        statuses=path.statuses, steps=tuple(" or ".join(names) for names in path.steps), good=path.good
    )


def _at(place: Place) -> str:
    return f"{place.file}:{place.line}" if place.line else place.file
