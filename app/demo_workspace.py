"""The folder that holds the demo: its databases, its logs, and a marker that says whose and how complete it is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine_bridge.errors import BusyError, PlayheadError
from engine_bridge.held_files import Hold
from engine_bridge.own_file import try_lock
from engine_bridge.sqlite_library import sqlite3

if TYPE_CHECKING:
    from app.demo_world import World

VERSION = 3
NEEDED_BYTES = 60_000_000
MARKER = "playhead-demo.json"
_ADVICE = "Choose another folder with --workspace, or free some space."


def default_workspace() -> Path:
    """Where the demo lives unless told otherwise: the user's data folder."""
    import platformdirs

    return Path(platformdirs.user_data_dir("playhead", appauthor=False)) / "demo"


class Workspace:
    """Files of one demo. Methods raise PlayheadError when the folder cannot be used."""

    def __init__(self, folder: Path, worlds: Sequence[World]) -> None:
        self.folder = folder.expanduser().resolve()
        self.worlds = tuple(worlds)
        self.logs = self.folder / "logs"
        self._marker = self.folder / MARKER
        self._lock: int | None = None
        self._anchors: list[sqlite3.Connection] = []
        self._hold = Hold()

    def file(self, world: World) -> Path:
        """A world's database."""
        return self.folder / world.file

    def acquire(self) -> bool:
        """Takes the folder for this process; false when another one has it."""
        if self._lock is not None:
            return True
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unusable(self.folder, error) from error
        if not try_lock(handle):
            os.close(handle)
            return False
        self._lock = handle
        return True

    def hold(self) -> None:
        """Keeps the journal's files in being until ``release``: who finds none would have to read a copy."""
        try:
            for world in self.worlds:
                self._hold.take(self.file(world))
                anchor = sqlite3.connect(self.file(world), check_same_thread=False)
                self._anchors.append(anchor)
                anchor.execute(f"SELECT 1 FROM {world.proof} LIMIT 1").fetchone()
        except sqlite3.Error as error:
            raise PlayheadError(f"The demo's database cannot be opened: {error}.", _ADVICE) from error

    def release(self) -> None:
        """Gives the folder free again, each database whole in one file if nobody reads it."""
        while self._anchors:
            self._anchors.pop().close()
        self._hold.release()
        if self._lock is not None:
            for world in self.worlds:
                _checkpoint(self.file(world))
            os.close(self._lock)
            self._lock = None

    def healthy(self) -> bool:
        """A complete demo of this version, whose databases can be read."""
        marker = self._read_marker()
        if marker.get("version") != VERSION or marker.get("state") != "complete":
            return False
        return all(_sound(self.file(world), world.proof) for world in self.worlds)

    def clear(self) -> None:
        """Removes an old or half-made demo, never a database that is not marked as one; marks the folder."""
        files = [self.file(world) for world in self.worlds]
        foreign = next((file for file in files if file.exists() and not self._marker.exists()), None)
        if foreign is not None:
            raise PlayheadError(
                f"{foreign} exists and was not made by Playhead's demo.",
                "Choose another folder with --workspace.",
            )
        if shutil.disk_usage(self.folder).free < NEEDED_BYTES:
            raise PlayheadError(f"There is too little space left on the disk of {self.folder}.", _ADVICE)
        try:
            self._mark("building")
            for file, suffix in product(files, ("", "-wal", "-shm", "-journal")):
                file.with_name(file.name + suffix).unlink(missing_ok=True)
        except OSError as error:
            raise unusable(self.folder, error) from error

    def complete(self) -> None:
        """Marks the demo as ready to be opened, now and at later starts."""
        try:
            self._mark("complete")
        except OSError as error:
            raise unusable(self.folder, error) from error

    def _mark(self, state: str) -> None:
        fresh = self._marker.with_suffix(".new")
        fresh.write_text(json.dumps({"version": VERSION, "state": state}), encoding="utf-8")
        fresh.replace(self._marker)

    def _read_marker(self) -> dict[str, Any]:
        try:
            marker = json.loads(self._marker.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return marker if isinstance(marker, dict) else {}


def _sound(file: Path, proof: str) -> bool:
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            made = connection.execute(f"SELECT 1 FROM {proof} LIMIT 1").fetchone()
            return bool(made) and connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
    except sqlite3.Error:
        return False


def _checkpoint(file: Path) -> None:
    if not file.exists():
        return
    try:
        with closing(sqlite3.connect(file, timeout=0.5)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:
        return


def unusable(folder: Path, error: OSError) -> PlayheadError:
    """What the user reads when the folder cannot be written."""
    return PlayheadError(f"The demo cannot be kept in {folder}: {error.strerror or error}.", _ADVICE)


def busy(folder: Path) -> BusyError:
    """Another process is making the demo in this folder."""
    return BusyError(
        f"Another Playhead is preparing the demo in {folder}.", "Wait for it, or choose --workspace."
    )
