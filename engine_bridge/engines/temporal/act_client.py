"""The client that writes: what the server refuses is told apart from what nobody knows the end of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from engine_bridge.engines.temporal import client_errors as errors
from engine_bridge.engines.temporal.client import Client
from engine_bridge.errors import ConnectError, RejectedError
from engine_bridge.format import plain

_EXISTS: Final = 6
REFUSED: Final = frozenset(
    {
        errors.NOT_FOUND, errors.INVALID, errors.PRECONDITION, errors.DENIED, errors.UNIMPLEMENTED, errors.EXHAUSTED,
        errors.UNAUTHENTICATED, _EXISTS,
    }
)  # fmt: skip
"""Status codes with which a server says that it did nothing."""
_CREDENTIALS: Final = (errors.DENIED, errors.UNAUTHENTICATED)
_TIMED_OUT: Final = frozenset({errors.CANCELLED, errors.DEADLINE})


def _larger(text: str) -> str:
    """What a refusal for its size means."""
    if "larger than max" in text:
        return ", which is the whole message (4 MB by default)"
    return (
        ", which is one payload or all of a message (2 MB by default)" if "size exceeds limit" in text else ""
    )


class RefusedError(RejectedError):
    """The server answered that it did not do it. ``status`` is gRPC's."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"The server refused: {said}.", "", said)
        self.status = status


class NoAnswerError(ConnectError):
    """The server did not answer in time: it may have done it."""


class ActingClient(Client):
    """A client whose ``send`` makes one call that writes, once."""

    def send(self, rpc: str, request: Any, cancel: Any, timeout_s: float) -> Any:
        """One call, never repeated. Raises RefusedError when nothing was done, else what leaves that open."""
        return self._wait(self._send(rpc, request, timeout_s), cancel, timeout_s + 2)

    async def _send(self, rpc: str, request: Any, timeout_s: float) -> Any:
        from temporalio.service import RPCError

        if self._service is None:
            raise ConnectError("The source is not open.", "Open it again.")
        method = getattr(self._service.workflow_service, rpc)
        try:
            return await method(request, retry=False, timeout=timedelta(seconds=timeout_s))
        except RPCError as error:
            raise self._told(int(error.status), error.message) from None

    def _told(self, status: int, text: str) -> Exception:
        if status in REFUSED:
            may_not = "; these credentials may not do it" if status in _CREDENTIALS else ""
            return RefusedError(status, plain(errors.masked(text), 500).rstrip(".") + _larger(text) + may_not)
        if status in _TIMED_OUT:
            return NoAnswerError(
                f"{plain(self.source.address, 120)} did not answer in time.", "", errors.masked(text)
            )
        return errors.calling(self.source, status, text)
