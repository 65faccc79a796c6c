"""No side effect of replayed code gets out: Python's hook stops it at its line, the kernel what goes around Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from socket import create_server
from typing import Any

import psutil
import pytest

from engine_bridge.replay.model import Outcome
from engine_bridge.replay.protocol import Hello, Side
from engine_bridge.replay.runners import kernel
from tests.engine_bridge.replay.driving import IMPATIENT, Heard, project, recorded, run, written
from tests.waiting import LIMIT_S, until

ROOT = Path(__file__).parents[3]
ONE = [recorded("r1", [("a", 1), ("b", 2)])]


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A file that must stay as it is, in a folder where nothing may appear."""
    folder = tmp_path / "outside"
    folder.mkdir()
    file = folder / "canary"
    file.write_text("sings")
    yield file
    assert file.read_text() == "sings"
    assert [path.name for path in folder.iterdir()] == ["canary"]


@pytest.fixture
def port() -> Iterator[int]:
    """A server that must not be reached."""
    reached: list[object] = []
    with create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                reached.append(server.accept())
            except OSError:
                return

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(2)
        thread.join()
    assert not reached


def tried(tmp_path: Path, lines: str, **more: Any) -> Heard:
    body = "\n".join(f"    {line}" for line in lines.splitlines())
    return run(
        written(tmp_path / "code", f"def flow(step):\n    step('a')\n{body}\n    step('b')\n"), ONE, **more
    )


TRIES = {
    "opens for writing": ("open('{canary}', 'a').write('x')", "writes a file"),
    "opens by descriptor": ("import os; os.open('{canary}', os.O_WRONLY | os.O_TRUNC)", "writes a file"),
    "pathlib": ("from pathlib import Path; Path('{canary}').write_text('x')", "writes a file"),
    "creates": ("open('{canary}2', 'x')", "writes a file"),
    "removes": ("import os; os.remove('{canary}')", "changes files"),
    "renames": ("import os; os.rename('{canary}', '{canary}2')", "changes files"),
    "moves from its own folder": (
        "import os, tempfile as t; open(t.gettempdir() + '/x', 'w'); os.rename(t.gettempdir() + '/x', '{canary}2')",
        "changes files",
    ),
    "links": ("import os; os.symlink('/etc/passwd', '{canary}2')", "changes files"),
    "makes a folder": ("import os; os.mkdir('{canary}2')", "changes files"),
    "truncates": ("import os; os.truncate('{canary}', 0)", "changes files"),
    "database": ("import sqlite3; sqlite3.connect('{canary}2')", "opens a database"),
    "database by URI": ("import sqlite3; sqlite3.connect('file:{canary}2?mode=rwc', uri=True)", "opens a database"),
    "subprocess": ("import subprocess; subprocess.run(['touch', '{canary}2'])", "starts another program"),
    "shell": ("import os; os.system('touch {canary}2')", "starts another program"),
    "fork": ("import os; os.fork()", "starts another program"),
    "exec": ("import os; os.execv('/bin/touch', ['touch', '{canary}2'])", "starts another program"),
    "socket": ("import socket; socket.create_connection(('127.0.0.1', {port}))", "uses the network"),
    "datagram": ("import socket as s; s.socket(2, 2).sendto(b'x', ('127.0.0.1', {port}))", "uses the network"),
    "name": ("import socket; socket.getaddrinfo('example.com', 80)", "uses the network"),
    "http": ("import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}')", "uses the network"),
    "unix socket": ("import socket as s; s.socket(s.AF_UNIX).connect('/run/x.sock')", "uses the network"),
    "listens": ("import socket; socket.create_server(('127.0.0.1', 0))", "uses the network"),
    "kills its parent": ("import os; os.kill(os.getppid(), 9)", "signals a process"),
}  # fmt: skip


def each(tmp_path: Path, lines: dict[str, str]) -> Heard:
    """One flow for each line, between two steps, all in one process."""
    flows = [
        f"def flow_{n}(step):\n    step('a')\n    {line}\n    step('b')\n"
        for n, line in enumerate(lines.values())
    ]
    inputs = [recorded(name, [("a", 1), ("b", 2)], flow=f"flow_{n}") for n, name in enumerate(lines)]
    return run(written(tmp_path / "code", "".join(flows)), inputs)


def test_a_side_effect_in_workflow_code_is_blocked_at_its_line(
    tmp_path: Path, canary: Path, port: int
) -> None:
    heard = each(tmp_path, {name: line.format(canary=canary, port=port) for name, (line, _) in TRIES.items()})
    for n, (name, (_, said)) in enumerate(TRIES.items()):
        end = heard.ends[name]
        assert end.outcome is Outcome.BLOCKED, end
        assert end.steps == 1
        (side,) = [side for side in heard.all(Side) if side.run_id == name]
        assert side.blocked == end.blocked[0]
        assert said in side.blocked.what
        assert (side.blocked.at.line, side.blocked.at.function) == (4 * n + 3, f"flow_{n}")
    assert len(heard.all(Hello)) == 1


ALLOWED = {
    "reads": "open('{canary}').read()",
    "its own folder": "import tempfile; tempfile.NamedTemporaryFile().write(b'x')",
    "nothing": "open('/dev/null', 'w').write('x')",
    "memory": "import sqlite3; sqlite3.connect(':memory:').execute('select 1')",
    "event loop": "import asyncio; asyncio.run(asyncio.sleep(0))",
    "threads": "import threading; t = threading.Thread(target=print); t.start(); t.join()",
    "pool": "from concurrent.futures import ThreadPoolExecutor as P; P(4).submit(print).result()",
    "pair": "import socket; a, b = socket.socketpair(); a.send(b'x'); b.recv(1)",
    "its own signals": "import signal; signal.raise_signal(signal.SIGCHLD)",
}  # fmt: skip


def test_what_changes_nothing_is_allowed(tmp_path: Path, canary: Path) -> None:
    heard = each(tmp_path, {name: line.format(canary=canary) for name, line in ALLOWED.items()})
    assert {name: end.outcome for name, end in heard.ends.items()} == dict.fromkeys(ALLOWED, Outcome.SAME)
    assert not heard.all(Side)


AROUND = """
import ctypes, os, struct
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
path = b"{canary}"
done = []
def attempt(name, result):
    if result >= 0: done.append(name)
attempt("open", libc.open(path, os.O_WRONLY | os.O_TRUNC))
attempt("create", libc.open(path + b"2", os.O_WRONLY | os.O_CREAT, 0o600))
attempt("unlink", libc.unlink(path))
attempt("truncate", libc.truncate(path, 0))
attempt("mkdir", libc.mkdir(path + b"3", 0o700))
sock = libc.socket(2, 1, 0)
address = struct.pack("=H", 2) + struct.pack("!H", {port}) + bytes([127, 0, 0, 1]) + bytes(8)
attempt("connect", libc.connect(sock, address, 16))
sock = libc.socket(2, 2, 0)
attempt("sendto", libc.sendto(sock, b"x", 1, 0, address, 16))
attempt("fork", libc.fork())
attempt("kill", libc.kill(os.getppid(), 0))
attempt("ptrace", libc.ptrace(16, os.getppid(), 0, 0))
attempt("io_uring", libc.syscall(425, 8, None))
attempt("execve", libc.execv(b"/bin/true", None))
attempt("nsenter", libc.setns(libc.open(b"/proc/1/ns/net", 0), 0))
attempt("mount", libc.mount(b"none", b"/mnt", b"tmpfs", 0, None))
step(",".join(done) or "nothing")
"""


def test_code_that_goes_around_python_is_stopped_by_the_kernel(
    tmp_path: Path, canary: Path, port: int
) -> None:
    heard = tried(tmp_path, AROUND.format(canary=canary, port=port).strip())
    (hello,) = heard.all(Hello)
    assert heard.end.divergence is not None, heard.end
    assert heard.end.divergence.actual == "nothing", hello
    assert set(hello.guards) == {"network", "writes", "processes"}
    assert hello.lacks == ()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody reaches: those of pytest are closed to others, and must stay so."""
    with tempfile.TemporaryDirectory(prefix="playhead-guards-") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("setpriv"), reason="becoming a plain user takes root"
)
def test_a_plain_user_is_guarded_as_root_is(open_folder: Path) -> None:
    check = open_folder / "check.py"
    check.write_text(Path(kernel.__file__).read_text() + PLAIN_USER.format(scratch=str(open_folder)))
    user = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "/usr/bin/python3",
        "-I",
        "-B",
        str(check),
    ]
    done = subprocess.run(user, capture_output=True, text=True, check=False, cwd="/")
    assert done.stdout.splitlines() == ["['network', 'processes', 'writes'] []", "65534 nothing"], done.stderr


PLAIN_USER = """
denied, lacks = deny_all({scratch!r})
print(sorted(denied), lacks)
import socket, threading
done = []
for name, attempt in {{
    "connect": lambda: socket.create_connection(("127.0.0.1", 22), 1),
    "fork": os.fork,
    "write": lambda: open("/tmp/playhead-test-canary", "w"),
    "environment": lambda: open("/proc/%d/environ" % os.getppid()).read(),
}}.items():
    try:
        attempt()
        done.append(name)
    except OSError:
        pass
thread = threading.Thread(target=print, args=(os.getuid(), ",".join(done) or "nothing"))
thread.start()
thread.join()
"""

REFUSALS = """
import engine_bridge.replay.runners.kernel as kernel, ctypes, sys
real = ctypes.CDLL(None, use_errno=True)
class Libc:
    def __getattr__(self, name): return getattr(real, name)
    def unshare(self, flags): ctypes.set_errno(1); return -1
    def syscall(self, number, *rest):
        ctypes.set_errno(38)
        return -1 if 444 <= number <= 446 else real.syscall(number, *rest)
    def prctl(self, option, *rest):
        ctypes.set_errno(22)
        return -1 if option == 22 and {filters} else real.prctl(option, *rest)
kernel._libc = Libc
print(*kernel.deny_all("/tmp"), sep="\\n")
import socket
try: socket.socket()
except OSError as error: print(error.errno)
"""


def refused(filters: bool) -> list[str]:
    command = [sys.executable, "-c", REFUSALS.format(filters=filters)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="the guards of Linux")
def test_what_a_kernel_cannot_deny_is_said_plainly() -> None:
    denied, lacks, *_ = refused(filters=True)
    assert denied == "[]"
    for words in (
        "the network cannot be denied",
        "writing cannot be denied",
        "other programs cannot be denied",
    ):
        assert words in lacks


@pytest.mark.skipif(sys.platform != "linux", reason="the guards of Linux")
def test_where_namespaces_are_refused_system_calls_are_filtered() -> None:
    denied, lacks, error = refused(filters=False)
    assert denied == "['network', 'processes']"
    assert "network" not in lacks and "writing cannot be denied" in lacks
    assert error == "1", "no socket but a local one can be made"


def test_a_child_that_was_started_before_the_guards_dies_with_the_runner(tmp_path: Path) -> None:
    """Where processes cannot be denied, the whole group goes."""
    marker = f"playhead-grandchild-{os.getpid()}"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nsh -c "sleep 600; : {marker}" &\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    place = project(written(tmp_path, "def flow(step):\n    return step('a')\n"), python=str(python))
    heard = run(place, [recorded("r1", [("a", 1)])])
    assert heard.end.outcome is Outcome.SAME

    def gone() -> bool:
        found = psutil.process_iter(["cmdline", "status"])
        left = [p for p in found if marker in " ".join(p.info["cmdline"] or ())]
        return all(p.info["status"] == psutil.STATUS_ZOMBIE for p in left)

    until(gone)


def test_a_child_that_left_the_group_and_holds_the_pipes_is_not_waited_for(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nsetsid sleep 4 &\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    place = project(written(tmp_path, "def flow(step):\n    return step('a')\n"), python=str(python))
    heard = run(place, [recorded("r1", [("a", 1)])], timeout=LIMIT_S)
    assert heard.end.outcome is Outcome.SAME


def test_a_loop_that_tries_for_ever_tells_it_only_so_often(tmp_path: Path) -> None:
    lines = "while True:\n    try: open('/nowhere', 'w')\n    except BaseException: pass"
    heard = tried(tmp_path, lines, limits=IMPATIENT)
    assert heard.end.outcome is Outcome.HUNG
    assert 1 <= len(heard.all(Side)) <= 20
