"""Source files by path, read and coloured in threads. GUI thread."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from engine_bridge.errors import PlayheadError
from widgets.code.source import CodeSource, read

_MOST: Final = 64
_LOOK_MS: Final = 15


class _Work:
    """One file in a thread of its own, which touches no Qt object: these may die while it runs."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.news: deque[CodeSource | PlayheadError | None] = deque()
        self.wanted = True
        self.over = False
        threading.Thread(target=self._run, name="playhead-source", daemon=True).start()

    def _run(self) -> None:
        try:
            found = read(self.file)
            self.news.append(found)
            found.colour(lambda: self.news.append(None), lambda: self.wanted)
            self.news.append(None)
        except PlayheadError as error:
            self.news.append(error)
        finally:
            self.over = True


class SourceStore(QObject):
    """Asks for a file once; ``loaded`` carries its path when it, or why it cannot be shown, is there, and ``coloured``
    when more of its colours are."""

    loaded = Signal(object)
    coloured = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: dict[str, CodeSource | PlayheadError | None] = {}
        self._works: list[_Work] = []
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)

    def forget(self, kept: dict[str, CodeSource] | None = None) -> None:
        """Files are read again when they are next asked for, as they may have been edited; ``kept`` are not."""
        for work in self._works:
            work.wanted = False
        self._works, self._known = [], {**(kept or {})}
        self._timer.stop()

    def kept(self) -> dict[str, CodeSource]:
        """The files that have been read."""
        return {file: found for file, found in self._known.items() if isinstance(found, CodeSource)}

    def get(self, file: str) -> CodeSource | PlayheadError | None:
        """A file's lines, or why there are none; None while it is read."""
        if file not in self._known:
            if len(self._known) >= _MOST:
                self._known.pop(next(iter(self._known)))
            self._known[file] = None
            self._works.append(_Work(file))
            self._timer.start()
        return self._known[file]

    @property
    def busy(self) -> bool:
        """Whether a file is being read; its colours may come later."""
        return any(found is None for found in self._known.values())

    def _look(self) -> None:
        for work in list(self._works):
            over = work.over
            while work.news:
                self._take(work.file, work.news.popleft())
            if over and work in self._works:
                self._works.remove(work)
        if not self._works:
            self._timer.stop()

    def _take(self, file: str, found: CodeSource | PlayheadError | None) -> None:
        if found is None:
            self.coloured.emit(file)
        elif file in self._known:
            self._known[file] = found
            self.loaded.emit(file)
