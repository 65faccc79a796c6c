"""Source URLs of development databases: ``temporal+sqlite:///file.db?namespace=default``.

Paths are percent-encoded; a relative one has two slashes less. Without a namespace the one with runs is shown.
``codec=`` names a codec server.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from engine_bridge.engines.temporal import codec_url
from engine_bridge.engines.temporal.url import SQLITE
from engine_bridge.errors import UsageError
from engine_bridge.file_names import quoted, unquoted

_HINT: Final = f"Write {SQLITE}:///folder/file.db?namespace=default."


@dataclass(frozen=True)
class DevSource:
    """A database file, and the namespace in it to show ("": choose one)."""

    path: Path
    namespace: str = ""
    codec: str = ""

    @property
    def location(self) -> str:
        pairs = [f"namespace={quote(self.namespace, safe='')}"] if self.namespace else []
        query = "&".join([*pairs, codec_url.parameter(self.codec)] if self.codec else pairs)
        return f"{SQLITE}://{quoted(str(self.path))}" + (f"?{query}" if query else "")


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
        if name == codec_url.PARAMETER:
            continue
        if name != "namespace" or not value or namespace:
            raise UsageError("This URL of a Temporal database is not understood.", _HINT)
        namespace = unquote(value)
    if not path:
        raise UsageError("This URL names no file.", _HINT)
    if path.startswith("//"):
        path = f"/{path.lstrip('/')}"  # as SQLAlchemy writes absolute paths, and other engines here
    return DevSource(Path(unquoted(path)).expanduser(), namespace, codec_url.of(url))


def dev_url(path: str, namespace: str = "") -> str:
    """The URL of a database file, the same from every working folder."""
    return DevSource(Path(path).expanduser().absolute(), namespace.strip()).location


def absolute(url: str) -> str:
    """A URL or path that means the same from every working folder."""
    source = parse(url)
    return replace(source, path=source.path.absolute()).location
