"""A small file of the user's state that several processes may change: its lock, and its replacement as a whole."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LOCK_S: Final = 3.0


def replace(path: Path, text: str, *, durable: bool = True) -> None:
    """Puts a text in a file's place, of which nobody ever sees a part. Raises OSError.

    ``durable`` waits for the disk; what the GUI thread writes often does not, lest the window stutters.
    """
    import tempfile

    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the file's lock, which the system frees when its holder dies. Raises OSError after three seconds."""
    with path.with_suffix(path.suffix + ".lock").open("ab") as lock:
        deadline = time.monotonic() + _LOCK_S
        while not try_lock(lock.fileno()):
            if time.monotonic() > deadline:
                raise OSError(f"{lock.name} is held by another process")
            time.sleep(0.005)
        yield


def try_lock(handle: int) -> bool:
    """Whether this process now holds the lock of an open file; it never waits."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
