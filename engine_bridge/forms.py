"""How the connect dialog asks for a source: values that an engine's package hands over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectField:
    """One field of the connect dialog. ``secret`` fields never reach a URL or a file.

    ``choices`` (value, title) are all values that it can have, ``default`` one of them.
    """

    name: str
    title: str
    default: str = ""
    secret: bool = False
    placeholder: str = ""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectForm:
    """How the connect dialog asks for a source of one scheme; ``build`` makes the URL without secrets."""

    scheme: str
    title: str
    fields: tuple[ConnectField, ...]
    build: Callable[[dict[str, str]], str]
