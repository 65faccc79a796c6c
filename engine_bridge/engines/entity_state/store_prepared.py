"""Statements rendered once and run straight on the driver: for what a list asks again and again.

SQLAlchemy spends as much CPU on building, keying and executing a statement as SQLite on a page's rows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

import sqlalchemy as sa

_MOST: Final = 256


class Prepared:
    """A rendered statement. Immutable; any thread.

    Values of named ``bindparam`` objects are given when it runs, in the types of their columns; all others are part
    of it. Rows come as the driver gives them.
    """

    def __init__(self, statement: sa.Select[Any], dialect: sa.Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self.sql = str(compiled)
        self._positions: list[str] | None = list(compiled.positiontup) if dialect.positional else None
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        self._process: dict[str, Callable[[Any], Any]] = {}
        for name, bind in binds.items():
            process = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if process is not None:
                self._process[name] = process
        self._values = self._processed(compiled.params)

    def _processed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        process = self._process
        return {name: process[name](value) if name in process else value for name, value in values.items()}

    def parameters(self, given: Mapping[str, Any]) -> Any:
        """What the driver takes: a list in the order of the marks, or a mapping."""
        values = {**self._values, **(self._processed(given) if self._process else given)}
        return values if self._positions is None else [values[name] for name in self._positions]


class Statements:
    """Prepared statements by key; forgets all when there are too many. Any thread."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._known: dict[Hashable, Any] = {}

    def get(self, key: Hashable, make: Callable[[], sa.Select[Any]]) -> Prepared:
        """The statement of a key, made when it is first asked for; a key of None is never kept."""
        found = self._known.get(key) if key is not None else None
        if found is None:
            found = Prepared(make(), self._dialect)
            if len(self._known) >= _MOST:
                self._known.clear()
            if key is not None:
                self._known[key] = found
        return found
