"""The focus: what the user looks at. There is exactly one, and every view follows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from engine_bridge.model import RunRef

LIVE: Final = None
"""The playhead's position when it follows the tail."""


class Focus(msgspec.Struct, frozen=True):
    """A value, never heavy state: views ask for what it names.

    ``page`` is the page shown (welcome, runs, run, failures, resources …); ``source`` a source's key in the
    application; ``position`` the playhead in the run's order, LIVE (None) when it follows the tail; ``step_id`` the
    selected step; ``field`` the part of it that is open (input, output, error …); ``query`` the filter's text; ``type``
    the workflow type, on pages that show one (entities, config, impact).
    """

    page: str = "welcome"
    source: str | None = None
    query: str = ""
    run: RunRef | None = None
    position: int | None = LIVE
    step_id: str | None = None
    field: str | None = None
    type: str | None = None

    def with_(self, **changes: object) -> Focus:
        """A copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)


Listener = Callable[[Focus, Focus], None]


class FocusModel:
    """Holds the one focus and its history. GUI thread; knows no Qt.

    Moving the playhead or the selection replaces the newest entry; going to another page, source, run or type
    adds one, so that Back returns to where the user came from and not to each pixel of a drag.
    """

    def __init__(self) -> None:
        self._past: list[Focus] = []
        self._future: list[Focus] = []
        self._current = Focus()
        self._listeners: list[Listener] = []

    @property
    def current(self) -> Focus:
        return self._current

    @property
    def can_go_back(self) -> bool:
        return bool(self._past)

    @property
    def can_go_forward(self) -> bool:
        return bool(self._future)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Calls ``listener(new, old)`` after each change; returns its remover."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def set(self, focus: Focus) -> None:
        """Moves the focus; the same value again does nothing."""
        if focus == self._current:
            return
        old = self._current
        if (focus.page, focus.source, focus.run, focus.type) != (old.page, old.source, old.run, old.type):
            self._past.append(old)
            self._future.clear()
        self._move(focus)

    def change(self, **changes: object) -> None:
        """Moves the focus by changing some of its fields."""
        self.set(self._current.with_(**changes))

    def back(self) -> None:
        if self._past:
            self._future.append(self._current)
            self._move(self._past.pop())

    def forward(self) -> None:
        if self._future:
            self._past.append(self._current)
            self._move(self._future.pop())

    def _move(self, focus: Focus) -> None:
        old, self._current = self._current, focus
        for listener in list(self._listeners):
            listener(focus, old)
