"""Config files by place: a path, a folder, or ``REV:path`` in git. Reads only; git gets a fixed argv and no shell.

What cannot be read becomes a finding. A path after ``REV:`` is relative to the repository as in git, else to the
working folder; an absolute one finds its own repository. Those of a source are looked for beside its mapping, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.configs import ConfigFile
from engine_bridge.engines.entity_state.engine.catalogue import LARGEST, decoded
from engine_bridge.engines.entity_state.engine.findings import Finding, Place, Report
from engine_bridge.engines.entity_state.revisions_git import Git, GitError, Item

MOST: Final = 2_000
"""Files looked at in a folder."""

_REVISION: Final = re.compile(r"([^:\s-][^:\s]*):(.+)", re.DOTALL)
_MARK: Final = b'"workflow_type"'


class Reading(msgspec.Struct, frozen=True):
    """The files found, each once, in the order of places; and what could not be read."""

    files: tuple[ConfigFile, ...]
    findings: tuple[Finding, ...]


class _Head(msgspec.Struct):
    workflow_type: str = ""
    tenant: str | None = None


def read(places: tuple[str, ...], cancel: CancelToken, home: Path | None = None) -> Reading:
    """Everything at the places; relative ones also from ``home``. Raises only CancelledError."""
    report = Report()
    found: dict[str, ConfigFile] = {}
    for place in places:
        for name, data, revision in _at(place, report, cancel, home):
            text = decoded(name, data, report)
            if text is not None:
                found.setdefault(name, _file(name, text, revision))
    return Reading(tuple(found.values()), report.findings)


def key_of(file: ConfigFile) -> tuple[str, str]:
    """What a file is the config of: (type, tenant), each "" where it does not say."""
    return file.type, file.tenant


def keys(reading: Reading) -> set[tuple[str, str]]:
    """What there is a file for."""
    return {key_of(file) for file in reading.files}


def joined(reading: Reading, files: Iterable[ConfigFile]) -> Reading:
    """A reading with more files; one of the same name is kept as it is."""
    known = {file.name for file in reading.files}
    return Reading((*reading.files, *(file for file in files if file.name not in known)), reading.findings)


def split(place: str) -> tuple[str, str] | None:
    """(revision, path) of a place in git; None for a path that exists, or what is no such place."""
    parts = _REVISION.fullmatch(place)
    return None if parts is None or _kind(Path(place).expanduser()) else (parts[1], parts[2])


def _file(name: str, text: str, revision: str) -> ConfigFile:
    try:
        head = msgspec.json.decode(text, type=_Head)
    except (msgspec.DecodeError, UnicodeError):
        head = _Head()
    return ConfigFile(
        name=name, text=text, revision=revision, type=head.workflow_type, tenant=head.tenant or ""
    )


def _kind(path: Path) -> str:
    try:
        return "folder" if path.is_dir() else "file" if path.exists() else ""
    except (OSError, ValueError):  # a name too long, a null character
        return ""


def _at(
    place: str, report: Report, cancel: CancelToken, home: Path | None
) -> Iterator[tuple[str, bytes, str]]:
    path = Path(place).expanduser()
    if home is not None and not _kind(path) and _kind(home / path):
        path = home / path
    kind, revision = _kind(path), split(place)
    if not kind and revision is not None:
        yield from _in_git(place, *revision, report, cancel, home)
    elif kind == "folder":
        yield from _in_folder(place, path, report, cancel)
    elif kind == "file":
        yield from _of_file(place, path, report)
    else:
        report.add("unreadable", Place(place, ""), "there is no such file", "Check the path.")


def _of_file(name: str, path: Path, report: Report) -> Iterator[tuple[str, bytes, str]]:
    try:
        with path.open("rb") as file:
            yield name, file.read(LARGEST + 1), ""
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        report.add("unreadable", Place(name, ""), reason, "Check its permissions.")


def _in_folder(
    place: str, folder: Path, report: Report, cancel: CancelToken
) -> Iterator[tuple[str, bytes, str]]:
    any_ = False
    for seen, path in enumerate(_walk(folder, cancel)):
        if seen == MOST:
            reason = f"more than {MOST} JSON files: the rest was left out"
            report.add("too_many_files", Place(place, ""), reason, "Name a smaller folder.", "warning")
            break
        for name, data, revision in _of_file(str(path), path, report):
            if _MARK in data:
                any_ = True
                yield name, data, revision
    if not any_:
        report.add("no_config", Place(place, ""), "the folder holds no config", "Name another folder.")


def _walk(folder: Path, cancel: CancelToken) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        cancel.raise_if_cancelled()
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(names) if name.endswith(".json"))


def _found_in_git(revision: str, path: str, cancel: CancelToken, home: Path | None) -> tuple[Git, str, Item]:
    """As git reads it from the working folder, else from ``home``; an absolute path has its own repository."""
    try:
        return Git.at(revision, path, cancel)
    except GitError:
        if home is None or Path(path).expanduser().is_absolute():
            raise
    return Git.at(revision, path, cancel, home)


def _in_git(
    place: str, revision: str, path: str, report: Report, cancel: CancelToken, home: Path | None
) -> Iterator[tuple[str, bytes, str]]:
    try:
        git, commit, item = _found_in_git(revision, path, cancel, home)
        if item.kind == "blob":
            yield place, git.blobs([item.name], LARGEST)[0], commit
            return
        names = [name for name in git.names(item.name) if name.endswith(".json")][:MOST]
        inside = git.blobs([f"{item.name}/{name}" for name in names], LARGEST)
    except GitError as error:
        report.add("unreadable", Place(place, ""), error.reason, error.fix)
        return
    found = [
        (f"{place.rstrip('/')}/{n}", d, commit) for n, d in zip(names, inside, strict=True) if _MARK in d
    ]
    if not found:
        report.add("no_config", Place(place, ""), "the folder holds no config", "Name another folder.")
    yield from found
