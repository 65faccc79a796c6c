"""The namespaces of a database, and which of them a source shows."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import dev_messages as messages
from engine_bridge.engines.temporal.dev_store import Store
from engine_bridge.errors import CorruptError, NotFoundError
from engine_bridge.format import plain

_SYSTEM: Final = "temporal-system"
_DEFAULT: Final = "default"
_KIND: Final = re.compile(r"(Bool|Datetime|Double|Int|KeywordList|Keyword|Text)\d\d")


@dataclass(frozen=True)
class Space:
    """One namespace. ``aliases``: names of its search attributes by column; ``record`` as stored, None: unreadable."""

    id: str
    name: str
    aliases: Mapping[str, str] = field(default_factory=dict)
    runs: int = 0
    record: Any = None

    @property
    def custom(self) -> dict[str, str]:
        """Its own search attributes, name to type."""
        kinds = {alias: _KIND.fullmatch(column) for column, alias in self.aliases.items()}
        return {alias: kind[1] for alias, kind in sorted(kinds.items()) if kind is not None}

    @property
    def columns(self) -> dict[str, str]:
        """The columns of its own search attributes, by name."""
        return {alias: column for column, alias in self.aliases.items() if _KIND.fullmatch(column)}


def read(store: Store, cancel: CancelToken) -> list[Space]:
    """All namespaces, by name."""
    counts: dict[Any, Any] = dict(
        store.rows("SELECT namespace_id, count(*) FROM executions_visibility GROUP BY 1", cancel=cancel)
    )
    rows = store.rows("SELECT id, name, data FROM namespaces ORDER BY name", cancel=cancel)
    return [
        _space(row[0], row[1], row[2], counts)
        for row in rows
        if isinstance(row[0], bytes) and len(row[0]) == 16
    ]


def _space(id_: bytes, name: Any, data: Any, counts: Mapping[Any, Any]) -> Space:
    from google.protobuf.message import DecodeError

    named = str(uuid.UUID(bytes=id_))
    try:
        record = messages.parse("Namespace", data)
    except DecodeError:
        return Space(named, str(name), runs=int(counts.get(named, 0)))
    aliases = {entry.key: entry.value for entry in record.config.aliases}
    return Space(named, str(name), aliases, int(counts.get(named, 0)), record)


def choose(spaces: Sequence[Space], wanted: str, file: str) -> Space:
    """The namespace to show: the one asked for, else the default one unless another has all the runs.

    Raises NotFoundError and CorruptError.
    """
    if not spaces:
        raise CorruptError(f"{file} has no namespaces.", "Its server has not been set up yet.")
    for space in spaces:
        if space.name == wanted:
            return space
    if wanted:
        listed = ", ".join(plain(space.name, 60) for space in spaces[:20])
        raise NotFoundError(f"{file} has no namespace {plain(wanted, 120)}.", f"It has: {listed}.")
    own = [space for space in spaces if space.name != _SYSTEM] or list(spaces)
    return max(own, key=lambda space: (space.runs > 0, space.name == _DEFAULT, space.runs))


def notice(spaces: Sequence[Space], shown: Space) -> tuple[str, ...]:
    """What must be said of the others."""
    others = [space for space in spaces if space is not shown and space.name != _SYSTEM and space.runs]
    if not others:
        return ()
    listed = ", ".join(f"{plain(space.name, 60)} ({space.runs:,} runs)" for space in others[:5])
    return (
        f"This is namespace {plain(shown.name, 60)}; the database has others too: {listed}. "
        "Open one with ?namespace=NAME.",
    )
