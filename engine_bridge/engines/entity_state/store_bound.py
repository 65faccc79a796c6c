"""One workflow of a mapping tied to the tables that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.engines.entity_state.mapping import WorkflowMap
from engine_bridge.engines.entity_state.store_reflect import indexes
from engine_bridge.engines.entity_state.store_states import Statuses, StatusInfo, Ways, union
from engine_bridge.engines.entity_state.store_tables import BoundTable, Expression, as_text, to_key
from engine_bridge.errors import NotFoundError, UnsupportedError
from engine_bridge.model import RunRef
from engine_bridge.query.sql import literal_in

NO_STATUS: Final = "(none)"
"""Shown for an entity without any status."""
KIND: Final = "entity"


class Bound:
    """A workflow with its tables; columns are SQLAlchemy's, None where absent; times are nanoseconds.

    ``status`` is an expression that gives text, whatever the column's type (and where the history is the state);
    ``status_column`` the column itself, None where the history is the state. ``history``, ``failures``, ``delayed``,
    ``outbox`` are None where there are none (or not readable). ``statuses``: everything declared, for any tenant;
    ``by_tenant``: by tenant with an overlay of its own, "" for all others. ``observed``: nothing lists all statuses.
    ``kept``: what was worked out for filters. ``enforced``: row-level security is active; ``hidden``: and no tenant
    is set. ``problem``: why this workflow cannot be read.
    """

    def __init__(
        self,
        map: WorkflowMap,
        by_tenant: dict[str, Statuses],
        tenant: str,
        ways: dict[str, Ways] | None = None,
        complete: bool = False,
    ) -> None:
        self.map = map
        self._ways = ways or {}
        self.type = map.type
        self.rank = 0
        self.kept: dict[Any, Any] = {}
        self.by_tenant = by_tenant
        self.statuses: Statuses = union(by_tenant)
        self._base = by_tenant.get("", self.statuses)
        self._overlaid = any(by_tenant)
        self._base_ways: Ways = self._ways.get("", {})
        self.observed = not complete
        self.source_tenant = tenant
        self.hidden = False
        self.enforced = False
        self.problem = ""
        self.history: BoundTable | None = None
        self.failures: BoundTable | None = None
        self.delayed: BoundTable | None = None
        self.outbox: BoundTable | None = None
        self.table: sa.Table
        self.id: sa.Column[Any]
        self.status: Expression
        self.status_column: sa.Column[Any] | None = None
        self.version: sa.Column[Any] | None = None
        self.tenant: sa.Column[Any] | None = None
        self.label: sa.Column[Any] | None = None
        self.claimed_by: sa.Column[Any] | None = None
        self.claimed_at: sa.Column[Any] | None = None
        self.created_at: sa.Column[Any] | None = None
        self.updated_at: sa.Column[Any] | None = None
        self.payload: tuple[sa.Column[Any], ...] = ()

    @property
    def usable(self) -> bool:
        """Whether its entities can be read."""
        return not self.problem

    @property
    def scope(self) -> tuple[sa.ColumnElement[bool], ...]:
        """The conditions of every question about entities: the source's tenant, where the table names one."""
        if self.tenant is None or not self.source_tenant:
            return ()
        return (as_text(self.tenant) == self.source_tenant,)

    @property
    def place(self) -> sa.ColumnElement[Any]:
        """What orders the rows of its table as they lie: an SQLite table's row number, else the id."""
        if not self.table.info.get("rowid"):
            return self.id
        row: sa.ColumnClause[int] = sa.column("rowid", sa.BigInteger)
        row.table = self.table
        return row

    def served(self, column: sa.Column[Any]) -> bool:
        """Whether an index gives its entities in the order of a column."""
        return any(columns[0] == column.name for columns, _ in indexes(self.table))

    def ref(self, entity_id: Any) -> RunRef:
        """The name of an entity."""
        return RunRef(KIND, self.type, str(entity_id))

    def key(self, text: str) -> Any:
        """An id as a value of its column. Raises NotFoundError where it cannot be one."""
        try:
            return to_key(self.id, text)
        except ValueError:
            raise NotFoundError(
                f"“{text[:200]}” is no id of {self.type}.",
                f"The ids of {self.table.name} are {self.id.type}s.",
            ) from None

    def role(self, status: str, tenant: str | None = None) -> StatusInfo:
        """What a status means for an entity of a tenant."""
        known = self.by_tenant.get(tenant) if tenant and self._overlaid else None
        found = (self._base if known is None else known).get(status)
        if found is not None:
            return found
        return StatusInfo(status, "waiting" if self.observed else "unknown", declared=False)

    def ways(self, status: str, tenant: str | None = None) -> str:
        """The declared steps on a status, as a user reads them: ``pay (user, system)``; "" without."""
        known = self._ways.get(tenant) if tenant and self._overlaid else None
        return (self._base_ways if known is None else known).get(status, "")

    def where_role(self, wanted: Callable[[StatusInfo], bool]) -> sa.ColumnElement[bool]:
        """The exact condition that an entity's status has a meaning; unknown ones are asked about as such."""
        owners = [owner for owner in self.by_tenant if owner]
        if self.tenant is None or not owners:
            return self._among(self.by_tenant.get("", self.statuses), wanted)
        tenant = as_text(self.tenant)
        others = sa.or_(tenant.is_(None), tenant.not_in(owners))
        parts = [sa.and_(tenant == owner, self._among(self.by_tenant[owner], wanted)) for owner in owners]
        parts.append(sa.and_(others, self._among(self.by_tenant.get("", {}), wanted)))
        return sa.or_(*parts)

    def _among(
        self, known: Mapping[str, StatusInfo], wanted: Callable[[StatusInfo], bool]
    ) -> sa.ColumnElement[bool]:
        rest = StatusInfo("", "waiting" if self.observed else "unknown", declared=False)
        fitting = [name for name, info in known.items() if wanted(info)]
        if not wanted(rest):
            return self.status_in(fitting)
        others = [name for name, info in known.items() if not wanted(info)]
        if not others:
            return sa.true()
        column = self.status if self.status_column is None else self.status_column
        return sa.or_(column.is_(None), sa.not_(self.status_in(others)))

    def status_in(self, names: Iterable[str]) -> sa.ColumnElement[bool]:
        """The condition that the status is one of some; by the column itself, so that its index serves."""
        listed = list(names)
        column = self.status_column
        if column is not None and isinstance(column.type, sa.Enum):
            labels = [name for name in listed if name in column.type.enums]
            return (
                sa.or_(*(column == sa.literal(name, column.type) for name in labels))
                if labels
                else sa.false()
            )
        if not listed:
            return sa.false()
        return literal_in(self.status if column is None else column, listed)

    def initial(self) -> str:
        """The status where lives begin, NO_STATUS where none is declared."""
        return next((name for name, info in self.statuses.items() if info.role == "initial"), NO_STATUS)

    def latest(self, *fields: str) -> sa.Select[Any]:
        """A correlated query of the newest history row of an entity: the given fields of ``history``."""
        history = self.history
        if history is None:
            raise UnsupportedError(f"{self.type} has no history.")
        chosen = [getattr(history, name) for name in fields]
        newest = sa.select(*chosen).where(history.link, *history.rows).correlate(self.table)
        if history.latest_flag is not None:
            newest = newest.where(history.latest_flag.is_(True))
        return newest.order_by(history.order.desc()).limit(1)
