"""Staged actions of each source: what the draft tray shows and the review plans."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from engine_bridge.actions.model import Draft, Staged


class Drafts(QObject):
    """One draft for each source key. GUI thread. ``changed`` carries the key of a draft that changed."""

    changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._drafts: dict[str, Draft] = {}

    def _of(self, key: str) -> Draft:
        return self._drafts.setdefault(key, Draft())

    def staged(self, key: str | None) -> tuple[Staged, ...]:
        """What is staged on a source; nothing on None."""
        return () if key is None else self._of(key).staged

    def can_undo(self, key: str | None) -> bool:
        return key is not None and self._of(key).can_undo

    def add(self, key: str, *staged: Staged) -> None:
        self._of(key).add(*staged)
        self.changed.emit(key)

    def replace(self, key: str, old: Staged, new: Staged) -> None:
        """Puts an edited action in the place of the one it came from."""
        self._of(key).remove(old)
        self.add(key, new)

    def remove(self, key: str, *staged: Staged) -> None:
        for one in staged:
            self._of(key).remove(one)
        self.changed.emit(key)

    def undo(self, key: str) -> None:
        """Takes the last change of the draft back."""
        self._of(key).undo()
        self.changed.emit(key)

    def clear(self, key: str) -> None:
        self._of(key).clear()
        self.changed.emit(key)

    def forget(self, key: str) -> None:
        """Starts over, without undo: what was staged has been executed, or its source is gone."""
        if self._drafts.pop(key, None) is not None:
            self.changed.emit(key)
