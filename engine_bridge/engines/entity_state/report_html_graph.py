"""The declared graph as an inline SVG: statuses in columns by the longest way to each. Colours come by class."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from itertools import pairwise
from typing import Final, NamedTuple

from engine_bridge.configs import Declared
from engine_bridge.format import plain
from engine_bridge.populations import Flow, StatusNode

MOST: Final = 120
"""Statuses; a bigger graph is no picture any more."""

_ROW: Final = 52.0
_BOX: Final = 30.0
_GAP: Final = 64.0
_CHAR: Final = 7.3
_LONGEST: Final = 28
GLYPHS: Final = {
    "initial": "▸",
    "waiting": "",
    "claim": "◐",
    "good": "✓",
    "bad": "✕",
    "cancelled": "⊘",
    "unknown": "?",
}

_Spot = str | tuple[str, str, int]  # a status, or where a long way passes a column


class _Place(NamedTuple):
    x: float
    y: float
    width: float


def picture(declared: Declared) -> str:
    """The SVG element; empty for no status or too many."""
    if not 0 < len(declared.nodes) <= MOST:
        return ""
    columns = _columns(declared)
    spots = _placed(declared, columns)
    right = max(place.x + place.width for place in spots.values())
    bottom = max(place.y for place in spots.values()) + _BOX
    lines, lowest = _lines(declared, columns, spots, bottom)
    boxes = "".join(_box(node, spots[node.status]) for node in declared.nodes)
    width, height = round(right + 28), round(lowest + 16)
    return (
        f'<svg class="graph" role="img" aria-label="Statuses and the ways between them" width="{width}"'
        f' height="{height}" viewBox="0 0 {width} {height}"><defs>'
        f'<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        f' markerHeight="7" orient="auto-start-reverse"><path class="tip" d="M0 0.5 L8 4 L0 7.5 z"/></marker></defs>'
        f"{lines}{boxes}</svg>"
    )


def _columns(declared: Declared) -> dict[str, int]:
    """The column of each status: one after the last that leads there, ways back left out."""
    onward: dict[str, list[str]] = {node.status: [] for node in declared.nodes}
    for flow in declared.flows:
        onward[flow.source].append(flow.target)
    starts = sorted(onward, key={n.status: n.role != "initial" for n in declared.nodes}.__getitem__)
    order, back = _walked(starts, onward)
    found = dict.fromkeys(onward, 0)
    for status in order:
        for target in onward[status]:
            if (status, target) not in back:
                found[target] = max(found[target], found[status] + 1)
    return found


def _walked(starts: list[str], onward: dict[str, list[str]]) -> tuple[list[str], set[tuple[str, str]]]:
    """The statuses so that ways lead onward, and the ways that lead back (depth first, without recursion)."""
    done: list[str] = []
    state: dict[str, bool] = {}  # whether left again
    back: set[tuple[str, str]] = set()
    stack = [(status, iter(onward[status])) for status in reversed(starts)]
    while stack:
        status, targets = stack[-1]
        if state.setdefault(status, False):
            stack.pop()
            continue
        target = next(targets, None)
        if target is None:
            state[status] = True
            done.append(stack.pop()[0])
        elif state.get(target) is False:
            back.add((status, target))
        elif target not in state:
            stack.append((target, iter(onward[target])))
    return done[::-1], back


def _placed(declared: Declared, columns: dict[str, int]) -> dict[_Spot, _Place]:
    """Where everything stands: columns ordered by the middle of what leads there, long ways given room to pass."""
    rows: dict[int, list[_Spot]] = defaultdict(list)
    for status, column in columns.items():
        rows[column].append(status)
    before: dict[_Spot, list[_Spot]] = defaultdict(list)
    for flow in declared.flows:
        way = _way(flow, columns)
        for near, far in pairwise(way):
            before[far].append(near)
        for number, spot in enumerate(way[1:-1], columns[flow.source] + 1):
            rows[number].append(spot)
    for column in sorted(rows)[1:]:
        rank = {spot: i for i, spot in enumerate(rows[column - 1])}
        rows[column].sort(key=lambda spot: _middle([rank[n] for n in before[spot] if n in rank]))
    return _spread(rows)


def _middle(ranks: list[int]) -> float:
    return sum(ranks) / len(ranks) if ranks else float("inf")


def _spread(rows: dict[int, list[_Spot]]) -> dict[_Spot, _Place]:
    found: dict[_Spot, _Place] = {}
    tallest = max(map(len, rows.values()))
    x = 28.0
    for column in sorted(rows):
        width = max([_width(spot) for spot in rows[column] if isinstance(spot, str)], default=0.0)
        top = 16 + (tallest - len(rows[column])) * _ROW / 2
        for number, spot in enumerate(rows[column]):
            found[spot] = _Place(x, top + number * _ROW, width)
        x += width + _GAP
    return found


def _width(status: str) -> float:
    return min(len(status), _LONGEST) * _CHAR + 40


def _way(flow: Flow, columns: dict[str, int]) -> list[_Spot]:
    """The spots a way passes, from its source to its target; only the two where it leads back."""
    start, end = columns[flow.source], columns[flow.target]
    between: list[_Spot] = [(flow.source, flow.target, number) for number in range(start + 1, end)]
    return [flow.source, *between, flow.target]


def _lines(
    declared: Declared, columns: dict[str, int], spots: dict[_Spot, _Place], bottom: float
) -> tuple[str, float]:
    found, lowest = [], bottom
    for flow in declared.flows:
        if columns[flow.target] > columns[flow.source]:
            drawn = _forward([spots[spot] for spot in _way(flow, columns)])
        else:
            lowest += 9
            drawn = _back(spots[flow.source], spots[flow.target], lowest)
        kind = ' class="rejection"' if flow.rejection else ""
        words = f"{', '.join(flow.steps)} ({', '.join(flow.requesters)})"
        title = _t(f"{flow.source} → {flow.target}: {words}")
        found.append(f'<path{kind} d="{drawn}" marker-end="url(#tip)"><title>{title}</title></path>')
    return f'<g class="ways">{"".join(found)}</g>', lowest


def _forward(places: list[_Place]) -> str:
    x, y = places[0].x + places[0].width, places[0].y + _BOX / 2
    drawn = [f"M{x:.0f} {y:.0f}"]
    for number, place in enumerate(places[1:], 1):
        to, half = place.y + _BOX / 2, (place.x - x) / 2
        drawn.append(f"C{x + half:.0f} {y:.0f} {x + half:.0f} {to:.0f} {place.x:.0f} {to:.0f}")
        x, y = place.x, to
        if number < len(places) - 1:
            x += place.width
            drawn.append(f"L{x:.0f} {y:.0f}")
    return " ".join(drawn)


def _back(source: _Place, target: _Place, lane: float) -> str:
    """Round the boxes: down in the gap after the source, back below everything, up in the gap before the target."""
    start, end = source.x + source.width, target.x
    right, left = start + 18, end - 18
    begin, to = source.y + _BOX / 2 + 6, target.y + _BOX / 2 + 6
    return (
        f"M{start:.0f} {begin:.0f} Q{right:.0f} {begin:.0f} {right:.0f} {begin + 10:.0f} L{right:.0f} {lane - 8:.0f}"
        f" Q{right:.0f} {lane:.0f} {right - 8:.0f} {lane:.0f} L{left + 8:.0f} {lane:.0f}"
        f" Q{left:.0f} {lane:.0f} {left:.0f} {lane - 8:.0f} L{left:.0f} {to + 10:.0f}"
        f" Q{left:.0f} {to:.0f} {end:.0f} {to:.0f}"
    )


def _box(node: StatusNode, place: _Place) -> str:
    name = node.status if len(node.status) <= _LONGEST else node.status[: _LONGEST - 1] + "…"
    glyph = GLYPHS.get(node.role, "")
    words = f"{glyph} {name}".strip()
    warn = " wrong" if node.findings else ""
    title = _t("; ".join((f"{node.status}: {node.role}", *node.findings)))
    middle = place.x + place.width / 2
    return (
        f'<g class="box {_t(node.role)}{warn}"><title>{title}</title>'
        f'<rect x="{place.x:.0f}" y="{place.y:.0f}" width="{place.width:.0f}" height="{_BOX:.0f}" rx="6"/>'
        f'<text x="{middle:.0f}" y="{place.y + _BOX / 2 + 4:.0f}" text-anchor="middle">{_t(words)}</text></g>'
    )


def _t(text: str) -> str:
    return escape(plain(text, 2_000))
