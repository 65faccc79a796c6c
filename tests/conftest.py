"""Fixtures for every test: nothing may leak, and nothing may be logged as a warning unexpectedly."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_SCALE_FACTOR", "1")
os.environ.setdefault("QT_FONT_DPI", "96")
if os.environ.get("LC_ALL") in ("C", "POSIX"):
    os.environ["LC_ALL"] = "C.UTF-8"  # Qt would take it anyway, and warn

import psutil
import pytest
from hypothesis import HealthCheck, settings
from pytestqt.qtbot import QtBot

from tests.engines.dbos.databases import made_postgresql, made_sqlite, server
from tests.engines.entity_state.fixtures import entity_server, tenants_server
from tests.engines.temporal.shop import temporal_shop
from tests.waiting import LIMIT_S

# Servers and databases that live as long as the run: declared here, and nowhere else, every folder gets the same ones.
__all__ = ["entity_server", "made_postgresql", "made_sqlite", "server", "temporal_shop", "tenants_server"]
ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(autouse=True)
def _qt_objects_die_in_the_main_thread() -> Iterator[None]:
    """As in the application (app/garbage.py): a worker thread that collects a cycle with a widget crashes Qt."""
    if "PySide6.QtCore" in sys.modules:
        gc.disable()
    yield
    if not gc.isenabled() and gc.get_count()[0] > 10_000:
        # A whole collection looks at everything that was ever imported: 100 ms and more, after thousands of tests.
        _collections.append(None)
        gc.collect(2 if len(_collections) % 50 == 0 else 1)


_collections: list[None] = []
_homes = itertools.count()


# `make test` tries the same examples each time; `make test-long` looks for new ones.
_ANY_SPEED: Final[Any] = {"deadline": None, "suppress_health_check": (HealthCheck.too_slow,)}
settings.register_profile("same", derandomize=True, **_ANY_SPEED)
settings.register_profile("new", print_blob=True, **_ANY_SPEED)


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("new" if config.getoption("-m") else "same")


_LIMIT_MS: Final = round(LIMIT_S * 1000)


class PatientBot(QtBot):
    """pytest-qt's, whose waits are five seconds long."""

    def waitUntil(self, callback: Callable[[], Any], *, timeout: int = _LIMIT_MS) -> None:
        def true() -> bool:
            with suppress(LookupError):  # the row that is looked at is not there yet
                return bool(callback())
            return False

        super().waitUntil(true, timeout=timeout)

    def waitSignal(self, signal: Any, *, timeout: int = _LIMIT_MS, **more: Any) -> Any:
        return super().waitSignal(signal, timeout=timeout, **more)

    def waitExposed(self, widget: Any, *, timeout: int = _LIMIT_MS) -> Any:
        return super().waitExposed(widget, timeout=timeout)


@pytest.fixture
def qtbot(qapp: Any, request: pytest.FixtureRequest) -> PatientBot:
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QGuiApplication, QWindow
    from PySide6.QtTest import QTest

    if QGuiApplication.keyboardModifiers() != Qt.KeyboardModifier.NoModifier:
        QTest.keyRelease(
            QWindow(), Qt.Key.Key_Shift
        )  # a click with Shift, in a test before, let go of the key alone
    return PatientBot(request)


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings, recents and workspaces of tests never touch the user's own."""
    # Numbered by ourselves: ``mktemp`` looks at all folders there are, which are thousands in the end.
    home = tmp_path_factory.getbasetemp() / "homes" / str(next(_homes))
    home.mkdir(parents=True)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    yield


@pytest.fixture(autouse=True)
def _no_unexpected_warnings(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A log record of WARNING or worse fails the test unless ``caplog.clear()`` acknowledged it."""
    yield
    bad = [r for when in ("setup", "call") for r in caplog.get_records(when) if r.levelno >= logging.WARNING]
    assert not bad, [f"{r.name}: {r.getMessage()}" for r in bad]


@pytest.fixture(autouse=True)
def _no_leaked_threads() -> Iterator[None]:
    """Threads started by a test have ended when it has."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        left = [t for t in threading.enumerate() if t not in before and t.is_alive() and not _foreign(t)]
        if not left:
            return
        time.sleep(0.01)
    pytest.fail(f"leaked threads: {[t.name for t in left]}")


def _foreign(thread: threading.Thread) -> bool:
    # The interpreter's own resource tracker and hypothesis' watchdogs outlive a test by design.
    return thread.name.startswith(("pydevd", "hypothesis"))


@pytest.fixture(autouse=True)
def _no_leaked_processes() -> Iterator[None]:
    """Child processes started by a test have ended when it has (session-wide servers excepted)."""
    before, began = _descendants(), time.time()
    yield
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        left = [pid for pid in _descendants() - before if _ours(pid, began)]
        if not left:
            return
        time.sleep(0.02)
    pytest.fail(f"leaked processes: {[psutil.Process(pid) for pid in left if psutil.pid_exists(pid)]}")


def _descendants() -> set[int]:
    """All processes below this one."""
    try:
        # Most tests start none: asking the kernel is a thousand times as fast as looking at every process.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return set()
    return _below(os.getpid()) if _BY_PARENT else {p.pid for p in psutil.Process().children(recursive=True)}


_BY_PARENT = Path(f"/proc/self/task/{os.getpid()}/children").exists()


def _below(pid: int) -> set[int]:
    """As psutil's ``children``, which reads every process of the machine: 10 ms a test, once a server is there."""
    found: set[int] = set()
    with suppress(OSError), os.scandir(f"/proc/{pid}/task") as threads:
        for thread in threads:
            with suppress(OSError):
                for child in Path(thread.path, "children").read_bytes().split():
                    found |= {int(child), *_below(int(child))}
    return found


def _ours(pid: int, began: float) -> bool:
    try:
        process = psutil.Process(pid)
        # The kernel may leave out a child while another one ends, so one that is new to us may be an old one.
        if process.status() == psutil.STATUS_ZOMBIE or process.create_time() < began - 0.1:
            return False
        line = " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
    # PostgreSQL is started once for the whole run; the tracker belongs to multiprocessing.
    return "postgres" not in line and "resource_tracker" not in line


@pytest.fixture(autouse=True)
def _no_leaked_timers(request: pytest.FixtureRequest) -> Iterator[None]:
    """QTimers that a GUI test started are stopped or deleted when it ends."""
    yield
    if "PySide6.QtWidgets" not in sys.modules or "qtbot" not in request.fixturenames:
        return
    from PySide6.QtCore import QCoreApplication, QTimer
    from PySide6.QtWidgets import QApplication

    app = QCoreApplication.instance()
    if app is None:
        return
    tops = [w for w in QApplication.topLevelWidgets() if w.isVisible()]
    active = [t for w in tops for t in w.findChildren(QTimer) if t.isActive()]
    assert not active, [t.objectName() or repr(t.parent()) for t in active]


# Files with few tests that take ten seconds and more.
_SLOW = frozenset((
    "test_act_killed", "test_act_races", "test_act_settle", "test_act_versions", "test_command", "test_config_real",
    "test_crashes", "test_demo_community", "test_entities_acts", "test_gate", "test_kill", "test_killed", "test_many",
    "test_replay", "test_sources", "test_story", "test_tail", "test_window",
))  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("-m"):
        return
    config.hook.pytest_deselected(items=[i for i in items if i.get_closest_marker("long")])
    items[:] = [i for i in items if not i.get_closest_marker("long")]
    if hasattr(config, "workerinput"):
        # xdist gives out files in the order of the items: the dearest first, so that none is left alone in the end.
        count = Counter(item.path for item in items)
        items.sort(key=lambda item: (item.path.stem not in _SLOW, -count[item.path], item.path))


def pytest_collection_finish() -> None:
    """What was imported stays: a whole collection need not look at it."""
    gc.freeze()
