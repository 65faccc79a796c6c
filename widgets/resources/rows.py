"""Resources as flat rows with columns made from their cells. Knows no Qt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from engine_bridge.bridge import Resource
from engine_bridge.format import ago, count, duration, plain, timestamp
from widgets.table.columns import Clock, Column

_WIDE: Final = 84
_NARROW: Final = 64
_NAME: Final = 230
_WARNING: Final = 300
_GLYPH: Final = 48
_PER_CHARACTER: Final = 6
_PER_CODE: Final = 7.5
_PER_TITLE: Final = 6.8
_WIDEST: Final = 320


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """One resource, or a part of one (``depth`` 1: a partition of a queue)."""

    resource: Resource
    depth: int
    path: tuple[str, ...]


def flat(resources: Sequence[Resource], depth: int = 0, path: tuple[str, ...] = ()) -> Iterator[ResourceRow]:
    """Resources with their children below them, in order."""
    for resource in resources:
        own = (*path, resource.id)
        yield ResourceRow(resource, depth, own)
        yield from flat(resource.children, depth + 1, own)


def cell_text(name: str, value: Any, clock: Clock) -> str:
    """A cell by its key's suffix: ``_dur_ns`` durations, ``_ns`` times with how long ago, else as it is."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name.endswith("_dur_ns"):
        return duration(value)
    if isinstance(value, int) and name.endswith("_ns"):
        return ago(value, clock.now_ns)
    if isinstance(value, int):
        return count(value)
    return plain(f"{value:g}" if isinstance(value, float) else str(value))


def title_of(name: str) -> str:
    """A column's title from a cell's key ("oldest_wait_dur_ns" is "oldest wait")."""
    for suffix in ("_dur_ns", "_ns"):
        name = name.removesuffix(suffix)
    return name.replace("_", " ")


def _value(name: str, row: ResourceRow) -> Any:
    return row.resource.cells.get(name)


def _text(name: str, row: ResourceRow, clock: Clock) -> str:
    return cell_text(name, _value(name, row), clock)


def _full(name: str, row: ResourceRow, clock: Clock) -> str:
    value = _value(name, row)
    shown = cell_text(name, value, clock)
    if isinstance(value, int) and name.endswith("_ns") and not name.endswith("_dur_ns"):
        shown = f"{timestamp(value, clock.zone)} ({shown})"
    source = row.resource.provenance.get(name)
    return f"{shown} · {source}" if shown and source else shown


def _name(row: ResourceRow, clock: Clock) -> str:
    return "      " * row.depth + plain(row.resource.title or row.resource.id)


def _runs(row: ResourceRow, clock: Clock) -> str:
    return "show runs" if row.resource.filter else ""


def columns(rows: Sequence[ResourceRow]) -> list[Column]:
    """Name, warning, every cell that any row has a value for in order of appearance, and the way to the runs."""
    names = dict.fromkeys(
        name for row in rows for name, value in row.resource.cells.items() if value is not None
    )
    longest = max((len(row.resource.warning) for row in rows), default=0)
    wide = min(_WARNING, max(_WIDE, _PER_CHARACTER * longest + _GLYPH))
    warning = Column(
        id="warning",
        title="warning",
        text=lambda r, c: plain(r.resource.warning),
        width=wide,
        least=wide,
        kind="warning",
        hidden=not any(row.resource.warning for row in rows),
    )
    name = Column(id="name", title="name", text=_name, width=_NAME, least=170, code=True)
    runs = Column(
        id="runs",
        title="runs",
        text=_runs,
        width=_WIDE,
        kind="link",
        hidden=not any(row.resource.filter for row in rows),
    )
    cells = [_cell_column(name, rows) for name in names]
    texts = [number for number, column in enumerate(cells) if not column.right]
    if texts:  # what is left belongs to words
        cells[texts[-1]] = replace(cells[texts[-1]], stretch=True)
    return [name, runs, warning, *cells]


def _cell_column(name: str, rows: Sequence[ResourceRow]) -> Column:
    values = [_value(name, row) for row in rows]
    number = any(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    title = title_of(name)
    longest = max((len(cell_text(name, value, Clock())) for value in values), default=0)
    headed = int(_PER_TITLE * len(title)) + 24
    needed = max(headed, int((_PER_CODE if number else _PER_CHARACTER) * longest) + 24, _NARROW)
    return Column(
        id=name,
        title=title,
        text=partial(_text, name),
        full=partial(_full, name),
        width=min(_WIDEST, needed),
        least=0 if number else min(needed, max(_WIDE, headed)),
        code=number,
        right=number,
        live=name.endswith("_ns"),
    )
