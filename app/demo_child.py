"""One worker process of the demo, seen from its supervisor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.demo_workspace import unusable

GRACE_SECONDS = 3.0
LOG_BYTES = 2_000_000
"""A log longer than this is begun anew at the next start of a worker."""
Event = dict[str, Any]


class Child:
    """Runs a world's worker module in a process group of its own, on a leash: its standard input is a pipe of ours.

    ``on_event(child, event)`` is called in a thread of the child for each JSON line it prints, and last with
    ``{"event": "exit", "code": int}``, when it is dead and reaped.
    """

    def __init__(
        self, module: str, database: Path, log: Path, mode: str, arguments: Sequence[str], pace: float
    ) -> None:
        self.log = log
        self.mode = mode
        # -P: a folder "resources" or "dbos" in the current directory must not be imported in place of ours.
        self._command = [sys.executable, "-P", "-m", module, str(database), "--mode", mode]
        self._command += arguments
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("DBOS")}
        self._environment["PLAYHEAD_DEMO_PACE"] = str(pace)
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """The process' id, None before it is started."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Started, and not yet dead."""
        return self._reader is not None and self._reader.is_alive()

    def start(self, on_event: Callable[[Child, Event], None]) -> None:
        """Starts the process; raises PlayheadError when the log cannot be written or no process be started."""
        try:
            with self.log.open("wb" if _too_long(self.log) else "ab") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=self._environment,
                    cwd=self.log.parent,
                    start_new_session=True,
                )
        except OSError as error:
            raise unusable(self.log.parent, error) from error
        self._reader = threading.Thread(target=self._read, args=(self._process, on_event), name="demo worker")
        self._reader.start()

    def _read(self, process: subprocess.Popen[bytes], on_event: Callable[[Child, Event], None]) -> None:
        # Popen's context closes both pipes and reaps the process.
        with process:
            for line in process.stdout or ():
                event = _parse(line)
                if event:
                    on_event(self, event)
            code = process.wait()
        on_event(self, {"event": "exit", "code": code})

    def kill(self) -> None:
        """Kills at once, as a crash would; its runs stay as they are."""
        self._signal(signal.SIGKILL)

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Asks the process to end, kills it after ``grace`` seconds, and returns when it is gone."""
        if self._reader is None:
            return
        self._signal(signal.SIGTERM)
        self._reader.join(grace)
        if self._reader.is_alive():
            self.kill()
        self._reader.join()

    def _signal(self, number: signal.Signals) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return


def _too_long(log: Path) -> bool:
    return log.exists() and log.stat().st_size > LOG_BYTES


def _parse(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
