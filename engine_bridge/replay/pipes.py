"""What comes out of a runner process, read by threads of its own, and the end of the process itself."""

from __future__ import annotations

import codecs
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import msgspec

from engine_bridge.replay.protocol import AnyMessage, Log, decoder

_CHUNK: Final = 1 << 16
_GATHER_S: Final = 0.02
_HEAD: Final = 8
_ROOM: Final = 1 << 20

Process = subprocess.Popen[bytes]


class Gone(msgspec.Struct, frozen=True):
    """The process has ended: ``code`` as of Popen, ``reason`` when its messages could not be read any more."""

    code: int
    reason: str = ""


def read_messages(stream: IO[bytes], longest: int, put: Callable[[AnyMessage], None]) -> str:
    """Until the end, or the first line that is no message or too long: the reason then, else ""."""
    while True:
        try:
            line = stream.readline(longest + 1)
        except (OSError, ValueError):
            return ""
        if len(line) > longest:
            return f"it sent a message of more than {longest:,} bytes"
        # A line that was cut short is the end of a process that died, and no message.
        if not line.endswith(b"\n"):
            return ""
        try:
            put(decoder.decode(line))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return f"it sent what is no message ({error})"


def read_left(path: Path, put: Callable[[AnyMessage], None]) -> None:
    """Messages that a process held when it died (runners/channel.py): their length, then a line each."""
    try:
        with path.open("rb") as file:
            end = int.from_bytes(file.read(_HEAD), "little")
            data = file.read(max(0, min(end, _ROOM) - _HEAD))
    except OSError:
        return
    for line in data.split(b"\n"):
        with suppress(msgspec.MsgspecError, ValueError, RecursionError):
            if line:
                put(decoder.decode(line))


def read_output(stream: IO[bytes], room: int, put: Callable[[AnyMessage], None]) -> None:
    """What user code prints, up to ``room`` bytes and some at a time; the rest is dropped, so that nobody blocks."""
    with stream:
        dropped = _pass_on(stream, room, put)
    if dropped:
        put(Log(f"… {dropped:,} more bytes were printed and dropped", "log", "warning"))


def _pass_on(stream: IO[bytes], room: int, put: Callable[[AnyMessage], None]) -> int:
    text = codecs.getincrementaldecoder("utf-8")("replace")
    dropped = 0
    while True:
        try:
            data = stream.read1(_CHUNK)  # type: ignore[attr-defined]  # a BufferedReader, which IO[bytes] hides
        except (OSError, ValueError):
            return dropped
        if not data:
            return dropped
        kept, room = data[:room], max(0, room - len(data))
        dropped += len(data) - len(kept)
        if kept:
            put(Log(text.decode(kept), "err"))
            # Line by line output becomes few messages.
            time.sleep(_GATHER_S)


def kill(process: Process) -> None:
    """Ends a process and its group at once."""
    # Once it was waited for, its id may be somebody else's.
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def ended(process: Process, *, wait: bool = False) -> bool:
    """Whether it has ended; on POSIX it is not reaped, so that its group can still be killed by its id."""
    if process.returncode is not None:
        return True
    if os.name != "posix":
        return (process.wait() if wait else process.poll()) is not None
    try:
        return (
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | (0 if wait else os.WNOHANG))
            is not None
        )
    except ChildProcessError:
        return True


def reaped(process: Process) -> int:
    """Waits for its end, ends what it started with it, and answers its code."""
    ended(process, wait=True)
    kill(process)
    return process.wait()
