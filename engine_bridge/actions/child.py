"""The killable process in which an actor lives. Worker threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

from engine_bridge.actions.model import Actor, Signature
from engine_bridge.actions.owner import Owner, child_lease
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import BusyError, CancelledError, PlayheadError
from engine_bridge.host import ProcessHost
from engine_bridge.session import Call

PATIENCE_S: Final = 1.5
_SILENCE_S: Final = 1.0
_leases: list[IO[bytes]] = []


class _Leased:
    """Makes the actor in the child, after a lease: while the child lives, its parent's intents are not settled."""

    def __init__(self, factory: Callable[[], Actor], folder: Path, owner_id: str) -> None:
        self._factory, self._folder, self._owner_id = factory, folder, owner_id

    def __call__(self) -> Actor:
        _leases.append(child_lease(self._folder, self._owner_id))
        return self._factory()


class Child:
    """Starts the process on first use and again when it died. ``factory`` must be picklable.

    ``signature`` is told to each actor that is opened from then on.
    """

    def __init__(self, factory: Callable[[], Actor], owner: Owner) -> None:
        self.signature = Signature()
        self._factory = _Leased(factory, owner.folder, owner.id)
        self._host: ProcessHost | None = None

    @property
    def alive(self) -> bool:
        return self._host is not None and self._host.alive

    def ready(self, cancel: CancelToken, limit_s: float | None = None) -> None:
        """Starts the process and opens the actor. Raises what the actor raised, and BusyError past ``limit_s``."""
        if self.alive:
            return
        self.drop()
        self._host = ProcessHost(self._factory)
        try:
            self.call("open", (), cancel, limit_s)
            self.call("sign", (self.signature,), cancel, limit_s)
        except PlayheadError:
            self.drop(kill=True)
            raise

    def start(self, method: str, args: tuple[Any, ...], token: CancelToken) -> Call:
        """Starts a call and answers at once; a cancelled one that never ends needs ``drop(kill=True)``."""
        if self._host is None:
            raise CancelledError
        call = Call(method, token)
        self._host.start(call, args, None)
        return call

    def call(
        self, method: str, args: tuple[Any, ...], cancel: CancelToken, limit_s: float | None = None
    ) -> Any:
        """Waits for one call. A cancelled one that does not end within 1.5 s loses its process, as does one that
        takes longer than ``limit_s`` (BusyError)."""
        token, heard = _passing_on(cancel)
        call = self.start(method, args, token)
        remove = cancel.add_hook(call.cancel)
        began = time.monotonic()
        given_up: float | None = None
        try:
            while not call.wait(0.05):
                now = time.monotonic()
                if cancel.cancelled and given_up is None:
                    given_up = now + PATIENCE_S
                if given_up is not None and now > given_up:
                    self.drop(kill=True)
                    raise CancelledError
                if limit_s is not None and now - began > limit_s:
                    self.drop(kill=True)
                    raise BusyError(f"The source did not answer within {limit_s:g} s.", "It may be locked.")
                if not heard and now - began > _SILENCE_S:
                    cancel.progress_through(0, None, "Waiting for the source, which may be busy or locked")
            return call.result(0)
        finally:
            remove()

    def drop(self, *, kill: bool = False) -> None:
        """Ends the process: at once with ``kill``, else after it has closed the actor."""
        host, self._host = self._host, None
        if host is not None:
            host.close(kill=kill)


def _passing_on(cancel: CancelToken) -> tuple[CancelToken, list[str]]:
    """A token for the inner call, and what was heard through it."""
    heard: list[str] = []

    def pass_on(done: int, total: int | None, text: str) -> None:
        heard.append(text)
        del heard[:-1]
        cancel.progress_through(done, total, text)

    return CancelToken(pass_on), heard
