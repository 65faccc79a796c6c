"""Owner leases: whether the Playhead that wrote an intent still lives.

Each process holds an exclusive lock on a file of its own for as long as it lives; the operating system drops the lock
whatever way the process ends, so a lock that can be taken belongs to nobody. Locks are per machine: an owner of another
machine is never called dead.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import uuid
from pathlib import Path
from typing import IO

from engine_bridge.errors import PlayheadError


class Owner:
    """This process as an owner of intents. ``id`` is "machine/uuid". Any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()
        self.id = f"{platform.node()}/{uuid.uuid4()}"

    def acquire(self) -> None:
        """Takes the lease. Raises PlayheadError when the folder cannot be written."""
        with self._lock:
            if self._file is None:
                self._file = self._take()

    def _take(self) -> IO[bytes]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = self._path(self.id).open("wb")
            file.write(str(os.getpid()).encode())
            file.flush()
        except OSError as error:
            raise PlayheadError(
                "The journal's folder cannot be written, so nothing is sent.",
                f"Make {self._folder} writable, or free some space.",
                type(error).__name__,
            ) from None
        _try_lock(file)
        return file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._path(self.id).unlink(missing_ok=True)

    def dead(self, owner_id: str) -> bool:
        """Whether an owner of this machine has ended. False for this process and for other machines."""
        machine = owner_id.partition("/")[0]
        if owner_id == self.id or machine != platform.node():
            return False
        path = self._path(owner_id)
        try:
            with path.open("rb") as file:
                return _try_lock(file)
        except FileNotFoundError:
            return True
        except OSError:
            return False

    def _path(self, owner_id: str) -> Path:
        return self._folder / f"{owner_id.partition('/')[2]}.owner"


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
