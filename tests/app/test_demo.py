"""The demo's workspace and its workers' lives."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from app import demo as demo_module
from app.demo import Demo
from app.demo_build import Builder
from app.demo_workspace import Workspace
from engine_bridge.errors import BusyError, CancelledError, PlayheadError
from tests.app.demo_sample import small_past

HOLDER = """
import sys, time
from pathlib import Path
from app.demo import Demo
demo = Demo(pace=0.05)
demo.prepare(Path(sys.argv[1]))
demo.start()
print(demo.worker_pid, flush=True)
time.sleep(60)
"""


def until(reached: Callable[[], object], seconds: float = 20.0) -> None:
    """Polls: the workers are other processes, there is nothing to be notified by."""
    event, end = threading.Event(), time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "waited in vain"
        event.wait(0.05)


def children() -> list[psutil.Process]:
    """The child processes, but for the one that multiprocessing keeps for the whole test run."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            if "multiprocessing" not in " ".join(child.cmdline()):
                found.append(child)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A complete demo of one's own."""
    return Path(shutil.copytree(small_past().folder, tmp_path / "demo"))


@pytest.fixture
def demo(folder: Path) -> Iterator[tuple[Demo, list[str]]]:
    reports: list[str] = []
    demo = Demo(reports.append, pace=0.05)
    demo.prepare(folder)
    yield demo, reports
    demo.stop()


def rows(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "shop.sqlite", timeout=10)) as connection:
        return connection.execute(sql).fetchall()


def test_a_second_start_takes_what_is_there(folder: Path) -> None:
    before = rows(folder, "SELECT workflow_uuid, created_at FROM workflow_status")
    seen: list[tuple[int, int, str]] = []
    demo = Demo()
    began = time.monotonic()
    url = demo.prepare(folder, lambda *step: seen.append(step))
    assert (folder / "shop.sqlite-wal").exists(), "a reader would take a copy"
    demo.stop()
    assert not (folder / "shop.sqlite-wal").exists()
    assert time.monotonic() - began < 1
    assert url == demo.url == f"dbos+sqlite:///{folder / 'shop.sqlite'}"
    assert seen == [(100, 100, "The demo is ready")]
    assert rows(folder, "SELECT workflow_uuid, created_at FROM workflow_status") == before


def test_live_runs_appear_and_finish_and_stop_leaves_no_process(
    demo: tuple[Demo, list[str]], folder: Path
) -> None:
    began = time.time() * 1000
    demo[0].start()
    worker = psutil.Process(demo[0].worker_pid)
    fresh = f"SELECT count(*) FROM workflow_status WHERE created_at > {began} AND completed_at IS NOT NULL"
    until(lambda: rows(folder, fresh)[0][0])
    until(
        lambda: rows(
            folder, "SELECT 1 FROM workflow_status WHERE recovery_attempts = 2 AND status = 'PENDING'"
        )
    )
    assert worker.net_connections() == []
    demo[0].stop()
    assert not worker.is_running()
    assert children() == []
    assert not (folder / "shop.sqlite-wal").exists()


def test_a_killed_worker_leaves_pending_runs_is_reported_and_comes_back(
    demo: tuple[Demo, list[str]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_module, "KILLED_SECONDS", 0.3)
    assert not demo[0].kill_worker()
    demo[0].start()
    first = demo[0].worker_pid
    mine = "SELECT 1 FROM workflow_status WHERE executor_id = 'shop-1' AND workflow_uuid LIKE 'order-11%'"
    until(lambda: rows(folder, mine))
    assert demo[0].kill_worker()
    until(lambda: demo[0].worker_pid not in (None, first))
    assert "signal 9" in demo[1][0]
    until(lambda: any("restarted" in line for line in demo[1]))


def test_back_off_grows_while_workers_die_young() -> None:
    demo = Demo()
    assert [demo._back_off() for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]


def test_workers_die_with_a_parent_that_is_killed(folder: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with holder:
        assert holder.stdout is not None
        worker = psutil.Process(int(holder.stdout.readline()))
        until(lambda: rows(folder, "SELECT 1 FROM workflow_status WHERE workflow_uuid LIKE '%-11___'"))
        assert worker.is_running()
        holder.send_signal(signal.SIGKILL)
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 10)


def test_one_playhead_at_a_time_drives_a_workspace(demo: tuple[Demo, list[str]], folder: Path) -> None:
    reports: list[str] = []
    other = Demo(reports.append)
    assert other.prepare(folder) == demo[0].url
    other.start()
    assert other.worker_pid is None and "Another Playhead" in reports[0]
    other.stop()


def test_a_half_made_workspace_that_another_one_makes_is_busy(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "half")
    assert space.acquire()
    space.clear()
    with pytest.raises(BusyError, match="preparing"):
        Demo().prepare(tmp_path / "half")
    space.release()


def test_a_workspace_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(PlayheadError, match="cannot be kept") as caught:
        Demo().prepare(tmp_path / "file" / "demo")
    assert "--workspace" in caught.value.hint


def test_a_full_disk_is_noticed_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.demo_workspace.NEEDED_BYTES", 1 << 62)
    with pytest.raises(PlayheadError, match="too little space"):
        Demo().prepare(tmp_path / "demo")


def test_a_database_that_is_not_ours_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "shop.sqlite").write_bytes(b"precious")
    demo = Demo()
    with pytest.raises(PlayheadError, match="was not made by"):
        demo.prepare(tmp_path)
    demo.stop()
    assert (tmp_path / "shop.sqlite").read_bytes() == b"precious"


def test_a_damaged_demo_is_not_taken(folder: Path) -> None:
    data = bytearray((folder / "shop.sqlite").read_bytes())
    data[:100] = b"x" * 100
    (folder / "shop.sqlite").write_bytes(data)
    assert not Workspace(folder).healthy()


def test_stopping_while_the_past_is_made_cancels_and_cleans_up(tmp_path: Path) -> None:
    demo, caught = Demo(), []

    def prepare() -> None:
        try:
            demo.prepare(tmp_path / "demo")
        except CancelledError as error:
            caught.append(error)

    thread = threading.Thread(target=prepare)
    thread.start()
    until(lambda: bool(children()))
    demo.stop()
    thread.join()
    assert caught and children() == []
    assert not Workspace(tmp_path / "demo").healthy()


def test_a_worker_that_cannot_start_is_an_error_with_its_log(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "demo")
    assert space.acquire()
    space.clear()
    space.database.mkdir()
    with pytest.raises(PlayheadError, match="ended with code 1") as caught:
        Builder(space, 1, lambda *_: None).run()
    assert "unable to open database" in caught.value.detail
    space.release()


def test_the_application_never_loads_the_engine() -> None:
    code = "import sys, app.demo; print([m for m in ('dbos', 'sqlalchemy', 'PySide6') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
