"""The actor of entities: the only thing that writes to their database. Lives in a killable child process.

It looks at the target again inside the transaction that writes, and writes what the same functions that made the plan
say; the compare-and-swap decides. It never tries a write again by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

import msgspec
import sqlalchemy as sa

from engine_bridge.actions.model import Actor, Change, Intent, Outcome, PlanItem, Receipt, Staged, Verdict
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import (
    act_approvals,
    act_http,
    act_made,
    actions,
    actions_facts,
    actions_rights,
    checks,
    mapping_load,
    plan_move,
    plan_observe,
    plan_retry,
    store_bind,
    store_errors,
)
from engine_bridge.engines.entity_state.act_connect import WAITING, Writer, is_under_way
from engine_bridge.engines.entity_state.act_sql import Sql, Write
from engine_bridge.engines.entity_state.actions import Kind, Source
from engine_bridge.engines.entity_state.plan_base import Deed, Look, Request
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.url import parse
from engine_bridge.errors import (
    CancelledError,
    NotFoundError,
    PlayheadError,
    RejectedError,
    StaleError,
    UnsupportedError,
)

TOGETHER: Final = 50
_UNDER_WAY_S: Final = 10.0
_TAKE_S: Final = 2.0
_NOT_NAMED: Final = "the history does not name this request yet"
_LEFT: Final = "It was cancelled before anything was written."
_IN_BULK: Final = (
    "move",
    "undo_move",
    "degrade",
    "release_claim",
    "mark_observed",
    "resolve_failure",
    "retry_step",
)


T = TypeVar("T")


class Reading:
    """Reads in one transaction of the actor's."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def all(self, statement: sa.Executable, params: Mapping[str, Any] | None = None) -> Any:
        return self._connection.execute(statement, params or {}).fetchall()

    def one(self, statement: sa.Executable, params: Mapping[str, Any] | None = None) -> Any:
        return self._connection.execute(statement, params or {}).first()


class _DoneBeforeError(Exception):
    """This request's effect is there: it was executed before."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


class EntityActor(Actor):
    """Acts on the entities of one database, one transaction at a time."""

    concurrent = False

    def __init__(self, url: str, secret: str | None = None) -> None:
        self._url, self._secret = url, secret
        self._writer: Writer | None = None

    def open(self, cancel: CancelToken) -> None:
        self.close()
        place = parse(self._url)
        loaded = mapping_load.read(place.mapping)
        self._writer = Writer(place, self._secret)
        try:
            bounds = self._writer.read(
                lambda c: store_bind.bind(c, loaded, place, place.tenant, checks.Report(loaded.mapping)),
                cancel,
            )
        except BaseException:
            self.close()
            raise
        known = {bound.type: bound for bound in bounds if bound.usable}
        dialect = self._writer.dialect
        self._source = Source(
            place,
            dialect,
            place.tenant,
            loaded.mapping,
            loaded.catalogue,
            lambda name: _known(known, name),
            bounds,
        )
        self._sql = Sql(dialect)

    @property
    def _open(self) -> Writer:
        if self._writer is None:
            raise RejectedError("The actor is not open.")
        return self._writer

    def execute(self, item: PlanItem, request_id: str, cancel: CancelToken) -> Receipt:
        kind = self._kind(item.staged)
        try:
            self._allowed(item, kind)
            if kind.http and plan_retry.endpoint(self._aimed(item.staged, cancel)):
                return self._asked(item, request_id, cancel)
            found = self._run(lambda c: self._written(c, item, request_id), (request_id,), cancel)
        except CancelledError:
            if self._open.committing:
                raise
            return _receipt(request_id, Verdict.NOT_APPLIED, _LEFT)
        except (StaleError, _DoneBeforeError) as ended:
            return self._lost(item, request_id, ended)
        return self._verified(item, request_id, found, cancel)

    def _kind(self, staged: Staged) -> Kind:
        kind = actions.kind_of(staged)
        if kind is None:
            raise UnsupportedError(
                f"Nothing is written: there is no action {staged.action} on {staged.target.kind}."
            )
        return kind

    def _allowed(self, item: PlanItem, kind: Kind) -> None:
        why = actions_rights.off(self._source.mapping, http=kind.http)
        if why:
            raise RejectedError(f"Nothing is written: {why}")
        if self._source.mapping.writes.require_reason and not self.signature.reason.strip():
            raise RejectedError(
                "Nothing is written: this mapping asks for a reason.", "require_reason in [writes]."
            )

    def _run(self, work: Callable[[sa.Connection], T], requests: Sequence[str], cancel: CancelToken) -> T:
        return self._open.run(work, requests, self.signature.who, cancel)

    def _request(self, request_id: str) -> Request:
        return Request(request_id, self.signature.who, self.signature.reason)

    def _look(self, connection: sa.Connection, staged: Staged) -> Look:
        look = actions.looked(self._source, staged, Reading(connection), time.time_ns())
        return replace(look, who=self.signature.who)

    def _aimed(self, staged: Staged, cancel: CancelToken) -> Look:
        return self._open.read(lambda c: self._look(c, staged), cancel)

    def _written(self, connection: sa.Connection, item: PlanItem, request_id: str) -> Look:
        """All of one action inside a transaction; the look at its target before. Raises StaleError."""
        look, deed = self._checked(connection, item, request_id)
        for number, write in enumerate(deed.writes):
            if not self._wrote(connection, write):
                told = "somebody was first" if number == 0 else "a row that was there is gone"
                raise self._stale(connection, item, f"It was not written: {told}.")
        return look

    def _wrote(self, connection: sa.Connection, write: Write) -> bool:
        try:
            done = connection.execute(self._sql.bound(write))
            return write.kind == "insert" or done.rowcount == 1
        except sa.exc.IntegrityError as error:
            if not _unique(error):
                raise
            raise StaleError("Somebody was first: the history has such a row already.") from None

    def _checked(self, connection: sa.Connection, item: PlanItem, request_id: str) -> tuple[Look, Deed]:
        """The target as it is now, and what to write. Raises StaleError when it is not as planned."""
        kind, staged = self._kind(item.staged), item.staged
        try:
            look = self._look(connection, staged)
        except NotFoundError as error:
            raise StaleError("It is not there any more; nothing was written.", "", str(error)) from None
        made = act_made.outcome(look, request_id)
        if made is not None:
            evidence = (*made.evidence, "It was done before: nothing was written again.")
            raise _DoneBeforeError(msgspec.structs.replace(made, evidence=evidence))
        repeat = plan_observe.already(look) if staged.action == "mark_observed" else ""
        if repeat:
            evidence = (repeat, "It is recorded once; nothing was written again.")
            raise _DoneBeforeError(Outcome(verdict=Verdict.APPLIED, evidence=evidence))
        changed = _changed(item, kind, look)
        if changed:
            raise self._stale(connection, item, "It changed since the plan was made; nothing was written.")
        why = kind.effect(look)[1]
        if why:
            raise StaleError("It can no longer be done; nothing was written.", "", why)
        return look, kind.deed(look, self._request(request_id))

    def _stale(self, connection: sa.Connection, item: PlanItem, told: str) -> StaleError:
        """Names who was first, from what is committed by now."""
        kind = self._kind(item.staged)
        try:
            look = self._look(connection, item.staged)
        except NotFoundError as error:
            return StaleError(told, "", str(error))
        evidence = act_made.lost(
            look, actions_facts.seen_order(item.preconditions), _changed(item, kind, look)
        )
        return StaleError(told, "", "\n".join(evidence))

    def _lost(self, item: PlanItem, request_id: str, ended: StaleError | _DoneBeforeError) -> Receipt:
        if isinstance(ended, _DoneBeforeError):
            return Receipt(request_id=request_id, outcome=ended.outcome)
        told = ended.message
        if not ended.detail:
            ended = self._open.read(lambda c: self._stale(c, item, told), CancelToken())
        return _receipt(request_id, Verdict.NOT_APPLIED, told, *ended.detail.splitlines(), stale=True)

    def together(self, action: str, cancel: CancelToken) -> int:
        return TOGETHER if action in _IN_BULK else 1

    def execute_many(
        self, asked: tuple[tuple[PlanItem, str], ...], cancel: CancelToken
    ) -> list[Receipt | PlayheadError]:
        # In one order everywhere, so that two jobs on the same rows do not block each other for ever.
        order = sorted(range(len(asked)), key=lambda place: _place(asked[place][0]))
        try:
            many = [asked[place] for place in order]
            if any(not self._in_one(item) for item, _ in many):
                return super().execute_many(asked, cancel)
            found = self._run(lambda c: self._chunk(c, many), [request for _, request in many], cancel)
        except PlayheadError:
            if self._open.committing:
                raise
            # All was rolled back: each is sent, and answers, for itself.
            return super().execute_many(asked, cancel)
        by_place = dict(zip(order, found, strict=True))
        return [self._answer(*asked[place], by_place[place], cancel) for place in range(len(asked))]

    def _in_one(self, item: PlanItem) -> bool:
        kind = actions.kind_of(item.staged)
        return kind is not None and not (kind.http and self._source.mapping.writes.mode != "sql")

    def _chunk(self, connection: sa.Connection, asked: list[tuple[PlanItem, str]]) -> list[Look | Exception]:
        found: list[Look | Exception] = []
        for item, request_id in asked:
            self._allowed(item, self._kind(item.staged))
            try:
                with connection.begin_nested():
                    found.append(self._written(connection, item, request_id))
            except (StaleError, _DoneBeforeError, RejectedError) as error:
                found.append(error)
        return found

    def _answer(
        self, item: PlanItem, request_id: str, found: Look | Exception, cancel: CancelToken
    ) -> Receipt | PlayheadError:
        if isinstance(found, StaleError | _DoneBeforeError):
            return self._lost(item, request_id, found)
        if isinstance(found, PlayheadError):
            return found
        if isinstance(found, Exception):
            raise found
        return self._verified(item, request_id, found, cancel)

    def _verified(self, item: PlanItem, request_id: str, before: Look, cancel: CancelToken) -> Receipt:
        """Reads back what was committed: a cancellation from here on ends the waiting, not the reading."""
        began, reading = time.monotonic(), CancelToken(cancel.progress_through)
        while True:
            receipt = self._open.read(lambda c: self._found(c, item, request_id, before), reading)
            pending = receipt.outcome.pending
            if cancel.cancelled or not pending or time.monotonic() - began > _TAKE_S:
                return receipt
            cancel.progress_through(0, None, pending)
            cancel.wait(0.1)

    def _found(self, connection: sa.Connection, item: PlanItem, request_id: str, before: Look) -> Receipt:
        try:
            now = self._look(connection, item.staged)
        except NotFoundError:
            return _receipt(request_id, Verdict.APPLIED, "It was written; since then somebody removed it.")
        said = ("The transaction was committed; nothing in the database names this request.",)
        return Receipt(
            request_id=request_id,
            outcome=act_made.outcome(now, request_id) or Outcome(verdict=Verdict.APPLIED, evidence=said),
            changes=_differences(before, now) or item.changes,
            inverse=item.inverse or plan_move.back(before, now),
        )

    def _asked(self, item: PlanItem, request_id: str, cancel: CancelToken) -> Receipt:
        """The way through the mapping's endpoint."""
        look, deed = self._open.read(lambda c: self._checked(c, item, request_id), cancel)
        url, mapping = plan_retry.endpoint(look), self._source.mapping
        if not act_approvals.approved(mapping.sha256, url):
            act_approvals.approve(mapping.sha256, url, self.signature.who)
        cancel.progress(0, None, deed.title)
        answer = act_http.post(url, plan_retry.body(look, self._request(request_id)), request_id)
        made = self._open.read(
            lambda c: act_made.outcome(self._look(c, item.staged), request_id), CancelToken()
        )
        return Receipt(request_id=request_id, outcome=made or _answered(answer))

    def settle(self, intent: Intent, cancel: CancelToken) -> Outcome:
        deadline = time.monotonic() + _UNDER_WAY_S
        while True:
            found = self._open.read(lambda c: self._settled(c, intent), cancel)
            if found is not None:
                return found
            if time.monotonic() > deadline:
                return _unknown("Its transaction is still open on the server; settle it again later.")
            cancel.progress(0, None, WAITING)
            cancel.wait(0.2)

    def _settled(self, connection: sa.Connection, intent: Intent) -> Outcome | None:
        """The outcome; None while the dead owner's transaction is still under way on the server."""
        if is_under_way(connection, intent.request_id):
            return None
        item, kind = intent.item, self._kind(intent.item.staged)
        try:
            look = self._look(connection, item.staged)
        except NotFoundError as error:
            return _unknown(str(error))
        made = act_made.outcome(look, intent.request_id)
        if made is not None:
            return made
        if kind.http and plan_retry.endpoint(look):
            if intent.applied:
                said = ("The application's endpoint took the request.",)
                return Outcome(verdict=Verdict.APPLIED, evidence=said, pending=_NOT_NAMED)
            return _unknown(
                "The application's endpoint may have been asked; its history does not name this request."
            )
        if act_made.keeps_requests(look) or kind.writes != "move":
            return Outcome(verdict=Verdict.NOT_APPLIED, evidence=("no row names this request",))
        changed = _changed(item, kind, look)
        if not changed:
            return Outcome(verdict=Verdict.NOT_APPLIED, evidence=("all is as it was when it was planned",))
        return _unknown(*changed, "Nothing in this database says who did that.")

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


def _known(known: dict[str, Bound], name: str) -> Bound:
    if name not in known:
        raise NotFoundError(f"There is no workflow {name[:200]} that can be read.")
    return known[name]


def _changed(item: PlanItem, kind: Kind, look: Look) -> list[str]:
    if kind.seen is not actions.KINDS["move"].seen:
        now = {p.what: p.value for p in kind.seen(look)}
        return [
            f"{p.what} were {p.value or 'none'}, are {now.get(p.what) or 'none'}"
            for p in item.preconditions
            if now.get(p.what) != p.value
        ]
    return actions_facts.stale(item.preconditions, look.facts)


def _differences(before: Look, now: Look) -> tuple[Change, ...]:
    pairs = (
        ("status", before.facts.status, now.facts.status),
        ("version", before.facts.version, now.facts.version),
        ("claimed by", before.facts.claimed_by, now.facts.claimed_by),
    )
    return tuple(
        Change(what=what, before=_told(was), after=_told(is_)) for what, was, is_ in pairs if was != is_
    )


def _told(value: Any) -> str:
    return "nobody" if value is None else str(value)


def _place(item: PlanItem) -> tuple[str, str]:
    return item.staged.target.kind, str(item.staged.target.ref or item.staged.target.id)


def _receipt(request_id: str, verdict: Verdict, *evidence: str, stale: bool = False) -> Receipt:
    return Receipt(request_id=request_id, outcome=Outcome(verdict=verdict, evidence=evidence, stale=stale))


def _answered(answer: act_http.Answer) -> Outcome:
    told = f": {answer.told}" if answer.told else ""
    if answer.code is None:
        verdict = Verdict.UNKNOWN if answer.sent else Verdict.NOT_APPLIED
        return Outcome(verdict=verdict, evidence=(f"The endpoint did not answer{told}.",))
    said = f"The endpoint answered {answer.code}{told}."
    if answer.code < 300:
        return Outcome(verdict=Verdict.APPLIED, evidence=(said,), pending=_NOT_NAMED)
    if answer.code >= 500:
        return _unknown(said)
    stale = answer.code in (409, 412)
    moved = ("It redirects, and redirects are not followed.",) if answer.code < 400 else ()
    return Outcome(verdict=Verdict.NOT_APPLIED, evidence=(said, *moved), stale=stale)


def _unknown(*evidence: str) -> Outcome:
    return Outcome(verdict=Verdict.UNKNOWN, evidence=evidence)


def _unique(error: sa.exc.IntegrityError) -> bool:
    cause = store_errors.original(error)
    return getattr(cause, "sqlstate", None) == "23505" or "UNIQUE constraint failed" in str(cause)
