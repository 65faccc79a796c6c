"""Runner part: the line to Playhead, out of reach of whatever user code prints, reads, closes or replaces."""

from __future__ import annotations

import json
import mmap
import os
import sys
import threading
import time
from typing import Any

# Kept here: user code may replace these in their modules (gevent, freezegun).
_read, _write, _exit, _clock_of_writes = os.read, os.write, os._exit, time.monotonic
HELD_S = 0.05
HELD_FILE = "held"  # a file of the scratch folder, which outlives the process
HELD_ROOM = 1 << 20
HELD_HEAD = 8  # bytes of its length
PARENT_GONE = 3
LONGEST = 3 << 20  # characters of a message, of four bytes each at most; the parent takes 16 MiB


def _unsendable(value: Any) -> str:
    return f"<{type(value).__name__}>"


def _encoder() -> Any:
    """Writes JSON. One C encoder for all messages: making it takes longer than a message of some lines."""
    made = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_unsendable)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return made.encode
    write = make(None, _unsendable, json.encoder.encode_basestring, None, ":", ",", False, False, False)
    return lambda value: "".join(write(value, 0))


_encode = _encoder()
_decode = json.JSONDecoder().decode


class Channel:
    """JSON lines both ways on private descriptors; what is printed goes to stderr, and reading stdin finds its end."""

    def __init__(self) -> None:
        self._in, self._out = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
        self._lock = threading.Lock()
        self._held: list[bytes] = []
        self._kept: Any = None
        self._end = HELD_HEAD
        self._written = 0.0
        self._run = ("", '""')
        self._stack: tuple[Any, str] = (None, "")
        self.holds = True
        self._rest = b""

    def keep_in(self, folder: str) -> None:
        """Makes the memory in which messages are held: shared with a file, so that a crash does not take them along."""
        path = os.path.join(folder, HELD_FILE)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, HELD_ROOM)
            self._kept = mmap.mmap(descriptor, HELD_ROOM)
        except (OSError, ValueError):
            self._kept = None
        finally:
            os.close(descriptor)

    def step(self, run_id: str, step: dict[str, Any], stack: Any, held: bool) -> None:
        """One step. ``held`` ones go with the next message that is sent, in one write: many within a few milliseconds.

        The JSON of its stack is kept: a workflow task begins where the one before it ended.
        """
        try:
            if stack is not self._stack[0]:
                self._stack = stack, _encode(stack)
            if run_id != self._run[0]:
                self._run = run_id, _encode(run_id)
            text = f'{{"k":"step","run_id":{self._run[1]},"step":{_encode(step)[:-1]},"stack":{self._stack[1]}}}}}'
        except (ValueError, RecursionError):
            text = ""
        if not text or len(text) > LONGEST:
            text = _encode(_plain({"k": "step", "run_id": run_id, "step": {**step, "stack": stack}}, 0))
        self._hold(text.encode("utf-8", "replace") + b"\n", held)

    def hold(self, kind: str, **values: Any) -> None:
        """One message that nobody waits for: it goes with the next that is sent."""
        self._hold(self._line(kind, values), True)

    def _hold(self, line: bytes, held: bool) -> None:
        if not (held and self.holds) or self._kept is None or _clock_of_writes() - self._written > HELD_S:
            self._send(line)
            return
        with self._lock:
            end = self._end + len(line)
            if end <= HELD_ROOM:
                self._kept[self._end : end] = line
                self._kept[:HELD_HEAD] = end.to_bytes(HELD_HEAD, "little")
                self._end = end
                self._held.append(line)
                return
        self._send(line)

    def flush(self) -> None:
        """Sends what is held for too long."""
        if self._held and _clock_of_writes() - self._written > HELD_S:
            self._send(b"")

    def eager(self) -> None:
        """The next message is not held."""
        self._written = 0.0

    def send(self, kind: str, **values: Any) -> None:
        """One message; the parent's end means ours."""
        self._send(self._line(kind, values))

    def _send(self, line: bytes) -> None:
        with self._lock:
            view = memoryview(b"".join((*self._held, line)))
            self._held.clear()
            if self._end > HELD_HEAD:
                self._end = HELD_HEAD
                self._kept[:HELD_HEAD] = HELD_HEAD.to_bytes(HELD_HEAD, "little")
            self._written = _clock_of_writes()
            try:
                while view:
                    view = view[_write(self._out, view) :]
            except OSError:
                _exit(PARENT_GONE)

    @staticmethod
    def _line(kind: str, values: dict[str, Any]) -> bytes:
        message = {"k": kind, **values}
        try:
            line = _encode(message)
        except (ValueError, RecursionError):
            # A number that JSON has not, or a cycle.
            line = _encode(_plain(message, 0))
        if len(line) > LONGEST:
            line = _encode(_plain({**message}, 0))
        return bytes(line.encode("utf-8", "replace")) + b"\n"

    def receive(self) -> dict[str, Any] | None:
        """The parent's next line, None at its end. One thread at a time."""
        parts = [self._rest]
        while b"\n" not in parts[-1]:
            try:
                data = _read(self._in, 1 << 16)
            except OSError:
                return None
            if not data:
                return None
            parts.append(data)
        line, _, self._rest = b"".join(parts).partition(b"\n")
        value = _decode(line.decode("utf-8"))
        return value if isinstance(value, dict) else {}

    @property
    def descriptor(self) -> int:
        """The one that the parent's lines come from."""
        return self._in


def _plain(value: Any, depth: int) -> Any:
    """What is left of a message that cannot be sent as it is: no locals, short texts and lists, finite numbers."""
    if depth > 20:
        return "…"
    if type(value) is dict:
        kept = [(key, inner) for key, inner in value.items() if key != "locals"]
        return {str(key): _plain(inner, depth + 1) for key, inner in kept}
    if type(value) in (list, tuple):
        return [_plain(inner, depth + 1) for inner in value[:1000]]
    if type(value) is float and value - value == 0:
        return value
    return value if type(value) in (int, bool, type(None)) else str(value)[:2000]


class Stop(BaseException):
    """Ends a replay from inside user code. No Exception: the workflow's own handlers must not see it.

    ``made`` counts them, and ``first`` keeps the first, for code that catches everything (Recorder.step).
    """

    made = 0
    first: Stop | None = None

    def __init__(self, kind: str, **values: Any) -> None:
        super().__init__(kind)
        self.kind = kind
        self.values = values
        Stop.made += 1
        Stop.first = Stop.first or self
