"""The filter language: grammar, syntax tree, and its three back ends (SQL, predicate, completion).

What a filter means is defined in ``values``; SQL and predicate agree by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

from engine_bridge.query.ast import Node

if TYPE_CHECKING:
    from engine_bridge.bridge import Field

__all__ = ["Node", "parse"]


def parse(text: str, fields: Sequence[Field], zone: tzinfo | None = None) -> Node | None:
    """The tree of a filter, its values bound to the fields' types; None for a blank text.

    Times without a zone and days are read in ``zone`` (None: the machine's). Raises QueryError with
    column, length and what was expected. The grammar's library is imported on the first call.
    """
    if not text.strip():
        return None
    from engine_bridge.query.parser import parse_filter

    return parse_filter(text, fields, zone)
