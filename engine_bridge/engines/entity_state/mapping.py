"""The mapping of other people's tables to entities: plain values, read from TOML by mapping_load.py.

A mapping is data: names of tables and columns (always quoted), statuses and steps; never SQL, never a command.
Columns are names in the database; None (written ``""``) where there is no such column.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Profile = Literal["own", "django_fsm_log", "statesman", "plain"]
Scalar = str | int | float | bool


class _Map(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class ActorLink(_Map, frozen=True):
    """An actor named by a foreign key: ``fk`` in the history row names ``id`` of ``table``, shown as ``label``."""

    fk: str
    table: str
    id: str = "id"
    label: str = "username"


class EntityMap(_Map, frozen=True):
    """The table whose rows are the entities. ``status`` None: the latest history row is the state.

    ``name`` is what the history calls this kind of entity (own tables; the bare table name by default);
    ``payload`` are columns shown as the entity's data. A table may be ``schema.table``.
    """

    table: str
    id: str = "id"
    status: str | None = "status"
    version: str | None = None
    tenant: str | None = None
    label: str | None = None
    claimed_by: str | None = None
    claimed_at: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    payload: tuple[str, ...] = ()
    name: str | None = None


class HistoryMap(_Map, frozen=True):
    """One row for each change of status. ``order`` is the column histories are ordered by.

    ``discriminator`` columns equal these values in the rows of this workflow; ``latest_flag`` is true in the newest
    row of an entity alone, ``sort_step`` the distance of two orders, ``touch`` further times a new row must have
    (the three as Statesman writes them). ``from_`` is ``from`` in TOML.
    """

    table: str
    entity_id: str = "entity_id"
    discriminator: dict[str, Scalar] = {}
    from_: str | None = msgspec.field(name="from", default=None)
    to: str = "to_status"
    step: str | None = None
    actor: str | ActorLink | None = None
    requester: str | None = None
    reason: str | None = None
    correlation_id: str | None = None
    tenant: str | None = None
    execution_ms: str | None = None
    metadata: str | None = None
    at: str | None = None
    order: str = "id"
    latest_flag: str | None = None
    sort_step: int | None = None
    touch: tuple[str, ...] = ()


class FailuresMap(_Map, frozen=True):
    """Entities that failed for good, one row each; open while ``resolved_at`` is null."""

    table: str
    id: str = "id"
    entity_id: str = "entity_id"
    discriminator: dict[str, Scalar] = {}
    step: str | None = None
    status: str | None = None
    error_type: str | None = None
    message: str | None = None
    details: str | None = None
    attempts: str | None = None
    correlation_id: str | None = None
    tenant: str | None = None
    at: str | None = None
    resolved_at: str | None = None


class DelayedMap(_Map, frozen=True):
    """Steps to be taken later by the application's own worker; open while ``done_at`` is null."""

    table: str
    id: str = "id"
    entity_id: str = "entity_id"
    discriminator: dict[str, Scalar] = {}
    request_id: str | None = None
    requester: str | None = None
    step: str | None = None
    expected_status: str | None = None
    data: str | None = None
    envelope: str | None = None
    tenant: str | None = None
    due_at: str | None = None
    created_at: str | None = None
    leased_until: str | None = None
    attempts: str | None = None
    done_at: str | None = None
    outcome: str | None = None
    last_error: str | None = None


class OutboxMap(_Map, frozen=True):
    """Domain events on their way; open while ``published_at`` is null."""

    table: str
    id: str = "id"
    entity_id: str = "entity_id"
    discriminator: dict[str, Scalar] = {}
    event_id: str | None = None
    event_type: str | None = None
    payload: str | None = None
    envelope: str | None = None
    tenant: str | None = None
    created_at: str | None = None
    leased_until: str | None = None
    published_at: str | None = None
    attempts: str | None = None


class States(_Map, frozen=True):
    """Statuses written in the mapping itself. ``claims`` map a claiming status to its time to live in seconds."""

    initial: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    claims: dict[str, float] = {}


class Transition(msgspec.Struct, frozen=True, array_like=True):
    """One allowed move written in the mapping itself: ``[from, to, step]``."""

    source: str
    target: str
    step: str = ""


class Writes(_Map, frozen=True):
    """What Playhead may write: nothing, rows by SQL, or requests to an HTTP endpoint.

    ``allow`` any: moves that no config declares too.
    """

    mode: Literal["none", "sql", "http"] = "none"
    allow: Literal["declared", "any"] = "declared"
    require_reason: bool = True
    endpoint: str | None = None


class TimeMap(_Map, frozen=True):
    """How times are stored: timestamptz, naive_utc, naive:<zone>, epoch_ms or epoch_s."""

    unit: str = "timestamptz"


class WorkflowMap(msgspec.Struct, frozen=True, kw_only=True):
    """One entity type. ``configs`` are absolute paths of its config files, base and overlays.

    ``transitions`` is None where the mapping lists none. ``written`` names what the file says itself
    ("entity.version"), as opposed to what the profile assumes; ``lines`` gives the line of these names, from 1.
    """

    type: str
    profile: Profile
    entity: EntityMap
    history: HistoryMap | None = None
    failures: FailuresMap | None = None
    delayed: DelayedMap | None = None
    outbox: OutboxMap | None = None
    configs: tuple[str, ...] = ()
    states: States | None = None
    transitions: tuple[Transition, ...] | None = None
    written: frozenset[str] = frozenset()
    lines: dict[str, int] = {}

    def line(self, name: str) -> int:
        """The line that wrote a name ("entity.version"), or of the nearest thing above it; 0 where unknown."""
        parts = name.split(".")
        found = (self.lines.get(".".join(parts[:n])) for n in range(len(parts), -1, -1))
        return next((line for line in found if line), 0)


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping file. ``sha256`` is of its bytes (what an approval is bound to); ``url`` the source it belongs to."""

    name: str
    workflows: tuple[WorkflowMap, ...]
    writes: Writes = Writes()
    time: TimeMap = TimeMap()
    path: str = ""
    sha256: str = ""
    url: str | None = None

    def workflow(self, type: str) -> WorkflowMap | None:
        """The map of a workflow type, None for an unknown one."""
        return next((found for found in self.workflows if found.type == type), None)


def plain(value: Any) -> Any:
    """A struct of this module as JSON-like values, with the names of TOML."""
    return msgspec.to_builtins(value)
