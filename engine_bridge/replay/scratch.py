"""Private folders of runners: made, removed, and those that a Playhead left when it died removed by the next one."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Final

from engine_bridge.own_file import try_lock

PREFIX: Final = "playhead-replay-"
_LOCK: Final = "owner.lock"
_YOUNG_S: Final = 60.0
_swept = threading.Event()


class Scratch:
    """A folder that only its owner may enter (0700), locked as long as this process lives. Raises OSError."""

    def __init__(self) -> None:
        if not _swept.is_set():
            _swept.set()
            sweep()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock: IO[bytes] = (self.path / _LOCK).open("wb")
        try_lock(self._lock.fileno())

    def remove(self) -> None:
        """Removes it with all that is in it; may be called twice."""
        self._lock.close()
        remove(self.path)


def remove(folder: Path) -> None:
    """Removes a folder, even what user code made unreadable in it; what cannot be removed stays."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        with contextlib.suppress(OSError):
            folder.chmod(0o700)
        # A folder is entered after it was told of by the one above.
        for place, inner, _ in os.walk(folder):
            for path in (Path(place, name) for name in inner):
                with contextlib.suppress(OSError):
                    if not path.is_symlink():
                        path.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> list[Path]:
    """Removes folders of Playheads of this user that are gone; answers which."""
    found = []
    for folder in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        if _left(folder):
            remove(folder)
            found.append(folder)
    return found


def _left(folder: Path) -> bool:
    try:
        status = folder.lstat()
        if (
            not folder.is_dir()
            or folder.is_symlink()
            or (os.name == "posix" and status.st_uid != os.getuid())
        ):
            return False
        lock = folder / _LOCK
        if not lock.exists():
            # Its owner may be between making it and locking it.
            return time.time() - status.st_mtime > _YOUNG_S
        with lock.open("rb+") as file:
            return try_lock(file.fileno())
    except OSError:
        return False
