"""Ids of rows that are no entities: ``type/row id``."""

from __future__ import annotations

from typing import Any

from engine_bridge.errors import NotFoundError
from engine_bridge.query.text import quote


def make(type: str, row_id: Any) -> str:
    """The id of a claim (row id: the entity's), a failure, a delayed step or an event."""
    return f"{type}/{row_id}"


def parse(id: str) -> tuple[str, str]:
    """(workflow type, row id). Raises NotFoundError."""
    type_, slash, row_id = id.partition("/")
    if not slash or not type_ or not row_id:
        raise NotFoundError(f"There is no {id[:200]}.", "Such an id is written type/row id.")
    return type_, row_id


def one_entity(type: str, entity_id: Any) -> str:
    """The filter that lists one entity."""
    return f"type == {quote(type)} and id == {quote(str(entity_id))}"
