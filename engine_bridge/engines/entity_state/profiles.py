"""What each profile assumes where a mapping says nothing: names of tables and columns, by section.

Sources: own tables engine/tables.py; django-fsm-log's StateLog model (django_fsm_log/models.py); Statesman's
ActiveRecord migration template (generators/statesman/templates/create_migration.rb.erb).
"""

from __future__ import annotations

from typing import Any, Final

from engine_bridge.engines.entity_state.engine.config import Entity

Sections = dict[str, dict[str, Any]]
SECTIONS: Final = ("entity", "history", "failures", "delayed", "outbox")

_OWN_HISTORY: Final = {
    "table": "workflow_history", "entity_id": "entity_id", "from": "from_status", "to": "to_status",
    "step": "step_key", "actor": "actor", "requester": "requester_type", "correlation_id": "correlation_id",
    "tenant": "tenant_id", "execution_ms": "execution_ms", "metadata": "metadata", "at": "changed_at", "order": "id",
}  # fmt: skip
_OWN_FAILURES: Final = {
    "table": "workflow_permanent_failure_log", "step": "step_key", "status": "status", "error_type": "error_type",
    "message": "message", "details": "details", "attempts": "attempts", "correlation_id": "correlation_id",
    "tenant": "tenant_id", "at": "failed_at", "resolved_at": "resolved_at",
}  # fmt: skip
_OWN_DELAYED: Final = {
    "table": "workflow_delayed", "request_id": "request_id", "requester": "requester_type", "step": "step_key",
    "expected_status": "expected_status", "data": "data", "envelope": "envelope", "tenant": "tenant_id",
    "due_at": "due_at", "created_at": "created_at", "leased_until": "leased_until", "attempts": "attempts",
    "done_at": "done_at", "outcome": "outcome", "last_error": "last_error",
}  # fmt: skip
_OWN_OUTBOX: Final = {
    "table": "workflow_outbox", "event_id": "event_id", "event_type": "event_type", "payload": "payload",
    "envelope": "envelope", "tenant": "tenant_id", "created_at": "created_at", "leased_until": "leased_until",
    "published_at": "published_at", "attempts": "attempts",
}  # fmt: skip
_OWN_ENTITY: Final = {
    "id": "id", "status": "status", "version": "version", "tenant": "tenant_id", "claimed_by": "claimed_by",
    "claimed_at": "claimed_at", "created_at": "created_at", "updated_at": "updated_at",
}  # fmt: skip
_DJANGO_HISTORY: Final = {
    "table": "django_fsm_log_statelog", "entity_id": "object_id", "from": "source_state", "to": "state",
    "step": "transition", "reason": "description", "at": "timestamp", "order": "id",
    "actor": {"fk": "by_id", "table": "auth_user", "id": "id", "label": "username"},
}  # fmt: skip


def own(type: str, entity: dict[str, Any]) -> Sections:
    """The tables of the reference engine."""
    name = entity.get("name") or bare(entity.get("table") or "")
    both = {"entity_type": name, "workflow_type": type}
    return {
        "entity": dict(_OWN_ENTITY),
        "history": _OWN_HISTORY | {"discriminator": both},
        "failures": _OWN_FAILURES | {"discriminator": both},
        "delayed": _OWN_DELAYED | {"discriminator": {"workflow_type": type}},
        "outbox": _OWN_OUTBOX | {"discriminator": {"entity_type": name}},
    }


def django_fsm_log(type: str, entity: dict[str, Any]) -> Sections:
    """A status column with django-fsm-log's rows beside it."""
    return {"entity": {"id": "id", "status": "state"}, "history": dict(_DJANGO_HISTORY)}


def statesman(type: str, entity: dict[str, Any]) -> Sections:
    """The latest transition is the state."""
    parent = singular(bare(entity.get("table") or ""))
    history = {
        "table": f"{parent}_transitions", "entity_id": f"{parent}_id", "from": "from_state", "to": "to_state",
        "metadata": "metadata", "at": "created_at", "order": "sort_key", "latest_flag": "most_recent", "sort_step": 10,
        "touch": ["updated_at"],
    }  # fmt: skip
    times = {"created_at": "created_at", "updated_at": "updated_at"}
    return {"entity": {"id": "id", "status": "", **times}, "history": history}


def plain(type: str, entity: dict[str, Any]) -> Sections:
    """A status column, and nothing else."""
    return {"entity": {"id": "id", "status": "status"}}


PROFILES: Final = {"own": own, "django_fsm_log": django_fsm_log, "statesman": statesman, "plain": plain}


def of_config(entity: Entity) -> dict[str, Any]:
    """The entity section as a config of the reference engine says it."""
    table = f"{entity.schema}.{entity.table}" if entity.schema else entity.table
    named = {"table": table, "name": entity.name, "id": entity.id, "status": entity.status}
    optional = ("tenant", "claimed_by", "claimed_at", "updated_at")
    columns = {name: getattr(entity, name) for name in optional if getattr(entity, name)}
    return {**named, "version": entity.version, **columns}


def bare(table: str) -> str:
    """A table's name without its schema."""
    return table.rpartition(".")[2]


def singular(word: str) -> str:
    """The singular that Rails would most likely make of a table's name."""
    for ending, replaced in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("s", "")):
        if word.endswith(ending) and not word.endswith("ss"):
            return word.removesuffix(ending) + replaced
    return word
