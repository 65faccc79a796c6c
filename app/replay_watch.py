"""Source files that a recording shows, watched for edits: which are not what was replayed. GUI thread."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PySide6.QtCore import QFileSystemWatcher, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication

from widgets.payload.background import Background

_SETTLE_MS: Final = 200
_LONGEST_S: Final = 1.0  # writes that never rest are looked at nevertheless
_MOST: Final = 200  # files
_LARGEST: Final = 16 << 20  # bytes of a file that are compared
UNKNOWN: Final = b"?"
"""The mark of a file that was written between the start of the replay and the first look at it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was found: its content's digest (b"" where it cannot be read), and when it was written."""

    digest: bytes
    written_ns: int = 0


def look(files: Iterable[str]) -> dict[str, Seen]:
    """Reads files. Any thread; does I/O."""
    return {file: _look(Path(file)) for file in files}


def _look(path: Path) -> Seen:
    try:
        written = path.stat().st_mtime_ns
        with path.open("rb") as file:
            return Seen(hashlib.blake2b(file.read(_LARGEST), digest_size=16).digest(), written)
    except (OSError, ValueError):
        return Seen(b"")


class Watch(QObject):
    """``changed`` carries the files whose content is not that of their marks, each time that any content moved.

    A file that was written without a change is none; one that was changed back is none any more. Where the system
    tells nothing (network drives), files are looked at when the user comes back to the window.
    """

    changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._marks: dict[str, bytes] = {}
        self._seen: dict[str, bytes] = {}
        self._files: list[str] = []
        self._since_ns = 0
        self._marking = False
        self._reader = Background(self)
        self._watcher = QFileSystemWatcher(self)
        self._watcher.fileChanged.connect(self._on_event)
        self._watcher.directoryChanged.connect(self._on_event)
        self._first = 0.0
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._read)
        app = QGuiApplication.instance()
        if isinstance(app, QGuiApplication):
            app.applicationStateChanged.connect(self._on_state)

    def mark(self, marks: dict[str, bytes], files: Iterable[str], since_ns: int) -> None:
        """A replay begins: files are compared with what they are now. ``marks`` is filled, and kept up with."""
        self.stop()
        self._marks, self._since_ns, self._marking = marks, since_ns, True
        self.add(files)

    def resume(self, marks: dict[str, bytes], since_ns: int) -> None:
        """An earlier replay is shown again: files are compared with what they were then."""
        self.stop()
        self._marks, self._since_ns = marks, since_ns
        self.add(list(marks))

    def add(self, files: Iterable[str]) -> None:
        """Watches more files; those that are watched already cost nothing."""
        new = [file for file in dict.fromkeys(files) if file not in self._seen and Path(file).is_absolute()]
        new = new[: _MOST - len(self._files)]
        if new:
            self._seen.update(dict.fromkeys(new, UNKNOWN))
            self._files += new
            self._read()

    def stop(self) -> None:
        """Watches nothing any more."""
        self._settle.stop()
        self._reader.cancel()
        paths = [*self._watcher.files(), *self._watcher.directories()]
        if paths:
            self._watcher.removePaths(paths)
        self._marks, self._seen, self._files, self._marking = {}, {}, [], False

    # -- looking ------------------------------------------------------------------------------------------

    def _on_event(self, _: str) -> None:
        now = time.monotonic()
        if not self._settle.isActive():
            self._first = now
        if now - self._first < _LONGEST_S:
            self._settle.start()

    def _on_state(self, state: Qt.ApplicationState) -> None:
        if state == Qt.ApplicationState.ApplicationActive and self._files:
            self._settle.start()

    def _read(self) -> None:
        files = list(self._files)
        self._watch(files)
        self._reader.run(lambda: look(files), self._on_read)

    def _on_read(self, found: dict[str, Seen]) -> None:
        before = dict(self._seen)
        for file, seen in found.items():
            if self._marking or file not in self._marks:
                self._marks[file] = UNKNOWN if self._late(seen) else seen.digest
            self._seen[file] = seen.digest
        self._marking = False
        if any(self._moved(file, before[file]) for file in found):
            self.changed.emit(self.differing())

    def _moved(self, file: str, was: bytes) -> bool:
        return self._seen[file] != (self._marks[file] if was == UNKNOWN else was)

    def _late(self, seen: Seen) -> bool:
        """Whether a file was written after the replay began, so that nobody knows which content it was."""
        return self._since_ns < seen.written_ns <= time.time_ns()

    @property
    def settled(self) -> bool:
        """Whether every watched file has been looked at, and none is being looked at."""
        return bool(self._files) and not self._reader.busy and not self._settle.isActive()

    def differing(self) -> tuple[str, ...]:
        """The files that are not what was replayed."""
        return tuple(file for file in self._files if self._seen[file] not in (self._marks.get(file), UNKNOWN))

    def _watch(self, files: Iterable[str]) -> None:
        # Editors put a new file in the place of the old one: the system then forgets the file, but not its folder.
        known = {*self._watcher.files(), *self._watcher.directories()}
        wanted = [*files, *dict.fromkeys(str(Path(file).parent) for file in files)]
        missing = [path for path in wanted if path not in known]
        if missing:
            self._watcher.addPaths(missing)


def words(files: Sequence[str]) -> str:
    """ "orders.py was changed after this replay"; "" for no file."""
    if not files:
        return ""
    more = f" and {len(files) - 1} more were" if len(files) > 1 else " was"
    return f"{Path(files[0]).name}{more} changed after this replay"
