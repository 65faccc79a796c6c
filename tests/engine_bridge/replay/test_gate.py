"""The gate over many runs of the tests' engine: whatever one run does, every other one is replayed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError
from engine_bridge.replay import gate
from engine_bridge.replay.gate import GateJob, run_gate
from engine_bridge.replay.gate_report import GateReport, Result, Section, to_json
from engine_bridge.replay.model import Outcome, ReplayInput
from tests.engine_bridge.replay.driving import QUICK, Limits, written
from tests.engine_bridge.replay.plain import SPEC, project, recorded

GOOD = [("a", 1), ("b", 2)]
CODE = """
    import os


    def flow(step):
        step("a")
        step("b")


    def flow_longer(step):
        step("a")
        step("new")
        step("b")


    def flow_hangs(step):
        step("a")
        while True:
            pass


    def flow_dies(step):
        step("a")
        os._exit(3)


    def flow_writes(step):
        step("a")
        open("/tmp/never-written", "w")


    def flow_drifts(step):
        step("a")
        return step("b")


    def flow_notes(step):
        step("a")
        step("b")
        return "not decided"


    def flow_raises(step):
        step("a")
        raise ValueError("order %d" % step("b"))
"""


def gated(
    folder: Path,
    inputs: list[ReplayInput],
    code: str = CODE,
    *,
    parallel: int = 2,
    token: CancelToken | None = None,
    limits: Limits = QUICK,
) -> GateReport:
    place = project(written(folder, code))
    job = GateJob(spec=SPEC, project=place, parallel=parallel, total=len(inputs), limits=limits)
    return run_gate(job, inputs, token or CancelToken())


def line_of(text: str) -> int:
    """The number of the first line of the code that holds a text."""
    return next(number for number, line in enumerate(CODE.split("\n"), 1) if text in line)


def named(flow: str) -> str:
    return flow if flow == "flow" else f"flow_{flow}"


def many(flow: str, count: int, first: int = 0, *, closed: bool = True) -> list[ReplayInput]:
    return [
        recorded(f"{flow}-{n}", GOOD, closed=closed, flow=named(flow)) for n in range(first, first + count)
    ]


def test_the_code_that_made_the_histories_breaks_none(tmp_path: Path) -> None:
    report = gated(tmp_path, many("flow", 40))
    assert report.passed() and report.passed(strict_drift=True)
    assert report.totals() == {**dict.fromkeys(report.totals(), 0), "same": 40}
    assert [result.run_id for result in report.results] == [f"flow-{n}" for n in range(40)]
    assert report.groups == ()


def test_runs_that_part_at_one_line_are_one_group(tmp_path: Path) -> None:
    report = gated(tmp_path, [*many("longer", 5), *many("flow", 5)])
    (group,) = report.groups
    assert (group.section, group.count, group.types) == (Section.DIVERGED, 5, ("flow_longer",))
    assert (group.expected, group.actual) == ("b", "new")
    assert group.at.line == line_of('step("new")') and group.at.file.endswith("flows.py")
    assert [report.results[n].run_id for n in group.runs] == [f"longer-{n}" for n in range(5)]
    assert not report.passed()


@pytest.mark.parametrize(("bad", "outcome"), [("hangs", Outcome.HUNG), ("dies", Outcome.CRASHED)])
def test_one_that_ends_its_process_costs_no_other_run(tmp_path: Path, bad: str, outcome: Outcome) -> None:
    inputs = [*many("flow", 6), *many(bad, 1), *many("flow", 6, 6)]
    report = gated(tmp_path, inputs, limits=msgspec.structs.replace(QUICK, busy_s=4))
    totals = report.totals()
    assert (totals["same"], totals[outcome.value]) == (12, 1)
    (group,) = report.of(Section.FAILED)
    assert [report.results[n].run_id for n in group.runs] == [f"{bad}-0"]
    assert report.results[6].steps == 1, "what it did before that is kept"
    assert report.complete and not report.passed()


def test_parallel_and_serial_find_the_same(tmp_path: Path) -> None:
    inputs = [*many("flow", 7), *many("longer", 3), *many("dies", 1), *many("drifts", 4), *many("writes", 2)]
    one, four = (gated(tmp_path / str(n), inputs, parallel=n) for n in (1, 4))

    def found(report: GateReport) -> list[object]:
        folder = str(Path(report.code).parent)
        values = to_json(report)
        for run in values["runs"]:
            del run["took_ms"]
        return [repr(values[key]).replace(folder, "") for key in ("totals", "groups", "runs", "complete")]

    assert found(one) == found(four)


def test_every_class_of_finding_has_its_own_groups(tmp_path: Path) -> None:
    waiting = [recorded("waits-1", [("a", 1)], closed=False)]
    inputs = [
        *many("longer", 2),
        *many("writes", 2),
        *many("raises", 2),
        *many("drifts", 2),
        *many("notes", 2),
        *waiting,
    ]
    report = gated(tmp_path, inputs)
    assert [group.section for group in report.groups] == list(Section)
    by_section = {group.section: group for group in report.groups}
    assert by_section[Section.BLOCKED].at.line == line_of("open(")
    assert by_section[Section.DRIFT].what == "result"
    assert (by_section[Section.NOTED].actual, by_section[Section.NOTED].count) == ("not decided", 2)
    waits = by_section[Section.WAITING]
    assert (waits.what, waits.actual, waits.at.line) == ("step", "b", line_of('step("b")'))


def test_drift_fails_only_where_it_is_asked_to(tmp_path: Path) -> None:
    report = gated(tmp_path, many("drifts", 3))
    assert report.totals()["same"] == report.totals()["drift"] == 3
    assert report.passed() and not report.passed(strict_drift=True)


def test_code_that_cannot_be_imported_ends_it_at_once(tmp_path: Path) -> None:
    report = gated(tmp_path, many("flow", 30), "import not_there\n")
    assert "not_there" in report.error
    assert not report.complete and not report.passed() and report.results == ()


def test_what_cannot_be_read_is_a_result_of_its_own(tmp_path: Path) -> None:
    gone = Result(
        number=0, run_id="gone", type="flow", outcome=Outcome.FAILED, error="The run gone is not there."
    )
    job = GateJob(spec=SPEC, project=project(written(tmp_path, CODE)), parallel=1, limits=QUICK)
    report = run_gate(job, [*many("flow", 1), gone, *many("flow", 1, 1)], CancelToken())
    assert [result.run_id for result in report.results] == ["flow-0", "gone", "flow-1"]
    assert [result.number for result in report.results] == [0, 1, 2]
    assert not report.passed()


def test_inputs_are_read_as_they_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than a batch for each process is in memory: thousands of runs are never read ahead."""
    monkeypatch.setattr(gate, "_MOST", 4)
    ahead: list[int] = []
    done = 0

    def inputs() -> Iterator[ReplayInput]:
        for number, value in enumerate(many("flow", 40)):
            ahead.append(number - done)
            yield value

    def count(_: Result) -> None:
        nonlocal done
        done += 1

    job = GateJob(spec=SPEC, project=project(written(tmp_path, CODE)), parallel=2, limits=QUICK)
    report = run_gate(job, inputs(), CancelToken(), count)
    assert report.totals()["same"] == 40
    assert max(ahead) <= 2 * 4 + 2


def test_cancelled_it_keeps_what_came_and_leaves_no_process(tmp_path: Path) -> None:
    token = CancelToken()
    some = threading.Event()

    def stop(_: Result) -> None:
        some.set()
        token.cancel()

    inputs = [*many("flow", 3), *many("hangs", 4)]
    job = GateJob(spec=SPEC, project=project(written(tmp_path, CODE)), parallel=2, total=7, limits=QUICK)
    report = run_gate(job, inputs, token, stop)
    assert some.is_set()
    assert not report.complete and not report.passed()
    assert 1 <= len(report.results) < 7
    assert all(result.outcome is not Outcome.CANCELLED for result in report.results)


def test_an_error_of_the_source_is_raised_and_ends_it(tmp_path: Path) -> None:
    def inputs() -> Iterator[ReplayInput]:
        yield from many("flow", 2)
        raise PlayheadError("The server went away.")

    job = GateJob(spec=SPEC, project=project(written(tmp_path, CODE)), parallel=2, limits=QUICK)
    with pytest.raises(PlayheadError, match="went away"):
        run_gate(job, inputs(), CancelToken())


def test_progress_counts_up_to_the_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    token = CancelToken(lambda done, total, text: seen.append((done, total)))
    gated(tmp_path, many("flow", 5), token=token)
    assert seen[0] == (0, 5) and max(seen) == (5, 5)
