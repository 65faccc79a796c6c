"""Search attributes in the events of a database: kept by columns of visibility, told by the names that people gave.

As the server's frontend does (``common/searchattribute``), in the four types of events that hold some.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_HOLDERS: Final = (
    "workflow_execution_started_event_attributes",
    "workflow_execution_continued_as_new_event_attributes",
    "upsert_workflow_search_attributes_event_attributes",
    "start_child_workflow_execution_initiated_event_attributes",
)
_MARKS: Final = re.compile(rb"\x18[\x01\x1c\x1d\x28]")
"""The field ``event_type`` of those, as protobuf writes it: most nodes hold none, and are not read here."""


def named(node: bytes, aliases: Mapping[str, str]) -> bytes:
    """A serialized ``History`` with search attributes by their names; as it is where it holds none, or is damaged."""
    if not aliases or not _MARKS.search(node) or not any(column.encode() in node for column in aliases):
        return node
    from google.protobuf.message import DecodeError
    from temporalio.api.history.v1 import History

    try:
        history = History.FromString(node)
    except DecodeError:
        return node
    for event in history.events:
        holder = event.WhichOneof("attributes")
        if holder in _HOLDERS:
            fields = getattr(event, holder).search_attributes.indexed_fields
            for column in [one for one in fields if one in aliases]:
                fields[aliases[column]].CopyFrom(fields[column])
                del fields[column]
    return history.SerializeToString()
