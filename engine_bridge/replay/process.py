"""One runner process: started, spoken to, listened to, and gone when it is let go of."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from engine_bridge.errors import PlayheadError, UsageError
from engine_bridge.replay.compose import compose
from engine_bridge.replay.environment import scrubbed
from engine_bridge.replay.model import RunnerSpec
from engine_bridge.replay.pipes import (
    Gone,
    Process,
    ended,
    kill,
    read_left,
    read_messages,
    read_output,
    reaped,
)
from engine_bridge.replay.protocol import LONGEST, AnyMessage, Command, Job, encoder
from engine_bridge.replay.scratch import Scratch

KEPT_OUTPUT: Final = 256 << 10
"""Bytes of what user code prints that are kept; the rest is counted."""

STACKS: Final = "stacks.txt"
HELD: Final = "held"
_CHUNK: Final = 1 << 16
_GATHER_S: Final = 0.02
_LET_GO_S: Final = 1.0
_STACKS_S: Final = 5.0


Item = AnyMessage | Gone


class RunnerProcess:
    """Owns the process, its scratch folder and two reader threads. ``inbox`` gets its messages and at last a Gone.

    ``output_bytes`` of what it prints are kept; a message has at most ``message_bytes``. ``debug`` is the port that it
    opens for a debugger (-1: any; 0: none). Raises UsageError when there is no place for the folder.
    """

    def __init__(
        self,
        spec: RunnerSpec,
        python: str,
        environment: Mapping[str, str] | None = None,
        *,
        output_bytes: int = KEPT_OUTPUT,
        message_bytes: int = LONGEST,
        debug: int = 0,
    ) -> None:
        self.spec = spec
        self.python = python
        self.environment = dict(environment or {})
        self.inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        try:
            self._folder = Scratch()
        except OSError as error:
            hint = "Make room there, or name another folder by TMPDIR."
            raise UsageError(f"No folder for the replay can be made: {error.strerror}.", hint) from None
        self.scratch = self._folder.path
        self._output_bytes = output_bytes
        self._message_bytes = message_bytes
        self._debug = debug
        self._process: Process | None = None
        self._threads: list[threading.Thread] = []
        self._lost_at = 0.0
        self._close = threading.Lock()
        self._closed = False

    def start(self) -> None:
        """Starts the interpreter. Raises UsageError when it cannot be started."""
        try:
            runner = self.scratch / "runner.py"
            runner.write_text(compose(self.spec), "utf-8")
            process = self._process = subprocess.Popen(  # noqa: S603 - the interpreter that the user agreed to
                self._command(runner),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.scratch,
                env=scrubbed(str(self.scratch), self.environment),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self.close()
            why = error.strerror if isinstance(error, OSError) else error
            raise UsageError(
                f"The interpreter {self.python} cannot be started: {why}.",
                "Name the project's own Python with --python, or in the project's settings.",
            ) from None
        except PlayheadError:
            self.close()
            raise
        output = self._spawn(read_output, process.stderr, self._output_bytes, self.inbox.put)
        self._spawn(self._messages, process, process.stdout, output)

    def _command(self, runner: Path) -> list[str]:
        python = str(Path(shutil.which(self.python) or self.python).absolute())
        command = [python, "-I", "-B", "-X", "utf8"]
        if not self._debug:
            return [*command, str(runner), str(self.scratch)]
        # A debugger cannot step through modules that are frozen into the interpreter.
        return [*command, "-X", "frozen_modules=off", str(runner), str(self.scratch), str(self._debug)]

    def _spawn(self, target: Any, *args: Any) -> threading.Thread:
        thread = threading.Thread(target=target, args=args, name="playhead-replay-read", daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def send(self, value: Job | Command) -> None:
        """Tells the runner; one that is gone is not told."""
        process = self._process
        if process is not None and process.stdin is not None:
            with suppress(OSError, ValueError):
                process.stdin.write(encoder.encode(value) + b"\n")
                process.stdin.flush()

    def _messages(self, process: Process, stream: IO[bytes], output: threading.Thread) -> None:
        reason = "its messages could not be read"
        try:
            with stream:
                reason = read_messages(stream, self._message_bytes, self.inbox.put)
        finally:
            if reason:
                kill(process)
            code = reaped(process)
            read_left(self.scratch / HELD, self.inbox.put)
            # What it printed last may say why.
            output.join(_LET_GO_S)
            self.inbox.put(Gone(code, reason))

    @property
    def alive(self) -> bool:
        return self._process is not None and not ended(self._process)

    def lost(self) -> Gone | None:
        """Its end, when it has ended and still nothing says so: somebody it started holds its pipes. Ends that, too."""
        process = self._process
        if process is None or not ended(process):
            return None
        kill(process)
        now = time.monotonic()
        self._lost_at = self._lost_at or now
        return Gone(reaped(process)) if now - self._lost_at > _LET_GO_S else None

    def stacks(self) -> str:
        """The stacks that Python left when it crashed, or of all threads now while it runs; "" when it cannot tell.

        Works while C code holds the interpreter. Waits for them, for up to five seconds on a busy machine.
        """
        path = self.scratch / STACKS
        if self.alive and self._process is not None and hasattr(signal, "SIGUSR1"):
            with suppress(OSError):
                os.kill(self._process.pid, signal.SIGUSR1)
            deadline = time.monotonic() + _STACKS_S
            before = -1
            while self.alive and time.monotonic() < deadline and (not _size(path) or _size(path) != before):
                before = _size(path)
                time.sleep(_GATHER_S)
        with suppress(OSError):
            return path.read_bytes()[:_CHUNK].decode("utf-8", "replace")
        return ""

    def peak_mb(self) -> int:
        """The most memory that it had so far, in MiB; 0 when it is gone, or the platform does not tell."""
        with suppress(OSError, ValueError, IndexError):
            if self._process is not None:
                status = Path(f"/proc/{self._process.pid}/status").read_text("ascii", "replace")
                return int(status.split("VmHWM:")[1].split()[0]) >> 10
        return 0

    def kill(self) -> None:
        """Ends it and everything it started, at once."""
        if self._process is not None:
            kill(self._process)

    def close(self) -> None:
        """Ends it, waits until it is gone and removes its folder; may be called twice, by any thread."""
        with self._close:
            if self._closed:
                return
            self._closed = True
            self.kill()
            if self._process is not None:
                self._let_go(self._process)
            self._folder.remove()

    def _let_go(self, process: Process) -> None:
        reaped(process)
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        for thread in self._threads:
            # Somebody else may hold the other end where processes cannot be denied: then it is left to that.
            thread.join(_LET_GO_S)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


class Warm:
    """Keeps one runner ready: its library is imported, and it knows nothing of the user's code yet. Any thread."""

    def __init__(self, spec: RunnerSpec, python: str, environment: Mapping[str, str] | None = None) -> None:
        self.spec = spec
        self.python = python
        self.environment = dict(environment or {})
        self._lock = threading.Lock()
        self._ready: RunnerProcess | None = None
        self._closed = False

    def prepare(self) -> None:
        """Starts one unless one is ready. Errors wait for the replay that needs it."""
        with self._lock:
            if self._closed or (self._ready is not None and self._ready.alive):
                return
            if self._ready is not None:
                self._ready.close()
                self._ready = None
            with suppress(PlayheadError):
                process = RunnerProcess(self.spec, self.python, self.environment)
                process.start()
                self._ready = process

    def fits(self, spec: RunnerSpec, python: str, environment: Mapping[str, str] | None) -> bool:
        """Whether its runner is the one that a replay needs."""
        return (self.spec, self.python, self.environment) == (spec, python, dict(environment or {}))

    def take(self) -> RunnerProcess | None:
        """The ready runner, which is now the caller's; None when there is none."""
        with self._lock:
            process, self._ready = self._ready, None
        if process is not None and not process.alive:
            process.close()
            return None
        return process

    def close(self) -> None:
        """Lets the ready one go; nothing is started any more."""
        with self._lock:
            self._closed = True
            process, self._ready = self._ready, None
        if process is not None:
            process.close()
