"""``replay`` of real histories: what edited code would break, with exit codes, JSON, JUnit and consent."""

from __future__ import annotations

import gzip
import os
import pty
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli.replay_print import where
from app.replay_flow import known
from app.replay_state import consents, folder
from engine_bridge.replay.model import Place
from engine_bridge.sqlite_library import sqlite3
from tests.app.cli.conftest import DATA, Answer, Run

Replay = Callable[..., Answer]
V1 = 'version == "v1"'
# text, its replacement, (kind, expected, actual) and a text in the line where they part, of the order that waits
MUTATIONS = {
    "a step too many": (
        '        DBOS.set_event("stage", "reserving")\n',
        '        validate_order(order)\n        DBOS.set_event("stage", "reserving")\n',
        ("DBOS.setEvent", "validate_order"),
        "        validate_order(order)",
    ),
    "a step less": (
        '        DBOS.set_event("stage", "reserving")\n',
        "",
        ("DBOS.setEvent", "reserve_inventory"),
        "reserve_inventory(order[",
    ),
    "another step": (
        "    order = validate_order(order)\n",
        "    fraud_check(order)\n",
        ("validate_order", "fraud_check"),
        "    fraud_check(order)",
    ),
    "an end too early": (
        '        DBOS.set_event("stage", "reserving")\n',
        "        return {}\n",
        ("DBOS.setEvent", "SUCCESS"),
        "",
    ),
}


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "shop" / "orders_app.py"
    path.parent.mkdir()
    path.write_bytes(gzip.decompress((DATA / "orders_app.py.gz").read_bytes()))
    return path


@pytest.fixture
def replay(playhead: Run, orders: Path, code: Path) -> Replay:
    def run(*args: object, yes: bool = True) -> Answer:
        more = ("--yes",) if yes else ()
        return playhead("replay", orders, *args, "--code", code, "--python", sys.executable, *more)

    return run


def edit(code: Path, old: str, new: str) -> None:
    text = code.read_text()
    assert text.count(old) == 1
    code.write_text(text.replace(old, new))


def line_of(code: Path, text: str) -> int:
    return next(number for number, line in enumerate(code.read_text().splitlines(), 1) if text in line)


def test_the_code_that_made_the_histories_breaks_none_of_them(replay: Replay) -> None:
    """Every shape that version recorded: children, queues, sleeps, async, compensations, failures."""
    answer = replay("--filter", V1, "--json", "--strict-drift")
    report = answer.document
    assert report["groups"] == [] or {group["section"] for group in report["groups"]} == {"waiting"}
    assert (answer.code, report["passed"]) == (0, True)
    assert sum(report["totals"].values()) == len(report["runs"]) > 100
    assert {run["outcome"] for run in report["runs"]} == {"same", "stopped"}


def test_without_a_filter_the_open_runs_say_which_line_they_wait_on(replay: Replay, code: Path) -> None:
    answer = replay()
    assert answer.code == 0
    assert "What waiting runs wait on:" in answer.out
    assert f"orders_app.py:{line_of(code, 'DBOS.recv(')}" in answer.out
    assert "go on as recorded." in answer.out.splitlines()[-1]


@pytest.mark.parametrize("name", MUTATIONS)
def test_an_edit_is_stopped_at_event_and_line(replay: Replay, code: Path, name: str) -> None:
    old, new, (expected, actual), line = MUTATIONS[name]
    edit(code, old, new)
    answer = replay("order-00022", "--json")
    assert answer.code == 1
    (run,) = answer.document["runs"]
    diverged = run["divergence"]
    assert run["outcome"] == "diverged"
    assert diverged["expected"] == expected and diverged["actual"].startswith(actual)
    assert diverged["step_id"]
    if line:
        assert diverged["at"]["line"] == line_of(code, line)
    assert Path(diverged["at"]["file"]).name == "orders_app.py"


def test_a_long_path_keeps_its_end() -> None:
    shown = where(Place(file=f"/{'folder/' * 30}flows.py", line=122))
    assert len(shown) == 120 and shown.startswith("…") and shown.endswith("/folder/flows.py:122")


def test_runs_that_break_alike_are_one_line_of_the_table(replay: Replay, code: Path) -> None:
    old, new, _, line = MUTATIONS["a step too many"]
    edit(code, old, new)
    answer = replay("--filter", f'{V1} and type == "fulfil_order"')
    assert answer.code == 1
    (row,) = [text for text in answer.out.splitlines() if "validate_order" in text]
    assert f":{line_of(code, line)}" in row and "DBOS.setEvent" in row and " at step 4" in row
    count = int(row.split()[0])
    assert f"{count} of 25 runs would break with this code." in answer.out and count > 20


def test_drift_is_told_and_fails_only_when_strict(replay: Replay, code: Path) -> None:
    edit(code, 'DBOS.set_event("stage", "validating")', 'DBOS.set_event("stage", "checking")')
    told = replay("order-00022")
    assert told.code == 0
    assert "Drift: the engine would pass it in silence:" in told.out and "checking" in told.out
    assert f"orders_app.py:{line_of(code, 'checking')}" in told.out
    assert replay("order-00022", "--strict-drift").code == 1


def test_a_side_effect_in_the_workflow_is_blocked_and_fails(
    replay: Replay, code: Path, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    edit(
        code,
        "    order = validate_order(order)\n",
        f"    open({str(canary)!r}, 'w')\n    validate_order(order)\n",
    )
    answer = replay("order-00022", "--json")
    assert answer.code == 1
    (group,) = [group for group in answer.document["groups"] if group["section"] == "blocked"]
    assert group["at"]["line"] == line_of(code, "canary")
    assert not canary.exists()


def test_code_that_cannot_be_imported_says_why(replay: Replay, code: Path) -> None:
    edit(code, "from dbos import", "import shop_settings\nfrom dbos import")
    answer = replay()
    assert answer.code == 1
    assert "could not be loaded" in answer.out and "No module named 'shop_settings'" in answer.out


def test_junit_has_a_case_for_every_run(replay: Replay, code: Path, tmp_path: Path) -> None:
    old, new, *_ = MUTATIONS["a step too many"]
    edit(code, old, new)
    answer = replay("--sample", "3", "--filter", V1, "--junit", tmp_path / "out.xml")
    assert answer.code == 1
    root = ET.parse(tmp_path / "out.xml").getroot()
    failures = [case for case in root.iter("testcase") if case.find("failure") is not None]
    assert {case.get("classname") for case in failures} == {"fulfil_order"}
    assert int(root.get("tests") or 0) > len(failures) == 3
    assert "orders_app.py:" in (failures[0].find("failure").get("message") or "")


def test_parallel_is_serial(replay: Replay, code: Path) -> None:
    old, new, *_ = MUTATIONS["a step less"]
    edit(code, old, new)

    def found(jobs: int) -> dict[str, Any]:
        report = replay("--filter", V1, "--sample", "2", "--jobs", jobs, "--json").document
        for run in report["runs"]:
            del run["took_ms"]
        return {key: report[key] for key in ("totals", "groups", "runs", "passed")}

    assert found(1) == found(3)


def test_a_sample_takes_the_newest_of_each_workflow(replay: Replay, orders: Path) -> None:
    runs = replay("--filter", V1, "--sample", "2", "--json").document["runs"]
    by_type: dict[str, list[str]] = {}
    for run in runs:
        by_type.setdefault(run["type"], []).append(run["id"])
    assert all(len(ids) <= 2 for ids in by_type.values())
    with sqlite3.connect(orders) as db:
        newest = db.execute(
            "SELECT workflow_uuid FROM workflow_status WHERE name = 'fulfil_order' AND application_version = 'v1'"
            " ORDER BY created_at DESC, workflow_uuid DESC LIMIT 2"
        ).fetchall()
    db.close()
    assert by_type["fulfil_order"] == [row[0] for row in newest]


def test_what_looks_like_a_secret_is_masked(replay: Replay, code: Path) -> None:
    edit(
        code,
        'DBOS.set_event("stage", "validating")',
        'DBOS.set_event("stage", {"password": "hunter2hunter2"})',
    )
    answer = replay("order-00022", "--json")
    assert answer.document["totals"]["drift"] == 1
    assert "password" in answer.out and "hunter2" not in answer.out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("order-00022", "--filter", "status == failed"), "Name runs, or give a --filter."),
        (("--code", "elsewhere.py"), "Give --code once."),
        (("--filter", "status =="), "Filter, column"),
        (("--sample", "0"), "--sample"),
    ],
)
def test_usage_is_code_2(replay: Replay, args: tuple[str, ...], said: str) -> None:
    answer = replay(*args)
    assert answer.code == 2 and said in answer.err


def test_code_that_is_missing_or_unclear_is_usage(playhead: Run, orders: Path, code: Path) -> None:
    assert "Name the code" in playhead("replay", orders, "--yes").err
    assert playhead("replay", orders, "--yes", "--code", code.parent / "gone.py").code == 2
    for name in ("one.py", "two.py"):
        shutil.copy(code, code.parent / name)
    answer = playhead("replay", orders, "--yes", "--code", code.parent, "--python", sys.executable)
    assert answer.code == 2 and "--module" in answer.err and "two.py" in answer.err


def test_an_interpreter_without_the_library_is_told(
    replay: Replay, playhead: Run, orders: Path, code: Path
) -> None:
    answer = playhead("replay", orders, "--code", code, "--python", "/bin/sh", "--yes")
    assert answer.code == 2 and "is no Python" in answer.err


def test_nothing_runs_before_the_user_agreed(replay: Replay, code: Path, tmp_path: Path) -> None:
    answer = replay(yes=False)
    assert answer.code == 2
    assert "Nobody agreed to run this code yet." in answer.err and "unpickles" in answer.err
    assert "datetime.datetime" in answer.err and str(code) in answer.err
    assert "is a file: whoever wrote it chose what is unpickled" in answer.err
    assert not folder().exists()


def test_yes_on_a_terminal_is_remembered(orders: Path, code: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "app",
        "replay",
        str(orders),
        "--code",
        str(code),
        "--python",
        sys.executable,
    ]
    refused = _on_terminal(command, b"n\n")
    assert refused.code != 0 and "Run it?" in refused.err and "go on as recorded" not in refused.out
    agreed = _on_terminal(command, b"y\n")
    assert agreed.code == 0 and "go on as recorded" in agreed.out
    again = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert again.returncode == 0 and "Run it?" not in again.stderr
    (consent,) = consents().all()
    assert consent.code == str(code.resolve()) and "datetime.datetime" in consent.globals
    # The window opens the same file by a path or by its URL: it need not ask again.
    assert all(
        known(url, False, None, consent.globals).agreed for url in (str(orders), f"dbos+sqlite:///{orders}")
    )


def _on_terminal(command: list[str], typed: bytes) -> Answer:
    """Runs a command whose stdin is a terminal on which something is typed."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed)
        done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, timeout=60, check=False)
    finally:
        os.close(ours)
        os.close(theirs)
    return Answer(done.returncode, done.stdout, done.stderr)
