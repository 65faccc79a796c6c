"""``playhead failures``: the failure log of a source, newest first."""

from __future__ import annotations

import click
import msgspec

from app.cli.options import filter_option, json_option, limit_option, query_of, reveal_option, source_argument
from app.cli.output import Printer, json_line, line, table
from app.cli.session import call, opened
from app.opening import Opened
from engine_bridge import format as fmt
from engine_bridge.bridge import Capability, FailureRow, Page
from engine_bridge.payloads import reason


@click.command()
@source_argument
@filter_option
@click.option(
    "--search", default="", metavar="TEXT", help="Only failures whose type or message contains TEXT."
)
@limit_option(100)
@json_option
@reveal_option
def failures(source: str, filter_text: str, search: str, limit: int, as_json: bool, reveal: bool) -> None:
    """List the failed runs and steps of SOURCE, newest first."""
    printer = Printer(reveal)
    with opened(source) as place:
        query = query_of(place, filter_text)
        rows: list[FailureRow] = []
        cursor: bytes | None = None
        while len(rows) < limit:
            page: Page = call(place, "failures", query, search, cursor, limit - len(rows))
            rows += page.items
            cursor = page.after
            if cursor is None:
                break
        rows = decoded(place, rows)
    if as_json:
        for row in rows:
            json_line(_json(row, printer))
    elif rows:
        table(("time", "workflow", "run", "step", "error"), [_cells(row, printer) for row in rows])
    else:
        line("No failures.")


def decoded(place: Opened, rows: list[FailureRow]) -> list[FailureRow]:
    """The rows with what their failures hide, where the source can decode it."""
    if Capability.DECODE not in place.info.capabilities:
        return rows
    from engine_bridge.decoding import Overlay, settled

    overlay = Overlay(most=len(rows) * 50)
    for row in rows:
        overlay.failure(row.failure)
    settled(overlay, lambda keys: call(place, "decode_payloads", keys))
    return [msgspec.structs.replace(row, failure=overlay.failure(row.failure)) for row in rows]


def _json(row: FailureRow, printer: Printer) -> dict[str, object]:
    return {
        "run_id": str(row.ref),
        "id": row.ref.name,
        "type": row.run_type,
        "time_ns": row.time_ns,
        "step_id": row.step_id,
        "step_name": row.step_name,
        "run_status": row.run_status,
        "failure": printer.failure(row.failure),
    }


def _cells(row: FailureRow, printer: Printer) -> tuple[str, ...]:
    text = reason(row.failure)
    at = fmt.timestamp(row.time_ns)[:19]
    return at, row.run_type, row.ref.label, row.step_name or "", printer.text(text) or ""
