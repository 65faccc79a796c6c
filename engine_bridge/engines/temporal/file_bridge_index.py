"""The histories in a file or folder: read once for their headers, and again when somebody looks at an old one."""

from __future__ import annotations

import stat
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.events import NUMBERS
from engine_bridge.engines.temporal.events_heads import RESET
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.group import Grouper
from engine_bridge.engines.temporal.group_event import KIND
from engine_bridge.engines.temporal.group_run import ENGINE, header, identity
from engine_bridge.engines.temporal.load import Loaded, load
from engine_bridge.engines.temporal.url import FileSource, histories_in, looks_like
from engine_bridge.errors import ConnectError, NotFoundError, PermissionDeniedError, PlayheadError
from engine_bridge.file_names import head_of
from engine_bridge.format import plain
from engine_bridge.model import Run, RunRef, Status

KEPT: Final = 96 << 20
"""Bytes of files whose events stay in memory: those that were looked at last."""

_STARTED: Final = NUMBERS["WorkflowExecutionStarted"]
Stamp = tuple[int, int]


@dataclass(slots=True)
class Story:
    """One history: the ``number``-th of its file, from 0."""

    path: Path
    number: int
    run: Run


@dataclass(slots=True)
class _File:
    stamp: Stamp
    stories: list[Story] = field(default_factory=list)


class Index:
    """All histories of a source. Thread-safe: reading happens under one lock, in whichever thread asks."""

    def __init__(self, source: FileSource) -> None:
        self.source = source
        self.unreadable: dict[str, str] = {}  # files that hold no history, and why
        self._lock = threading.RLock()
        self._files: dict[Path, _File] = {}
        self._stories: dict[RunRef, Story] = {}
        self._loaded: OrderedDict[Path, tuple[Stamp, int, list[Loaded]]] = OrderedDict()
        self._fresh: dict[RunRef, Grouper] = {}

    @property
    def folder(self) -> bool:
        """Whether files may come and go."""
        return bool(self.source.only) or self.source.path.is_dir()

    @property
    def runs(self) -> dict[RunRef, Run]:
        """The headers of all histories."""
        with self._lock:
            return {ref: story.run for ref, story in self._stories.items()}

    def paths(self) -> list[tuple[Run, Path]]:
        """Each run with the file that holds it."""
        with self._lock:
            return [(story.run, story.path) for story in self._stories.values()]

    def stamps(self) -> dict[Path, Stamp]:
        """The files that may hold histories, each with what tells that it changed (time in ns, bytes)."""
        if self.source.only:
            paths = [self.source.path / name for name in self.source.only]
        else:
            paths = histories_in(self.source.path) if self.source.path.is_dir() else [self.source.path]
        return {path: stamp for path in paths if (stamp := _stamp(path)) is not None}

    def stamp(self, ref: RunRef) -> Stamp | None:
        """What tells that the file of a run changed, None while there is none. Raises NotFoundError."""
        return _stamp(self.story(ref).path)

    def read(self, cancel: CancelToken) -> None:
        """Reads what is new or has changed, and forgets what is gone.

        Raises PlayheadError when the source is one file, and that cannot be read.
        """
        with self._lock:
            stamps = self.stamps()
            if not self.folder and not stamps:
                raise NotFoundError(f"There is no file {plain(str(self.source.path))}.", "Check the path.")
            for path in [path for path, old in self._files.items() if stamps.get(path) != old.stamp]:
                self._forget(path)
            fresh = [path for path in stamps if path not in self._files]
            for number, path in enumerate(fresh):
                cancel.progress(number, len(fresh), "Reading histories")
                found = _File(stamps[path], self._read(path))
                self._files[path] = found
                self._stories |= {story.run.ref: story for story in found.stories}

    def _forget(self, path: Path) -> None:
        for story in self._files.pop(path).stories:
            del self._stories[story.run.ref]
            self._fresh.pop(story.run.ref, None)

    def _read(self, path: Path) -> list[Story]:
        name = self.name_of(path)
        self.unreadable.pop(name, None)
        try:
            several = self._load(path)
        except PlayheadError as error:
            if not self.folder:
                raise
            if not _names_events(path):
                self.unreadable[name] = error.message
                return []
            return [Story(path, 0, _bad(name, error))]
        taken = set(self._stories)
        stories = []
        for number, one in enumerate(several):
            ref = self._unique(path, number, one, taken)
            grouper = Grouper(ref, namespace=self.source.namespace)
            grouper.add(one.heads)
            if not self.folder:
                self._fresh[ref] = grouper
            stories.append(Story(path, number, header(grouper)))
        return stories

    def _unique(self, path: Path, number: int, one: Loaded, taken: set[RunRef]) -> RunRef:
        """A name of its own for each history: the same run may stand in several files."""
        ref = reference(one, _stem(path))
        if ref in taken:
            place = self.name_of(path) + (f" #{number + 1}" if number else "")
            ref = RunRef(ref.kind, ref.group, f"{ref.run} in {place}")
        taken.add(ref)
        return ref

    def name_of(self, path: Path) -> str:
        """A file as people see it in this source."""
        return plain(str(path.relative_to(self.source.path)) if self.folder else path.name)

    def story(self, ref: RunRef) -> Story:
        """The history of a run. Raises NotFoundError."""
        with self._lock:
            found = self._stories.get(ref)
        if found is None:
            raise NotFoundError(f"Run {plain(ref.group)} ({plain(ref.run)}) is not in these files.")
        return found

    def loaded(self, ref: RunRef) -> Loaded:
        """The events of a history. Raises PlayheadError when its file cannot be read any more."""
        story = self.story(ref)
        with self._lock:
            several = self._load(story.path)
        if story.number >= len(several):
            raise NotFoundError(f"{story.path.name} does not hold this history any more.", "Open it again.")
        return several[story.number]

    def grouper(self, ref: RunRef) -> Grouper:
        """All events of a history, grouped, and not told yet."""
        one = self.loaded(ref)
        with self._lock:
            grouper = self._fresh.pop(ref, None)
        if grouper is None:
            grouper = Grouper(ref, namespace=self.source.namespace)
            grouper.add(one.heads)
        return grouper

    def _load(self, path: Path) -> list[Loaded]:
        stamp = _stamp(path) or (0, 0)
        kept = self._loaded.pop(path, None)
        if kept is None or kept[0] != stamp:
            data = contents(path)
            kept = (stamp, len(data), load(data))
        self._loaded[path] = kept
        while sum(size for _, size, _ in self._loaded.values()) > KEPT and len(self._loaded) > 1:
            self._loaded.popitem(last=False)
        return kept[2]

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._files, self._stories, self._fresh = {}, {}, {}
            self._loaded.clear()


def reference(one: Loaded, fallback: str) -> RunRef:
    """The run that a history is of."""
    heads = one.heads
    first = event_of(heads.record[0]) if len(heads) and heads.type[0] == _STARTED else None
    resets = np.flatnonzero(heads.kind == RESET)
    resets = resets[heads.type[resets] == NUMBERS["WorkflowTaskFailed"]]
    reset = event_of(heads.record[int(resets[-1])]) if len(resets) else None
    return identity(first, reset, fallback)


def contents(path: Path) -> bytes:
    """The bytes of a regular file. Raises PlayheadError."""
    shown = plain(path.name)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConnectError(f"{shown} is no regular file.", "Save it to a file first.")
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {plain(str(path))}.", "Check the path.") from None
    except PermissionError:
        raise PermissionDeniedError(
            f"{shown} cannot be read.", "Your user lacks the right to read this file."
        ) from None
    except (OSError, MemoryError) as error:
        raise ConnectError(f"{shown} cannot be read.", "Check the disk.", type(error).__name__) from None


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_mtime_ns, found.st_size)


def _stem(path: Path) -> str:
    name = Path(path.name.removesuffix(".gz"))
    return plain(name.stem or path.name)


def _names_events(path: Path) -> bool:
    """Whether a file that cannot be read was meant to be a history."""
    try:
        return looks_like(str(path), head_of(path, 4_096))
    except OSError:
        return True


def _bad(name: str, error: PlayheadError) -> Run:
    return Run(
        ref=RunRef(KIND, name, name),
        id=name,
        type="",
        status=Status.UNKNOWN,
        engine_status="",
        engine=ENGINE,
        bad=error.message,
    )
