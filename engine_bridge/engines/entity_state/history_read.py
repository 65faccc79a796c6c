"""Reads the rows that one entity's history is told from, in one snapshot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state import payloads
from engine_bridge.engines.entity_state.history_rows import (
    DelayLine,
    EntityRow,
    FailureLine,
    MoveRow,
    Story,
)
from engine_bridge.engines.entity_state.revisions_force import in_force
from engine_bridge.engines.entity_state.row_parts import named, number, text
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import NO_STATUS, Bound
from engine_bridge.engines.entity_state.store_connect import Reader
from engine_bridge.engines.entity_state.store_tables import BoundTable
from engine_bridge.errors import NotFoundError
from engine_bridge.model import RunRef

MOST_ROWS: Final = 200_000
"""History rows that are read of one entity; of a longer one the newest, and a note says so."""
_META: Final = 4_000
_FACTS: Final = ("actor", "requester", "correlation_id", "reason", "tenant", "execution_ms")
_IN_META: Final = ("kind", "reason", "choice", "holder", "observation", "request_id")


@dataclass(slots=True, frozen=True)
class TenantRoles:
    """What statuses mean for an entity of one tenant."""

    bound: Bound
    tenant: str | None

    def role(self, status: str) -> str:
        """As ``StatusInfo.role``."""
        return self.bound.role(status, self.tenant).role

    def ttl_s(self, status: str) -> float | None:
        """As ``StatusInfo.ttl_s``."""
        return self.bound.role(status, self.tenant).ttl_s


def read_story(store: Store, ref: RunRef, cancel: CancelToken) -> Story:
    """All rows of an entity as of now. Raises NotFoundError."""
    bound = store.workflow(ref.group)
    now_ns = store.now_ns(cancel)
    with store.reader(cancel) as read:
        entity, tenant = _entity(bound, read, ref)
        source = _Source(store.dialect, bound, read, ref)
        moves, notes = source.moves()
        story = Story(ref, entity, TenantRoles(bound, tenant), now_ns, moves)
        story.failures, story.delays = source.failures(), source.delays()
    initial = bound.initial()
    story.initial = None if initial == NO_STATUS else initial
    story.notes = (*notes, *_said(bound, story))
    return in_force(story, store.catalogue, tenant or store.tenant or None, cancel)


def _said(bound: Bound, story: Story) -> tuple[str, ...]:
    if bound.history is None:
        return ("This type has no history table: only the present status is known.",)
    if not story.moves and story.entity.tells and story.entity.status != story.initial:
        return ("No history row says how this entity came to its status.",)
    return ()


def _entity(bound: Bound, read: Reader, ref: RunRef) -> tuple[EntityRow, str | None]:
    columns = {
        "status": bound.status_column if bound.status_column is None else bound.status,
        "tenant": bound.tenant,
        "created": bound.created_at,
        "updated": bound.updated_at,
        "claimed_by": bound.claimed_by,
        "claimed_at": bound.claimed_at,
    }
    row = _one(read, columns, bound.table, [bound.id == bound.key(ref.run), *bound.scope])
    if row is None:
        raise NotFoundError(f"There is no {ref.group} {ref.run[:200]}.", "It may have been deleted.")
    tells = bound.status_column is not None
    entity = EntityRow(
        status=(text(row["status"]) or NO_STATUS) if tells else None,
        created_ns=row["created"],
        updated_ns=row["updated"],
        claimed_by=text(row["claimed_by"]),
        claimed_ns=row["claimed_at"],
        tells=tells,
    )
    return entity, text(row["tenant"])


def _one(read: Reader, columns: Mapping[str, Any], table: Any, where: list[Any]) -> dict[str, Any] | None:
    rows = _all(read, columns, sa.select().select_from(table).where(*where))
    return rows[0] if rows else None


def _all(read: Reader, columns: Mapping[str, Any], statement: sa.Select[Any]) -> list[dict[str, Any]]:
    """Rows by our names; None for columns that are absent."""
    present = {name: column for name, column in columns.items() if column is not None}
    chosen = [sa.literal_column("1").label("one"), *(c.label(f"c_{n}") for n, c in present.items())]
    absent = dict.fromkeys(columns)
    return [
        absent | dict(zip(present, row[1:], strict=True)) for row in read.all(statement.add_columns(*chosen))
    ]


class _Source:
    """The tables that tell of one entity."""

    def __init__(self, dialect: str, bound: Bound, read: Reader, ref: RunRef) -> None:
        self._dialect = dialect
        self._bound = bound
        self._read = read
        self._ref = ref

    def _of_entity(self, table: BoundTable) -> sa.Select[Any]:
        return sa.select().select_from(table.table).where(named(table, self._ref.run), *table.rows)

    def _payload(self, column: Any) -> dict[str, Any]:
        """Columns of a payload: its size, and its text up to a length."""
        if column is None:
            return {}
        whole = payloads.text_of(self._dialect, column)
        return {"size": payloads.size_of(self._dialect, whole), "head": sa.func.substr(whole, 1, _META)}

    def _named(self, kind: str, id_: Any, label: str, row: Mapping[str, Any]) -> Any:
        if row.get("size") is None:
            return None
        head = row["head"] if row["size"] <= payloads.HEAD_CHARACTERS else None
        return payloads.ref(
            kind, self._ref.group, self._ref.run, id_, label=label, size=row["size"], head=head
        )

    def moves(self) -> tuple[list[MoveRow], tuple[str, ...]]:
        """History rows in their order, and what the user must be told about them."""
        table = self._bound.history
        if table is None:
            return [], ()
        columns = {
            "order": table.order,
            "source": table.from_,
            "target": table.to,
            "step": table.step,
            "at": table.at,
            **{name: getattr(table, name) for name in _FACTS},
            **self._payload(table.metadata),
        }
        statement = self._of_entity(table).order_by(table.order.desc()).limit(MOST_ROWS + 1)
        rows = _all(self._read, columns, statement)
        notes: tuple[str, ...] = ()
        if len(rows) > MOST_ROWS:
            rows = rows[:MOST_ROWS]
            notes = (f"The newest {MOST_ROWS} history rows are shown; there are more.",)
        return [self._move(row) for row in reversed(rows)], notes

    def _move(self, row: Mapping[str, Any]) -> MoveRow:
        facts = {name: row[name] for name in _FACTS}
        bad = "" if row["target"] is not None else "it names no status"
        return MoveRow(
            order=str(row["order"]),
            source=text(row["source"]),
            target=text(row["target"]) or NO_STATUS,
            step=text(row["step"]),
            at_ns=row["at"],
            facts=_told(row, facts),
            metadata=self._named("history", row["order"], "metadata", row),
            bad=bad,
        )

    def failures(self) -> list[FailureLine]:
        """Rows of the failure log, oldest first."""
        table = self._bound.failures
        if table is None:
            return []
        names = ("id", "step", "status", "error_type", "message", "attempts", "correlation_id", "at")
        columns = {name: getattr(table, name) for name in (*names, "resolved_at")}
        rows = _all(
            self._read, columns | self._payload(table.details), self._of_entity(table).order_by(table.id)
        )
        return [
            FailureLine(
                id=str(row["id"]),
                error_type=text(row["error_type"]) or "",
                message=text(row["message"]) or "",
                step=text(row["step"]),
                status=text(row["status"]),
                attempts=number(row["attempts"]),
                correlation_id=text(row["correlation_id"]),
                at_ns=row["at"],
                resolved_ns=row["resolved_at"],
                details=self._named("failure", row["id"], "details", row),
            )
            for row in rows
        ]

    def delays(self) -> list[DelayLine]:
        """Delayed steps, oldest first."""
        table = self._bound.delayed
        if table is None:
            return []
        names = ("id", "step", "requester", "expected_status", "due_at", "created_at", "leased_until")
        columns = {n: getattr(table, n) for n in (*names, "done_at", "attempts", "outcome", "last_error")}
        rows = _all(
            self._read, columns | self._payload(table.data), self._of_entity(table).order_by(table.id)
        )
        return [
            DelayLine(
                id=str(row["id"]),
                step=text(row["step"]),
                requester=text(row["requester"]),
                expected=text(row["expected_status"]),
                due_ns=row["due_at"],
                created_ns=row["created_at"],
                leased_ns=row["leased_until"],
                done_ns=row["done_at"],
                done=row["done_at"] is not None,
                leases=number(row["attempts"]),
                outcome=text(row["outcome"]),
                error=text(row["last_error"]),
                data=self._named("delayed", row["id"], "data", row),
            )
            for row in rows
        ]


def _told(row: Mapping[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of a row, with what its metadata say where no column does."""
    plain = {name: text(value) for name, value in facts.items() if name != "execution_ms"}
    plain["execution_ms"] = facts["execution_ms"]
    meta = parsed(row.get("head"))
    for name in _IN_META:
        if plain.get(name) is None and isinstance(meta.get(name), str):
            plain[name] = meta[name]
    return {name: value for name, value in plain.items() if value is not None}


def parsed(head: Any) -> Mapping[str, Any]:
    """A JSON object that is stored as text; empty where it is none."""
    if not isinstance(head, str) or not head.startswith("{"):
        return {}
    try:
        found = json.loads(head)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


__all__ = ["MOST_ROWS", "TenantRoles", "parsed", "read_story"]
