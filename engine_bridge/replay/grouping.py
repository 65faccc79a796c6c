"""Puts results of a gate that found the same thing at the same line into one group."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from engine_bridge.replay.gate_report import Drifted, Group, Result, Section, words
from engine_bridge.replay.model import Outcome, Place

Finding = tuple[Section, str, Place, str, str]
"""Section, what, where, expected, actual: what makes two runs' findings the same."""

_BROKEN: Final = (Outcome.FAILED, Outcome.HUNG, Outcome.CRASHED)
_NUMBERS: Final = re.compile(r"\d+(?:\.\d+)?")
_ORDER: Final = {section: number for number, section in enumerate(Section)}


def group(results: Iterable[Result]) -> tuple[Group, ...]:
    """Groups by finding, the gravest section first, most runs first; one run may be in several."""
    found: dict[Finding, list[Result]] = {}
    shown: dict[Finding, Finding] = {}
    for result in results:
        for finding in dict.fromkeys(findings(result)):
            key = _key(finding)
            found.setdefault(key, []).append(result)
            shown[key] = _common(shown.get(key), finding)
    groups = [_group(shown[key], members) for key, members in found.items()]
    return tuple(sorted(groups, key=lambda one: (_ORDER[one.section], -one.count, str(one.at), one.what)))


def _group(finding: Finding, members: list[Result]) -> Group:
    section, what, at, expected, actual = finding
    runs = tuple(result.number for result in members)
    types = tuple(sorted({result.type for result in members}))
    return Group(section=section, what=what, at=at, expected=expected, actual=actual, runs=runs, types=types)


def findings(result: Result) -> Iterator[Finding]:
    """What one run adds to the groups."""
    diverged = result.divergence
    if diverged is not None:
        at = diverged.at if diverged.at.file else result.at
        yield Section.DIVERGED, diverged.kind, at, diverged.expected, diverged.actual
    elif result.outcome is Outcome.DIVERGED:
        yield Section.DIVERGED, result.error or "diverged", result.at, "", ""
    if result.outcome is Outcome.BLOCKED:
        for one in result.blocked:
            yield (
                Section.BLOCKED,
                "side effect",
                one.at if one.at.file else result.at,
                "no side effect",
                one.what,
            )
    if result.outcome in _BROKEN:
        yield Section.FAILED, result.outcome.value, result.at, "", result.error
    for drifted in result.drift:
        yield _drift(drifted)
    for note in result.notes:
        yield Section.NOTED, "note", Place(), "", note
    if result.now is not None and result.outcome is Outcome.STOPPED:
        yield Section.WAITING, result.now.kind, result.now.at, "", _awaited(result.now.kind, result.now.what)


def _awaited(kind: str, what: str) -> str:
    # Each run waits for a child of its own: its id tells nothing about the others.
    return "" if kind == "child" else what


def _drift(drifted: Drifted) -> Finding:
    drift = drifted.drift
    what = (
        f"{drift.what} of {drifted.name}" if drifted.name and drift.what not in drifted.name else drift.what
    )
    return Section.DRIFT, what, drifted.at, words(drift.recorded), words(drift.replayed)


def _key(finding: Finding) -> Finding:
    """The values of a drift, and numbers in errors, differ from run to run without being something else."""
    section, what, at, expected, actual = finding
    if section is Section.DRIFT:
        return section, what, at, "", ""
    if section in (Section.DIVERGED, Section.WAITING):
        return finding
    return section, what, at, expected, _NUMBERS.sub("0", actual)


def _common(before: Finding | None, now: Finding) -> Finding:
    """What a group shows: of values that differ from run to run nothing, of errors the first."""
    if before is None or now[0] is not Section.DRIFT or before == now:
        return before or now
    expected, actual = (old if old == new else "" for old, new in zip(before[3:], now[3:], strict=True))
    return now[0], now[1], now[2], expected, actual
