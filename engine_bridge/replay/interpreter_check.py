"""Asks an interpreter what it is, before anything else is run by it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

import msgspec

from engine_bridge.errors import UsageError
from engine_bridge.replay.environment import scrubbed
from engine_bridge.replay.versions import release

OLDEST: Final = (3, 10)
_ASK_S: Final = 30.0
_QUESTION: Final = (
    "import sys, json; print(json.dumps([sys.version_info[:3], sys.executable, sys.implementation.name]))"
)
_HINT: Final = "Name the project's own Python with --python, or in the project's settings."


class Checked(msgspec.Struct, frozen=True):
    """A Python that answered: its version, and the path that it knows itself by (behind a shim, the real one)."""

    python: str
    version: str
    implementation: str


def check_python(python: str, folder: str = "") -> Checked:
    """Runs ``python -I -c`` with a question of ours in ``folder``, for half a minute at most. Blocks: no GUI thread.

    Raises UsageError when it is missing, is no Python, or is older than 3.10.
    """
    path = shutil.which(python)
    if path is None:
        what = "is no program" if Path(python).exists() else "does not exist"
        raise UsageError(f"The interpreter {python} {what}.", _HINT)
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter that was found or chosen, asked its version
            [path, "-I", "-c", _QUESTION],
            capture_output=True, timeout=_ASK_S, check=False, stdin=subprocess.DEVNULL,
            cwd=folder or None, env=scrubbed(""),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UsageError(f"The interpreter {python} did not answer in {_ASK_S:g} seconds.", _HINT) from None
    except OSError as error:
        raise UsageError(f"The interpreter {python} cannot be started: {error.strerror}.", _HINT) from None
    return _answer(python, done.stdout, done.stderr)


def _answer(python: str, out: bytes, err: bytes) -> Checked:
    try:
        numbers, executable, implementation = json.loads(out)
        version = ".".join(str(int(number)) for number in numbers)
    except (ValueError, TypeError):
        said = err.decode("utf-8", "replace").strip().splitlines()
        detail = said[0][:200] if said else "it did not answer"
        raise UsageError(f"{python} is no Python of version 3.10 or newer.", _HINT, detail) from None
    if release(version) < OLDEST:
        raise UsageError(f"{python} is Python {version}; a replay needs 3.10 or newer.", _HINT)
    return Checked(str(executable or python), version, str(implementation))
