"""The config of one workflow as one kind of requester sees it. One JSON file each; see shape.py for its checks."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

REQUESTERS: Final = ("user", "admin", "system", "cron")
"""The kinds of requester a config knows unless it lists its own in ``requester_types``."""

Scalar = str | int | float | bool
Name = Annotated[str, msgspec.Meta(min_length=1)]
Names = Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)]


class Entity(msgspec.Struct, frozen=True):
    """The table whose rows are the entities, and its columns. ``type`` names it in the history (default: table)."""

    table: Name
    type: str | None = None
    schema: str | None = None
    id: Name = "id"
    status: Name = "status"
    version: Name = "version"
    tenant: str | None = None
    claimed_by: str | None = None
    claimed_at: str | None = None
    updated_at: str | None = None

    @property
    def name(self) -> str:
        """The entity type as the history records it."""
        return self.type or self.table


class Terminal(msgspec.Struct, frozen=True):
    """Statuses where the life ends: well (``good``) or badly (``bad``: a row of the failure log)."""

    good: Names
    bad: tuple[Name, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Good and bad ones."""
        return (*self.good, *self.bad)


class Claim(msgspec.Struct, frozen=True):
    """The transient status that a step holds while its action runs, for at most ``ttl_s`` seconds.

    ``release`` is the status to return to when the action says no, or the claim is released.
    """

    status: Name
    ttl_s: Annotated[float, msgspec.Meta(gt=0)]
    release: str | None = None


class Step(msgspec.Struct, frozen=True):
    """One way on from a status. ``validation``, ``action``, ``rejection_action``, ``after_effects`` name use cases.

    ``when`` restricts the step to data where each named field equals the value, or one of the values.
    """

    key: Name
    status: Name
    requesters: Names
    successful_state: Name
    validation: str | None = None
    action: str | None = None
    rejection_state: str | None = None
    rejection_action: str | None = None
    auto_advance: bool = False
    claim: Claim | None = None
    after_effects: tuple[Name, ...] = ()
    batch: bool = False
    transactional: bool = False
    when: dict[str, Scalar | list[Scalar]] = {}
    description: str = ""

    @property
    def use_cases(self) -> tuple[str, ...]:
        """Every use case the step names."""
        single = (self.validation, self.action, self.rejection_action)
        return (*(name for name in single if name), *self.after_effects)

    @property
    def targets(self) -> tuple[str, ...]:
        """The statuses it can lead to: success, then rejection."""
        return (self.successful_state, *((self.rejection_state,) if self.rejection_state else ()))


class Workflow(msgspec.Struct, frozen=True):
    """A whole config. ``tenant`` marks an overlay on the config of the same type without one."""

    workflow_type: Name
    entity: Entity
    owning_module: Name
    status_types: Names
    initial: Name
    terminal: Terminal
    steps: tuple[Step, ...]
    tenant: str | None = None
    requester_types: Names = REQUESTERS
    description: str = ""


IDENTITY: Final = frozenset(
    {"workflow_type", "tenant", "key", "requesters", "requester_types", "owning_module"}
)
"""Fields that say what a thing is; they are the same for every requester."""
