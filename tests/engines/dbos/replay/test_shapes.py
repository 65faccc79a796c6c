"""Runs of every shape, replayed with the code that made them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from engine_bridge.replay.model import Outcome
from engine_bridge.sqlite_library import sqlite3
from tests.engines.dbos.replay.conftest import SHAPES
from tests.engines.dbos.replay.replays import All, Edits, inputs_of, replay, text_at

STANDS = {
    "waits": ("waiting", "DBOS.recv", 'return DBOS.recv("go", timeout_seconds=3600)'),
    "waits_for_event": ("waiting", "DBOS.getEvent", 'return DBOS.get_event(other, "never", timeout_seconds=3600)'),
    "asleep": ("sleeping", "DBOS.sleep", "DBOS.sleep(3600)"),
    "waits_for_child": ("child", "waits_for_child-1", "return handle.get_result()"),
    "waits_in_child": ("child", "waits_in_child-1", 'return never("direct")'),
    "stuck": ("step", "hang", "hang()"),
    "stuck_async": ("step", "later", 'await later("x", 3600)'),
    "stuck_in_body": ("sleeping", "time.sleep(3600), which is not durable", "time.sleep(3600)"),
    "swallows": ("waiting", "DBOS.recv", 'return [add(turn, 1), DBOS.recv("go", 3600)]'),
    "cancelled": ("step", "add", "add(turn, 1)"),
    "enqueued": ("queued", "waits in work; then add", "total = add(number, 1)"),
    "async_waits_for_child": ("child", "async_waits_for_child-1",
                              'return await asyncio.gather(handle.get_result(), branch("a", 0, 0))'),
    "async_waits": ("waiting", "DBOS.recv",
                    'return await asyncio.gather(branch("a", 0, 0), DBOS.recv_async("go"), branch("b", 0.03, 0))'),
    "async_sleeps": ("sleeping", "DBOS.sleep", "return await asyncio.gather(DBOS.sleep_async(3600), later(1))"),
}  # fmt: skip
CHILDREN = {"waits_for_child-1", "waits_in_child-1", "async_waits_for_child-1"}
SEALED = "sealed_error"


def test_unmodified_code_ends_as_recorded_without_one_false_alarm(shapes: All, all_runs: list[str]) -> None:
    over = set(all_runs) - STANDS.keys() - CHILDREN - {SEALED}
    assert len(over) > 50
    assert {run: shapes[run].end.outcome for run in over} == dict.fromkeys(over, Outcome.SAME)
    assert not [(run, shapes[run].end.drift) for run in over if shapes[run].end.drift]


def test_each_recorded_step_is_told_in_the_order_of_the_code(shapes: All, shapes_file: Path) -> None:
    with closing(sqlite3.connect(shapes_file)) as connection:
        rows = connection.execute(
            "SELECT workflow_uuid, function_id, function_name FROM operation_outputs ORDER BY 1, 2"
        ).fetchall()
    recorded: dict[str, list[tuple[str, str]]] = {}
    for run, step, name in rows:
        recorded.setdefault(run, []).append((str(step), name))
    for run in set(shapes.runs) - STANDS.keys() - CHILDREN - {SEALED}:
        told = shapes[run].steps
        assert [step.n for step in told] == list(range(len(told)))
        # The time limit of a wait is no step of the code's.
        waits = {str(int(step.step_id) + 1) for step in told if step.name in ("DBOS.recv", "DBOS.getEvent")}
        if run == "gives_up":
            waits |= {"2"}
        wanted = [(step, name) for step, name in recorded.get(run, []) if step not in waits]
        assert [(step.step_id, step.name) for step in told] == wanted, run
        assert all(step.recorded == step.name for step in told)


@pytest.mark.parametrize("run", STANDS)
def test_an_open_run_is_named_what_it_does_and_at_which_line(shapes: All, run: str) -> None:
    told, (kind, what, text) = shapes[run], STANDS[run]
    assert told.end.outcome is Outcome.STOPPED
    assert told.end.now is not None
    assert (told.end.now.kind, told.end.now.what, told.at) == (kind, what, text)
    assert not told.end.drift


def test_a_wait_and_a_sleep_say_until_when(shapes: All, shapes_file: Path) -> None:
    with closing(sqlite3.connect(shapes_file)) as connection:
        rows = dict(
            connection.execute(
                "SELECT workflow_uuid, output FROM operation_outputs WHERE function_name = 'DBOS.sleep'"
                " AND workflow_uuid IN ('waits', 'asleep')"
            )
        )
    for run in ("waits", "asleep"):
        now = shapes[run].end.now
        assert now is not None and now.until_ns == int(float(rows[run]) * 1e9)


def test_the_step_that_has_no_result_is_never_executed(shapes: All, shapes_file: Path) -> None:
    before = shapes_file.read_bytes()
    assert shapes["stuck"].asked == ["add", "hang"]
    assert shapes["stuck"].steps[-1].recorded is None
    assert shapes_file.read_bytes() == before


def test_a_stop_that_is_swallowed_does_not_let_the_code_go_on(shapes: All) -> None:
    assert shapes["swallows"].asked == ["add", "DBOS.recv"]


def test_steps_have_line_stack_and_locals(shapes: All) -> None:
    step = shapes["steps"].steps[1]
    user = [frame for frame in step.stack if frame.kind == "user"]
    assert [frame.function for frame in user] == ["helper", "steps"]
    assert [Path(user[0].file).name, text_of(user[0].file, user[0].line)] == [
        "shapes.py",
        "return add(value, 10)",
    ]
    assert dict(user[0].locals) == {"value": 2}
    assert dict(user[1].locals) == {"number": 1, "total": 2}


def text_of(file: str, line: int) -> str:
    return Path(file).read_text("utf-8").splitlines()[line - 1].strip()


def test_gathered_steps_show_every_task_with_its_line(shapes: All) -> None:
    told = shapes["async_waits"]
    last = told.steps[-1]
    assert last.name == "DBOS.recv"
    assert text_at(told.end.now.at if told.end.now else last.stack[0])  # type: ignore[arg-type]  # a place has both
    functions = {frame.function for step in told.steps for task in step.tasks for frame in task.frames}
    assert {"async_waits", "branch"} <= functions
    names = {task.name for step in told.steps for task in step.tasks if task.step_id}
    assert len(names) >= 3


def test_branches_of_a_gather_come_as_far_as_they_came(shapes: All) -> None:
    assert sorted(step.step_id for step in shapes["async_waits"].steps if step.recorded) == [
        "1",
        "4",
        "5",
        "6",
    ]


def test_replays_are_the_same_each_time(shapes: All, shapes_file: Path) -> None:
    runs = ["branches", "as_completed", "async_children", "first_done", "async_waits", "gathers"]
    again = replay(inputs_of(shapes_file, runs), SHAPES)
    for run in runs:
        told = [(step.n, step.name, step.step_id) for step in again[run].steps]
        assert told == [(step.n, step.name, step.step_id) for step in shapes[run].steps]


def test_an_error_that_cannot_be_loaded_is_named_and_is_no_divergence(
    shapes: All, shapes_file: Path, tmp_path: Path
) -> None:
    end = shapes[SEALED].end
    assert end.outcome is Outcome.FAILED and end.divergence is None and not end.drift
    assert end.error.startswith(
        "What step 1 (sealed) recorded cannot be loaded here: TypeError: Sealed.__init__()"
    )
    assert end.hint.startswith("Python cannot make it again from what was pickled of it.")
    # Its class has another name now; where the code goes on all the same, that is noted alone.
    app = tmp_path / "shapes.py"
    app.write_text(SHAPES.read_text("utf-8").replace("Declined", "Refused"), "utf-8")
    told = replay(inputs_of(shapes_file, ["failed_children", "compensates"]), app)
    end = told["failed_children"].end
    assert end.outcome is Outcome.FAILED and "step 1 (failing_child)" in end.error, end
    assert end.hint == "The code has no Declined any more: keep it under its name while runs hold one."
    end = told["compensates"].end
    assert end.outcome is Outcome.SAME and not end.drift, end
    assert end.notes[0].startswith("What step 2 (flaky) recorded cannot be loaded here: AttributeError")


def test_lines_of_one_step_with_what_changed(shapes_file: Path) -> None:
    told = replay(inputs_of(shapes_file, ["loops"]), SHAPES, detail=(4, 5))["loops"]
    assert sorted(told.lines) == [4, 5]
    texts = [text_of(hit.file, hit.line) for hit in told.lines[4]]
    assert texts[-2:] == ["for turn in range(turns):", "total = add(total, turn)"]
    assert told.end.coverage[str(SHAPES)]


def test_places_alone_for_the_gate(shapes_file: Path) -> None:
    told = replay(inputs_of(shapes_file, ["steps", "waits"]), SHAPES, record="places")
    assert told["steps"].end.outcome is Outcome.SAME
    assert told["waits"].at == 'return DBOS.recv("go", timeout_seconds=3600)'
    assert not any(frame.locals for step in told["steps"].steps for frame in step.stack)


def test_code_that_swallows_every_stop_for_ever_ends_all_the_same(shapes_file: Path, tmp_path: Path) -> None:
    edits = Edits(SHAPES, inputs_of(shapes_file, ["waits", "stuck_async", "steps", "gathers"]))
    body = "    while True:\n        try:\n            {}\n        except BaseException:\n            pass\n"
    edits.add("for-ever", "waits", ('    return DBOS.recv("go", timeout_seconds=3600)',
                                    body.format('DBOS.recv("go", timeout_seconds=3600)')))  # fmt: skip
    edits.add(
        "for-ever-async", "stuck_async", ('    await later("x", 3600)', body.format('await later("x", 3600)'))
    )
    edits.add("next", "steps")
    edits.add("next-async", "gathers")
    told = edits.replay(tmp_path)
    assert told["for-ever"].asked == ["add", "DBOS.recv"] and told["for-ever-async"].asked == [
        "later",
        "later",
    ]
    for run, what in (("for-ever", "DBOS.recv"), ("for-ever-async", "later")):
        now = told[run].end.now
        assert told[run].end.outcome is Outcome.STOPPED and now is not None and now.what == what
    assert {told[run].end.outcome for run in ("next", "next-async")} == {Outcome.SAME}
