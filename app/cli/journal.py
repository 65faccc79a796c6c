"""``playhead journal``: what operators did, whether somebody touched it, and what is still open."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import msgspec

from app.cli.act_print import settled_note
from app.cli.options import json_option, limit_option
from app.cli.output import json_line, line, note, table
from app.cli.working import work
from app.journal import journal as of_user
from app.opening import ActorFactory, actor_of, source_id, target_of
from app.saved import Saved
from app.settle import KEPT_NOTHING, follow, settle
from engine_bridge import format as fmt
from engine_bridge.actions.execute import LATER
from engine_bridge.actions.journal import Journal, Row
from engine_bridge.errors import CorruptError, PlayheadError, UnsupportedError
from engine_bridge.payloads.masking import mask_text


@click.command()
@click.argument("source", required=False)
@click.option(
    "--verify", "verify_", is_flag=True, help="Check the hash chain; the first bad row is an error."
)
@click.option(
    "--settle", "settle_", is_flag=True, help="Find out what became of actions whose Playhead ended."
)
@click.option(
    "--export",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all rows to a .jsonl or .csv file.",
)
@click.option("--offline", is_flag=True, help="Ask no source how far effects are that are still awaited.")
@click.option("--target", help="Only rows of this run or resource, by its id or name.")
@click.option("--search", default="", metavar="TEXT", help="Only rows that hold TEXT anywhere.")
@limit_option(100)
@json_option
def journal(
    source: str | None,
    verify_: bool,
    settle_: bool,
    path: Path | None,
    offline: bool,
    target: str | None,
    search: str,
    limit: int,
    as_json: bool,
) -> None:
    """List the operator actions on SOURCE, or on all sources, newest first."""
    record = of_user()
    place = None if source is None else source_id(target_of(source, Saved()).url)
    if settle_:
        _settle(record, place)
        return
    if verify_:
        _verify(record, as_json)
    if path is not None:
        form = "csv" if path.suffix.lower() == ".csv" else "jsonl"
        count = work(lambda token: record.export(path, form, token))
        line(f"Wrote {count} rows to {path}.")
    if verify_ or path is not None:
        return
    rows = record.rows(source=place, called=target, text=search, limit=limit)
    if not offline and _follow(record, rows, place):
        rows = record.rows(source=place, called=target, text=search, limit=limit)
    if as_json:
        for row in rows:
            json_line(row_json(row))
    else:
        _print(rows)
    left = sum(1 for row in record.open_intents(place) if record.owner.dead(row.owner))
    if left:
        note(
            f"What became of {left} that ended Playheads left open is not known yet: playhead journal --settle"
        )


def row_json(row: Row) -> dict[str, Any]:
    """Every key of a row, defaults too (docs/cli.md)."""
    return {name: msgspec.to_builtins(getattr(row, name)) for name in row.__struct_fields__}


def _verify(record: Journal, as_json: bool) -> None:
    tampered = work(record.verify)
    count = record.count()
    if as_json:
        json_line(
            {
                "rows": count,
                "ok": tampered is None,
                "bad_row": tampered and tampered.seq,
                "why": tampered and tampered.why,
            }
        )
    elif tampered is None:
        line(f"{count} rows, all as they were written.")
    if tampered is not None:
        where = f"Row {tampered.seq} of the journal" if tampered.seq else "The journal"
        raise CorruptError(f"{where} does not fit: {tampered.why}.", f"The file is {record.path}.")


def _settle(record: Journal, place: str | None) -> None:
    factory = None if place is None else _actor(place)
    found = work(lambda token: settle(record, token, place, factory))
    for settled in found:
        settled_note(settled)
    left = sum(1 for settled in found if settled.outcome.pending == LATER)
    line(f"Settled {len(found) - left} of {len(found)} actions that ended Playheads left open.")
    if left:
        raise PlayheadError(f"{left} cannot be settled now.", "Try again when their sources answer.")


def _follow(record: Journal, rows: list[Row], place: str | None) -> bool:
    """Asks about listed effects that are awaited; whether the journal says more since. What stays awaited is told."""
    ends: dict[str, Row] = {}
    for row in rows:
        ends.setdefault(row.request_id, row)
    wanted = {name for name, row in ends.items() if row.pending}
    found = work(lambda token: follow(record, token, wanted, place)) if wanted else []
    for one in found:
        if one.outcome.pending:
            staged = one.intent.item.staged
            note(f"Still awaited: {staged.action} {staged.target.label}: {mask_text(one.outcome.pending)}")
    for name in sorted(wanted - {one.intent.request_id for one in found}, key=lambda name: ends[name].seq):
        note(f"Row {ends[name].seq} cannot be asked about any more: {KEPT_NOTHING}")
    return any(not one.outcome.pending for one in found)


def _actor(place: str) -> ActorFactory | None:
    """What reads a named source back, with the environment's password; None for what nothing acts on."""
    try:
        return actor_of(target_of(place, Saved()))
    except UnsupportedError:
        return None


def _print(rows: list[Row]) -> None:
    if not rows:
        line("Nothing was done yet.")
        return
    now = time.time_ns()
    heads = ("row", "time", "who", "what", "action", "target", "outcome, or why")
    table(heads, [_cells(row, now) for row in rows], right=frozenset({0}))


def _cells(row: Row, now: int) -> tuple[str, ...]:
    told = row.verdict + (" (stale)" if row.stale else "") if row.verdict else row.reason
    why = row.evidence[0] if row.evidence and row.verdict != "applied" else row.pending
    told = f"{told}: {why}" if why and told else told or why
    return (
        str(row.seq),
        fmt.short_time(row.time_ns, now),
        row.who,
        row.kind.value,
        row.action,
        row.target_name or row.target,
        told,
    )
