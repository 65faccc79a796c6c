"""What applications usually do, by workers one of which was killed: replayed with the same code, no alarm."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from engine_bridge.replay.model import Outcome
from engine_bridge.sqlite_library import sqlite3
from tests.engines.dbos.replay.replays import APPS, execute, inputs_of, replay

OVER = ("SUCCESS", "ERROR")


@pytest.mark.parametrize("app", ["usual", "usual_async"])
def test_unmodified_code_of_usual_applications_raises_no_alarm(app: str, tmp_path: Path) -> None:
    code, file = APPS / f"{app}.py", tmp_path / f"{app}.sqlite"
    execute(code, str(tmp_path), "dies", code=9)
    execute(code, str(tmp_path), "goes on")
    with closing(sqlite3.connect(file)) as connection:
        runs = dict(connection.execute("SELECT workflow_uuid, status FROM workflow_status").fetchall())
    assert len(runs) > 20 and runs["recovered"] == "SUCCESS"
    told = replay(inputs_of(file, runs), code)
    beside = told.runs.pop("steps_in_threads", None)
    ends = {run: told[run].end for run in told.runs}
    wanted = {run: Outcome.SAME if runs[run] in OVER else Outcome.STOPPED for run in ends}
    assert {run: end.outcome for run, end in ends.items()} == wanted, ends
    assert not [end for end in ends.values() if end.drift or end.notes or end.blocked]
    assert not [(run, step) for run, one in told.runs.items() for step in one.steps if step.recorded is None
                and runs[run] in OVER]  # fmt: skip
    if beside is not None:
        assert beside.end.outcome is Outcome.FAILED
        assert beside.end.error.startswith("The step double is called beside the workflow")
