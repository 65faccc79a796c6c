"""What an action looks at: one entity as it is, read the same way for the plan and in the transaction that writes.

The names of preconditions: a plan keeps their values, and the actor reads them again under the row's own
compare-and-swap.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol

import msgspec
import sqlalchemy as sa

from engine_bridge.actions.model import Precondition
from engine_bridge.engines.entity_state.store_bound import NO_STATUS, Bound
from engine_bridge.engines.entity_state.store_tables import BoundTable
from engine_bridge.format import moment, plain

Strength = Literal["version", "xmin", "row", "history"]
"""What the compare-and-swap is on, beside the status; ``history``: unique indexes on the latest history row."""

XMIN: Final = "xmin"
_NEWER: Final = 20
_SOME: Final = 5000


class Reads(Protocol):
    """What facts are read through: a reader of the store, or the actor's own transaction."""

    def all(self, statement: sa.Executable, params: Mapping[str, Any] | None = None) -> Any: ...

    def one(self, statement: sa.Executable, params: Mapping[str, Any] | None = None) -> Any: ...


class Moved(msgspec.Struct, frozen=True):
    """One history row. ``order`` is its place among its entity's rows."""

    order: Any
    source: str | None
    target: str
    step: str | None = None
    actor: str | None = None
    at_ns: int | None = None
    reason: str | None = None
    correlation_id: str | None = None
    metadata: dict[str, Any] = {}

    @property
    def request_id(self) -> str:
        """The request that made it, "" where it says none."""
        return str(self.metadata.get("request_id") or "")

    def __str__(self) -> str:
        who = plain(self.actor or "somebody", 80)
        at = f" at {shown:%Y-%m-%d %H:%M:%S%z}" if (shown := moment(self.at_ns)) is not None else ""
        why = self.reason or self.metadata.get("reason")
        step = f"step {plain(self.step, 80)}" if self.step else ""
        said = "; ".join(part for part in (step, f"reason: {plain(str(why), 200)}" if why else "") if part)
        source = f"{plain(self.source, 80)} → " if self.source else ""
        return f"{who} moved it {source}{plain(self.target, 80)}{at}{f' ({said})' if said else ''}"


class Failed(msgspec.Struct, frozen=True):
    """One row of the failure log."""

    id: Any
    step: str | None = None
    error_type: str | None = None
    message: str | None = None
    details: Any = None

    def __str__(self) -> str:
        parts = [
            self.error_type or "failure",
            f"at step {self.step}" if self.step else "",
            self.message or "",
        ]
        return plain(" ".join(part for part in parts if part), 200)


class EntityFacts(msgspec.Struct, frozen=True):
    """One entity. ``token`` is the version, xmin, a hash of the row or the latest order, as ``strength`` says."""

    key: Any
    status: str
    strength: Strength
    token: Any
    tenant: str | None = None
    claimed_by: str | None = None
    claimed_ns: int | None = None
    last: Moved | None = None

    @property
    def version(self) -> int | None:
        """The version, where the table has one."""
        return self.token if self.strength == "version" else None


def strength_of(bound: Bound, dialect: str) -> Strength:
    """What protects a move of this workflow's entities."""
    if bound.status_column is None:
        return "history"
    if bound.version is not None and isinstance(bound.version.type, sa.Integer):
        return "version"
    return "xmin" if dialect == "postgresql" else "row"


def read(bound: Bound, reads: Reads, entity_id: str, dialect: str) -> EntityFacts | None:
    """The entity, None where it is not there, or belongs to another tenant. Raises NotFoundError for what is no id."""
    key, strength = bound.key(entity_id), strength_of(bound, dialect)
    row = reads.one(_entity(bound, strength).where(bound.id == key, *bound.scope))
    if row is None:
        return None
    found = row._mapping
    last = latest(bound, reads, entity_id)
    token = last.order if strength == "history" and last is not None else found.get("_token")
    return EntityFacts(
        key=key,
        status=_status(bound, found["_status"], last),
        strength=strength,
        token=_hash(row) if strength == "row" else token,
        tenant=_text(found.get("_tenant")),
        claimed_by=_text(found.get("_claimed_by")),
        claimed_ns=found.get("_claimed_at"),
        last=last,
    )


def _entity(bound: Bound, strength: Strength) -> sa.Select[Any]:
    columns: list[Any] = [bound.status.label("_status")]
    named = {"_tenant": bound.tenant, "_claimed_by": bound.claimed_by, "_claimed_at": bound.claimed_at}
    columns += [column.label(name) for name, column in named.items() if column is not None]
    if strength == "version" and bound.version is not None:
        columns.append(bound.version.label("_token"))
    elif strength == "xmin":
        columns.append(xmin(bound).label("_token"))
    elif strength == "row":
        columns += [column.label(f"c{number}") for number, column in enumerate(bound.table.columns)]
    return sa.select(*columns).select_from(bound.table)


def xmin(bound: Bound) -> sa.ColumnElement[Any]:
    """PostgreSQL's own version of a row; https://www.postgresql.org/docs/current/ddl-system-columns.html."""
    column: sa.ColumnClause[Any] = sa.column(XMIN, sa.Text)
    column.table = bound.table
    return sa.cast(column, sa.Text)


def _hash(row: Any) -> str:
    return hashlib.sha256(repr(tuple(row)).encode(errors="surrogateescape")).hexdigest()


def _status(bound: Bound, value: Any, last: Moved | None) -> str:
    if bound.status_column is None:
        return last.target if last is not None else bound.initial()
    return NO_STATUS if value is None else str(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def column(table: BoundTable | None, field: str) -> sa.Column[Any] | None:
    """The real column of a mapped field, None where there is none."""
    if table is None:
        return None
    if field == "actor" and table.actor_link is not None:
        return table.table.c[table.actor_link.fk]
    found = getattr(table, field, None)
    return found if isinstance(found, sa.Column) else None


def latest(bound: Bound, reads: Reads, entity_id: str) -> Moved | None:
    """The newest history row."""
    rows = moves(bound, reads, entity_id, 1)
    return rows[0] if rows else None


def newer(bound: Bound, reads: Reads, entity_id: str, order: Any) -> list[Moved]:
    """History rows after a known one, oldest first; the last 20 at most."""
    found = []
    for move in moves(bound, reads, entity_id, _NEWER):
        if str(move.order) == str(order):
            break
        found.append(move)
    return found[::-1]


def moves(bound: Bound, reads: Reads, entity_id: str, limit: int, *where: Any) -> list[Moved]:
    """The newest history rows, newest first; none without a history."""
    history = bound.history
    if history is None:
        return []
    try:
        key = history.key(entity_id)
    except ValueError:
        return []
    order, own = history.order, history.entity_id
    fields = ("order", "from_", "to", "step", "at", "reason", "correlation_id", "metadata")
    chosen = {name: found for name in fields if (found := column(history, name)) is not None}
    labelled: list[Any] = [found.label(f"_{name}") for name, found in chosen.items()]
    if history.actor is not None:
        labelled.append(history.actor.label("_actor"))
    statement = (
        sa.select(*labelled).where(*history.rows, own == key, *where).order_by(order.desc()).limit(limit)
    )
    return [_moved(row._mapping) for row in reads.all(statement)]


_TAIL: Final = re.compile(r"\s*\[Playhead: (.*), ([0-9a-f-]{36})\]$", re.DOTALL)
"""What a reason carries where the history keeps neither actor nor request (plan_transition.py)."""


def _moved(row: Any) -> Moved:
    meta = as_object(row.get("_metadata"))
    meta = meta if isinstance(meta, dict) else {}
    reason, actor = _text(row.get("_reason")), _text(row.get("_actor"))
    tail = _TAIL.search(reason or "")
    if tail is not None and reason is not None:
        reason, actor, meta = reason[: tail.start()], actor or tail[1], {"request_id": tail[2], **meta}
    return Moved(
        order=row["_order"],
        source=_text(row.get("_from_")),
        target=str(row["_to"]),
        step=_text(row.get("_step")) or _text(meta.get("step")),
        actor=actor or _text(meta.get("actor")),
        at_ns=row.get("_at") if isinstance(row.get("_at"), int) else None,
        reason=reason,
        correlation_id=_text(row.get("_correlation_id")),
        metadata=meta,
    )


def failures(
    bound: Bound, reads: Reads, entity_id: str | None, failure_id: str | None = None, *, closed: bool = False
) -> list[Failed]:
    """Open (or closed) rows of the failure log, of one entity or of one id, newest first; at most 100."""
    table = bound.failures
    id_, resolved = column(table, "id"), column(table, "resolved_at")
    if table is None or id_ is None or resolved is None:
        return []
    fields = ("step", "error_type", "message", "details")
    chosen = {name: found for name in fields if (found := column(table, name)) is not None}
    labelled = [id_.label("_id"), *(c.label(f"_{name}") for name, c in chosen.items())]
    wanted = resolved.is_not(None) if closed else resolved.is_(None)
    statement = sa.select(*labelled).where(*table.scope, wanted).order_by(id_.desc()).limit(100)
    if entity_id is not None:
        statement = statement.where(table.entity_id == table.key(entity_id))
    if failure_id is not None:
        statement = statement.where(sa.cast(id_, sa.Text) == failure_id)
    return [_failed(row._mapping) for row in reads.all(statement)]


def _failed(row: Any) -> Failed:
    step, error_type, message = (_text(row.get(name)) for name in ("_step", "_error_type", "_message"))
    return Failed(row["_id"], step, error_type, message, as_object(row.get("_details")))


def as_object(value: Any) -> Any:
    """A JSON value that may come as text; what is none stays what it is."""
    if not isinstance(value, str | bytes):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return value


def open_delays(bound: Bound, reads: Reads, entity_id: str) -> int:
    """How many delayed steps wait for the entity."""
    table = bound.delayed
    done = column(table, "done_at")
    if table is None or done is None:
        return 0
    waiting = sa.select(sa.func.count()).select_from(table.table)
    row = reads.one(waiting.where(*table.scope, table.entity_id == table.key(entity_id), done.is_(None)))
    return int(row[0])


WORDS: Final[dict[Strength, str]] = {
    "version": "version", "xmin": "row version (xmin)", "row": "row (SHA-256)", "history": "latest order",
}  # fmt: skip


def observed(facts: EntityFacts) -> tuple[Precondition, ...]:
    """What a plan keeps of an entity."""
    last = str(facts.last.order) if facts.last is not None else None
    found = {"status": facts.status, WORDS[facts.strength]: facts.token, "last history row": last}
    return tuple(Precondition(what=what, value=value) for what, value in found.items())


def stale(preconditions: tuple[Precondition, ...], now: EntityFacts) -> list[str]:
    """What is not as planned any more, in words. A version covers the history row."""
    fresh = {p.what: p.value for p in observed(now)}
    weak = now.strength != "version"
    return [
        f"{p.what} was {plain(str(p.value), 80)}, is {plain(str(fresh.get(p.what)), 80)}"
        for p in preconditions
        if fresh.get(p.what) != p.value and (weak or p.what != "last history row")
    ]


def statuses(bound: Bound, reads: Reads) -> tuple[str, ...]:
    """Where nothing is declared: statuses of some entities."""
    some = (
        sa.select(bound.status.label("s"))
        .select_from(bound.table)
        .where(*bound.scope)
        .limit(_SOME)
        .subquery()
    )
    return tuple(
        str(row[0])
        for row in reads.all(sa.select(some.c.s).distinct().order_by(some.c.s))
        if row[0] is not None
    )


def seen_order(preconditions: tuple[Precondition, ...]) -> str | None:
    """The last history row when the plan was made."""
    return next((p.value for p in preconditions if p.what == "last history row"), None)
