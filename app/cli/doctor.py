"""``playhead doctor``: what this machine has, what it lacks, and what to install."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import click

from app.cli.options import json_option
from app.cli.output import json_line, table
from app.main import loads, missing_libraries
from engine_bridge.errors import PlayheadError

#: Shared library: Debian package, needed even without a screen.
OFFSCREEN_LIBRARIES: Final = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: ``state`` is ok, missing or note; ``advice`` what to do."""

    name: str
    state: str
    found: str
    advice: str = ""


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check Qt's libraries, drivers, engines and the keyring, and say what to install."""
    checks = list(run_checks())
    if as_json:
        for c in checks:
            json_line({"name": c.name, "state": c.state, "found": c.found, "advice": c.advice or None})
    else:
        table(
            ("check", "state", "found", "what to do"), [(c.name, c.state, c.found, c.advice) for c in checks]
        )
    if any(c.state == "missing" for c in checks):
        raise PlayheadError("Something is missing.", "The last column says what to do.")


def run_checks() -> Iterator[Check]:
    """All checks; none raises, none writes."""
    yield Check("python", "ok", f"{sys.version.split()[0]} ({sys.executable})")
    yield from _libraries()
    yield _module("Qt", _qt_version)
    yield _display()
    yield from _drivers()
    yield from _engines()
    yield _keyring()
    yield _config()


def _libraries() -> Iterator[Check]:
    if not sys.platform.startswith("linux"):
        return
    absent = [package for name, package in OFFSCREEN_LIBRARIES.items() if not loads(name)]
    yield _packages("Qt libraries", absent, "missing")
    state = "missing" if os.environ.get("DISPLAY") else "note"
    yield _packages("Qt libraries for X11", missing_libraries(), state)


def _packages(name: str, absent: list[str], state: str) -> Check:
    if not absent:
        return Check(name, "ok", "all present")
    return Check(name, state, f"{len(absent)} absent", f"sudo apt-get install {' '.join(absent)}")


def _qt_version() -> str:
    from PySide6.QtCore import qVersion

    # The import loads the libraries of a window.
    importlib.import_module("PySide6.QtWidgets")
    return qVersion()


def _module(name: str, probe: Callable[[], str], advice: str = "Install Playhead again.") -> Check:
    try:
        return Check(name, "ok", str(probe()))
    except Exception as error:  # noqa: BLE001  a broken library may fail in any way, and that is the finding
        return Check(name, "missing", type(error).__name__, advice)


def _display() -> Check:
    if sys.platform in ("win32", "darwin"):
        return Check("display", "ok", sys.platform)
    for variable in ("WAYLAND_DISPLAY", "DISPLAY"):
        if os.environ.get(variable):
            return Check("display", "ok", f"{variable}={os.environ[variable]}")
    return Check(
        "display", "note", "none", "No window here; runs, show, snapshot and `make demo` still work."
    )


def _drivers() -> Iterator[Check]:
    def sqlite() -> str:
        from sqlite3 import sqlite_version

        return sqlite_version

    def version(module: str) -> Callable[[], str]:
        return lambda: importlib.import_module(module).__version__

    yield _module("SQLite", sqlite)
    yield _module("SQLAlchemy", version("sqlalchemy"))
    yield _module("PostgreSQL driver", version("psycopg"))


def _engines() -> Iterator[Check]:
    from engine_bridge.bridge import engine_names

    for name in engine_names():
        yield _module(f"engine {name}", functools.partial(_schemes, name))


def _schemes(name: str) -> str:
    from engine_bridge.bridge import load_engine

    return ", ".join(f"{scheme}://" for scheme in load_engine(name).schemes)


def _keyring() -> Check:
    from app.secrets import keyring_available

    if keyring_available():
        return Check("keyring", "ok", "available")
    advice = "Passwords are asked for each time; or use PGPASSFILE or the environment."
    return Check("keyring", "note", "none", advice)


def _config() -> Check:
    from app.toml_file import config_path

    folder = config_path("settings.toml").parent
    existing = next((p for p in (folder, *folder.parents) if p.exists()), folder)
    if os.access(existing, os.W_OK):
        return Check("settings", "ok", str(folder))
    return Check("settings", "note", f"{folder} cannot be written", "Settings will not be kept.")
