"""Resources: queues, schedules, versions, workers, each with what an operator must see.

Only limits that DBOS records are shown; those declared in code alone are not known, which is said.
"""

from __future__ import annotations

from engine_bridge.bridge import Resource
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import resources_queues, resources_schedules, resources_versions
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.tables import Tables
from engine_bridge.errors import UnsupportedError

_READERS = {
    "queues": resources_queues.read,
    "schedules": resources_schedules.read,
    "versions": resources_versions.versions,
    "workers": resources_versions.workers,
}


def kinds(tables: Tables) -> tuple[str, ...]:
    """The kinds that this schema version has."""
    lacking = () if tables.has("workflow_schedules") else ("schedules",)
    return tuple(kind for kind in _READERS if kind not in lacking)


def read(db: Database, kind: str, cancel: CancelToken) -> list[Resource]:
    """All resources of a kind. Raises UnsupportedError."""
    if kind not in kinds(db.tables):
        raise UnsupportedError(f"This source has no {kind}.", f"It has {', '.join(kinds(db.tables))}.")
    return _READERS[kind](db, cancel)
