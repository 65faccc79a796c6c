"""The demo's workspace and its workers' lives."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from app import demo_keeper
from app.demo import Demo
from app.demo_build import Builders
from app.demo_community import COMMUNITY, MAPPING
from app.demo_keeper import Keeper
from app.demo_shop import SHOP
from app.demo_workspace import Workspace
from app.demo_world import World
from app.demo_worlds import WORLDS
from engine_bridge.errors import BusyError, CancelledError, PlayheadError
from engine_bridge.sqlite_library import sqlite3
from tests.app.demo_sample import small_past
from tests.waiting import until

HOLDER = """
import sys, time
from pathlib import Path
from app.demo import Demo
demo = Demo(pace=0.05)
demo.prepare(Path(sys.argv[1]))
demo.start()
print(*demo.worker_pids.values(), flush=True)
time.sleep(600)
"""


_KEPT: set[int] = set()


@pytest.fixture(autouse=True)
def _know_who_was_there() -> None:
    """Other tests keep servers for the whole run."""
    _KEPT.clear()
    _KEPT.update(child.pid for child in psutil.Process().children(recursive=True))


def children() -> list[psutil.Process]:
    """The child processes of a test, but for the one that multiprocessing keeps for the whole run."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            if child.pid not in _KEPT and "multiprocessing" not in " ".join(child.cmdline()):
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


def community(folder: Path, sql: str, since_ms: float) -> list[tuple[object, ...]]:
    since = datetime.fromtimestamp(since_ms / 1000, UTC).replace(tzinfo=None).isoformat(" ")
    with closing(sqlite3.connect(folder / "community.sqlite", timeout=10)) as connection:
        return connection.execute(sql, (since,)).fetchall()


def test_a_second_start_takes_what_is_there(folder: Path) -> None:
    before = rows(folder, "SELECT workflow_uuid, created_at FROM workflow_status")
    seen: list[tuple[int, int, str]] = []
    demo = Demo()
    sources = demo.prepare(folder, lambda *step: seen.append(step))
    for name in ("shop", "community"):
        assert (folder / f"{name}.sqlite-wal").exists(), "a reader would take a copy"
    demo.stop()
    assert list(folder.glob("*-wal")) == []
    assert (
        sources
        == demo.sources
        == (
            ("shop", f"dbos+sqlite:///{folder / 'shop.sqlite'}"),
            ("community", f"entity+sqlite:///{folder / 'community.sqlite'}?mapping={MAPPING}"),
        )
    )
    assert seen == [(100, 100, "The demo is ready")]
    assert rows(folder, "SELECT workflow_uuid, created_at FROM workflow_status") == before


def test_live_runs_appear_and_finish_and_stop_leaves_no_process(
    demo: tuple[Demo, list[str]], folder: Path
) -> None:
    began = time.time() * 1000
    demo[0].start()
    workers = [psutil.Process(pid) for pid in demo[0].worker_pids.values()]
    assert len(workers) == 2
    fresh = f"SELECT count(*) FROM workflow_status WHERE created_at > {began} AND completed_at IS NOT NULL"
    until(lambda: rows(folder, fresh)[0][0])
    recovered = f"SELECT 1 FROM workflow_status WHERE recovery_attempts = 2 AND updated_at > {began}"
    until(lambda: rows(folder, recovered))
    until(lambda: community(folder, "SELECT 1 FROM users WHERE status = 'active' AND created_at > ?", began))
    assert [worker.net_connections() for worker in workers] == [[], []]
    demo[0].stop()
    assert not any(worker.is_running() for worker in workers)
    assert children() == []
    assert list(folder.glob("*-wal")) == []


def test_a_killed_worker_leaves_pending_runs_is_reported_and_comes_back(
    demo: tuple[Demo, list[str]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_keeper, "KILLED_SECONDS", 0.3)
    assert not demo[0].kill_worker()
    demo[0].start()
    first = demo[0].worker_pids
    mine = "SELECT 1 FROM workflow_status WHERE executor_id = 'shop-1' AND workflow_uuid LIKE 'order-11%'"
    until(lambda: rows(folder, mine))
    assert demo[0].kill_worker()
    until(
        lambda: len(demo[0].worker_pids) == 2 and not set(first.values()) & set(demo[0].worker_pids.values())
    )
    for world in WORLDS:
        until(
            lambda world=world: any(f"{world.name}'s worker has been restarted" in line for line in demo[1])
        )
        assert any(f"{world.name}'s worker died (signal 9)" in line for line in demo[1])


def test_back_off_grows_while_workers_die_young(tmp_path: Path) -> None:
    keeper = Keeper(SHOP, Workspace(tmp_path, WORLDS), 1.0, lambda _: None)
    assert [keeper.back_off() for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]


def test_workers_die_with_a_parent_that_is_killed(folder: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with holder:
        assert holder.stdout is not None
        workers = [psutil.Process(int(pid)) for pid in holder.stdout.readline().split()]
        until(lambda: rows(folder, "SELECT 1 FROM workflow_status WHERE workflow_uuid LIKE '%-11___'"))
        assert len(workers) == 2 and all(worker.is_running() for worker in workers)
        holder.send_signal(signal.SIGKILL)
    for worker in workers:
        until(lambda worker=worker: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_one_playhead_at_a_time_drives_a_workspace(demo: tuple[Demo, list[str]], folder: Path) -> None:
    reports: list[str] = []
    other = Demo(reports.append)
    assert other.prepare(folder) == demo[0].sources
    other.start()
    assert other.worker_pids == {} and "Another Playhead" in reports[0]
    other.stop()


def test_a_half_made_workspace_that_another_one_makes_is_busy(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "half", WORLDS)
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


@pytest.mark.parametrize("name", ["shop.sqlite", "community.sqlite"])
def test_a_database_that_is_not_ours_is_never_removed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"precious")
    demo = Demo()
    with pytest.raises(PlayheadError, match="was not made by"):
        demo.prepare(tmp_path)
    demo.stop()
    assert (tmp_path / name).read_bytes() == b"precious"


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_a_damaged_demo_is_not_taken(folder: Path, world: World) -> None:
    assert Workspace(folder, WORLDS).healthy()
    data = bytearray((folder / world.file).read_bytes())
    data[:100] = b"x" * 100
    (folder / world.file).write_bytes(data)
    assert not Workspace(folder, WORLDS).healthy()


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
    assert not Workspace(tmp_path / "demo", WORLDS).healthy()


def test_a_worker_that_cannot_start_is_an_error_with_its_log(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "demo", WORLDS)
    assert space.acquire()
    space.clear()
    space.file(COMMUNITY).mkdir()
    with pytest.raises(PlayheadError, match="ended with code 1") as caught:
        Builders(WORLDS, space, lambda *_: None).run()
    assert children() == [], "the other world's workers were stopped"
    assert "unable to open database" in caught.value.detail
    space.release()


def test_the_application_never_loads_the_engine() -> None:
    code = "import sys, app.demo; print([m for m in ('dbos', 'sqlalchemy', 'msgspec', 'PySide6') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
