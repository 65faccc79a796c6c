"""One runner process: started, spoken to, listened to, and gone when it is let go of."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from engine_bridge.errors import PlayheadError, UsageError
from engine_bridge.replay.compose import compose
from engine_bridge.replay.environment import scrubbed
from engine_bridge.replay.model import RunnerSpec
from engine_bridge.replay.protocol import LONGEST, AnyMessage, Command, Hello, Job, Log, decoder, encoder

KEPT_OUTPUT: Final = 256 << 10
"""Bytes of what user code prints that are kept; the rest is counted."""


class Gone(msgspec.Struct, frozen=True):
    """The process has ended: ``code`` as of Popen, ``reason`` when its messages could not be read any more."""

    code: int
    reason: str = ""


Item = AnyMessage | Gone


class RunnerProcess:
    """Owns the process, its scratch folder and two reader threads. ``inbox`` gets its messages and at last a Gone."""

    def __init__(self, spec: RunnerSpec, python: str, environment: Mapping[str, str] | None = None) -> None:
        self.spec = spec
        self.python = python
        self.environment = dict(environment or {})
        self.inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self.hello: Hello | None = None
        self._spoke = threading.Event()
        self.scratch = Path(tempfile.mkdtemp(prefix="playhead-replay-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []
        self._closed = False

    def start(self) -> None:
        """Starts the interpreter. Raises UsageError when it cannot be started."""
        runner = self.scratch / "runner.py"
        runner.write_text(compose(self.spec), "utf-8")
        command = [self.python, "-I", "-B", "-X", "utf8", str(runner), str(self.scratch)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the interpreter that the user chose and agreed to
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.scratch,
                env=scrubbed(str(self.scratch), self.environment),
                start_new_session=True,
            )
        except OSError as error:
            self.close()
            raise UsageError(
                f"The interpreter {self.python} cannot be started: {error.strerror}.",
                "Name the project's own Python with --python, or in the project's settings.",
            ) from None
        self._spawn(self._read_messages, self._process, self._process.stdout)
        self._spawn(self._read_output, self._process.stderr)

    def _spawn(self, target: Any, *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, name="playhead-replay-read", daemon=True)
        self._threads.append(thread)
        thread.start()

    def send(self, value: Job | Command) -> None:
        """Tells the runner; one that is gone is not told."""
        process = self._process
        if process is not None and process.stdin is not None:
            with suppress(OSError, ValueError):
                process.stdin.write(encoder.encode(value) + b"\n")
                process.stdin.flush()

    def _read_messages(self, process: subprocess.Popen[bytes], stream: IO[bytes]) -> None:
        reason = ""
        while True:
            try:
                line = stream.readline(LONGEST + 1)
            except (OSError, ValueError):
                break
            if not line:
                break
            if len(line) > LONGEST:
                reason = f"it sent a message of more than {LONGEST >> 20} MiB"
                self.kill()
                break
            try:
                message = decoder.decode(line)
                if isinstance(message, Hello):
                    self.hello = message
                    self._spoke.set()
                self.inbox.put(message)
            except msgspec.MsgspecError as error:
                reason = f"it sent what is no message ({error})"
                self.kill()
                break
        self._spoke.set()
        self.inbox.put(Gone(process.wait(), reason))

    def _read_output(self, stream: IO[bytes]) -> None:
        """What the user's code prints, up to a bound; beyond it is read and dropped, so that nobody blocks."""
        kept = dropped = 0
        while True:
            try:
                data = stream.read1(1 << 16)  # type: ignore[attr-defined]  # a BufferedReader, which IO[bytes] hides
            except (OSError, ValueError):
                break
            if not data:
                break
            room = KEPT_OUTPUT - kept
            if room > 0:
                self.inbox.put(Log(data[:room].decode("utf-8", "replace"), "err"))
            kept, dropped = kept + len(data[: max(room, 0)]), dropped + max(0, len(data) - max(room, 0))
        if dropped:
            self.inbox.put(Log(f"… {dropped:,} more bytes were printed and dropped", "log", "warning"))

    def wait_hello(self, timeout: float) -> Hello | None:
        """Its first word, without taking it from the inbox; None when it is gone or silent. Blocks."""
        self._spoke.wait(timeout)
        return self.hello

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Ends it and everything it started, at once."""
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()

    def close(self) -> None:
        """Ends it, waits until it is gone and removes its folder; may be called twice."""
        if self._closed:
            return
        self._closed = True
        self.kill()
        if self._process is not None:
            self._process.wait()
            for stream in (self._process.stdin,):
                with suppress(OSError):
                    if stream is not None:
                        stream.close()
            for thread in self._threads:
                thread.join()
            for stream in (self._process.stdout, self._process.stderr):
                if stream is not None:
                    stream.close()
        shutil.rmtree(self.scratch, ignore_errors=True)


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
            process = RunnerProcess(self.spec, self.python, self.environment)
            with suppress(PlayheadError):
                process.start()
                self._ready = process

    def hello(self, timeout: float = 60.0) -> Hello | None:
        """What a runner of this interpreter is and denies, before it knows any user code. Blocks; None: it failed."""
        self.prepare()
        with self._lock:
            process = self._ready
        return process.wait_hello(timeout) if process is not None else None

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
