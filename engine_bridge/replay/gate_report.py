"""What a gate found: one result a run, groups of the same finding, and all of it as JSON with documented keys."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

from engine_bridge.format import count
from engine_bridge.payloads.masking import mask_text
from engine_bridge.replay.model import (
    Blocked,
    Divergence,
    Drift,
    End,
    Now,
    Outcome,
    Picture,
    Place,
    ReplayInput,
)

EXAMPLES: Final = 5
"""How many runs a group names in the report's JSON; ``runs`` names all."""


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class Drifted(_Value, frozen=True):
    """A drift with the line that was reached when it showed, and the name of its step."""

    drift: Drift
    at: Place = Place()
    name: str = ""


class Result(_Value, frozen=True):
    """How one run fared. ``number`` is its place among the inputs; ``at`` the last line it reached.

    ``step_name`` is what the history holds at the divergence.
    """

    number: int
    run_id: str
    type: str
    outcome: Outcome
    version: str = ""
    steps: int = 0
    divergence: Divergence | None = None
    drift: tuple[Drifted, ...] = ()
    notes: tuple[str, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    now: Now | None = None
    at: Place = Place()
    error: str = ""
    hint: str = ""
    took_ms: float = 0.0
    name: str = ""

    @property
    def called(self) -> str:
        """What people call the run."""
        return self.name or self.run_id

    @property
    def bad(self) -> bool:
        """Whether it stops a deploy: anything but the recorded end, or the wait that the history ends in."""
        return self.outcome not in (Outcome.SAME, Outcome.STOPPED, Outcome.CANCELLED)


class Section(StrEnum):
    """The classes of findings, gravest first."""

    DIVERGED = "diverged"
    BLOCKED = "blocked"
    FAILED = "failed"  # failed, hung and crashed
    DRIFT = "drift"
    NOTED = "noted"  # what the record does not decide, or could not be read: no alarm
    WAITING = "waiting"


class Group(_Value, frozen=True):
    """The same finding in several runs. ``runs`` are numbers of results, in order.

    ``what`` is the kind of the divergence, of the drift, of the wait, or the outcome; ``expected`` is the history's
    and ``actual`` the code's (for drift "" where the values differ from run to run); both in words.
    """

    section: Section
    what: str
    at: Place = Place()
    expected: str = ""
    actual: str = ""
    runs: tuple[int, ...] = ()
    types: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return len(self.runs)


class Runner(_Value, frozen=True):
    """What replayed: versions, what it denied and what it could not (in words)."""

    engine: str = ""
    library: str = ""
    python: str = ""
    guards: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


class GateReport(_Value, frozen=True):
    """The outcome of a gate. ``complete`` False: cancelled, or the code could not be loaded (``error`` says why)."""

    code: str
    interpreter: str
    runner: Runner = Runner()
    results: tuple[Result, ...] = ()
    groups: tuple[Group, ...] = ()
    complete: bool = True
    error: str = ""
    hint: str = ""
    detail: str = ""
    took_s: float = 0.0
    processes: int = 0

    def bad_words(self) -> str:
        """How many runs the code would break, and of how many that could not be found out; "" when all go on."""
        bad = [result.outcome for result in self.results if result.bad]
        broken = sum(outcome in (Outcome.DIVERGED, Outcome.BLOCKED) for outcome in bad)
        of = f"of {count(len(self.results))} run{'' if len(self.results) == 1 else 's'}"
        if not bad:
            return ""
        if not broken:
            return f"{count(len(bad))} {of} could not be replayed."
        more = f"; {count(len(bad) - broken)} could not be replayed" if len(bad) > broken else ""
        return f"{count(broken)} {of} would break with this code{more}."

    def totals(self) -> dict[str, int]:
        """Runs by outcome, every outcome named; ``drift`` counts runs that drifted, whatever their outcome."""
        found = {outcome.value: 0 for outcome in Outcome}
        for result in self.results:
            found[result.outcome.value] += 1
        found["drift"] = sum(1 for result in self.results if result.drift)
        return found

    def of(self, section: Section) -> tuple[Group, ...]:
        """The groups of a section, most runs first."""
        return tuple(group for group in self.groups if group.section is section)

    def passed(self, strict_drift: bool = False) -> bool:
        """Whether a deploy may go on: it ran to its end and nothing diverged, was blocked, failed or hung."""
        drifted = strict_drift and any(result.drift for result in self.results)
        return self.complete and not drifted and not any(result.bad for result in self.results)


def words(picture: Picture) -> str:
    """A picture of a value in a few words, for tables; what looks like a secret is masked."""
    return mask_text(_words(picture))


def _words(picture: Picture) -> str:
    if not isinstance(picture, dict):
        return "None" if picture is None else repr(picture)
    if "i" in picture:
        return _within("[", [_words(item) for item in picture["i"]], "]", picture)
    for key in ("m", "o"):
        if key in picture:
            pairs = [
                f"{name if isinstance(name, str) else _words(name)}: {_words(value)}"
                for name, value in picture[key]
            ]
            return _within("{", pairs, "}", picture)
    return str(picture.get("r") or picture.get("t", "?"))


def _within(first: str, parts: list[str], last: str, picture: dict[str, Any]) -> str:
    more = [f"… {picture['n'] - len(parts)} more"] if picture.get("n", 0) > len(parts) else []
    return first + ", ".join(parts + more) + last


def result_of(number: int, told: ReplayInput, end: End, at: Place, drift: tuple[Drifted, ...]) -> Result:
    """A result from the end of a replay: what the report keeps of it."""
    return Result(
        number=number, run_id=end.run_id, type=told.type, outcome=end.outcome, version=told.version, steps=end.steps,
        divergence=end.divergence, drift=drift, blocked=end.blocked, now=end.now, at=at, error=mask_text(end.error),
        hint=end.hint, took_ms=end.took_ms, name=told.name, notes=tuple(mask_text(note) for note in end.notes),
    )  # fmt: skip


def to_json(report: GateReport, strict_drift: bool = False) -> dict[str, Any]:
    """The documented JSON of a report (docs/replay.md): every key is always there."""
    return {
        "format": 1,
        "passed": report.passed(strict_drift),
        "complete": report.complete,
        "error": report.error,
        "hint": report.hint,
        "code": report.code,
        "interpreter": report.interpreter,
        "runner": {
            "engine": report.runner.engine,
            "library": report.runner.library,
            "python": report.runner.python,
            "guards": list(report.runner.guards),
            "lacks": list(report.runner.lacks),
        },
        "processes": report.processes,
        "took_s": round(report.took_s, 3),
        "totals": report.totals(),
        "groups": [_group(group, report.results) for group in report.groups],
        "runs": [_result(result) for result in report.results],
    }


def _group(group: Group, results: tuple[Result, ...]) -> dict[str, Any]:
    return {
        "section": group.section.value,
        "what": group.what,
        "at": place_json(group.at),
        "expected": group.expected,
        "actual": group.actual,
        "count": group.count,
        "types": list(group.types),
        "examples": [results[number].run_id for number in group.runs[:EXAMPLES]],
    }


def _result(result: Result) -> dict[str, Any]:
    diverged, now = result.divergence, result.now
    return {
        "id": result.run_id,
        "name": result.called,
        "type": result.type,
        "version": result.version,
        "outcome": result.outcome.value,
        "steps": result.steps,
        "took_ms": result.took_ms,
        "at": place_json(result.at),
        "divergence": diverged
        and {
            "kind": diverged.kind,
            "expected": diverged.expected,
            "actual": diverged.actual,
            "step_id": diverged.step_id,
            "position": diverged.position,
            "at": place_json(diverged.at),
            "message": diverged.message,
        },
        "drift": [_drift(drifted) for drifted in result.drift],
        "notes": list(result.notes),
        "blocked": [{"what": one.what, "at": place_json(one.at)} for one in result.blocked],
        "now": now
        and {
            "kind": now.kind,
            "what": now.what,
            "step_id": now.step_id,
            "at": place_json(now.at),
            "until_ns": now.until_ns,
        },
        "error": result.error,
        "hint": result.hint,
    }


def _drift(drifted: Drifted) -> dict[str, Any]:
    drift = drifted.drift
    return {
        "what": drift.what,
        "recorded": words(drift.recorded),
        "replayed": words(drift.replayed),
        "step_id": drift.step_id,
        "step": drifted.name,
        "at": place_json(drifted.at),
        "note": drift.note,
    }


def place_json(place: Place) -> dict[str, Any]:
    """A line of code; ``line`` None where none is known."""
    return {"file": place.file, "line": place.line or None, "function": place.function}
