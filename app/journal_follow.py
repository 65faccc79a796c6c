"""Asks, when entries of the journal are looked at, how far the effects are that are still awaited."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject

from app.actions_work import Work
from app.context import Context
from app.journal_work import name_of
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError

if TYPE_CHECKING:
    from app.settle import Settled
    from widgets.journal.entries import Entry

_AGAIN_S: Final = 10.0
_AT_ONCE: Final = 100


class Follow(QObject):
    """Asks about each effect at most every ten seconds, about the newest first. GUI thread."""

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._work = Work(context.sources, context.report, self)
        self._token = CancelToken()
        self._asked: dict[str, float] = {}
        self._words: dict[str, str] = {}

    def look(self, entries: Sequence[Entry], then: Callable[[bool], None]) -> None:
        """Asks about the entries that await something; ``then`` hears whether the journal says more since."""
        now = time.monotonic()
        awaited = (
            entry.request_id
            for entry in entries
            if entry.awaited and now - self._asked.get(entry.request_id, -_AGAIN_S) >= _AGAIN_S
        )
        due = set(islice(awaited, _AT_ONCE))
        if not due:
            return
        self._asked |= dict.fromkeys(due, now)
        places = [self._context.sources.target(source.key) for source in self._context.sources.all()]
        token = self._token

        def work() -> list[Settled]:
            from app.journal import journal
            from app.settle import follow

            return follow(journal(), token, due, targets={name_of(place): place for place in places})

        def arrived(found: list[Settled]) -> None:
            self._hear(due, found)
            then(any(not one.outcome.pending for one in found))

        self._work.run(f"follow {now}", work, arrived, self._failed)

    def _hear(self, due: set[str], found: list[Settled]) -> None:
        from app.settle import KEPT_NOTHING, UNASKED

        told = {one.intent.request_id: one.outcome.pending for one in found}
        for name in due:
            words = told.get(name, f"It cannot be asked about any more: {KEPT_NOTHING}.")
            self._words[name] = words[0].upper() + words[1:] if words.startswith(UNASKED) else words

    def _failed(self, error: PlayheadError) -> None:
        self._context.report(error)

    def told(self, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        """Entries with what was heard about them last."""
        return tuple(
            replace(entry, heard=self._words[entry.request_id])
            if entry.awaited and self._words.get(entry.request_id, entry.pending) != entry.pending
            else entry
            for entry in entries
        )

    def again(self) -> None:
        """The next look asks about all of them."""
        self._asked.clear()

    def stop(self) -> None:
        """Nobody looks any more."""
        self._token.cancel()
        self._work.stop()
