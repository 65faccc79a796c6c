"""A gate's report as JUnit XML, for continuous integration: one suite a workflow type, one case a run.

Elements and attributes are those of the schema that Jenkins publishes (jenkins-junit.xsd), which GitLab, GitHub's
reporters, Azure and TeamCity read too.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from engine_bridge.errors import PermissionDeniedError
from engine_bridge.replay.gate_report import GateReport, Result, words
from engine_bridge.replay.model import Outcome, Place

_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 (section 2.2, Char) cannot hold, however it is escaped."""


def write(report: GateReport, path: Path, strict_drift: bool = False) -> None:
    """Writes the file. Raises PermissionDeniedError when it cannot be written."""
    try:
        path.write_bytes(to_junit(report, strict_drift))
    except OSError as error:
        raise PermissionDeniedError(f"{path} cannot be written: {error.strerror}.") from None


def to_junit(report: GateReport, strict_drift: bool = False) -> bytes:
    """The XML document, UTF-8. Drift is a failure only when ``strict_drift``, else it stands in ``system-out``."""
    suites = ET.Element("testsuites", {"name": "playhead replay"})
    by_type: dict[str, list[Result]] = {}
    for result in report.results:
        by_type.setdefault(result.type, []).append(result)
    for type_ in sorted(by_type):
        suites.append(
            _suite(type_, [_case(result, strict_drift) for result in by_type[type_]], by_type[type_])
        )
    if not report.complete:
        suites.append(_incomplete(report))
    for name in ("tests", "failures", "errors"):
        suites.set(name, str(sum(int(suite.get(name, 0)) for suite in suites)))
    suites.set("time", f"{report.took_s:.3f}")
    ET.indent(suites)
    document: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _suite(name: str, cases: list[ET.Element], results: Iterable[Result] = ()) -> ET.Element:
    def holding(tag: str) -> str:
        return str(sum(1 for case in cases if case.find(tag) is not None))

    suite = ET.Element(
        "testsuite",
        {
            "name": clean(name),
            "tests": str(len(cases)),
            "failures": holding("failure"),
            "errors": holding("error"),
            "skipped": holding("skipped"),
            "time": f"{sum(result.took_ms for result in results) / 1000:.3f}",
        },
    )
    suite.extend(cases)
    return suite


def _incomplete(report: GateReport) -> ET.Element:
    case = ET.Element("testcase", {"classname": "playhead replay", "name": "complete", "time": "0.000"})
    why = report.error or "The replay was cancelled."
    _add(case, "error", "incomplete", why, "\n".join(filter(None, (why, report.hint, report.detail))))
    return _suite("playhead replay", [case])


def _case(result: Result, strict_drift: bool) -> ET.Element:
    case = ET.Element(
        "testcase",
        {
            "classname": clean(result.type) or "workflow",
            "name": clean(result.called),
            "time": f"{result.took_ms / 1000:.3f}",
        },
    )
    diverged = result.divergence
    if result.outcome in (Outcome.DIVERGED, Outcome.BLOCKED):
        kind = diverged.kind if diverged else result.outcome.value
        _add(case, "failure", kind, headline(result), "\n".join(details(result)))
    elif result.bad:
        _add(case, "error", result.outcome.value, headline(result), "\n".join(details(result)))
    elif result.outcome is Outcome.CANCELLED:
        ET.SubElement(case, "skipped", {"message": "cancelled"})
    elif strict_drift and result.drift:
        _add(case, "failure", "drift", "drift", "\n".join(drift_lines(result)))
    elif result.drift or result.notes:
        ET.SubElement(case, "system-out").text = clean("\n".join([*drift_lines(result), *result.notes]))
    return case


def _add(case: ET.Element, tag: str, kind: str, message: str, text: str) -> None:
    ET.SubElement(case, tag, {"type": clean(kind), "message": clean(message)}).text = clean(text)


def headline(result: Result) -> str:
    """One line: what went wrong, at which event and line."""
    diverged = result.divergence
    if diverged is not None:
        at = _at(diverged.at if diverged.at.file else result.at)
        return f"{event(result)}: expected {diverged.expected}, the code has {diverged.actual}{at}"
    if result.outcome is Outcome.BLOCKED and result.blocked:
        one = result.blocked[0]
        return f"the workflow's code {one.what}{_at(one.at if one.at.file else result.at)}"
    return f"{result.outcome.value}: {result.error}{_at(result.at)}"


def event(result: Result) -> str:
    """The event of the history where code and history part, in words."""
    diverged = result.divergence
    if diverged is None:
        return ""
    if diverged.position is not None:
        return f"event {diverged.position}"
    return f"step {diverged.step_id}" if diverged.step_id else "the end of the run"


def details(result: Result) -> list[str]:
    """Everything about a run that went wrong, a line each."""
    diverged = result.divergence
    lines = [headline(result)]
    if diverged is not None:
        at = diverged.at if diverged.at.file else result.at
        lines += [f"event: {event(result)}", f"line: {at}", f"kind: {diverged.kind}"]
        lines += [f"expected: {diverged.expected}", f"actual: {diverged.actual}", diverged.message]
    lines += [f"blocked: {one.what}{_at(one.at)}" for one in result.blocked]
    return [line for line in (*lines, *drift_lines(result), *result.notes, result.error, result.hint) if line]


def drift_lines(result: Result) -> list[str]:
    """What the engine passes in silence, a line each."""
    found = []
    for drifted in result.drift:
        one = drifted.drift
        where = f" (step {one.step_id}{' ' + drifted.name if drifted.name else ''})" if one.step_id else ""
        values = f"recorded {words(one.recorded)}, replayed {words(one.replayed)}"
        found.append(f"drift: {one.what}{where}: {values}{_at(drifted.at)}")
    return found


def _at(place: Place) -> str:
    return f" at {place}" if place.file else ""


def clean(text: str) -> str:
    """A text that XML can hold: what it cannot becomes the replacement character."""
    return _ILLEGAL.sub("�", text)
