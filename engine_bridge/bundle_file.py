"""The bundle as a file: a zip of named parts, of which the first lists all others with their sizes and hashes.

Reading is bounded by the sizes that the list declares, and those by fixed limits, so that a small file cannot become a
large memory. A file that lost its end still gives the parts that are whole (PKWARE APPNOTE 4.3.7, local file headers).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO, Final, Protocol

import msgspec

from engine_bridge.errors import CorruptError, PlayheadError
from engine_bridge.format import plain

FORMAT: Final = "playhead-bundle"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
MOST_PART: Final = 256 << 20
MOST_WHOLE: Final = 2 << 30
_MOST_MANIFEST: Final = 16 << 20
_MOST_PARTS: Final = 100_000
#: What the standard library raises for damaged archives.
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)
_LOCAL: Final = struct.Struct("<4s5H3I2H")


class Part(msgspec.Struct, frozen=True):
    """Size in bytes and SHA-256 of one part."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle holds. ``left_out`` counts payloads by the reason why they are not in it."""

    format: str = FORMAT
    version: int = VERSION
    created_ns: int
    engine: str
    engine_title: str
    title: str
    order: str
    raw: bool
    engine_now_ns: int | None = None
    schema_version: str | None = None
    left_out: dict[str, int] = {}
    parts: dict[str, Part] = {}


class Writer:
    """Collects parts in a temporary file, then writes the bundle in one go: it appears whole or not at all."""

    def __init__(self) -> None:
        self._spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by ``close``
        self._places: dict[str, tuple[int, int]] = {}
        self.parts: dict[str, Part] = {}

    def add(self, name: str, data: bytes) -> None:
        """Adds a part. Raises PlayheadError when the bundle grows too large to be opened again."""
        whole = sum(part.size for part in self.parts.values()) + len(data)
        if len(data) > MOST_PART or whole > MOST_WHOLE:
            raise PlayheadError("This is too much for one bundle.", "Export fewer runs.")
        self._places[name] = (self._spool.tell(), len(data))
        self._spool.write(data)
        self.parts[name] = Part(len(data), hashlib.sha256(data).hexdigest())

    def first(self, *names: str) -> None:
        """Moves parts to the beginning of the file, where they outlast the loss of its end."""
        self._places = {
            name: self._places[name] for name in sorted(self._places, key=lambda name: name not in names)
        }

    def write(self, path: Path, manifest: Manifest) -> None:
        """Writes the file. Raises PlayheadError when it cannot be written."""
        listed = msgspec.structs.replace(manifest, parts=self.parts)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(listed), indent=1))
                for name, (start, size) in self._places.items():
                    self._spool.seek(start)
                    archive.writestr(name, self._spool.read(size))
            if manifest.raw:
                fresh.chmod(0o600)
            fresh.replace(path)
        except OSError as error:
            raise PlayheadError(
                f"{plain(str(path))} cannot be written.", "Choose another place.", str(error)
            ) from None
        finally:
            fresh.unlink(missing_ok=True)

    def close(self) -> None:
        self._spool.close()


class _Archive(Protocol):
    def read(self, name: str, most: int) -> bytes: ...

    def close(self) -> None: ...


class Reader:
    """An open bundle. ``whole`` is False for a file that lost its end. Raises CorruptError for what is none."""

    def __init__(self, path: Path) -> None:
        self.whole = True
        try:
            try:
                self._archive: _Archive = _Zip(path)
            except _BROKEN:
                self.whole = False
                self._archive = _Salvaged(path)
        except OSError as error:
            raise CorruptError(
                f"{plain(path.name)} cannot be opened.", "Check the path.", str(error)
            ) from None
        try:
            self.manifest = self._manifest(path)
        except BaseException:
            self.close()
            raise

    def _manifest(self, path: Path) -> Manifest:
        data = self._bytes(MANIFEST, _MOST_MANIFEST)
        try:
            found = msgspec.json.decode(data, type=Manifest)
        except msgspec.MsgspecError as error:
            raise _no_bundle(path, str(error)) from None
        if found.format != FORMAT:
            raise _no_bundle(path, found.format)
        if found.version > VERSION:
            raise CorruptError(
                f"This bundle has version {found.version}; this Playhead reads up to {VERSION}.",
                "Use a newer Playhead.",
            )
        sizes = [part.size for part in found.parts.values()]
        if len(sizes) > _MOST_PARTS or sum(sizes) > MOST_WHOLE or any(not 0 <= s <= MOST_PART for s in sizes):
            raise CorruptError("This bundle claims to be larger than any bundle is.", "It is not opened.")
        return found

    def read(self, name: str) -> bytes:
        """One part, checked. Raises CorruptError when it is missing, cut or changed."""
        part = self.manifest.parts.get(name)
        if part is None:
            raise CorruptError(f"This bundle has no part {plain(name, 60)}.")
        data = self._bytes(name, part.size)
        if hashlib.sha256(data).hexdigest() != part.sha256:
            raise CorruptError(
                f"Part {plain(name, 60)} of this bundle was changed or is damaged.", "Export it again."
            )
        return data

    def _bytes(self, name: str, most: int) -> bytes:
        try:
            data = self._archive.read(name, most + 1)
        except (KeyError, *_BROKEN) as error:
            raise CorruptError(
                f"Part {plain(name, 60)} of this bundle is missing or damaged.",
                "Export it again.",
                type(error).__name__,
            ) from None
        if len(data) > most:
            raise CorruptError(
                f"Part {plain(name, 60)} of this bundle is larger than it says.", "It is not read."
            )
        return data

    def close(self) -> None:
        self._archive.close()


def _no_bundle(path: Path, detail: str) -> CorruptError:
    return CorruptError(f"{plain(path.name)} is no bundle of Playhead.", "", detail[:200])


class _Zip:
    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)

    def read(self, name: str, most: int) -> bytes:
        with self._zip.open(name) as part:
            return part.read(most)

    def close(self) -> None:
        self._zip.close()


class _Salvaged:
    """The parts of a zip whose directory is lost, found by their own headers."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._parts: dict[str, tuple[int, int, int]] = {}
        with contextlib.suppress(struct.error, UnicodeDecodeError):
            self._scan()

    def _scan(self) -> None:
        while len(self._parts) < _MOST_PARTS:
            head = self._file.read(_LOCAL.size)
            mark, _, _, method, _, _, _, packed, _, name_size, extra_size = _LOCAL.unpack(head)
            if mark != b"PK\x03\x04" or packed == 0xFFFFFFFF:
                return
            name = self._file.read(name_size).decode()
            self._file.seek(extra_size, os.SEEK_CUR)
            self._parts[name] = (self._file.tell(), packed, method)
            self._file.seek(packed, os.SEEK_CUR)

    def read(self, name: str, most: int) -> bytes:
        start, packed, method = self._parts[name]
        self._file.seek(start)
        data = self._file.read(packed)
        if len(data) < packed:
            raise EOFError
        return data[:most] if method == zipfile.ZIP_STORED else zlib.decompressobj(-15).decompress(data, most)

    def close(self) -> None:
        self._file.close()
