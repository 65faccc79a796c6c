"""A debugger attaches to a replay over the one socket that the guards let through, and stops in user code."""

from __future__ import annotations

import socket
import sys
import venv
from pathlib import Path

import pytest

from engine_bridge.replay import supervisor
from engine_bridge.replay.model import Outcome
from engine_bridge.replay.protocol import Debug, Hello
from tests.engine_bridge.replay.dap import Dap
from tests.engine_bridge.replay.driving import SPEC, Heard, Replay, project, recorded, run, written
from tests.waiting import LIMIT_S

FLOW = """
def flow(step):
    first = step('a')
    second = step('b')
    return first + second
"""


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """An interpreter of an environment with nothing in it."""
    venv.create(tmp_path / "bare", symlinks=True)
    return str(tmp_path / "bare" / "bin" / "python")


@pytest.mark.parametrize("theirs", [True, False], ids=["theirs", "ours"])
def test_a_debugger_stops_in_user_code(tmp_path: Path, bare: str, theirs: bool) -> None:
    python = sys.executable if theirs else bare
    file, heard = written(tmp_path, FLOW), Heard()
    place = project(file, python=python)
    replay = Replay(SPEC, place, [recorded("r1", [("a", 1), ("b", 2)])], heard, debug=-1)
    replay.start()
    try:
        heard.until(lambda message: isinstance(message, Debug))
        (waits,) = heard.all(Debug)
        assert waits.debugpy.startswith("debugpy ") and not waits.attached
        assert waits.debugpy.endswith(" of Playhead") == (not theirs)
        dap = Dap(waits.port)
        try:
            dap.attach(file, 5)
            thread, frames = dap.stopped()
            assert [(frame["name"], frame["line"]) for frame in frames[:1]] == [("flow", 5)]
            assert dap.locals(frames[0])["first"] == "1"
            tried = f"__import__('socket').create_connection(('127.0.0.1', {waits.port}))"
            with pytest.raises(AssertionError, match="may not do this"):
                dap.request("evaluate", expression=tried, frameId=frames[0]["id"], context="repl")
            dap.request("continue", threadId=thread)
            assert dap.stopped() == (0, [])
        finally:
            dap.close()
        assert replay.wait(LIMIT_S)
    finally:
        replay.cancel()
    assert heard.end.outcome is Outcome.SAME and not heard.end.blocked
    assert [message.attached for message in heard.all(Debug)] == [False, True]
    (hello,) = heard.all(Hello)
    assert any(f"127.0.0.1:{waits.port}" in lack for lack in hello.lacks)


def test_without_debugpy_it_is_said_how_to_get_it(
    tmp_path: Path, bare: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "debugpy_folder", lambda: "")
    heard = run(project(written(tmp_path, FLOW), python=bare), debug=-1)
    assert heard.end.outcome is Outcome.FAILED
    assert "nor Playhead has debugpy" in heard.end.error
    assert heard.end.hint.startswith("Install it: ") and heard.end.hint.endswith(" -m pip install debugpy")


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        heard = run(project(written(tmp_path, FLOW)), debug=port)
    assert f"port {port} of 127.0.0.1 cannot be opened" in heard.end.error
    assert "Name another port" in heard.end.hint


def test_who_waits_for_a_debugger_can_be_ended(tmp_path: Path) -> None:
    heard = Heard()
    replay = Replay(SPEC, project(written(tmp_path, FLOW)), [recorded("r1", [("a", 1)])], heard, debug=-1)
    replay.start()
    heard.until(lambda message: isinstance(message, Debug))
    replay.cancel()
    assert replay.wait(LIMIT_S)
    assert heard.end.outcome is Outcome.CANCELLED
