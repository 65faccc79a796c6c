"""Whatever user code does, the replay ends, says what happened and where, and keeps what was recorded."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from engine_bridge.replay.model import Outcome
from engine_bridge.replay.protocol import Begin, Busy, Loaded, Log, Step
from engine_bridge.replay.scratch import sweep
from tests.engine_bridge.replay.driving import IMPATIENT, QUICK, Heard, Limits, Replay, recorded, run, written
from tests.engine_bridge.replay.plain import SPEC, project
from tests.waiting import LIMIT_S

ONE = [recorded("r1", [("a", 1), ("b", 2)])]
HANGS = {
    "loop": "while True: pass",
    "sleep": "import time; time.sleep(30)",
    "lock": "import threading; threading.Semaphore(0).acquire()",
    "c code that keeps the interpreter": "pow(3, 50_000_000)",
    "a bare except that swallows the end": "while True:\n        try: step('x')\n        except: pass",
}


def flow(line: str) -> str:
    return f"def flow(step):\n    a = step('a')\n    {line}\n    return step('b')\n"


@pytest.mark.parametrize("name", HANGS)
def test_code_that_hangs_is_ended_at_its_line(tmp_path: Path, name: str) -> None:
    heard = run(
        written(tmp_path, flow(HANGS[name])),
        [recorded("r1", [("a", 1), ("b", 2)], closed=False)],
        limits=IMPATIENT,
    )
    assert heard.end.outcome is Outcome.HUNG
    assert [step.name for step in heard.steps][:1] == ["a"], "what was recorded before stays"
    assert heard.end.steps == len(heard.steps)
    lines = (3,) if name != "a bare except that swallows the end" else (3, 4, 5)
    assert any(f"flows.py:{line}" in heard.end.error for line in lines), heard.end.error
    assert heard.end.hint


def test_where_it_is_busy_is_said_long_before_it_is_ended_and_it_may_come_back(tmp_path: Path) -> None:
    heard, go = Heard(), tmp_path / "go"
    code = flow(f"while not __import__('os').path.exists({str(go)!r}): pass")
    replay = Replay(SPEC, project(written(tmp_path, code)), ONE, heard, limits=QUICK)
    replay.start()
    heard.until(lambda message: isinstance(message, Busy))
    go.touch()
    assert replay.wait(LIMIT_S)
    assert heard.end.outcome is Outcome.SAME
    stack = heard.all(Busy)[0].stack
    assert (stack[0].file.rpartition("/")[2], stack[0].line) == ("flows.py", 3)


CRASHES = {
    "os._exit": ("import os; os._exit(42)", "ended with code 42"),
    "segfault": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "abort": ("import os; os.abort()", "SIGABRT"),
    "closed channel": ("import os; os.closerange(3, 200)", "closed a channel"),
}


@pytest.mark.parametrize("name", CRASHES)
def test_code_that_takes_the_process_down(tmp_path: Path, name: str) -> None:
    line, said = CRASHES[name]
    heard = run(written(tmp_path, flow(line)))
    assert heard.end.outcome is Outcome.CRASHED
    assert said in heard.end.error
    assert [step.name for step in heard.steps] == ["a"]
    assert heard.end.steps == 1
    assert "kept" in heard.end.hint
    if name in ("segfault", "abort"):
        assert "flows.py:3" in heard.end.error, "the line that crashed"
        assert "flows.py" in heard.end.stack


ENDS = {
    "sys.exit": ("import sys; sys.exit(3)", "sys.exit(3)"),
    "recursion": ("f = lambda: f(); f()", "RecursionError"),
    "memory": ("kept = [bytearray(1 << 26) for _ in range(20)]", "more memory"),
    "reading from the terminal": ("input()", "EOFError"),
    "an error whose own text fails": (
        "raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})()",
        "<no text: ZeroDivisionError>",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_code_that_fails_fails_alone(tmp_path: Path, name: str) -> None:
    line, said = ENDS[name]
    more = "\ndef flow_other(step):\n    return step('a')\n"
    inputs = [*ONE, recorded("r2", [("a", None)], flow="flow_other")]
    heard = run(written(tmp_path, flow(line) + more), inputs, limits=Limits(memory_mb=256))
    first = heard.ends["r1"]
    assert first.outcome is Outcome.FAILED
    assert said in first.error
    assert "flows.py" in first.stack and "runner.py" not in first.stack
    assert heard.ends["r2"].outcome is Outcome.SAME, "the next run is not touched"
    assert heard.bye.peak_mb > 3


def test_a_run_that_kills_the_process_does_not_take_the_others_along(tmp_path: Path) -> None:
    code = flow("import os; os._exit(42)") + "\ndef flow_other(step):\n    return step('a')\n"
    inputs = [recorded(f"r{n}", [("a", None)], flow="flow_other" if n % 2 else "flow") for n in range(4)]
    heard = run(written(tmp_path, code), inputs)
    outcomes = [heard.ends[f"r{n}"].outcome for n in range(4)]
    assert outcomes == [Outcome.CRASHED, Outcome.SAME, Outcome.CRASHED, Outcome.SAME]
    assert [begin.run_id for begin in heard.all(Begin)] == ["r0", "r1", "r2", "r3"]
    assert heard.bye


def test_a_flood_of_output_neither_blocks_nor_floods(tmp_path: Path) -> None:
    line = "print('x' * 99, file=__import__('sys').stdout); import sys\n    "
    line += "for _ in range(1000): print('y' * 49_999); sys.stderr.write('z' * 50_000)"
    heard = run(written(tmp_path, flow(line)), limits=Limits(memory_mb=1024))
    assert heard.end.outcome is Outcome.SAME
    assert len(heard.all(Log)) < 100
    assert len(heard.printed) < 300_000
    assert "bytes were printed and dropped" in heard.printed


def test_short_lines_become_few_messages_with_whole_letters(tmp_path: Path) -> None:
    heard = run(written(tmp_path, flow("for n in range(5000): print('Straße', n, flush=True)")))
    assert len(heard.all(Log)) < 60
    assert "�" not in heard.printed
    assert heard.printed.count("Straße") == 5000


def test_writing_to_descriptor_1_is_output_and_no_message(tmp_path: Path) -> None:
    heard = run(written(tmp_path, flow('import os; os.write(1, b\'{"k":"bye","code":0}\\n\')')))
    assert heard.end.outcome is Outcome.SAME
    assert '{"k":"bye"' in heard.printed


def test_closed_and_replaced_standard_streams(tmp_path: Path) -> None:
    line = "import sys, os; sys.stdin.close(); sys.stdout.close(); sys.stderr.close(); [os.close(n) for n in (0, 1, 2)]"
    heard = run(written(tmp_path, flow(line)))
    assert heard.end.outcome is Outcome.SAME
    heard = run(written(tmp_path, flow("import sys; sys.stdin = sys.stdout = sys.stderr = None")))
    assert heard.end.outcome is Outcome.SAME


def test_modules_that_user_code_replaces_do_not_disturb(tmp_path: Path) -> None:
    line = "import json, time, os, threading\n    json.JSONEncoder.default = json.dumps = None"
    line += "\n    time.sleep = time.monotonic = os.write = threading.Thread = os._exit = None"
    heard = run(written(tmp_path, flow(line)))
    assert heard.end.outcome is Outcome.SAME


def test_threads_left_behind_do_not_keep_it(tmp_path: Path) -> None:
    line = "import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()"
    heard = run(written(tmp_path, flow(line)))
    assert heard.end.outcome is Outcome.SAME


def test_values_that_json_has_not(tmp_path: Path) -> None:
    line = "x = float('nan'); y = '\\ud800'; z = 10 ** 5000; self = [x]; self.append(self)"
    heard = run(written(tmp_path, flow(line)))
    assert heard.end.outcome is Outcome.SAME
    assert {name for name, _ in heard.steps[1].stack[0].locals} >= {"x", "y", "z", "self"}


# --- the runner itself misbehaves ---------------------------------------------------------------

SENDS = {
    "no json": ("os.write(channel, b'nonsense\\n')", "no message"),
    "another type": ('os.write(channel, b\'{"k":"step","run_id":3}\\n\')', "no message"),
    "an unknown kind": ('os.write(channel, b\'{"k":"hug"}\\n\')', "no message"),
    "a run that nobody asked for": (
        'os.write(channel, b\'{"k":"begin","run_id":"W0","steps":1}\\nnonsense\\n\')',
        "no message",
    ),
    "no end": ("[os.write(channel, b'x' * 65536) for _ in range(200)]", "more than 1,048,576 bytes"),
}


@pytest.mark.parametrize("name", SENDS)
def test_what_is_no_message_ends_the_replay(tmp_path: Path, name: str) -> None:
    line, said = SENDS[name]
    # The private descriptor is the only pipe besides the standard ones that can be written.
    find = "import os, fcntl; channel = [f for f in range(3, 50) if _writes(f)][0]; "
    helper = """
import os, fcntl, stat
def _writes(f):
    try: return stat.S_ISFIFO(os.fstat(f).st_mode) and fcntl.fcntl(f, fcntl.F_GETFL) & 3 == os.O_WRONLY
    except OSError: return False
"""
    limits = Limits(message_bytes=1 << 20, silence_s=60, memory_mb=1024)
    heard = run(written(tmp_path, helper + flow(find + line)), limits=limits)
    assert heard.end.outcome is Outcome.CRASHED
    assert said in heard.end.error
    assert [step.name for step in heard.steps] == ["a"]


def test_a_step_of_many_big_locals_stays_in_bounds(tmp_path: Path) -> None:
    names = "\n    ".join(f"v{n} = [['{n}' * 500] * 30] * 30" for n in range(60))
    heard = run(written(tmp_path, flow(names)))
    assert heard.end.outcome is Outcome.SAME
    assert len(str(heard.steps[1])) < 2_000_000


# --- cancelled ----------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["at once", "Hello", "Loaded", "Begin", "Step"])
def test_cancelled_in_every_phase(tmp_path: Path, phase: str) -> None:
    heard = Heard()
    code = flow("while True: pass")
    inputs = [*ONE, recorded("r2", [("a", 1)])]
    replay = Replay(SPEC, project(written(tmp_path, code)), inputs, heard, limits=QUICK)
    replay.start()
    if phase != "at once":
        heard.until(lambda message: type(message).__name__ == phase)
    replay.cancel()
    replay.cancel()
    assert replay.wait(LIMIT_S)
    assert {end.outcome for end in heard.ends.values()} == {Outcome.CANCELLED}
    assert list(heard.ends) == ["r1", "r2"]
    assert heard.ends["r1"].steps == len(heard.all(Step))
    assert heard.bye.error == ""


def test_cancelled_before_it_starts(tmp_path: Path) -> None:
    heard = Heard()
    replay = Replay(SPEC, project(written(tmp_path, flow("pass"))), ONE, heard, limits=QUICK)
    replay.cancel()
    replay.start()
    assert replay.wait(LIMIT_S)
    assert heard.end.outcome is Outcome.CANCELLED
    assert not heard.all(Loaded)


def test_longer_than_it_may_take(tmp_path: Path) -> None:
    code = "def flow(step):\n    import time\n    for n in range(100): step('a'); time.sleep(0.1)\n"
    inputs = [recorded("r1", [("a", 1)] * 100), recorded("r2", [("a", 1)])]
    heard = run(written(tmp_path, code), inputs, limits=Limits(total_s=3))
    assert {end.outcome for end in heard.ends.values()} == {Outcome.HUNG}
    assert "longer than 3 seconds" in heard.ends["r1"].error
    assert heard.ends["r1"].steps == len(heard.steps)


# --- the parent dies ----------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["while True: pass", "pow(3, 500_000_000)"])
def test_nothing_is_left_when_the_parent_dies(
    tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another Playhead on this machine would sweep the common folder.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    parent = f"""
import sys, time
from pathlib import Path
from tests.engine_bridge.replay.driving import Heard, Limits, Replay, SPEC, project, recorded
heard, place = Heard(), project(Path({str(written(tmp_path, flow(line)))!r}))
replay = Replay(SPEC, place, [recorded("r1", [("a", 1)])], heard, limits=Limits(silence_s=0, busy_s=0))
replay.start()
heard.until(lambda message: type(message).__name__ == "Step")
print(heard.messages[0].pid, replay._process.scratch, flush=True)
time.sleep(600)
"""
    root = Path(__file__).parents[3]
    process = psutil.Popen([sys.executable, "-c", parent], cwd=root, stdout=-1, text=True)
    pid, scratch = process.stdout.readline().split()
    runner = psutil.Process(int(pid))
    os.kill(process.pid, signal.SIGKILL)
    process.wait(LIMIT_S)
    process.stdout.close()
    psutil.wait_procs([runner], timeout=LIMIT_S)
    assert not runner.is_running() or runner.status() == psutil.STATUS_ZOMBIE
    # Its folder is removed by the next Playhead.
    assert Path(scratch).exists()
    assert sweep() == [Path(scratch)]
    assert not Path(scratch).exists()
