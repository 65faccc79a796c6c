"""A bridge in a child process: for clients that can abort, hang or hold the GIL.

The child is a spawned interpreter that runs :func:`serve`. Messages are tuples over a duplex pipe:
``(id, "call", method, args)`` and ``(id, "cancel")`` down; ``(id, "item" | "done" | "error" | "progress", value)`` up.
Values are numpy arrays, bytes and msgspec structs, never open objects.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pickle import PicklingError
from typing import Any, Final, Protocol

from engine_bridge import host_process, memory
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import CancelledError, ConnectError
from engine_bridge.session import Call, OnItem, describe_error, run_call

#: A call that computes may hold the interpreter this long while another one's answer is there; Python's 5 ms add up.
_SWITCH_S: Final = 0.0005
#: Objects made between two looks for cyclic garbage: those of a page of a history are gone when it is sent.
_YOUNG: Final = 20_000

_GRACE_S = 3.0


class Hosted(Protocol):
    """What a child process can host: its methods take a cancel token last."""

    concurrent: bool

    def close(self) -> None: ...


class ProcessHost:
    """Runs a bridge in one child process; once that has died, every call fails.

    With ``reopens`` a new one is started, and its bridge is opened before its first call, when its predecessor's was
    open; the calls that came meanwhile wait for that, and fail as it fails.
    """

    def __init__(self, factory: Callable[[], Hosted], *, reopens: bool = False) -> None:
        self._factory = factory
        self._reopens = reopens
        self._was_open = False
        self._opening: Call | None = None
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._calls: dict[int, tuple[Call, OnItem | None, Connection]] = {}
        self._pipe: Connection | None = None
        self._process: host_process.Process | None = None
        self._reader: threading.Thread | None = None
        self._closed = False

    def start(self, call: Call, args: tuple[Any, ...], on_item: OnItem | None) -> None:
        number = next(self._ids)
        try:
            with self._lock:
                if self._closed:
                    raise CancelledError("The source was closed.")
                opening = self._to_wait_for(call)
                if opening is None:
                    self._send(number, call, args, on_item)
        except (OSError, CancelledError) as error:
            call.fail(error if isinstance(error, CancelledError) else _died())
            return
        if opening is None:
            call.token.add_hook(lambda: self._cancel(number))
        else:
            call.token.add_hook(lambda: call.fail(CancelledError()))
            opening.when_done(lambda done: self._after(done, call, args, on_item))

    def _send(self, number: int, call: Call, args: tuple[Any, ...], on_item: OnItem | None) -> None:
        pipe = self._ensure()
        self._calls[number] = (call, on_item, pipe)
        pipe.send((number, "call", call.method, args))

    def _to_wait_for(self, call: Call) -> Call | None:
        """The opening of a new child's bridge that a call has to wait for, if any. Under the lock."""
        if call.method == "open":
            call.when_done(self._opened)
            return None
        if self._opening is None and self._was_open and not self.alive:
            opening = Call("open", CancelToken())
            self._send(next(self._ids), opening, (), None)
            self._opening = opening
        return self._opening

    def _opened(self, call: Call) -> None:
        if call.error is None:
            self._was_open = self._reopens

    def _after(self, opening: Call, call: Call, args: tuple[Any, ...], on_item: OnItem | None) -> None:
        """Starts a call that waited, unless it was cancelled meanwhile."""
        with self._lock:
            if self._opening is opening:
                self._opening = None
        if opening.error is not None:
            call.fail(opening.error)
        elif not call.done:
            self.start(call, args, on_item)

    def _ensure(self) -> Connection:
        if self._pipe is not None and self.alive:
            return self._pipe
        if self._process is not None and not self._reopens:
            raise BrokenPipeError
        self._process, ours = host_process.start(serve, self._factory)
        self._pipe = ours
        ends = (ours, self._process)
        self._reader = threading.Thread(target=self._read, args=ends, name="playhead-host", daemon=True)
        self._reader.start()
        return ours

    def _cancel(self, number: int) -> None:
        with self._lock:
            if number in self._calls:
                # A dead child needs no telling: its reader fails the call.
                with contextlib.suppress(OSError):
                    self._calls[number][2].send((number, "cancel"))

    def _read(self, pipe: Connection, process: host_process.Process) -> None:
        while True:
            try:
                number, kind, value = pipe.recv()
            except (EOFError, OSError):
                break
            except Exception:  # noqa: BLE001  what cannot be read ends the child: its calls must not wait for ever
                process.kill()
                break
            self._deliver(number, kind, value)
        with self._lock:
            # Another child may have been started meanwhile: its calls and its pipe are not this one's.
            gone = [number for number, entry in self._calls.items() if entry[2] is pipe]
            left = [self._calls.pop(number)[0] for number in gone]
            if self._pipe is pipe:
                self._pipe = None
            pipe.close()
        for call in left:
            call.fail(_died())
        process.join(_GRACE_S)  # the system counts it until somebody has asked how it ended

    def _deliver(self, number: int, kind: str, value: Any) -> None:
        with self._lock:
            entry = self._calls.get(number)
            if kind in ("done", "error"):
                self._calls.pop(number, None)
        if entry is None:
            return
        call, on_item, _ = entry
        if kind == "item" and on_item is not None:
            on_item(value)
        elif kind == "done":
            call.finish(value)
            if on_item is not None:
                memory.trim()
        elif kind == "error":
            call.fail(value)
        elif kind == "progress" and not call.token.cancelled:
            call.token.progress(*value)

    @property
    def alive(self) -> bool:
        """Whether the child runs and listens: its pipe ends a moment before the system counts it as dead."""
        return self._pipe is not None and self._process is not None and self._process.is_alive()

    def close(self, *, kill: bool = False) -> None:
        """Ends the child: it gets 3 s to close its bridge, or none with ``kill``."""
        with self._lock:
            self._closed = True
            pipe, process, reader = self._pipe, self._process, self._reader
            if pipe is not None and not kill:
                with contextlib.suppress(OSError):
                    pipe.send((0, "close"))
        if process is not None:
            process.join(0 if kill else _GRACE_S)
            if process.is_alive():
                process.kill()
                process.join()
        if reader is not None:
            reader.join()
        if pipe is not None:
            pipe.close()


def _died() -> ConnectError:
    return ConnectError(
        "The process that read this source ended unexpectedly.", "Try again: it is restarted."
    )


def serve(pipe: Connection, factory: Callable[[], Hosted]) -> None:
    """The child's main loop: one thread per call, until the parent closes or dies."""
    memory.share_arena()
    sys.setswitchinterval(_SWITCH_S)
    gc.set_threshold(_YOUNG)
    try:
        bridge = factory()
    except Exception as error:  # noqa: BLE001  whatever it was is the answer to every call
        _refuse(pipe, error)
        return
    gate = threading.Lock() if not bridge.concurrent else None
    send_lock = threading.Lock()
    tokens: dict[int, CancelToken] = {}

    def send(number: int, kind: str, value: Any) -> None:
        with send_lock:
            pipe.send((number, kind, value))

    def work(number: int, call: Call, args: tuple[Any, ...]) -> None:
        with contextlib.nullcontext() if gate is None or call.method == "tail" else gate:
            run_call(bridge, call, args, lambda item: send(number, "item", item))
        tokens.pop(number, None)
        _answer(number, call, send)
        if call.method == "open":
            gc.freeze()  # the client lives until the end, and is large: looking at it again takes 30 ms
        memory.trim()

    while True:
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            # The parent is gone, so nobody may be told any more: what is under way is rolled back, not finished.
            os._exit(1)
        number, kind = message[0], message[1]
        if kind == "close":
            break
        if kind == "cancel":
            token = tokens.get(number)
            if token is not None:
                token.cancel()
            continue
        token = tokens[number] = CancelToken(lambda *values, n=number: send(n, "progress", values))
        threading.Thread(target=work, args=(number, Call(message[2], token), message[3]), daemon=True).start()
    for token in list(tokens.values()):
        token.cancel()
    _end(bridge)


def _answer(number: int, call: Call, send: Callable[[int, str, Any], None]) -> None:
    error = call.error
    if error is None:
        try:
            send(number, "done", call.result())
            return
        except (TypeError, AttributeError, PicklingError) as unsendable:
            error = unsendable
    send(number, "error", describe_error(error))


def _refuse(pipe: Connection, error: Exception) -> None:
    """Answers every call with why there is no bridge, until the parent closes or dies."""
    with contextlib.suppress(EOFError, OSError):
        while (message := pipe.recv())[1] != "close":
            if message[1] == "call":
                pipe.send((message[0], "error", describe_error(error)))


def _end(bridge: Hosted) -> None:
    """Closes the bridge and ends the process at once: some clients abort while the interpreter finalises."""
    try:
        bridge.close()
    except Exception:  # noqa: BLE001  nobody is left to be told but the log
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
