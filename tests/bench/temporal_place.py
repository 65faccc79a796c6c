"""A development server with the runs that the benchmarks look at; made once when its folder is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.engines.temporal.local import NAMESPACE, ROOT, LocalServer

_SETTINGS: Final = (
    "limit.historyCount.error=100000", "limit.historyCount.warn=90000",
    "frontend.namespaceRPS=20000", "frontend.namespaceRPS.visibility=20000",
)  # fmt: skip
_PRAGMAS: Final = ("journal_mode=WAL", "synchronous=OFF")
_OPTIONS: Final = (
    *(word for one in _SETTINGS for word in ("--dynamic-config-value", one)),
    *(word for one in _PRAGMAS for word in ("--sqlite-pragma", one)),
)


class Place:
    """A folder with a server's database and notes of what was made in it."""

    def __init__(self, folder: Path, *, page: bool = False) -> None:
        self.folder = folder
        self.server = LocalServer(folder, *_OPTIONS, page=page)
        self._notes = folder / "made.json"

    def made(self, what: str, size: int, *more: str) -> dict[str, Any]:
        """What a maker of ``temporal_worker`` made, now or earlier. The server must run."""
        notes: dict[str, Any] = json.loads(self._notes.read_text()) if self._notes.exists() else {}
        name = f"{what} {size}"
        if name not in notes:
            notes[name] = self.ask(what, str(size), *more)
            self._notes.write_text(json.dumps(notes))
        found: dict[str, Any] = notes[name]
        return found

    def ask(self, *words: str) -> dict[str, Any]:
        """What a command of ``temporal_worker`` answers, now."""
        return told("tests.bench.temporal_worker", self.server.address, NAMESPACE, *words)


def told(module: str, *words: str) -> dict[str, Any]:
    """The last line that a module of the benchmarks prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", module, *words], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@contextmanager
def folder(kept: str | None) -> Iterator[Path]:
    """A folder to make things in: ``kept``, or one that goes at the end."""
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept).resolve()
        return
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def say(bench: str, **values: Any) -> None:
    """One line of JSON."""
    print(json.dumps({"bench": bench, **values}), flush=True)


def load() -> float:
    """The machine's load of the last minute."""
    return round(os.getloadavg()[0], 1)
