"""Whether a source may be written to, by its mapping, its file or its grants; what is missing, in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from engine_bridge.engines.entity_state.act_sql import quoted_table
from engine_bridge.engines.entity_state.actions_facts import Reads, column
from engine_bridge.engines.entity_state.mapping import Mapping
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.url import Place

_GRANTED: Final = sa.text("SELECT has_column_privilege(CAST(:name AS text), :column, :grant)")
Wanted = tuple[sa.Table, str, str]
"""Table, column, grant."""


def off(mapping: Mapping, *, http: bool = False) -> str:
    """Why the mapping allows no such writing, "" where it does. ``http``: the action can go through an endpoint."""
    mode, place = mapping.writes.mode, mapping.path or mapping.name
    if mode == "none":
        return f'Writing is off for this mapping. Set mode = "sql" under [writes] in {place} and open the source again.'
    if mode == "http" and not http:
        return f'This mapping allows requests to its endpoint only (mode = "http" under [writes] in {place}).'
    return ""


def lacking(bound: Bound, place: Place, reads: Reads, kind: str) -> str:
    """What this user may not write of what an action of a kind (move, failure, delayed) writes; "" where nothing."""
    if place.path is not None:
        return (
            "" if os.access(place.path, os.W_OK) else f"{place.path.name} may not be written to by this user."
        )
    for table, name, grant in _wanted(bound, kind):
        asked = {"name": quoted_table(table), "column": name, "grant": grant}
        if not reads.one(_GRANTED, asked)[0]:
            return f"This role may not write: GRANT {grant} ({name}) ON {quoted_table(table)} is missing."
    return ""


def _wanted(bound: Bound, kind: str) -> Iterator[Wanted]:
    if kind == "move":
        for own in (bound.status_column, bound.version):
            if own is not None:
                yield bound.table, own.name, "UPDATE"
        if bound.history is not None:
            flag = column(bound.history, "latest_flag")
            yield bound.history.table, bound.history.to.name, "INSERT"
            if flag is not None:
                yield bound.history.table, flag.name, "UPDATE"
    elif kind == "failure" and bound.failures is not None:
        resolved = column(bound.failures, "resolved_at")
        if resolved is not None:
            yield bound.failures.table, resolved.name, "UPDATE"
    elif kind == "delayed" and bound.delayed is not None:
        yield bound.delayed.table, bound.delayed.entity_id.name, "INSERT"
