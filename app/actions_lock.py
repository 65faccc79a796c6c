"""Unlocking and locking of the focused source: the dialog, the badge of the top bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from engine_bridge.bridge import Capability
from engine_bridge.format import plain
from engine_bridge.words import Environment

if TYPE_CHECKING:
    from app.actions_desk import Desk
    from widgets.actions.unlock_dialog import UnlockDialog

_READ_ONLY = "Read-only: the connection itself refuses writes. Everything can be planned."


class Locks(QObject):
    """Asks, unlocks, locks, and keeps the badge true. GUI thread."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self.dialog: UnlockDialog | None = None
        desk.unlocks.changed.connect(lambda key: self.show())
        desk.unlocks.expired.connect(self._on_expired)
        desk.window.top_bar.lock.clicked.connect(self._on_badge)

    def _on_badge(self) -> None:
        key = self._desk.window.focus.current.source
        unlocked = key is not None and self._desk.unlocks.unlocked(key)
        self._desk.window.run_command("source.lock" if unlocked else "source.unlock")

    def no_unlock(self) -> str:
        source = self._desk.source()
        if source is None:
            return "no source is chosen"
        return source.can(Capability.ACTIONS)

    def no_lock(self) -> str:
        key = self._desk.window.focus.current.source
        return "" if key is not None and self._desk.unlocks.unlocked(key) else "it is locked already"

    def unlock(self) -> None:
        """Asks; in production the source's title must be typed."""
        from widgets.actions.unlock_dialog import UnlockDialog

        source = self._desk.source()
        if source is None or source.info is None:
            return
        key, minutes = source.key, self._desk.window.settings.get("unlock_minutes")
        production = source.info.environment is Environment.PRODUCTION
        typed = plain(source.title, 60).strip() if production else ""
        dialog = self.dialog = UnlockDialog(
            self._desk.window, source.title, source.info.environment, minutes, typed
        )
        dialog.unlocked.connect(lambda: self._desk.unlocks.unlock(key, minutes * 60))
        dialog.finished.connect(self._on_closed)
        dialog.open()

    def _on_closed(self) -> None:
        self.dialog = None

    def lock(self) -> None:
        key = self._desk.window.focus.current.source
        if key is not None:
            self._desk.unlocks.lock(key)

    def _on_expired(self, key: str) -> None:
        source = self._desk.window.sources.get(key)
        if source is not None:
            self._desk.window.notify(f"{plain(source.title, 60)} is read-only again: its time was up.")

    def show(self) -> None:
        """The badge of the focused source."""
        badge, source = self._desk.window.top_bar.lock, self._desk.source()
        if source is None or source.info is None:
            badge.set("")
            return
        left = self._desk.unlocks.remaining(source.key)
        if left:
            minutes, seconds = divmod(left, 60)
            tip = "Actions may be executed on this source. Click or Ctrl+Shift+L locks it now."
            badge.set(f"unlocked {minutes}:{seconds:02d}", "playhead", "unlock", tip)
            return
        reason = source.can(Capability.ACTIONS)
        words = "read-only" if reason else "read-only · Unlock"
        tip = f"{_READ_ONLY}\n" + (
            f"It cannot be unlocked: {reason}." if reason else "Click or Ctrl+L unlocks it."
        )
        badge.set(words, "muted", "lock", tip)
