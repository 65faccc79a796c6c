"""Side effects in a workflow's body: stopped, and told with the line. Nothing is left behind."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine_bridge.replay import process
from engine_bridge.replay.model import Outcome
from engine_bridge.sqlite_library import sqlite3
from tests.engines.dbos.replay.conftest import SHAPES
from tests.engines.dbos.replay.replays import All, Edits, edited, inputs_of, replay, text_at

BEHIND = "    total = helper(total)\n"
EFFECTS = {
    "socket": ("socket.create_connection(('127.0.0.1', {port}))", "uses the network"),
    "url": ("urllib.request.urlopen('http://127.0.0.1:{port}/')", "uses the network"),
    "write": ("open('{canary}', 'w')", "writes a file"),
    "path": ("pathlib.Path('{canary}').write_text('x')", "writes a file"),
    "os-open": ("os.open('{canary}', os.O_CREAT | os.O_WRONLY)", "writes a file"),
    "remove": ("os.remove('{kept}')", "changes files"),
    "rename": ("os.rename('{kept}', '{canary}')", "changes files"),
    "subprocess": ("subprocess.run(['touch', '{canary}'])", "starts another program"),
    "system": ("os.system('touch {canary}')", "starts another program"),
    "sqlite": ("sqlite3.connect('{canary}').execute('CREATE TABLE t(x)')", "opens a database"),
}
IMPORTS = "import ctypes, os, pathlib, socket, sqlite3, subprocess, urllib.request  # noqa: E401\n"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody who would answer."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(0.01)
        yield server


@pytest.fixture(params=["kernel", "hook alone"])
def guarded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With what the kernel denies, and as on a platform that can deny nothing."""
    if request.param != "kernel":
        original = process.compose
        line = "guards, lacks = deny_all(scratch)"

        def composed(spec: object) -> str:
            text = original(spec)  # type: ignore[arg-type]  # handed through
            assert text.count(line) == 1
            return text.replace(line, 'guards, lacks = [], ["nothing can be denied here"]')

        monkeypatch.setattr(process, "compose", composed)
    return str(request.param)


def tried(line: str, caught: str) -> str:
    return f"    try:\n        {line}\n    except{caught}:\n        pass\n"


def replayed(shapes_file: Path, folder: Path, server: socket.socket) -> All:
    """Each effect in a workflow of its own, also where it is swallowed, and in a thread."""
    places = {"port": server.getsockname()[1], "canary": folder / "canary", "kept": folder / "kept"}
    (folder / "kept").write_text("here")
    app = folder / "with_imports.py"
    app.write_text(
        SHAPES.read_text("utf-8").replace("import asyncio\n", f"{IMPORTS}import asyncio\n"), "utf-8"
    )
    edits = Edits(app, inputs_of(shapes_file, ["steps", "gathers"]))
    writes = EFFECTS["write"][0].format(**places)
    bodies = {
        "swallowed": tried(writes, ""),
        "in-except": f"    try:\n        1 / 0\n    except ZeroDivisionError:\n        {writes}\n",
        "in-thread": f"    t = threading.Thread(target=lambda: {writes})\n    t.start()\n    t.join()\n",
        "c-level": f"    ctypes.CDLL(None).creat(b'{places['canary']}', 0o600)\n",
        "sound": "",
    }
    for name, (code, _) in EFFECTS.items():
        bodies[name] = f"    {code.format(**places)}\n"
        bodies[f"{name}-caught"] = tried(code.format(**places), " Exception")
    for name, body in bodies.items():
        edits.add(name, "steps", (BEHIND, body + BEHIND))
    end = '    return {\n        "total"'
    edits.add("at-the-end", "steps", (end, tried(writes, "") + end))
    sleep = "    await DBOS.sleep_async"
    edits.add("async", "gathers", (sleep, f"    {writes}\n{sleep}"))
    return edits.replay(folder)


def test_effects_are_stopped_at_their_line(
    shapes_file: Path, tmp_path: Path, listener: socket.socket, guarded: str
) -> None:
    told = replayed(shapes_file, tmp_path, listener)
    for name, (code, words) in EFFECTS.items():
        for run in (name, f"{name}-caught"):
            end = told[run].end
            assert end.outcome is Outcome.BLOCKED, (run, end)
            assert end.blocked[0].what.startswith(words), end.blocked
            assert code.partition("{")[0] in text_at(end.blocked[0].at)
            assert told[run].asked == ["add"], "it went on"
    for run in ("swallowed", "in-except", "in-thread", "async"):
        assert told[run].end.outcome is Outcome.BLOCKED, (run, told[run].end)
        assert text_at(told[run].end.blocked[0].at)
    assert told["at-the-end"].end.outcome is Outcome.BLOCKED
    assert told["sound"].end.outcome is Outcome.SAME
    assert (tmp_path / "kept").read_text() == "here"
    # What goes around Python is the kernel's to deny; where it cannot, it is said (Hello.lacks).
    assert (tmp_path / "canary").exists() == (guarded != "kernel")
    with pytest.raises(TimeoutError):
        listener.accept()


def test_at_import_the_module_sees_what_it_would_see_without_the_right(
    shapes_file: Path, tmp_path: Path
) -> None:
    attempt = f"""
try:
    open({str(tmp_path / "canary")!r}, "w")
except PermissionError:
    REACTION = "no log"
"""
    app = edited(SHAPES, tmp_path, ('FOLDER = sys.argv[1]', f'{attempt}\nFOLDER = sys.argv[1]'))  # fmt: skip
    told = replay(inputs_of(shapes_file, ["steps"]), app)
    assert told["steps"].end.outcome is Outcome.SAME
    assert not (tmp_path / "canary").exists()


def test_a_module_that_cannot_be_imported_says_why_and_where(shapes_file: Path, tmp_path: Path) -> None:
    app = edited(SHAPES, tmp_path, ("FOLDER = sys.argv[1]", "open('/log.txt', 'w')\nFOLDER = sys.argv[1]"))
    end = replay(inputs_of(shapes_file, ["steps"]), app)["steps"].end
    assert end.outcome is Outcome.FAILED
    assert "PermissionError" in end.error and "writes a file" in end.error


def test_a_step_called_in_a_thread_of_the_users_is_not_executed(shapes_file: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    app = tmp_path / "marked.py"
    step = f"@DBOS.step()\ndef marks() -> None:\n    open({str(mark)!r}, 'w')\n\n\n@DBOS.workflow()\ndef in_threads("
    app.write_text(SHAPES.read_text("utf-8").replace("@DBOS.workflow()\ndef in_threads(", step), "utf-8")
    edits = Edits(app, inputs_of(shapes_file, ["in_threads"]))
    edits.add("beside", "in_threads", ("found.append(sum(range(10)))", "found.append(marks() or 45)"))
    end = edits.replay(tmp_path)["beside"].end
    assert end.outcome is not Outcome.SAME and not end.blocked and not mark.exists()


def test_the_databases_are_read_only_to_a_replay(shapes_file: Path) -> None:
    def stored() -> dict[str, list[Any]]:
        with closing(sqlite3.connect(shapes_file)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables}

    before = stored()
    replay(inputs_of(shapes_file, ["steps", "transacts"]), SHAPES)
    assert stored() == before and len(before["workflow_status"]) > 2
