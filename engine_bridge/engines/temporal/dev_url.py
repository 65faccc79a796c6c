"""Source URLs of development databases: ``temporal+sqlite:///file.db?namespace=default``.

Paths are percent-encoded; a relative one has two slashes less. Without a namespace the one with runs is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from engine_bridge.engines.temporal.url import SQLITE
from engine_bridge.errors import UsageError

_HINT: Final = f"Write {SQLITE}:///folder/file.db?namespace=default."


@dataclass(frozen=True)
class DevSource:
    """A database file, and the namespace in it to show ("": choose one)."""

    path: Path
    namespace: str = ""

    @property
    def location(self) -> str:
        query = f"?namespace={quote(self.namespace, safe='')}" if self.namespace else ""
        return f"{SQLITE}://{quote(str(self.path), safe='/:')}{query}"


def parse(url: str) -> DevSource:
    """Reads a URL or a bare path. Raises UsageError."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return DevSource(Path(url).expanduser())
    if scheme.lower() != SQLITE:
        raise UsageError("This is not the URL of a Temporal database.", _HINT)
    path, _, query = rest.partition("?")
    namespace = ""
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        if name != "namespace" or not value or namespace:
            raise UsageError("This URL of a Temporal database is not understood.", _HINT)
        namespace = unquote(value)
    if not path:
        raise UsageError("This URL names no file.", _HINT)
    return DevSource(Path(unquote(path)).expanduser(), namespace)


def dev_url(path: str, namespace: str = "") -> str:
    """The URL of a database file, the same from every working folder."""
    return DevSource(Path(path).expanduser().absolute(), namespace.strip()).location


def absolute(url: str) -> str:
    """A URL or path that means the same from every working folder."""
    source = parse(url)
    return DevSource(source.path.absolute(), source.namespace).location
