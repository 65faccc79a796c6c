"""Calls to one Temporal server: synchronous, from any thread, on an event loop in a thread of its own.

Only child processes import this module's client (it may abort while an interpreter finalises). Requests and answers
are the protobuf messages of ``temporalio.api``; failures are PlayheadErrors.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import client_errors as errors
from engine_bridge.engines.temporal.client_url import ServerSource
from engine_bridge.engines.temporal.codec import Codec
from engine_bridge.errors import CancelledError, ConnectError, PlayheadError

if TYPE_CHECKING:
    from temporalio.runtime import Runtime
    from temporalio.service import ServiceClient, TLSConfig

CALL_S: Final = 15.0
CONNECT_S: Final = 8.0
AT_ONCE: Final = 16
_TRIES: Final = 6


class Client:
    """One connection, which is made anew by the client itself when it breaks."""

    def __init__(self, source: ServerSource) -> None:
        self.source = source
        self.codec = Codec()
        self._service: ServiceClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._lead_ns = 0

    def connect(self, cancel: CancelToken) -> None:
        """Connects, on this machine without compression. Raises ConnectError and AuthError."""
        if self._service is None:
            self._service = self._connected(cancel, compressed=not self.source.loopback)

    def compress(self, cancel: CancelToken) -> None:
        """Connects anew, with compression: for a server that this machine only forwards to.

        Of a server that is here it would take a fifth of its time for a long history. Raises as :meth:`connect` does.
        """
        self._service = self._connected(cancel, compressed=True)

    def _connected(self, cancel: CancelToken, *, compressed: bool) -> ServiceClient:
        tls = _tls(self.source)
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="temporal-client", daemon=True
            )
            self._thread.start()
        service: ServiceClient = self._wait(self._connect(tls, compressed), cancel, CONNECT_S + 2)
        return service

    async def _connect(self, tls: TLSConfig | bool, compressed: bool) -> ServiceClient:
        from temporalio.service import ConnectConfig, GrpcCompression, RPCError, ServiceClient

        config = ConnectConfig(
            self.source.address,
            api_key=self.source.api_key,
            tls=tls,
            grpc_compression=GrpcCompression.GZIP if compressed else GrpcCompression.NONE,
            identity=f"playhead-{os.getpid()}@{socket.gethostname()}",
            # Without it servers tell of a run that failed and was tried again that it was continued as new.
            rpc_metadata={"supported-features": "follows-next-run-id"},
            runtime=_quiet(),
        )
        for left in reversed(range(_TRIES if self.source.tls else 1)):
            try:
                return await asyncio.wait_for(ServiceClient.connect(config), CONNECT_S)
            except TimeoutError:
                raise errors.connecting(self.source, "timed out") from None
            except RPCError as error:
                raise errors.calling(self.source, int(error.status), error.message) from None
            except RuntimeError as error:
                # Why a server ended the line comes with it, and is at times read too late.
                if not left or not errors.cut(str(error)):
                    raise errors.connecting(self.source, str(error)) from None
        raise AssertionError  # the last try returns or raises

    def call(
        self,
        rpc: str,
        request: Any,
        cancel: CancelToken,
        *,
        what: str = "",
        timeout_s: float = CALL_S,
        retry: bool = True,
    ) -> Any:
        """One call of the workflow service, or of the operator service (``operator.list_search_attributes``).

        ``what`` names the thing asked for, for the error. With ``retry`` the client tries again while the server is
        not there, for ten seconds at most; only calls that read are given it.
        """
        return self._wait(self._call(rpc, request, what, timeout_s, retry), cancel, timeout_s + 12)

    def ahead(
        self, rpc: str, request: Any, *, what: str = "", timeout_s: float = CALL_S
    ) -> Callable[[CancelToken], Any]:
        """Starts a call that reads; what comes back waits for its answer, and raises as :meth:`call` does."""
        future = self._scheduled(self._call(rpc, request, what, timeout_s, True))
        if future is None:
            return lambda cancel: self.call(rpc, request, cancel, what=what, timeout_s=timeout_s)
        return lambda cancel: self._taken(future, cancel, timeout_s + 12)

    def waiting(
        self, rpc: str, request: Any, cancel: CancelToken, *, what: str, timeout_s: float, every_s: float
    ) -> Iterator[Any]:
        """A call that may take long: None every so often until its answer. Raises as :meth:`call` does."""
        future = self._begun(self._call(rpc, request, what, timeout_s, False), cancel)
        remove = cancel.add_hook(lambda: _stop(future))
        try:
            while not future.done() and not wait([future], every_s).done and not cancel.cancelled:
                yield None
        except BaseException:
            future.cancel()
            raise
        finally:
            remove()
        yield self._taken(future, cancel, timeout_s + 12)

    def call_all(self, rpc: str, requests: Sequence[Any], cancel: CancelToken) -> list[Any]:
        """Many calls, some at once; each answer is a message or a PlayheadError, in order."""
        return self._wait(self._gather(rpc, requests), cancel, None) if requests else []

    async def _gather(self, rpc: str, requests: Sequence[Any]) -> list[Any]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(request: Any) -> Any:
            async with gate:
                try:
                    return await self._call(rpc, request, "", CALL_S, True)
                except PlayheadError as error:
                    return error

        return await asyncio.gather(*(one(request) for request in requests))

    async def _call(self, rpc: str, request: Any, what: str, timeout_s: float, retry: bool) -> Any:
        from temporalio.service import RPCError

        service = self._service
        if service is None:
            raise ConnectError("The source is not open.", "Open it again.")
        name, _, method = rpc.rpartition(".")
        offers: Any = service.operator_service if name == "operator" else service.workflow_service
        try:
            return await getattr(offers, method)(request, retry=retry, timeout=timedelta(seconds=timeout_s))
        except RPCError as error:
            raise errors.calling(self.source, int(error.status), error.message, what) from None

    def _wait(self, coroutine: Coroutine[Any, Any, Any], cancel: CancelToken, timeout_s: float | None) -> Any:
        """Runs a coroutine on the loop, and waits for it; a cancelled call stops at once."""
        return self._taken(self._begun(coroutine, cancel), cancel, timeout_s)

    def _begun(self, coroutine: Coroutine[Any, Any, Any], cancel: CancelToken) -> Future[Any]:
        future = self._scheduled(coroutine, cancel.cancelled)
        if future is None:
            cancel.raise_if_cancelled()
            raise ConnectError("The source is closed.", "Open it again.")
        return future

    def _scheduled(self, coroutine: Coroutine[Any, Any, Any], refused: bool = False) -> Future[Any] | None:
        """A coroutine on the loop, whose thread may not run it yet; None once the client is closed."""
        with self._lock:  # what comes before a close is cancelled by it, what comes after it is refused
            if self._loop is not None and not refused:
                return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        coroutine.close()
        return None

    def _taken(self, future: Future[Any], cancel: CancelToken, timeout_s: float | None) -> Any:
        remove = cancel.add_hook(lambda: _stop(future))
        try:
            return future.result(timeout_s)
        except FutureTimeout:
            future.cancel()
            raise errors.calling(self.source, errors.DEADLINE, "no answer") from None
        except BaseException:
            # A cancelled future, and whatever broke when it was cancelled, is the caller's own doing.
            cancel.raise_if_cancelled()
            if future.cancelled():
                raise CancelledError("The source was closed.") from None
            raise
        finally:
            remove()

    def observed(self, server_ns: int) -> None:
        """Learns of the server's clock from a time that the server wrote just before it was read here."""
        self._lead_ns = max(self._lead_ns, server_ns - time.time_ns())

    def now_ns(self) -> int:
        """The server's clock, as far as it is known: ours, ahead by as much as times from it were seen to be."""
        return time.time_ns() + self._lead_ns

    @property
    def lead_ns(self) -> int:
        """How far the server's clock was seen ahead of ours, at least."""
        return self._lead_ns

    def close(self) -> None:
        """Ends the connection and its thread; may be called twice, and before connect."""
        self._service = None
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        done = asyncio.run_coroutine_threadsafe(_cancel_all(), loop)
        with suppress(FutureTimeout):
            done.result(2)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(2)
        if not thread.is_alive():
            loop.close()


def _stop(future: Future[Any]) -> None:
    future.cancel()


async def _cancel_all() -> None:
    me = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not me]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@cache
def _quiet() -> Runtime:
    """The core of this process, without a log: its own writes to the terminal between a command's lines."""
    from temporalio.runtime import Runtime, TelemetryConfig

    return Runtime(telemetry=TelemetryConfig(logging=None))


def _tls(source: ServerSource) -> TLSConfig | bool:
    if not source.tls:
        return False
    from temporalio.service import TLSConfig

    return TLSConfig(
        server_root_ca_cert=_read(source.ca, "ca"),
        domain=source.server_name or None,
        client_cert=_read(source.cert, "cert"),
        client_private_key=_read(source.key, "key"),
    )


def _read(path: str, name: str) -> bytes | None:
    if not path:
        return None
    try:
        data = Path(path).expanduser().read_bytes()
        word = "PRIVATE KEY" if name == "key" else "CERTIFICATE"
        if f"{word}-----".encode() not in data:
            raise ConnectError(
                f"The file of {name}= holds no {word.lower()}.",
                f"Name a PEM file, which has a line -----BEGIN {word}-----: {name}={path}",
            )
        return data
    except OSError as error:
        raise ConnectError(
            f"The file of {name}= cannot be read.",
            f"Check the path and your rights: {path}",
            type(error).__name__,
        ) from None


def pages(
    client: Client, rpc: str, request: Any, cancel: CancelToken, *, what: str = "", most: int | None = None
) -> Iterator[Any]:
    """The answers to a question that comes in pages by ``next_page_token``, at most ``most`` of them."""
    count = 0
    while most is None or count < most:
        answer = client.call(rpc, request, cancel, what=what)
        yield answer
        count += 1
        if not answer.next_page_token:
            return
        request.next_page_token = answer.next_page_token
