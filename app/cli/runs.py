"""``playhead runs``: a listing, newest first."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click

from app.cli.options import (
    filter_option,
    json_option,
    limit_option,
    query_of,
    reveal_option,
    sort_of,
    source_argument,
)
from app.cli.output import Printer, json_line, line, note, table
from app.cli.session import call, opened
from app.opening import Opened
from engine_bridge import format as fmt
from engine_bridge.bridge import Page, Sort
from engine_bridge.model import Run
from engine_bridge.query.ast import Node
from engine_bridge.query.doubts import doubt

_PAGE = 500


@click.command()
@source_argument
@filter_option
@click.option("--sort", "sort_text", metavar="S", help="A field, -field for descending. Default: -created.")
@limit_option(200)
@json_option
@reveal_option
def runs(
    source: str, filter_text: str, sort_text: str | None, limit: int, as_json: bool, reveal: bool
) -> None:
    """List the runs of SOURCE: one JSON object a line with --json."""
    printer = Printer(reveal)
    with opened(source) as place:
        query, sort = query_of(place, filter_text), sort_of(sort_text, place.fields)
        found = pages(place, query, sort, limit)
        some = False
        if as_json:
            for run in found:
                some = True
                json_line(printer.run(run))
        else:
            rows = list(found)
            some = bool(rows)
            print_runs(rows, printer)
        doubted = "" if some else doubt(query, place.fields)
        if doubted:
            note(doubted)


def pages(place: Opened, query: Node | None, sort: Sort, limit: int) -> Iterator[Run]:
    """Runs page by page, at most ``limit``."""
    cursor: bytes | None = None
    while limit > 0:
        page: Page = call(place, "runs", query, sort, cursor, "forward", min(limit, _PAGE))
        yield from page.items
        limit -= len(page.items)
        cursor = page.after
        if cursor is None:
            return


def print_runs(found: list[Run], printer: Printer) -> None:
    """A table as in the window's runs page."""
    if not found:
        line("No runs.")
        return
    now = time.time_ns()
    rows = [
        (
            run.status_words,
            run.type,
            f"{run.id}{run.ref.place}",
            printer.text(run.now or run.error or "") or "",
            fmt.short_time(run.created_ns, now),
            fmt.duration(run.duration_ns),
            "" if run.steps_done is None else str(run.steps_done),
        )
        for run in found
    ]
    heads = ("status", "workflow", "run", "now, or why", "created", "duration", "steps")
    table(heads, rows, right=frozenset({5, 6}))
