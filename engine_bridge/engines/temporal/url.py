"""Source URLs of exported histories: ``temporal+file:///folder/or/file`` and, for some files of a folder,
``temporal+file:///folder?only=a.json&only=b.json``. Paths are percent-encoded; a relative one has two slashes less.
``codec=`` names a codec server, and ``namespace=`` the namespace that it is told: no history says its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from engine_bridge.engines.temporal import codec_url
from engine_bridge.engines.temporal.load_text import EVENT, in_utf8
from engine_bridge.errors import UsageError
from engine_bridge.file_names import head_of, quoted, unquoted

FILE: Final = "temporal+file"
SQLITE: Final = "temporal+sqlite"
SERVER: Final = "temporal"
SUFFIXES: Final = (".json", ".jsonl", ".bin", ".pb")
"""Names of files that are taken from a folder; each also with .gz."""

NESTED: Final = 3
"""How often a file may have been compressed."""
_CANDIDATES: Final = 200
_HEAD: Final = 4_096


@dataclass(frozen=True)
class FileSource:
    """``path`` is a file or a folder; ``only`` are paths below it, all of its histories when empty."""

    path: Path
    only: tuple[str, ...] = ()
    codec: str = ""
    namespace: str = ""

    @property
    def location(self) -> str:
        pairs = [f"only={quoted(name, '/')}" for name in self.only]
        pairs += [f"namespace={quote(self.namespace, safe='')}"] if self.namespace else []
        query = "&".join([*pairs, codec_url.parameter(self.codec)] if self.codec else pairs)
        return f"{FILE}://{quoted(str(self.path))}" + (f"?{query}" if query else "")


def parse(url: str) -> FileSource:
    """Reads a URL or a bare path. Raises UsageError."""
    rest = url.removeprefix(f"{FILE}://")
    if rest == url:
        return FileSource(Path(url).expanduser())
    path, _, query = rest.partition("?")
    only = []
    namespace = ""
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        inside = unquoted(value)
        if name == codec_url.PARAMETER:
            continue
        if name == "namespace" and inside:
            namespace = unquote(value)
            continue
        if name != "only" or not inside or Path(inside).is_absolute() or ".." in Path(inside).parts:
            raise UsageError(
                "This URL of exported histories is not understood.", f"Write {FILE}:///folder?only=file.json."
            )
        only.append(inside)
    if not path:
        raise UsageError("This URL names no file.", f"Write {FILE}:///folder/history.json.")
    return FileSource(Path(unquoted(path)).expanduser(), tuple(only), codec_url.of(url), namespace)


def file_url(path: str) -> str:
    """The URL of a file or folder, the same from every working folder."""
    return FileSource(Path(path).expanduser().absolute()).location


def absolute(url: str) -> str:
    """A URL or path that means the same from every working folder."""
    source = parse(url)
    return replace(source, path=source.path.absolute()).location


def together(urls: tuple[str, ...]) -> str:
    """One URL of several files, by the folder that holds them all; folders among them go in whole."""
    paths = [inside for url in urls for inside in _files(parse(url))]
    common = Path(os.path.commonpath([path.parent for path in paths]))
    return FileSource(common, tuple(dict.fromkeys(str(path.relative_to(common)) for path in paths))).location


def _files(source: FileSource) -> list[Path]:
    if source.only:
        return [source.path / name for name in source.only]
    return histories_in(source.path) if source.path.is_dir() else [source.path]


def histories_in(folder: Path) -> list[Path]:
    """Files of a folder that may hold histories, by name; hidden folders and links to folders are left out."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place) / name for name in sorted(names) if _named(name)]
    return found


def _named(name: str) -> bool:
    return name.lower().removesuffix(".gz").endswith(SUFFIXES) and not name.startswith(".")


def sniff(path: str, head: bytes) -> str | None:
    """The URL of a file or folder of histories, None for anything else."""
    if not head and Path(path).is_dir():
        return file_url(path) if _any_history(Path(path)) else None
    return file_url(path) if looks_like(path, head) else None


def _any_history(folder: Path) -> bool:
    looked = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))[:_CANDIDATES]
        for name in filter(_named, sorted(names)):
            looked += 1
            if looked > _CANDIDATES:
                return False
            file = Path(place) / name
            try:
                head = head_of(file, _HEAD)
            except OSError:
                continue
            if looks_like(str(file), head):
                return True
        if len(Path(place).relative_to(folder).parts) >= 3:
            folders.clear()
    return False


_WORDS: Final = (b"eventId", b"event_id", b"EVENT_TYPE_", b"rawHistory", b"eventType")


def looks_like(path: str, head: bytes) -> bool:
    """Whether a file's first bytes are those of a history: JSON that names events, or a protobuf of them; gzip too."""
    import zlib

    for _ in range(NESTED):
        if head.startswith(b"\x1f\x8b"):
            try:
                head = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, _HEAD)
            except zlib.error:
                return False
    text = in_utf8(head)
    if text.lstrip()[:1] in (b"{", b"["):
        return any(word in text for word in _WORDS)
    return _binary(head) or EVENT.search(text.decode("utf-8", "replace")) is not None


def _binary(head: bytes) -> bool:
    """History { HistoryEvent { event_id = 1 … } }: 0a, a length, 08 01 12; an export wraps it twice more."""
    at = 0
    for _ in range(3):
        if head[at : at + 1] != b"\x0a":
            return False
        at += 1
        while at < len(head) and head[at] >= 0x80:
            at += 1
        at += 1
        if head[at : at + 3] == b"\x08\x01\x12":
            return True
    return False
