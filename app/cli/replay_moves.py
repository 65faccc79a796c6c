"""Replay of recorded moves of entities against workflow configs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.cli.configs import asked, many, tools_of, where, whole
from app.cli.options import query_of
from app.cli.output import json_line, line, note, table
from app.cli.session import find_run
from app.opening import Opened
from engine_bridge.configs import DivergenceGroup, LintReport, ReplayReport
from engine_bridge.errors import RejectedError, UsageError
from engine_bridge.query.text import and_, quote

if TYPE_CHECKING:
    from app.cli.replay import Asked

_NAMED = 5


def replay_moves(place: Opened, what: Asked) -> int:
    """Replays, prints, and answers 1 where an entity diverged or the replay was stopped."""
    tools_of(place)
    given = what.running.given()
    if given:
        raise UsageError(f"{given[0]} is for sources whose code is run.", "Configs are read, not run.")
    filters = _filters(place, what)
    found: list[ReplayReport] = []
    for type_, text in filters.items():
        query = query_of(place, text) if text else None
        found.append(asked(place, "replay_moves", what.code, type_, query))
        _print(found[-1], what.as_json)
        if not found[-1].complete:
            note("Stopped: what came so far is told.")
            break
    return int(any(report.groups or not report.complete for report in found))


def _filters(place: Opened, what: Asked) -> dict[str, str]:
    """The filter of each workflow type that is asked about."""
    if not what.runs:
        return dict.fromkeys(_types(place, what.code), what.filter_text)
    ids: dict[str, list[str]] = {}
    for run in (find_run(place, text) for text in what.runs):
        ids.setdefault(run.type, []).append(run.id)
    named = {type_: f"id in ({', '.join(map(quote, some))})" for type_, some in ids.items()}
    return {type_: and_(what.filter_text, text) for type_, text in named.items()}


def _types(place: Opened, code: tuple[str, ...]) -> list[str]:
    """The types of the source that the configs declare. Raises RejectedError, and UsageError."""
    report: LintReport = asked(place, "lint", code, None)
    declared = {one.type for one in report.declared}
    found = [name for name in place.info.entity_types if name in declared]
    if found:
        return found
    for error in report.findings:
        if error.severity == "error":
            raise RejectedError(f"The config cannot be used: {where(error)}: {error.reason}.", error.fix)
    known = ", ".join(place.info.entity_types)
    raise UsageError("These configs declare no workflow of the source.", f"It has: {known}.")


def _print(report: ReplayReport, as_json: bool) -> None:
    if as_json:
        json_line(whole(report))
        return
    diverged = sum(group.count for group in report.groups)
    told = f"{many(diverged, 'entity')} diverged" if diverged else "no divergence"
    line(f"{report.type}: {many(report.moves, 'move')} of {many(report.entities, 'entity')}, {told}.")
    if report.groups:
        heads = ("  entities", "what", "recorded", "the config", "such as")
        rows = [(f"  {g.count}", g.kind, g.recorded, g.expected, _some(g)) for g in report.groups]
        table(heads, rows)


def _some(group: DivergenceGroup) -> str:
    named = [f"{one.ref} at {one.position}" for one in group.entities[:_NAMED]]
    return ", ".join(named) + (" …" if group.count > len(named) else "")
