"""What keeps a runner from coming up, or the user's code from being imported, is said with what to do about it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine_bridge.replay.model import Outcome
from engine_bridge.replay.protocol import Hello, Loaded
from engine_bridge.replay.scratch import Scratch, sweep
from tests.conftest import ROOT
from tests.engine_bridge.replay.driving import SPEC, Heard, Limits, Warm, project, recorded, run, written

FLOW = "def flow(step):\n    return step('a')\n"


def tool(folder: Path, text: str, name: str = "python") -> str:
    """A program that stands where an interpreter is expected."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def failed(tmp_path: Path, code: str = FLOW, **more: Any) -> Heard:
    place = project(
        written(tmp_path, code), **{k: v for k, v in more.items() if k in ("python", "modules", "cwd")}
    )
    heard = run(place, spec=more.get("spec", SPEC))
    assert heard.end.outcome is Outcome.FAILED
    assert heard.end.error == heard.bye.error
    assert not heard.steps
    return heard


def test_an_interpreter_that_is_not_there(tmp_path: Path) -> None:
    heard = failed(tmp_path, python="/nowhere/python")
    assert "/nowhere/python cannot be started: No such file or directory." in heard.end.error
    assert "--python" in heard.end.hint


def test_a_program_that_is_no_python(tmp_path: Path) -> None:
    for text in ("#!/bin/sh\necho hello\n", "#!/bin/sh\necho '{}'\nexit 3\n", "#!/bin/sh\nexit 0\n"):
        heard = failed(tmp_path, python=tool(tmp_path, text))
        assert "is no Python of version 3.10 or newer" in heard.end.error
        assert "--python" in heard.end.hint
    heard = failed(tmp_path, python=tool(tmp_path, "not even a script"))
    assert "cannot be started: Exec format error" in heard.end.error


def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    text = f"""#!/bin/sh
case "$*" in *-c*) echo '[[3, 9, 18], "/usr/bin/python3.9", "cpython"]';; *) exec {sys.executable} -c "
import sys
sys.version_info = (3, 9, 18)
exec(compile(open('$5').read(), 'runner.py', 'exec'))
" ;; esac
"""
    heard = failed(tmp_path, python=tool(tmp_path, text))
    assert "is Python 3.9.18; a replay needs 3.10 or newer" in heard.end.error
    assert "too old for a replay" in heard.printed


def test_a_library_that_is_missing(tmp_path: Path) -> None:
    spec = msgspec.structs.replace(
        SPEC, library="nolib", runner="tests.engine_bridge.replay.plain:missing.py"
    )
    heard = failed(tmp_path, spec=spec)
    assert heard.end.error == f"{sys.executable} has no nolib."
    assert "Install nolib>=2,<3 in that environment" in heard.end.hint


def test_a_library_of_another_version(tmp_path: Path) -> None:
    heard = failed(tmp_path, spec=msgspec.structs.replace(SPEC, supported=">=3,<4"))
    assert heard.end.error == f"{sys.executable} has json 2.0.9; a replay needs json>=3,<4."
    assert "--python" in heard.end.hint
    assert not heard.all(Loaded), "the user's code was not run"


def test_a_runner_that_does_not_come_up_in_time(tmp_path: Path) -> None:
    place = project(written(tmp_path, FLOW), python=tool(tmp_path, "#!/bin/sh\nexec sleep 60\n"))
    heard = run(place, limits=Limits(start_s=1))
    assert heard.end.outcome is Outcome.HUNG
    assert "did not come up in 1 seconds" in heard.end.error


BROKEN = {
    "import error": (
        "import nothing_like_it\n",
        "No module named 'nothing_like_it'",
        "Install it in the environment of",
    ),
    "syntax error": ("def flow(step:\n", "SyntaxError", ""),
    "error": ("x = 1\nx / 0\n", "ZeroDivisionError: division by zero", ""),
    "exit": ("import sys\nsys.exit('usage: …')\n", "sys.exit('usage: …')", ""),
    "file": ("open('/var/log.txt', 'w')\n", "writes a file: '/var/log.txt'", "PLAYHEAD_REPLAY"),
    "network": (
        "import socket\nsocket.create_connection(('127.0.0.1', 9))\n",
        "uses the network",
        "PLAYHEAD_REPLAY",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_code_that_cannot_be_imported(tmp_path: Path, name: str) -> None:
    code, said, hint = BROKEN[name]
    heard = failed(tmp_path, code + FLOW)
    assert said in heard.end.error
    assert "flows.py:" in heard.end.error, "the line"
    assert hint in heard.end.hint
    assert "flows.py" in heard.end.stack
    assert "runner.py" not in heard.end.stack


def test_code_that_is_imported_for_ever(tmp_path: Path) -> None:
    heard = run(written(tmp_path, "while True: pass\n" + FLOW), limits=Limits(load_s=2))
    assert heard.end.outcome is Outcome.HUNG
    assert "was not imported in 2 seconds, at" in heard.end.error
    assert "flows.py:1" in heard.end.error


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "/nowhere" in failed(tmp_path, cwd="/nowhere").end.error


def test_without_runs_the_project_is_only_loaded(tmp_path: Path) -> None:
    heard = run(written(tmp_path, FLOW), [])
    assert heard.all(Loaded)[0].workflows == {"flow": (str(tmp_path / "flows.py"), 1)}
    assert heard.bye.code == 0 and heard.bye.error == ""


def test_a_relative_interpreter_is_found_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env").mkdir()
    tool(tmp_path / "env", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    monkeypatch.chdir(tmp_path)
    heard = run(project(written(tmp_path, FLOW), python="env/python"), [recorded("r1", [("a", 1)])])
    assert heard.end.outcome is Outcome.SAME


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    heard = run(written(tmp_path, FLOW), [recorded("r1", [("a", 1)])])
    assert "No folder for the replay can be made" in heard.end.error
    assert "TMPDIR" in heard.end.hint


# --- a runner that is ready ---------------------------------------------------------------------


def test_a_warm_runner_is_used_once_and_knows_nothing_of_the_code(tmp_path: Path) -> None:
    warm = Warm(SPEC, sys.executable)
    warm.prepare()
    warm.prepare()
    place = written(tmp_path, FLOW)
    first = run(place, [recorded("r1", [("a", 1)])], warm=warm)
    place.write_text("def flow(step):\n    return step('b')\n")
    warm.prepare()
    second = run(place, [recorded("r1", [("a", 1)])], warm=warm)
    warm.close()
    assert first.end.outcome is Outcome.SAME
    assert second.end.outcome is Outcome.DIVERGED, "the code as it is now"
    assert first.all(Hello)[0].pid != second.all(Hello)[0].pid


def test_a_warm_runner_of_another_interpreter_or_environment_is_left_alone(tmp_path: Path) -> None:
    warm = Warm(SPEC, "/usr/bin/other-python")
    other = Warm(SPEC, sys.executable, {"MODE": "a"})
    other.prepare()
    code = "import os\ndef flow(step):\n    return step(os.environ.get('MODE', 'a'))\n"
    for ready in (warm, other):
        heard = run(
            project(written(tmp_path, code), options={"environment": {"MODE": "b"}}),
            [recorded("r1", [("b", 1)])],
            warm=ready,
        )
        assert heard.end.outcome is Outcome.SAME
    assert other._ready is not None and other._ready.alive, "nobody took it"
    other.close()


def test_a_warm_runner_that_died_is_replaced(tmp_path: Path) -> None:
    warm = Warm(SPEC, sys.executable)
    warm.prepare()
    ready = warm.take()
    assert ready is not None
    ready.kill()
    while ready.alive:
        pass
    warm._ready = ready
    heard = run(written(tmp_path, FLOW), [recorded("r1", [("a", 1)])], warm=warm)
    assert heard.end.outcome is Outcome.SAME
    warm.close()


def test_a_warm_runner_of_a_missing_interpreter_says_so_when_it_is_needed(tmp_path: Path) -> None:
    warm = Warm(SPEC, "/nowhere/python")
    warm.prepare()
    heard = run(project(written(tmp_path, FLOW), python="/nowhere/python"), warm=warm)
    assert "cannot be started" in heard.end.error
    warm.close()
    warm.prepare()
    assert warm.take() is None


# --- what the runner sees of us -----------------------------------------------------------------

SECRETS = {
    "DATABASE_URL": "postgresql://u:hunter2@h/d", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_PROFILE": "hunter2",
    "PGPASSWORD": "hunter2", "PGPASSFILE": "hunter2", "DBOS__CLOUD": "hunter2", "PYTHONPATH": "/hunter2",
    "PYTHONSTARTUP": "hunter2", "GITHUB_TOKEN": "hunter2", "SSH_AUTH_SOCK": "/hunter2", "KUBECONFIG": "/hunter2",
    "TEMPORAL_API_KEY": "hunter2", "QT_QPA_PLATFORM": "hunter2", "LD_PRELOAD": "",
}  # fmt: skip


def test_no_secret_of_ours_reaches_the_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    code = """
    import os, sys
    def flow(step):
        here = dict(os.environ)
        parents = open(f"/proc/{os.getppid()}/environ").read() if step("look") else ""
        return step("\\n".join([*map(str, here.items()), parents, str(sys.argv), str(sys.path)]))
    """
    heard = run(written(tmp_path, code), [recorded("r1", [("look", 0), ("x", 1)])])
    assert heard.end.divergence is not None
    seen = heard.end.divergence.actual
    assert "PATH" in seen and "PLAYHEAD_REPLAY" in seen
    assert "hunter2" not in seen
    assert not set(SECRETS) & {line.split("'")[1] for line in seen.splitlines() if line.startswith("('")}


def test_the_parents_own_environment_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
    import os
    def flow(step):
        try: return step(open(f"/proc/{os.getppid()}/environ").read())
        except OSError as error: return step(type(error).__name__)
    """
    heard = run(written(tmp_path, code), [recorded("r1", [("PermissionError", 1)])])
    (hello,) = heard.all(Hello)
    assert heard.end.outcome is Outcome.SAME or "writes" not in hello.guards


def test_variables_that_the_user_sets_reach_it(tmp_path: Path) -> None:
    code = "import os\ndef flow(step):\n    return step(os.environ['MODE'])\n"
    place = project(written(tmp_path, code), options={"environment": {"MODE": "staging"}})
    assert run(place, [recorded("r1", [("staging", 1)])]).end.outcome is Outcome.SAME


def test_its_folder_is_private_and_gone_in_the_end(tmp_path: Path) -> None:
    code = """
    import os, tempfile
    os.mkdir(tempfile.gettempdir() + "/deep")
    open(tempfile.gettempdir() + "/deep/file", "w").write("x")
    os.chmod(tempfile.gettempdir() + "/deep", 0)
    def flow(step):
        folder = tempfile.gettempdir()
        step(oct(os.stat(folder).st_mode & 0o777))
        return step(folder)
    """
    heard = run(written(tmp_path, code), [recorded("r1", [("0o700", 1), ("x", 1)])])
    assert heard.end.divergence is not None
    folder = heard.end.divergence.actual
    assert "playhead-replay-" in folder
    assert not Path(folder).exists()


LOCKED = """
import fcntl, os  # all before the user changes, who may not read where it lies
from pathlib import Path
from engine_bridge.replay.scratch import Scratch
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
made, outside = Scratch(), Scratch()
outside.path.chmod(0o755)
(made.path / "link").symlink_to(outside.path)
for name in ("deep", "deep/deeper"):
    (made.path / name).mkdir()
    (made.path / name / "file").write_text("x")
for name in ("deep/deeper", "deep", ""):
    (made.path / name).chmod(0)
made.remove()
print(made.path.exists(), oct(outside.path.stat().st_mode & 0o777))
outside.remove()
"""


def test_what_user_code_made_unreadable_is_removed_for_a_plain_user_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOCKED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "0o755"]


def test_folders_of_the_living_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "playhead-replay-young").mkdir()
    old, link, file = (tmp_path / f"playhead-replay-{name}" for name in ("old", "link", "file"))
    old.mkdir()
    os.utime(old, (0, 0))
    file.write_text("")
    link.symlink_to(tmp_path)
    mine = Scratch()
    assert sweep() == [old]
    code = "from engine_bridge.replay.scratch import Scratch; import os; print(Scratch().path, flush=True); os._exit(1)"
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert [str(path) for path in sweep()] == done.stdout.split()
    assert mine.path.exists()
    mine.remove()
    mine.remove()
    assert not mine.path.exists()
