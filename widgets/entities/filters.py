"""The clauses of a filter that the status graph writes. Knows no Qt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from engine_bridge.bridge import Field
from engine_bridge.query.ast import Compare, Node
from engine_bridge.query.text import quote
from widgets.runs.clauses import asked, rewritten

FIELD: Final = "state"


def knowing(fields: Sequence[Field], statuses: Iterable[str]) -> list[Field]:
    """Fields whose ``state`` may also be one of these: a status can be in the data that nobody knew of."""
    known = list(fields)
    for number, field in enumerate(known):
        if field.name == FIELD and field.values:
            values = tuple(dict.fromkeys((*field.values, *statuses)))
            known[number] = msgspec.structs.replace(field, values=values)
    return known


def is_state(node: Node) -> bool:
    """Whether a clause is one that the status graph writes."""
    return isinstance(node, Compare) and node.field == FIELD and node.op in ("==", "in")


def states(node: Node | None) -> frozenset[str]:
    """The statuses that the filter asks for, empty for all."""
    return asked(node, is_state)


def with_states(text: str, node: Node | None, wanted: Iterable[str]) -> str:
    """The filter's text asking for exactly these statuses; none asks for all."""
    names = [quote(name) for name in sorted(wanted)]
    clause = ""
    if names:
        clause = f"{FIELD} == {names[0]}" if len(names) == 1 else f"{FIELD} in ({', '.join(names)})"
    return rewritten(text, node, is_state, clause)
