"""Reads a failure log to its end, or to a bound, only to count it: by week, cause and tenant. GUI thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal

from engine_bridge.bridge import Page
from engine_bridge.errors import PlayheadError
from engine_bridge.query.ast import Node
from engine_bridge.session import Session
from widgets.failures.sieve import Sieve
from widgets.failures.tally import Tally

if TYPE_CHECKING:
    from app.failures_page import FailuresPage

MOST: Final = 20_000
"""Failures that are counted at most: the newest."""

_PAGE: Final = 250  # counting so many takes a few milliseconds
_TOLD: Final = 2_000  # rows between two looks at what was counted
_AGAIN_MS: Final = 2_000


class Tallies(QObject):
    """One count at a time, beside the list. ``counted`` comes when more is known."""

    counted = Signal()

    def __init__(self, page: FailuresPage) -> None:
        super().__init__(page)
        self._page = page
        self._jobs = page.jobs
        self._session: Session | None = None
        self._text = ""
        self._query: Node | None = None
        self._tally: Tally | None = None
        self._began_s = 0.0
        self._cost_s = 0.0
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.timeout.connect(self._recount)
        self.shown: Tally | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing is being counted, nor about to be."""
        return not self._jobs.running("tally") and not self._again.isActive()

    def start(self, session: Session, text: str, sieve: Sieve) -> None:
        """Counts the failures that contain a text and pass a sieve's conditions."""
        self.stop()
        self._session, self._text = session, text
        self.shown = None
        self._begin(sieve)

    def stop(self) -> None:
        """Counts no more."""
        self._again.stop()
        self._jobs.cancel("tally")
        self._session = None

    def outdate(self) -> None:
        """The log moved: it is counted anew, but never for more than a twentieth of the time."""
        if self._session is not None and self.settled:
            self._again.start(max(_AGAIN_MS, int(self._cost_s * 20_000)))

    def _recount(self) -> None:
        self._begin(self._page.sieve)

    def _begin(self, sieve: Sieve) -> None:
        self._query = self._page.query()
        self._tally = Tally(sieve, self._page.context.settings.zone())
        self._began_s = time.monotonic()
        self._read(None)

    def _read(self, cursor: bytes | None) -> None:
        if self._session is None:
            return
        self._jobs.run(
            "tally",
            self._session,
            "failures",
            self._query,
            self._text,
            cursor,
            _PAGE,
            on_result=self._on_page,
            on_error=self._on_error,
        )

    def _on_page(self, page: Page) -> None:
        tally = self._tally
        if tally is None:
            return
        tally.add(page.items)
        ended = page.after is None
        tally.whole = ended
        first, growing = self.shown is None, self.shown is tally and tally.read % _TOLD == 0
        if first or growing or ended or tally.read >= MOST:
            # A recount replaces what is shown only when it is through.
            self.shown = tally
            self.counted.emit()
        if ended or tally.read >= MOST:
            self._cost_s = time.monotonic() - self._began_s
        else:
            self._read(page.after)

    def _on_error(self, error: PlayheadError) -> None:
        # The list tells why the log cannot be read; what was counted until then stays.
        self._cost_s = time.monotonic() - self._began_s
