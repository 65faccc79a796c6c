"""What decoded payloads consist of: plain Python values, and inert nodes for everything that is not plain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

UNSET: Final = object()
CUT: Final = "…"


@dataclass(slots=True)
class Opaque:
    """A value of a foreign type, as recorded: shown, never made.

    ``type`` is its qualified name ("decimal.Decimal"; "builtins." is left out; CUT for what a limit hid, "dict"
    for a mapping that a dict could not hold: repeated keys, or keys that are no plain scalars). ``args`` and
    ``kwargs`` went to its constructor, ``state`` to its ``__setstate__``, ``items`` were appended (pairs for
    mappings). ``value`` is the readable scalar of well-known pure data (an ISO time, a number's digits), else
    UNSET.
    """

    type: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    state: Any = None
    items: list[Any] = field(default_factory=list)
    value: Any = UNSET

    def __repr__(self) -> str:
        return f"<{self.type}>"  # the content may hold secrets

    @property
    def cut(self) -> bool:
        """Whether this stands for something that a limit hid; ``value`` says what."""
        return self.type == CUT

    @property
    def short(self) -> str:
        """The type's last name."""
        return self.type.rpartition(".")[2]


class Number(float):
    """A JSON number that a float does not write the same way (1.00, 1e400); ``str`` gives what was recorded."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Number:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__


def hidden(what: str) -> Opaque:
    """A marker for something that a limit hid."""
    return Opaque(CUT, value=what)
