"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from app.opening import Opened
from engine_bridge.bridge import Field, Sort
from engine_bridge.errors import QueryError, UsageError
from engine_bridge.query.ast import Node

_F = TypeVar("_F", bound=Callable[..., Any])

source_argument = click.argument("source")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md lists the keys).")
reveal_option = click.option("--reveal", is_flag=True, help="Do not mask what looks like a secret.")
filter_option = click.option(
    "--filter", "filter_text", default="", metavar="F", help="A filter, as in the window."
)


def limit_option(default: int) -> Callable[[_F], _F]:
    return click.option(
        "--limit", type=click.IntRange(1), default=default, show_default=True, help="At most so many rows."
    )


def query_of(source: Opened, text: str) -> Node | None:
    """Parses a filter. Raises UsageError that points at the column."""
    from engine_bridge.query import parse

    try:
        return parse(text, source.fields)
    except QueryError as error:
        where = f"Filter, column {error.column + 1}: {error.message}"
        raise UsageError(where, error.hint) from None


def sort_of(text: str | None, fields: list[Field]) -> Sort:
    """``name`` or ``-name`` (descending). Raises UsageError for what cannot be sorted by."""
    if text is None:
        return Sort()
    name = text.lstrip("+-")
    sortable = [field.name for field in fields if field.sortable]
    if name not in sortable:
        raise UsageError(f"Runs cannot be sorted by {name!r}.", f"Sortable: {', '.join(sortable)}.")
    return Sort(field=name, descending=text.startswith("-"))
