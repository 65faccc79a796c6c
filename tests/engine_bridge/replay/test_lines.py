"""Lines: how often each was reached, and for an opened step each in order with what changed."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine_bridge.replay.model import Outcome
from engine_bridge.replay.protocol import Hello, Lines
from engine_bridge.replay.runners.frames import Files
from engine_bridge.replay.runners.lines import LineTracer
from engine_bridge.replay.runners.pictures import picture
from tests.engine_bridge.replay.driving import Heard, Limits, project, recorded, run, written

CODE = """
def helper(n):
    doubled = n * 2
    return doubled

def flow(step):
    total = 0
    for n in range(3):
        total += helper(n)
    a = step("a")
    total = total + a
    b = step("b")
    return b
"""
RUN = [recorded("r1", [("a", 10), ("b", 2)])]


def lines(heard: Heard, n: int) -> list[int]:
    (found,) = [message for message in heard.all(Lines) if message.n == n]
    return [hit.line for hit in found.hits]


def check_lines(tmp_path: Path, python: str = sys.executable) -> Heard:
    file = written(tmp_path, CODE)
    heard = run(project(file, python=python), RUN, detail=(0, 1))
    assert heard.end.outcome is Outcome.SAME, heard.tail
    counted = {int(line): count for line, count in heard.end.coverage[str(file)].items()}
    assert counted == {3: 3, 4: 3, 7: 1, 8: 4, 9: 3, 10: 1, 11: 1, 12: 1, 13: 1}
    assert lines(heard, 0) == [7, *[8, 9, 3, 4] * 3, 8, 10]
    assert lines(heard, 1) == [11, 12]
    hits = heard.all(Lines)[0].hits
    assert dict(hits[1].changed) == {"total": 0}
    assert dict(hits[3].changed) == {"n": 0}, "the helper's own n"
    assert dict(hits[4].changed) == {"doubled": 0}
    assert [dict(hit.changed).get("total") for hit in hits if hit.line == 8 and hit.changed] == [0, 2, 6]
    assert [step.stack[0].line for step in heard.steps] == [10, 12]
    return heard


def test_executed_lines_with_what_changed(tmp_path: Path) -> None:
    heard = check_lines(tmp_path)
    assert len(heard.all(Lines)) == 2


def pythons() -> list[str]:
    """Every Python of this machine that a replay supports, by pyenv's layout and the system's."""
    versions = sorted(Path("~/.pyenv/versions").expanduser().glob("3.1*/bin/python"))
    return [str(path) for path in versions if path.exists()] or [sys.executable]


@pytest.mark.long
@pytest.mark.parametrize("python", pythons(), ids=lambda path: Path(path).parts[-3])
def test_every_python_says_the_same(tmp_path: Path, python: str) -> None:
    heard = check_lines(tmp_path, python)
    (hello,) = heard.all(Hello)
    print(hello.python, heard.end.took_ms, "ms", hello.guards)
    assert set(hello.guards) == {"network", "writes", "processes"}


def test_only_what_was_opened_is_recorded_line_by_line(tmp_path: Path) -> None:
    heard = run(written(tmp_path, CODE), RUN)
    assert heard.all(Lines) == []
    heard = run(written(tmp_path, CODE), RUN, detail=(1, 1))
    assert [message.n for message in heard.all(Lines)] == [1]


def test_places_alone_cost_no_locals_and_no_lines(tmp_path: Path) -> None:
    heard = run(written(tmp_path, CODE), RUN, record="places")
    assert heard.end.coverage == {}
    assert [(step.stack[0].line, step.stack[0].locals) for step in heard.steps] == [(10, ()), (12, ())]
    assert run(written(tmp_path, CODE), RUN, record="bare").steps == []


def test_a_hot_loop_is_cut_and_said_so(tmp_path: Path) -> None:
    code = "def flow(step):\n    for n in range(30_000):\n        x = n\n    step('a')\n"
    place = written(tmp_path, code, f"{'far/' * 40}flows.py")  # its path is no part of each line
    heard = run(place, [recorded("r1", [("a", 1)])], detail=(0, 0), limits=Limits())
    (found,) = heard.all(Lines)
    assert found.cut
    assert len(found.hits) == 20_000 and {hit.file for hit in found.hits} == {str(place)}
    assert heard.end.outcome is Outcome.SAME


def test_lines_with_big_locals_stay_in_bounds(tmp_path: Path) -> None:
    code = "def flow(step):\n    for n in range(2000):\n        x = [str(n) * 300] * 24\n    step('a')\n"
    heard = run(written(tmp_path, code), [recorded("r1", [("a", 1)])], detail=(0, 0), limits=Limits())
    (found,) = heard.all(Lines)
    assert found.cut
    assert 100 < len(found.hits) < 2000
    assert heard.end.outcome is Outcome.SAME


def test_each_run_counts_for_itself(tmp_path: Path) -> None:
    heard = run(written(tmp_path, CODE), [*RUN, recorded("r2", [("a", 1)], closed=False)])
    (file,) = heard.ends["r1"].coverage
    assert heard.ends["r1"].coverage[file]["13"] == 1
    assert "13" not in heard.ends["r2"].coverage[file]
    assert heard.ends["r2"].coverage[file]["3"] == 3
    assert heard.ends["r2"].now is not None and heard.ends["r2"].now.at.line == 12


def test_threads_that_were_there_before_the_code_are_counted_as_well(tmp_path: Path) -> None:
    """A library's pool may have its threads since it was imported."""
    file = written(tmp_path, CODE.replace("def flow(", "def flow_pooled("))
    heard = run(file, [recorded("r1", [("a", 10), ("b", 2)], flow="flow_pooled")], detail=(0, 1))
    assert heard.end.coverage[str(file)]["3"] == 3


def test_whose_code_is_whose(tmp_path: Path) -> None:
    lib = tmp_path / ".venv" / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    written(lib, "def call(f, *args):\n    return f(*args)\n", "helpful.py")
    code = f"import sys; sys.path.append({str(lib)!r})\nimport helpful\ndef flow(step):\n    helpful.call(step, 'a')\n"
    heard = run(written(tmp_path, code), [recorded("r1", [("a", 1)])])
    stack = heard.steps[0].stack
    assert [(Path(frame.file).name, frame.kind) for frame in stack] == [
        ("helpful.py", "library"),
        ("flows.py", "user"),
    ]
    assert stack[0].locals == ()
    assert list(heard.end.coverage) == [str(tmp_path / "flows.py")]


def test_a_line_that_waits_is_counted_once(tmp_path: Path) -> None:
    file = str(tmp_path / "flow.py")
    names: dict[str, Any] = {"wait": lambda: (yield)}
    head = "import types\nwait = types.coroutine(wait)\n"
    text = f"{head}async def flow():\n    for _ in range(3):\n        await wait()\n"
    exec(compile(text, file, "exec"), names)
    tracer, flow = LineTracer(Files((), (f"{tmp_path}/",)), picture), names["flow"]()
    tracer.start()
    tracer.here()
    with suppress(StopIteration):
        while True:
            flow.send(None)
    tracer.away()
    tracer.stop()
    assert tracer.coverage[file] == {4: 4, 5: 3}
