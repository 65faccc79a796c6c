"""``playhead impact``: what a change of configs means, and how many entities it would strand."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import click

from app.cli.configs import (
    asked,
    declared_json,
    many,
    print_findings,
    report_json,
    source_option,
    tenant_option,
    tools_for,
    tools_of,
    whole,
)
from app.cli.options import json_option
from app.cli.output import json_line, line, table
from app.cli.session import opened
from app.cli.working import work
from engine_bridge.configs import Impact, ImpactReport, Stranded
from engine_bridge.errors import UsageError


@click.command()
@click.argument("places", nargs=-1, required=True, metavar="[OLD] NEW")
@source_option
@tenant_option
@json_option
def impact(places: tuple[str, ...], source: str | None, tenant: str | None, as_json: bool) -> None:
    """Compare the configs at OLD with those at NEW: files, folders, or REV:path in git.

    With --source entities are counted, and OLD may be left out: it is the source's own configs then. Exit code 1 where
    entities would be stranded, where a status goes away and no source was given to count them, and where NEW is broken.
    """
    report = _report(places, source, tenant)
    if as_json:
        json_line(_json(report))
    else:
        _print(report, source)
    if any(_stops(item) for item in report.items) or not report.items:
        sys.exit(1)


def _report(places: tuple[str, ...], source: str | None, tenant: str | None) -> ImpactReport:
    if len(places) > 2 or (len(places) == 1 and source is None):
        raise UsageError("Name two places, OLD and NEW.", "With --source, OLD may be left out.")
    old, new = places[:-1], places[-1:]
    if source is None:
        tools = tools_for(places)
        return work(lambda token: tools.impact(old, new, token, tenant=tenant))
    with opened(source) as place:
        tools_of(place)
        report: ImpactReport = asked(place, "impact", old, new, tenant)
        return report


def _stops(item: Impact) -> bool:
    return bool(item.problem) or any(found.count != 0 for found in item.stranded)


def _json(report: ImpactReport) -> dict[str, Any]:
    items = [
        whole(item)
        | {
            "old": declared_json(item.old) if item.old else None,
            "new": declared_json(item.new) if item.new else None,
        }
        for item in report.items
    ]
    return {"items": items, "old": report_json(report.old), "new": report_json(report.new)}


def _print(report: ImpactReport, source: str | None) -> None:
    print_findings(found for side in (report.old, report.new) for found in side.findings)
    for item in report.items:
        line(f"{item.type} ({item.tenant})" if item.tenant else item.type)
        for notice in item.notices:
            line(f"  {notice}")
        if item.changes:
            rows = [(f"  {c.kind}", c.what, c.name, c.to, c.detail) for c in item.changes]
            table(("  change", "of", "name", "now", "how"), rows)
        elif not item.notices:
            line("  No difference.")
        if not item.problem:
            _print_stranded(item, source)
    counts = [found.count for item in report.items for found in item.stranded]
    if len(report.items) > 1 and any(counts):
        line(f"{many(sum(count or 0 for count in counts), 'entity')} in all would be stranded.")
    if not report.items:
        line("There is nothing to compare.")


def _print_stranded(item: Impact, source: str | None) -> None:
    if not item.migration and not item.stranded:
        line("  No migration: every status that was valid still is.")
        return
    known = [found.count for found in item.stranded if found.count is not None]
    if len(known) == len(item.stranded):
        line(f"  {many(sum(known), 'entity')} would be stranded.")
    else:
        line(
            "  A migration is needed. How many entities would be stranded, only a source can tell: add --source."
        )
    heads = ("  status", "entities", "should go to", "because")
    rows = [
        (f"  {s.status}", "?" if s.count is None else str(s.count), s.target, s.why) for s in item.stranded
    ]
    table(heads, rows, right=frozenset({1}))
    for found in item.stranded:
        if found.action is not None:
            _print_way_out(found, source)


def _print_way_out(found: Stranded, source: str | None) -> None:
    line(f"  {found.sql}")
    if source is not None and found.action is not None:
        given = (f"{name}={value}" for name, value in found.action.args.items() if value)
        words = [source, found.action.action, *given, "--filter", found.filter]
        line(f"  playhead act {' '.join(map(_quoted, words))}")


def _quoted(word: str) -> str:
    """A word for the shell, on one line (bash and zsh know ``$'…'``)."""
    if "\n" not in word:
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"$'{escaped}'"
