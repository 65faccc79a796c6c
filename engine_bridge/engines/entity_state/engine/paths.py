"""Path analysis of a declared graph: every way from the initial status to an end, loops, what only an admin can do."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice, pairwise
from typing import Any

import msgspec

from .document import Document
from .edges import Edge, edges


class Path(msgspec.Struct, frozen=True):
    """A way without repetition. ``steps[i]`` names the steps that lead from ``statuses[i]`` to the next."""

    statuses: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...]
    good: bool = True


class PathReport(msgspec.Struct, frozen=True):
    """All paths (at most the limit: then ``truncated``, and shortest and longest are those of the paths found).

    ``loops`` are simple cycles; a claim's release is no loop. ``overrides`` are edges that only an admin has;
    ``by_requester`` counts the edges each kind of requester has.
    """

    paths: tuple[Path, ...]
    truncated: bool
    shortest: Path | None
    longest: Path | None
    loops: tuple[Path, ...]
    loops_truncated: bool
    overrides: tuple[Edge, ...]
    by_requester: dict[str, int]


def analyse(document: Document, limit: int = 2_000) -> PathReport:
    """The report of a document; at most ``limit`` paths and as many loops."""
    import networkx as nx

    declared = edges(document)
    onward = [edge for edge in declared if edge.kind != "release"]
    graph: Any = nx.DiGraph()
    for edge in onward:
        graph.add_edge(edge.source, edge.target)
    names = _names(onward)
    good, ends = _ends(document)
    starts = dict.fromkeys(view.workflow.initial for view in document.views if view.workflow.initial in graph)
    ways = (way for start in starts for way in nx.all_simple_paths(graph, start, ends & set(graph)))
    found = [_path(way, names, way[-1] in good) for way in islice(ways, limit + 1)]
    loops = [_path([*way, way[0]], names, True) for way in islice(nx.simple_cycles(graph), limit + 1)]
    paths = sorted(found[:limit], key=lambda path: (len(path.statuses), path.statuses))
    return PathReport(
        tuple(paths),
        len(found) > limit,
        paths[0] if paths else None,
        paths[-1] if paths else None,
        tuple(sorted(loops[:limit], key=lambda path: (len(path.statuses), path.statuses))),
        len(loops) > limit,
        tuple(edge for edge in declared if edge.override),
        {name: sum(name in edge.requesters for edge in declared) for name in document.requesters},
    )


def _names(declared: Iterable[Edge]) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], list[str]] = {}
    for edge in declared:
        names = found.setdefault((edge.source, edge.target), [])
        if edge.step not in names:
            names.append(edge.step)
    return {pair: tuple(names) for pair, names in found.items()}


def _ends(document: Document) -> tuple[set[str], set[str]]:
    good = {status for view in document.views for status in view.workflow.terminal.good}
    return good, {status for view in document.views for status in view.workflow.terminal.all}


def _path(way: list[str], names: dict[tuple[str, str], tuple[str, ...]], good: bool) -> Path:
    return Path(tuple(way), tuple(names[pair] for pair in pairwise(way)), good)
