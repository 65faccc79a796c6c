"""The actor's connection: it writes, in transactions that wait visibly for locks and can be cancelled until committed.

On PostgreSQL each transaction carries the tenant, the operator and the request for row-level security, audit triggers,
and for whoever settles it later; nothing of that survives it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import store_errors
from engine_bridge.engines.entity_state.url import Place
from engine_bridge.errors import CancelledError, PermissionDeniedError, PlayheadError
from engine_bridge.held_files import Hold
from engine_bridge.sqlite_file import missing_file
from engine_bridge.sqlite_library import sqlite3

LOCK_MS: Final = 250
COMMIT_MS: Final = 30_000
WAITING: Final = "waiting for the lock"
_PAUSE_S: Final = 0.02
# lock_not_available, deadlock_detected, serialization_failure: all was rolled back, and may go better next time.
_LOCKED: Final = ("55P03", "40P01", "40001")

T = TypeVar("T")

_SETTINGS: Final = sa.text(
    "SELECT set_config('app.tenant_id', :tenant, true), set_config('app.user_id', :who, true), "
    "set_config('app.correlation_id', :request, true), set_config('application_name', :name, true), "
    f"set_config('lock_timeout', '{LOCK_MS}ms', true)"
)
# While a transaction lives, its requests are locked: whoever settles one knows that it is still under way.
_MARK: Final = sa.text(
    "SELECT count(pg_advisory_xact_lock_shared(hashtextextended(r, 7))) FROM unnest(CAST(:requests AS text[])) AS r"
)
_MARKED: Final = sa.text("SELECT pg_try_advisory_xact_lock(hashtextextended(:request, 7))")


def is_under_way(connection: sa.Connection, request_id: str) -> bool:
    """Whether a transaction of a request is still open on the server (a file has no such thing)."""
    if connection.dialect.name == "sqlite":
        return False
    return not connection.execute(_MARKED, {"request": request_id}).scalar()


class Writer:
    """The writing connection of one source. ``committing``: a commit of the last work was begun."""

    def __init__(self, place: Place, secret: str | None) -> None:
        self._place = place
        self.dialect = "sqlite" if place.path is not None else "postgresql"
        self._parent = os.getppid()
        self.committing = False
        self.engine = _sqlite(place.path) if place.path is not None else self._postgresql(secret)
        sa.event.listen(self.engine, "commit", self._committing)

    def _postgresql(self, secret: str | None) -> sa.Engine:
        from engine_bridge.postgres import connector

        return sa.create_engine(
            "postgresql+psycopg://", creator=connector(self._place, secret, writing=True), pool_size=1
        )

    def run(
        self, work: Callable[[sa.Connection], T], requests: Sequence[str], who: str, cancel: CancelToken
    ) -> T:
        """Does all of ``work`` in one transaction and commits it; where it raises, nothing was written.

        Waits for locks until cancelled: ``work`` is then called again, on what is there by then. Raises what ``work``
        raises, and PlayheadError for errors of the driver; with ``committing`` the outcome of those is uncertain.
        """

        def attempt(connection: sa.Connection) -> T:
            self._enter(connection, who, requests)
            found = work(connection)
            self._alive(cancel)
            return found

        return self._waiting(attempt, cancel)

    def read(self, look: Callable[[sa.Connection], T], cancel: CancelToken) -> T:
        """Reads in a transaction that cannot write. Raises PlayheadError."""

        def attempt(connection: sa.Connection) -> T:
            if self.dialect == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            self._enter(connection, "", ())
            return look(connection)

        return self._waiting(attempt, cancel, reading=True)

    def _waiting(
        self, attempt: Callable[[sa.Connection], T], cancel: CancelToken, *, reading: bool = False
    ) -> T:
        self.committing = False
        while True:
            self._alive(cancel)
            try:
                connection = self.engine.connect().execution_options(playhead_reading=reading)
                with connection, connection.begin():
                    return attempt(connection)
            except store_errors.CAUGHT as error:
                if (self.committing and not reading) or not _locked(error):
                    raise self._told(error) from None
            cancel.progress(0, None, WAITING)
            cancel.wait(_PAUSE_S)

    def _enter(self, connection: sa.Connection, who: str, requests: Sequence[str]) -> None:
        if self.dialect == "sqlite":
            return
        first = requests[0] if requests else ""
        values = {
            "tenant": self._place.tenant,
            "who": who,
            "request": first,
            "name": f"playhead {first}".strip(),
        }
        connection.execute(_SETTINGS, values)
        if requests:
            connection.execute(_MARK, {"requests": list(requests)})

    def _told(self, error: BaseException) -> PlayheadError:
        cause, title = store_errors.original(error), self._place.title
        if getattr(cause, "sqlstate", None) == "42501":
            diagnostic: Any = getattr(cause, "diag", None)
            detail = str(getattr(diagnostic, "message_primary", None) or "")
            return PermissionDeniedError(
                f"{title} does not let you write this: {detail}.",
                "A grant is missing, or a policy forbids it.",
                detail,
            )
        if "readonly database" in str(cause):
            return PermissionDeniedError(
                f"{title} may not be written to by this user.", "Check its permissions."
            )
        return store_errors.translate(error, title, self._place.path)

    def _committing(self, _connection: sa.Connection) -> None:
        """Listener of the engine's "commit", which runs before it."""
        self.committing = True

    def _alive(self, cancel: CancelToken) -> None:
        """An actor whose Playhead is gone must not act any more: another one settles its intent."""
        cancel.raise_if_cancelled()
        if os.getppid() != self._parent:
            raise CancelledError("The Playhead that asked for this has ended.")

    def close(self) -> None:
        """Frees the connection; may be called twice."""
        self.engine.dispose()


def _sqlite(path: Path) -> sa.Engine:
    path = path.absolute()
    error = missing_file(path)
    if error is not None:
        raise error
    module: Any = sqlite3
    uri = f"file:{quote(os.fsencode(path))}?mode=rw"

    hold = Hold()

    def connect() -> Any:
        hold.take(path)
        connection = module.connect(uri, uri=True, check_same_thread=False)
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    pool: Any = {"poolclass": sa.pool.QueuePool, "pool_size": 1}
    engine = sa.create_engine("sqlite://", creator=connect, module=module, **pool)
    sa.event.listen(engine, "begin", _begin)
    sa.event.listen(engine, "engine_disposed", lambda _: hold.release())
    return engine


def _begin(connection: sa.Connection) -> None:
    """Takes the file's write lock at once, or fails soon; the commit may wait for readers."""
    if connection.get_execution_options().get("playhead_reading"):
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA busy_timeout={LOCK_MS}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    connection.exec_driver_sql(f"PRAGMA busy_timeout={COMMIT_MS}")


def _locked(error: BaseException) -> bool:
    cause = store_errors.original(error)
    state = getattr(cause, "sqlstate", None)
    return state in _LOCKED or (state is None and "locked" in str(cause))
