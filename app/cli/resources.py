"""``playhead resources``: queues, schedules, versions, workers."""

from __future__ import annotations

import time
from typing import Any

import click

from app.cli.options import json_option, source_argument
from app.cli.output import json_line, line, table
from app.cli.session import call, opened
from engine_bridge import format as fmt
from engine_bridge.bridge import Resource
from engine_bridge.errors import UsageError


@click.command()
@source_argument
@click.argument("kind", required=False)
@json_option
def resources(source: str, kind: str | None, as_json: bool) -> None:
    """List the resources of SOURCE, of one KIND (queues, schedules, …) or of all."""
    with opened(source) as place:
        kinds = place.info.resource_kinds
        if kind is not None and kind not in kinds:
            raise UsageError(f"This source has no {kind!r}.", f"It has: {', '.join(kinds)}.")
        for name in kinds if kind is None else (kind,):
            rows: list[Resource] = call(place, "resources", name)
            if as_json:
                for row in rows:
                    json_line(_json(row))
            else:
                _print(name, rows)


def _json(row: Resource) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "id": row.id,
        "title": row.title,
        **row.cells,
        "warning": row.warning or None,
        "provenance": row.provenance,
        "children": [_json(child) for child in row.children],
    }


def _print(kind: str, rows: list[Resource]) -> None:
    line(kind)
    if not rows:
        line("  none")
        return
    heads = list(dict.fromkeys(name for row in rows for name in row.cells))
    flat = [(row, depth) for top in rows for row, depth in [(top, 0), *((c, 1) for c in top.children)]]
    body = [
        ["  " * (depth + 1) + row.title, *(_cell(name, row.cells.get(name)) for name in heads), row.warning]
        for row, depth in flat
    ]
    titles = [name.removesuffix("_ns").removesuffix("_dur").replace("_", " ") for name in heads]
    table(["  name", *titles, ""], body)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name.endswith("_dur_ns"):
        return fmt.duration(value)
    if name.endswith("_ns"):
        return fmt.ago(value, time.time_ns())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
