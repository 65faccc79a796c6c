"""What the gate's tables show of groups and runs. Pure; no painting."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from engine_bridge.format import count, plain
from engine_bridge.replay.gate_report import GateReport, Group, Result, Section
from engine_bridge.replay.junit import event
from engine_bridge.replay.model import Outcome, Place
from widgets.run.list_table import Cell

TITLES: Final = {
    Section.DIVERGED: "Diverged",
    Section.BLOCKED: "Blocked",
    Section.FAILED: "Not replayed",
    Section.DRIFT: "Drift",
    Section.NOTED: "Noted",
    Section.WAITING: "Waiting",
}
HEADS: Final = {
    Section.DIVERGED: ("runs", "what", "where", "the history has", "the code has", "workflow"),
    Section.BLOCKED: ("runs", "what", "where", "the code", "workflow"),
    Section.FAILED: ("runs", "what", "where", "why", "workflow"),
    Section.DRIFT: ("runs", "what", "where", "recorded", "replayed", "workflow"),
    Section.NOTED: ("runs", "what", "where", "why", "workflow"),
    Section.WAITING: ("runs", "what", "where", "for", "workflow"),
}
WIDTHS: Final = {
    Section.DIVERGED: (64, 130, 190, 200, 200),
    Section.BLOCKED: (64, 110, 190, 420),
    Section.FAILED: (64, 110, 190, 420),
    Section.DRIFT: (64, 160, 190, 200, 200),
    Section.NOTED: (64, 110, 190, 420),
    Section.WAITING: (64, 110, 190, 420),
}
NONE: Final = {
    Section.DIVERGED: "No run diverged: the code does what every history says.",
    Section.BLOCKED: "No workflow's code tried what only a step may do.",
    Section.FAILED: "Every run could be replayed.",
    Section.DRIFT: "Nothing drifted: results, inputs and waits are as recorded.",
    Section.NOTED: "The record decided everything that was compared.",
    Section.WAITING: "No run waits: all of them are at their end.",
}
_GLYPHS: Final = {
    Section.DIVERGED: ("failed", "failed"),
    Section.BLOCKED: ("failed", "terminated"),
    Section.FAILED: ("retrying", "warning"),
    Section.DRIFT: ("retrying", "warning"),
    Section.NOTED: ("waiting", "info"),
    Section.WAITING: ("waiting", "clock"),
}
OUTCOMES: Final = {
    Outcome.SAME: ("completed", "completed", "to its recorded end"),
    Outcome.STOPPED: ("waiting", "clock", "to where it stands"),
    Outcome.DIVERGED: ("failed", "failed", "diverged"),
    Outcome.BLOCKED: ("failed", "terminated", "blocked"),
    Outcome.FAILED: ("retrying", "warning", "could not be replayed"),
    Outcome.HUNG: ("timed_out", "clock", "hung"),
    Outcome.CRASHED: ("failed", "failed", "crashed"),
    Outcome.CANCELLED: ("cancelled", "cancelled", "cancelled"),
}


def short(place: Place) -> str:
    """ "orders.py:92"; a dash where no line is known."""
    name = PurePath(place.file).name
    return f"{name}:{place.line}" if place.line else name or "–"


def group_cells(group: Group) -> tuple[Cell, ...]:
    """One row of a section's table."""
    status, glyph = _GLYPHS[group.section]
    head = (
        Cell(count(group.count), code=True),
        Cell(plain(group.what, 80), status, glyph=glyph, tooltip=group.what),
        Cell(short(group.at), code=True, tooltip=str(group.at)),
    )
    types = Cell(plain(", ".join(group.types), 120), tone="muted", tooltip="\n".join(group.types))
    if group.section in (Section.DIVERGED, Section.DRIFT):
        differ = not group.expected and not group.actual
        expected = Cell(plain(group.expected, 200) or ("differs from run to run" if differ else ""), code=not differ,
                        tooltip=group.expected)  # fmt: skip
        return (*head, expected, Cell(plain(group.actual, 200), code=True, tooltip=group.actual), types)
    return (*head, Cell(plain(group.actual, 200), tooltip=group.actual), types)


def run_cells(result: Result) -> tuple[Cell, ...]:
    """One row of the runs' table: run, workflow, how it fared, where."""
    status, glyph, words = OUTCOMES[result.outcome]
    where = event(result) if result.divergence is not None else ""
    at = result.divergence.at if result.divergence is not None and result.divergence.at.file else result.at
    told = f"{words}, {where}" if where else words
    return (
        Cell(plain(result.called, 120), code=True, tooltip=result.run_id),
        Cell(plain(result.type, 120), tone="muted", tooltip=result.type),
        Cell(told, status, glyph=glyph, tooltip=result.error or told),
        Cell(short(at), code=True, tooltip=str(at)),
    )


def member_cells(result: Result) -> tuple[Cell, ...]:
    """One row of the runs of a group, which all fared alike: run, event, workflow."""
    step = result.now.step_id if result.now is not None else ""
    at = event(result) if result.divergence is not None else f"step {step}" if step else "–"
    return (
        Cell(plain(result.called, 120), code=True, tooltip=result.run_id),
        Cell(at),
        Cell(plain(result.type, 120), tone="muted", tooltip=result.type),
    )


def verdict(report: GateReport) -> tuple[str, str, str]:
    """Glyph, colour and words of what a report means for a deploy."""
    runs = len(report.results)
    if report.error:
        return "failed", "failed", "The code could not be loaded: nothing was found out."
    told = f"{count(runs)} run" if runs == 1 else f"{count(runs)} runs"
    cut = "" if report.complete else "Cancelled before the end. "
    bad = report.bad_words()
    drifted = report.totals()["drift"]
    drift = f" {count(drifted)} drifted." if drifted else ""
    if bad:
        return "failed", "failed", f"{cut}{bad}{drift}"
    if not report.complete:
        return "cancelled", "cancelled", f"{cut}{told} went on as recorded.{drift}"
    if drifted:
        return "warning", "retrying", f"All {told} go on, but {count(drifted)} drifted."
    return "completed", "completed", f"{'The run goes' if runs == 1 else f'All {told} go'} on as recorded."
