"""Sessions: the only way to use a bridge. A session hosts one in threads or in a child process.

Every call returns a :class:`Call` at once. Results, items and progress arrive in a worker thread; the
application hands them to the GUI thread. A session outlives errors of single calls; when a child
process dies, its open calls fail with ConnectError and the next call starts a new one, whose bridge is opened first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, cast

from engine_bridge import memory
from engine_bridge.bridge import Bridge, SourceInfo
from engine_bridge.cancel import CancelToken, Progress
from engine_bridge.errors import CancelledError, PlayheadError, UsageError

if TYPE_CHECKING:  # numpy is not on the start-up path
    from engine_bridge.history import History

OnItem = Callable[[Any], None]
OnDone = Callable[["Call"], None]


class Call:
    """One call under way. Any thread may use it."""

    def __init__(self, method: str, token: CancelToken) -> None:
        self.method = method
        self.token = token
        self._future: Future[Any] = Future()

    def cancel(self) -> None:
        """Asks the call to stop; it then fails with CancelledError."""
        self.token.cancel()

    def result(self, timeout: float | None = None) -> Any:
        """Waits for the result (never on the GUI thread). Raises what the call raised, or TimeoutError."""
        return self._future.result(timeout)

    def wait(self, timeout: float) -> bool:
        """Waits at most ``timeout`` seconds; whether the call has ended, well or badly."""
        return bool(wait([self._future], timeout).done)

    @property
    def error(self) -> BaseException | None:
        """The error of a call that is done, None when it succeeded. Raises when it is not done."""
        return self._future.exception(0)

    @property
    def done(self) -> bool:
        return self._future.done()

    def when_done(self, callback: OnDone) -> None:
        """Runs ``callback`` in the worker thread when the call ends (at once when it has)."""
        self._future.add_done_callback(lambda _: callback(self))

    def finish(self, value: Any) -> None:
        """For hosts: the call succeeded. What ends a call first counts, in whichever thread."""
        with suppress(InvalidStateError):
            self._future.set_result(value)

    def fail(self, error: BaseException) -> None:
        """For hosts: the call failed."""
        with suppress(InvalidStateError):
            self._future.set_exception(error)


class Host(Protocol):
    """Where a bridge runs."""

    def start(self, call: Call, args: tuple[Any, ...], on_item: OnItem | None) -> None: ...

    def close(self) -> None: ...


def run_call(bridge: object, call: Call, args: tuple[Any, ...], on_item: OnItem | None) -> None:
    """Runs one call on a bridge to its end, in this thread. Iterators are drained into ``on_item``."""
    try:
        call.token.raise_if_cancelled()
        value = getattr(bridge, call.method)(*args, call.token)
        if isinstance(value, Iterator):
            for item in value:
                call.token.raise_if_cancelled()
                cast(OnItem, on_item)(item)
            value = None
        call.finish(value)
    except BaseException as error:  # noqa: BLE001  every failure belongs to the caller of this call
        cancelled = call.token.cancelled and not isinstance(error, CancelledError)
        call.fail(CancelledError() if cancelled else error)


class ThreadHost:
    """Runs a bridge in worker threads of this process: several when the bridge is concurrent."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._lock = threading.Lock()
        self._open: set[Call] = set()
        self._closed = False
        self._pool = ThreadPoolExecutor(4 if bridge.concurrent else 1, "playhead-reader")
        # A tail blocks its thread for as long as somebody looks, so tails never share the pool.
        self._tails: list[threading.Thread] = []

    def start(self, call: Call, args: tuple[Any, ...], on_item: OnItem | None) -> None:
        with self._lock:
            if self._closed:
                call.fail(CancelledError("The source was closed."))
                return
            self._open.add(call)
            # Begun while nobody can close it: a closed pool takes nothing, and closing waits for the threads it sees.
            if call.method == "tail":
                self._start_tail(call, args, on_item)
            else:
                self._pool.submit(self._run, call, args, on_item)
        call.when_done(self._forget)

    def _run(self, call: Call, args: tuple[Any, ...], on_item: OnItem | None) -> None:
        run_call(self._bridge, call, args, on_item)
        if on_item is not None:
            memory.trim()

    def _start_tail(self, call: Call, args: tuple[Any, ...], on_item: OnItem | None) -> None:
        thread = threading.Thread(
            target=run_call, args=(self._bridge, call, args, on_item), name="playhead-tail", daemon=True
        )
        thread.start()
        self._tails = [t for t in self._tails if t.is_alive()] + [thread]

    def _forget(self, call: Call) -> None:
        with self._lock:
            self._open.discard(call)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            calls, tails = list(self._open), list(self._tails)
        for call in calls:
            call.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for call in calls:
            call.fail(CancelledError("The source was closed."))
        for thread in tails:
            thread.join()
        self._bridge.close()


class Session:
    """One open source, used by many callers.

    ``factory`` makes the unopened bridge; it must be picklable when the bridge's host is a process.
    """

    def __init__(self, factory: Callable[[], Bridge], *, host: str = "thread") -> None:
        from engine_bridge.host import ProcessHost

        self.info: SourceInfo | None = None
        self._host: Host = ThreadHost(factory()) if host == "thread" else ProcessHost(factory, reopens=True)
        self._closed = False

    def open(self, on_progress: Progress | None = None) -> Call:
        """Opens the source; its result is a SourceInfo, kept in ``info`` too."""
        call = self.call("open", on_progress=on_progress)
        call.when_done(self._opened)
        return call

    def _opened(self, call: Call) -> None:
        if call.error is None:
            self.info = call.result()

    def empty_history(self) -> History:
        """A history for the batches of this source's runs: it reads their records as its engine wrote them."""
        from engine_bridge.bridge import load_engine
        from engine_bridge.history import History, decode_event, decode_step

        try:
            engine = load_engine(self.info.engine) if self.info is not None else None
        except UsageError:  # a bridge that no engine registered
            engine = None
        if engine is None:
            return History()
        decoders = (engine.decode_event or decode_event, engine.decode_step or decode_step)
        return History(*decoders, engine.looker)

    def call(self, method: str, *args: Any, on_progress: Progress | None = None) -> Call:
        """Starts a bridge method; the cancel token is appended to ``args``."""
        call = Call(method, CancelToken(on_progress))
        self._host.start(call, args, None)
        return call

    def stream(self, method: str, *args: Any, on_item: OnItem, on_progress: Progress | None = None) -> Call:
        """Starts a bridge method that yields; ``on_item`` runs in the worker thread, in order."""
        call = Call(method, CancelToken(on_progress))
        self._host.start(call, args, on_item)
        return call

    def close(self) -> None:
        """Cancels what is under way, waits for it, frees the bridge. Never on the GUI thread."""
        if not self._closed:
            self._closed = True
            self._host.close()


def describe_error(error: BaseException) -> PlayheadError:
    """Any error as one that can be shown; foreign ones keep only their type, lest a secret leaks."""
    if isinstance(error, PlayheadError):
        return error
    name = type(error).__name__
    return PlayheadError(f"Internal error: {name}.", "Please report it with the details.", detail=name)
