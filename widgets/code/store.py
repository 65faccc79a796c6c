"""Source files by path, read and coloured in threads. GUI thread."""

from __future__ import annotations

import contextlib
import threading
from typing import Final

from PySide6.QtCore import QObject, Qt, Signal, Slot

from engine_bridge.errors import PlayheadError
from widgets.code.source import CodeSource, read

_MOST: Final = 64


class SourceStore(QObject):
    """Asks for a file once; ``loaded`` carries its path when it, or why it cannot be shown, is there, and ``coloured``
    when more of its colours are."""

    loaded = Signal(object)
    coloured = Signal(object)
    _arrived = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: dict[str, CodeSource | PlayheadError | None] = {}
        self._generation = 0
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def forget(self) -> None:
        """Files are read again when they are next asked for: they may have been edited."""
        self._generation += 1
        self._known = {}

    def get(self, file: str) -> CodeSource | PlayheadError | None:
        """A file's lines, or why there are none; None while it is read."""
        if file not in self._known:
            if len(self._known) >= _MOST:
                self._known.pop(next(iter(self._known)))
            self._known[file] = None
            args = (file, self._generation)
            threading.Thread(target=self._work, args=args, name="playhead-source", daemon=True).start()
        return self._known[file]

    @property
    def busy(self) -> bool:
        return any(found is None for found in self._known.values())

    def _work(self, file: str, generation: int) -> None:
        try:
            found: CodeSource | PlayheadError = read(file)
        except PlayheadError as error:
            found = error
        self._tell(generation, file, found)
        if isinstance(found, CodeSource):
            found.colour(lambda: self._tell(generation, file, None), lambda: generation == self._generation)
            self._tell(generation, file, None)

    def _tell(self, generation: int, file: str, found: CodeSource | PlayheadError | None) -> None:
        # The window may be gone by now; then nobody waits for it.
        with contextlib.suppress(RuntimeError):
            self._arrived.emit((generation, file, found))

    @Slot(object)
    def _deliver(self, message: tuple[int, str, CodeSource | PlayheadError | None]) -> None:
        generation, file, found = message
        if generation != self._generation:
            return
        if found is None:
            self.coloured.emit(file)
        else:
            self._known[file] = found
            self.loaded.emit(file)
