"""The gate's report on a terminal: a table for each class of findings, the gravest first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.cli.output import line, table
from engine_bridge.format import count
from engine_bridge.replay.gate_report import GateReport, Group, Section
from engine_bridge.replay.junit import event
from engine_bridge.replay.model import Place

_TITLES = {
    Section.DIVERGED: "Diverged: the code does not do what the history says",
    Section.BLOCKED: "Blocked: the workflow's own code tried what only a step may do",
    Section.FAILED: "Not replayed: the code could not run them",
    Section.DRIFT: "Drift: the engine would pass it in silence",
    Section.NOTED: "Noted: no alarm, but not looked into to the end",
    Section.WAITING: "What waiting runs wait on",
}
_HEADS = {
    Section.DIVERGED: ("  runs", "what", "where", "the history has", "the code has", "such as"),
    Section.DRIFT: ("  runs", "what", "where", "recorded", "replayed", "such as"),
    Section.NOTED: ("  runs", "what", "where", "why", "such as"),
    Section.WAITING: ("  runs", "what", "where", "for", "such as"),
}
_TOLD = 12  # lines of a traceback
_WIDEST = 120  # of a place
_BROKEN = ("  runs", "what", "where", "why", "such as")


def print_report(report: GateReport, strict_drift: bool) -> None:
    """Everything, the verdict last."""
    line(_head(report))
    for section in Section:
        groups = report.of(section)
        if groups:
            line("")
            line(f"{_TITLES[section]}:")
            rows = [_row(group, report) for group in groups]
            table(_HEADS.get(section, _BROKEN), rows, right=frozenset({0}))
            if section is Section.FAILED:
                _print_hints(report, groups)
    line("")
    if report.error and report.detail:
        for text in report.detail.splitlines()[-_TOLD:]:
            line(f"  {text}")
    line(verdict(report, strict_drift))
    for lack in report.runner.lacks:
        line(f"Not denied here: {lack}")


def _print_hints(report: GateReport, groups: Sequence[Group]) -> None:
    """What would let these runs be replayed, each hint once."""
    for hint in dict.fromkeys(report.results[group.runs[0]].hint for group in groups):
        if hint:
            line(f"  {hint}")


def _head(report: GateReport) -> str:
    runner = report.runner
    by = f" by Python {runner.python} with {runner.engine} {runner.library}" if runner.python else ""
    processes = f"{report.processes} processes" if report.processes != 1 else "1 process"
    return f"{many(len(report.results))} against {report.code}{by}: {report.took_s:.1f} s in {processes}."


def _row(group: Group, report: GateReport) -> tuple[str, ...]:
    head = (f"  {count(group.count)}", group.what, where(group.at))
    if group.section in (Section.DIVERGED, Section.DRIFT):
        shown = (
            (group.expected, group.actual)
            if group.expected or group.actual
            else ("differs", "from run to run")
        )
        return (*head, *shown, _example(group, report))
    return (*head, group.actual, _example(group, report))


def _example(group: Group, report: GateReport) -> str:
    result = report.results[group.runs[0]]
    at = f" at {event(result)}" if group.section is Section.DIVERGED and result.divergence is not None else ""
    return f"{result.called}{at}"


def where(place: Place) -> str:
    """file:line, from the working folder where the file is below it; of a long path the end."""
    if not place.file:
        return "-"
    path = Path(place.file)
    here = Path.cwd()
    name = str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else place.file
    shown = f"{name}:{place.line}" if place.line else name
    return shown if len(shown) <= _WIDEST else f"…{shown[1 - _WIDEST :]}"


def many(runs: int) -> str:
    return f"{count(runs)} run" if runs == 1 else f"{count(runs)} runs"


def verdict(report: GateReport, strict_drift: bool) -> str:
    """One sentence: may it be deployed?"""
    if report.error:
        hint = f" {report.hint}" if report.hint else ""
        return f"The code could not be loaded: {report.error}{hint}"
    if not report.complete:
        return f"Stopped: {many(len(report.results))} were replayed."
    if not report.results:
        return "No run was chosen: nothing was replayed."
    totals = report.totals()
    bad = report.bad_words()
    drifted = f" {many(totals['drift'])} drifted." if totals["drift"] else ""
    if bad:
        return f"{bad}{drifted}"
    failed = " Drift counts as a failure here." if strict_drift and totals["drift"] else ""
    all_ = "The run goes on" if len(report.results) == 1 else f"All {many(len(report.results))} go on"
    return f"{all_} as recorded.{drifted}{failed}"
