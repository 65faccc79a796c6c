"""Runner part: what keeps the process in bounds and lets it be watched: memory, its end with the parent, stacks."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from typing import Any

from engine_bridge.replay.runners.frames import stack_from, thread_frame, user_frame
from engine_bridge.replay.runners.pictures import picture

LOOK_S = 0.25
STACKS = "stacks.txt"
_sleep, _clock, _kill_us = time.sleep, time.monotonic, os._exit


def limit(memory_mb: int) -> None:
    """Bounds this process' memory where the platform can; no core files."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_mb:
        # On Linux RLIMIT_DATA counts what may be written, and not what is only reserved (malloc's arenas).
        kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
        resource.setrlimit(kind, (memory_mb << 20, memory_mb << 20))


def peak_mb() -> int:
    """The most memory this process had, in MiB; 0 where it cannot be known."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak >> (20 if sys.platform == "darwin" else 10))


def die_with_parent(descriptor: int) -> None:
    """The kernel kills this process' group when the parent closes its end or writes, even in code that never yields."""
    try:
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(descriptor, 10, signal.SIGKILL)  # F_SETSIG
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)
    except (ImportError, AttributeError, OSError):
        return


def leave_stacks(scratch: str) -> Any:
    """Stacks of all threads go to a file on a crash and on SIGUSR1, by C code that needs no interpreter lock."""
    file = os.fdopen(
        os.open(os.path.join(scratch, STACKS), os.O_WRONLY | os.O_CREAT, 0o600), "wb", buffering=0
    )
    faulthandler.enable(file, all_threads=True)
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1, file, all_threads=True)
    return file


def listen(recorder: Any) -> None:
    """Follows the parent's commands, and ends with it and all that it started."""
    while True:
        command = recorder.channel.receive()
        if command is None or command.get("cmd") == "exit":
            end_group()
        elif command.get("cmd") == "cancel":
            recorder.cancelled = True


def end_group() -> None:
    """Ends this process and its children."""
    if hasattr(os, "killpg"):
        try:
            os.killpg(os.getpgrp(), signal.SIGKILL)
        except OSError:
            _kill_us(4)
    _kill_us(4)


def watch(recorder: Any, busy_after: float) -> None:
    """Tells the parent, from a thread of its own, when user code does not come back."""
    while True:
        _sleep(LOOK_S)
        recorder.channel.flush()
        since = recorder.since
        if since and _clock() - since > busy_after:
            frame = _busy_frame(recorder)
            stack = stack_from(frame, recorder.files, False, picture) if frame is not None else []
            recorder.channel.send("busy", seconds=round(_clock() - since, 2), stack=stack)


def _busy_frame(recorder: Any) -> Any:
    """The innermost user frame of the thread that was heard of last, else of any."""
    for ident in (recorder.thread, *list(sys._current_frames())):
        frame = user_frame(thread_frame(ident), recorder.files)
        if frame is not None:
            return frame
    return None
