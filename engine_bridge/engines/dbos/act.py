"""The actor of DBOS: the only thing that writes to a system database. Lives in a killable child process.

It sends what a plan says through DBOS's own client, behind a gate that reads the preconditions again in the very
transaction that writes (act_connect.py), and reads back what became of it (act_outcome.py).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from engine_bridge.actions.model import Actor, Intent, Outcome, PlanItem, Receipt, Staged, Verdict
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import act_calls, act_outcome, act_settle, actions_facts, driver_errors, probe
from engine_bridge.engines.dbos.act_connect import WAITING, Gate, make_engine, patch_clock
from engine_bridge.engines.dbos.actions import effect_of, too_old, unsupported
from engine_bridge.engines.dbos.actions_facts import Facts
from engine_bridge.engines.dbos.plan_sql import Sql
from engine_bridge.engines.dbos.url import FileSource, ServerSource, parse
from engine_bridge.errors import (
    BusyError,
    CancelledError,
    PlayheadError,
    RejectedError,
    StaleError,
    UnsupportedError,
)
from engine_bridge.format import plain
from engine_bridge.postgres_url import mask
from engine_bridge.sqlite_library import sqlite3

if TYPE_CHECKING:
    from dbos import DBOSClient

_SUBSECOND: Final = (3, 42)
_LAST: Final = 50
_LEFT: Final = "It was cancelled before anything was sent."
_UNDER_WAY_S: Final = 10.0
_TOGETHER: Final = 16
_IN_BULK: Final = ("cancel", "resume")


class Reading:
    """Reads in one transaction of the actor's."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def all(self, statement: sa.Executable) -> Any:
        return self._connection.execute(statement).fetchall()

    def one(self, statement: sa.Executable, params: Mapping[str, Any] | None = None) -> Any:
        return self._connection.execute(statement, params or {}).first()

    def value(self, statement: sa.Executable) -> Any:
        row = self.one(statement)
        return None if row is None else row[0]


class _DoneAlreadyError(Exception):
    """The engine has this request's effect: it was executed before."""


class DbosActor(Actor):
    """Acts on one system database, one action at a time."""

    concurrent = False

    def __init__(self, url: str, secret: str | None = None) -> None:
        self._url = url
        self._secret = secret
        self._engine: sa.Engine | None = None

    def open(self, cancel: CancelToken) -> None:
        self.close()
        self._source = parse(self._url)
        self._gate = Gate()
        self._engine = engine = make_engine(self._source, self._secret, self._gate)
        try:
            self._probe(cancel)
            self._clock(cancel)
            self._client = self._connect(engine)
        except BaseException:
            self.close()
            raise

    def _connect(self, engine: sa.Engine) -> Any:
        from dbos import DBOSClient

        return DBOSClient(
            system_database_engine=engine,
            dbos_system_schema=self._schema or "dbos",
            lazy=True,
            retry_connection_errors=False,
        )

    @property
    def _schema(self) -> str | None:
        return self._source.schema if isinstance(self._source, ServerSource) else None

    def _probe(self, cancel: CancelToken) -> None:
        dialect = "sqlite" if isinstance(self._source, FileSource) else "postgresql"
        place = mask(self._url)

        def look(connection: sa.Connection) -> probe.Probed:
            return probe.look(connection, dialect, self._schema or "dbos", place)

        self._probed = self._read(look, cancel)
        why = unsupported(self._probed)
        if why:
            raise UnsupportedError(f"Nothing is sent: {why}.")
        self._tables = self._probed.tables
        self._sql = Sql(dialect, self._schema)

    def _clock(self, cancel: CancelToken) -> None:
        """Writes times as the workers do: whole seconds, or thousandths."""
        if not isinstance(self._source, FileSource) or self._engine is None:
            return
        defaults = sa.text("SELECT count(*) FROM sqlite_master WHERE sql LIKE '%unixepoch(''subsec'')%'")
        fine = self._read(lambda c: Reading(c).value(defaults), cancel) > 0
        module: Any = sqlite3
        if fine and module.sqlite_version_info < _SUBSECOND:
            raise UnsupportedError(
                f"This database needs SQLite 3.42 or newer, here is {module.sqlite_version}.",
                "Install pysqlite3-binary beside Playhead.",
            )
        if sys.version_info < (3, 12) and (fine or self._read(self._has_thousandths, cancel)):
            patch_clock(self._engine)

    def _has_thousandths(self, connection: sa.Connection) -> bool:
        table = self._tables["workflow_status"]
        newest = (
            sa.select(table.c.created_at, table.c.updated_at).order_by(table.c.created_at.desc()).limit(_LAST)
        )
        times = [value for row in Reading(connection).all(newest) for value in row]
        return any(isinstance(value, int) and value % 1000 for value in times)

    def _read(self, look: Any, cancel: CancelToken) -> Any:
        """Reads in a transaction of its own, waiting for locks."""
        engine = self._opened()
        while True:
            cancel.raise_if_cancelled()
            try:
                with engine.begin() as connection:
                    return look(connection)
            except driver_errors.CAUGHT as error:
                told = self._told(error)
                if not isinstance(told, BusyError):
                    raise told from None
            cancel.progress(0, None, WAITING)

    def _told(self, error: BaseException) -> PlayheadError:
        path = self._source.path if isinstance(self._source, FileSource) else None
        return driver_errors.translate(error, mask(self._url), path)

    def _opened(self) -> sa.Engine:
        if self._engine is None:
            raise RejectedError("The actor is not open.")
        return self._engine

    def execute(self, item: PlanItem, request_id: str, cancel: CancelToken) -> Receipt:
        staged = item.staged
        old = too_old(staged.action, self._probed)
        if old or staged.action not in act_calls.CALLS:
            raise UnsupportedError(f"Nothing is sent: {old or f'there is no action {staged.action}'}.")
        seen: list[Facts] = []
        check = self._checker(item, request_id, seen)
        lock = act_calls.row_lock(self._tables, staged)
        try:
            with self._gate.armed(check, lock, act_outcome.session_name(request_id), cancel):
                act_calls.CALLS[staged.action](self._sending(staged, request_id, seen))
        except _DoneAlreadyError as done:
            return Receipt(
                request_id=request_id, outcome=act_outcome.done_before(staged, request_id, str(done))
            )
        except StaleError as error:
            evidence = (error.message, *error.detail.splitlines())
            outcome = Outcome(verdict=Verdict.NOT_APPLIED, stale=True, evidence=evidence)
            return Receipt(request_id=request_id, outcome=outcome)
        except CancelledError:
            if self._gate.sent:
                raise
            outcome = Outcome(verdict=Verdict.NOT_APPLIED, evidence=(_LEFT,))
            return Receipt(request_id=request_id, outcome=outcome)
        except driver_errors.CAUGHT as error:
            raise self._told(error) from None
        except Exception as error:  # noqa: BLE001  the client raises bare Exceptions too
            raise _of_client(error) from None
        return self._verified(item, request_id, seen[-1], cancel)

    def _sending(self, staged: Staged, request_id: str, seen: list[Facts]) -> act_calls.Sending:
        return act_calls.Sending(
            client=self._client,
            engine=self._opened(),
            sql=self._sql,
            staged=staged,
            request_id=request_id,
            now_ms=time.time_ns() // 1_000_000,
            seen=lambda: seen[-1] if seen else None,
        )

    def _checker(self, item: PlanItem, request_id: str, seen: list[Facts]) -> Any:
        return lambda connection: seen.append(self._checked(Reading(connection), item, request_id))

    def _checked(self, reads: Reading, item: PlanItem, request_id: str) -> Facts:
        """The target as it is now. Raises StaleError when that is not as planned."""
        staged = item.staged
        done = act_calls.made(self._tables, reads, staged, request_id)
        if done:
            raise _DoneAlreadyError(done)
        now = actions_facts.read(self._tables, reads, staged)
        changed = actions_facts.stale(item.preconditions, now)
        if now is None or changed:
            raise StaleError("It changed since the plan was made; nothing was sent.", "", "\n".join(changed))
        disabled = effect_of(staged.action, now)[1]
        if disabled:
            raise StaleError("It can no longer be done; nothing was sent.", "", disabled)
        return now

    def together(self, action: str, cancel: CancelToken) -> int:
        # SQLite's write lock is the whole file's: more items in a transaction lock nothing more.
        return _TOGETHER if isinstance(self._source, FileSource) and action in _IN_BULK else 1

    def execute_many(
        self, asked: tuple[tuple[PlanItem, str], ...], cancel: CancelToken
    ) -> list[Receipt | PlayheadError]:
        staged = [item.staged for item, _ in asked]
        # Row locks of others would hold up the whole transaction: there, each item has its own.
        known = all(
            self.together(s.action, cancel) > 1 and not too_old(s.action, self._probed) for s in staged
        )
        send = act_calls.many(staged) if known and staged else None
        before = self._sent_together(asked, send, cancel) if send is not None else None
        if before is None:
            return super().execute_many(asked, cancel)
        # Committed: as in ``_verified``.
        reading = CancelToken(cancel.progress_through)
        found = self._read(lambda c: self._looks(Reading(c), asked, before), reading)
        return [
            self._receipt(item, request_id, first)
            if act_outcome.settled(first)
            else self._verified(item, request_id, facts, cancel)
            for (item, request_id), facts, first in zip(asked, before, found, strict=True)
        ]

    def _sent_together(
        self,
        asked: tuple[tuple[PlanItem, str], ...],
        send: Callable[[DBOSClient], object],
        cancel: CancelToken,
    ) -> list[Facts] | None:
        """What the gate saw of each; None when nothing was committed: then each is sent, and answers, for itself."""
        seen: list[Facts] = []

        def check(connection: sa.Connection) -> None:
            seen[:] = [self._checked(Reading(connection), *one) for one in asked]

        try:
            with self._gate.armed(check, None, "playhead", cancel):
                send(self._client)
        except Exception as error:  # noqa: BLE001  the client raises bare Exceptions too
            if not self._gate.committing:
                return None
            caught = isinstance(error, driver_errors.CAUGHT)
            raise (self._told(error) if caught else _of_client(error)) from None
        return seen

    def _looks(
        self, reads: Reading, asked: tuple[tuple[PlanItem, str], ...], before: list[Facts]
    ) -> list[act_outcome.Found]:
        return [
            act_outcome.look(self._tables, reads, item.staged, request_id, facts)
            for (item, request_id), facts in zip(asked, before, strict=True)
        ]

    def _receipt(self, item: PlanItem, request_id: str, found: act_outcome.Found) -> Receipt:
        return Receipt(
            request_id=request_id, outcome=found.outcome, changes=found.changes, inverse=item.inverse
        )

    def _verified(self, item: PlanItem, request_id: str, before: Facts, cancel: CancelToken) -> Receipt:
        def look(reads: Any) -> act_outcome.Found:
            return act_outcome.look(self._tables, reads, item.staged, request_id, before)

        # What was sent was committed: a cancellation from here on ends the waiting, not the reading.
        reading = CancelToken(cancel.progress_through)
        found = act_outcome.until_moved(lambda: self._read(lambda c: look(Reading(c)), reading), cancel)
        return self._receipt(item, request_id, found)

    def settle(self, intent: Intent, cancel: CancelToken) -> Outcome:
        def look(connection: sa.Connection) -> Outcome | None:
            return act_settle.settle(self._tables, Reading(connection), intent)

        deadline = time.monotonic() + _UNDER_WAY_S
        while True:
            found: Outcome | None = self._read(look, cancel)
            if found is not None:
                return found
            if time.monotonic() > deadline:
                return act_settle.under_way()
            cancel.progress(0, None, WAITING)
            cancel.wait(0.2)

    def close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()


def _of_client(error: Exception) -> PlayheadError:
    if isinstance(error, PlayheadError):
        return error
    return RejectedError(f"DBOS refused: {type(error).__name__}: {plain(str(error))}")
