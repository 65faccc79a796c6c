"""A small JSON file of the user's state that several processes may change: lock, merge, atomic replace."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from engine_bridge.errors import PlayheadError

Table = dict[str, Any]
_LOCK_S: Final = 3.0


def read(path: Path) -> Table:
    """The file's object; empty when it is missing or is none of ours. Raises PlayheadError when it cannot be read."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    except OSError as error:
        raise PlayheadError(f"{path} cannot be read.", "Check its permissions.", str(error)) from None
    return content if isinstance(content, dict) else {}


def update(path: Path, change: Callable[[Table], None]) -> None:
    """Applies ``change`` to what the file holds now; only its owner may read it. Raises PlayheadError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            content = read(path)
            change(content)
            _replace(path, json.dumps(content, indent=1, ensure_ascii=True, sort_keys=True))
    except OSError as error:
        raise PlayheadError(
            f"{path} cannot be written.", "Check the folder's permissions and space.", str(error)
        ) from None


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds the file's lock, which the system frees when its holder dies."""
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
