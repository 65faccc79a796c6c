"""What "filter by this" may mean for a cell: conditions in the filter language. Knows no Qt."""

from __future__ import annotations

from typing import Any, Final

from engine_bridge.bridge import Field, FieldType
from engine_bridge.query.ast import Duration, Instant, Scalar
from engine_bridge.query.text import and_, compare, not_

_ORDERED: Final = (FieldType.TIME, FieldType.DURATION)


def condition(field: Field, value: Any, op: str = "==") -> str:
    """``field op value`` with the value written as the field's type wants it; a list's first element is in it."""
    if isinstance(value, list):
        one = compare(field.name, str(value[0]), "~") if value else compare(field.name, None, "==")
        return one if op == "==" else not_(one)
    if field.type is FieldType.STATUS and value is not None:
        return f"{field.name} {op} {value}"
    return compare(field.name, _scalar(field, value), op)


def _scalar(field: Field, value: Any) -> Scalar:
    if value is None or isinstance(value, bool):
        return value
    if field.type is FieldType.TIME:
        return Instant(int(value))
    if field.type is FieldType.DURATION:
        return Duration(int(value))
    return value if isinstance(value, int | float) else str(value)


def choices(field: Field, value: Any, current: str) -> list[tuple[str, str]]:
    """(title, new filter) of what a cell offers; ``current`` is the filter in force."""
    if field.type in _ORDERED and value is not None:
        found = [
            ("From here on", condition(field, value, ">=")),
            ("Up to here", condition(field, value, "<=")),
        ]
        if field.type is FieldType.DURATION:
            found = [("This long or longer", found[0][1]), ("This long or shorter", found[1][1])]
        return [(f"{title}:  {one}", and_(current, one)) for title, one in found]
    if isinstance(value, list) and len(value) > 1:
        return [pair for element in value for pair in choices(field, [element], current)]
    one = condition(field, value)
    offered = [(f"Filter by  {one}", one)]
    if current.strip():
        offered.append((f"… and  {one}", and_(current, one)))
    return [*offered, (f"… and not  {one}", and_(current, not_(one)))]
