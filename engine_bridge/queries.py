"""Questions to a run's own code, answered by a live worker: the only reads that execute user code.

They change nothing, but they are the user's to ask: nothing here is ever asked by itself.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine_bridge.errors import UsageError

TRACE: Final = "text/traceback"
ARGUMENTS: Final = (
    'A JSON array of all arguments, ["ann", 3]; anything else is the only argument; empty for none.'
)


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class Query(_Value, frozen=True):
    """Something that can be asked, as the code names and describes it."""

    name: str
    doc: str = ""


class Handlers(_Value, frozen=True):
    """What a run's code takes, as its worker tells: queries, and the names of other messages by their kind.

    ``note`` is what the code says of itself now, "" when nothing.
    """

    queries: tuple[Query, ...] = ()
    others: dict[str, tuple[str, ...]] = {}
    note: str = ""


class Reply(_Value, frozen=True):
    """An answer: bytes in an encoding, as payloads are; a stack trace's is ``TRACE``. ``note`` is what must be said."""

    name: str
    data: bytes = b""
    encoding: str | None = None
    note: str = ""


def arguments(text: str) -> tuple[Any, ...]:
    """The arguments that a text stands for (see ``ARGUMENTS``). Raises UsageError with the place of the fault."""
    if not text.strip():
        return ()
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise UsageError(f"The arguments are no JSON: {error}.", ARGUMENTS) from None
    return tuple(value) if isinstance(value, list) else (value,)
