"""The populations of the entities page: asked when something moved, never for more than a twentieth of the time."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal

from app.again import passes
from engine_bridge.errors import PlayheadError
from engine_bridge.format import duration
from engine_bridge.populations import Population
from engine_bridge.session import Session

if TYPE_CHECKING:
    from app.entities_page import EntitiesPage

_TICK_MS: Final = 1_000
_SOON_S: Final = 2.0
_ANYWAY_S: Final = 30.0  # stuck claims come of time alone: no change tells of them
_LOAD: Final = 20


class Populations(QObject):
    """Asks for one type's population while the page is shown. GUI thread.

    ``arrived`` carries the Population, ``failed`` the error; ``ticked`` comes every second, for its age.
    """

    arrived = Signal(object)
    failed = Signal(object)
    ticked = Signal()

    def __init__(self, page: EntitiesPage) -> None:
        super().__init__(page)
        self._jobs = page.jobs
        self._session: Session | None = None
        self._type = ""
        self._asked_s = self._got_s = self._cost_s = 0.0
        self._moved = False
        self.shown: Population | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._tick)

    def load(self, session: Session, type_: str) -> None:
        """Asks for another type, or for this one at once."""
        if (session, type_) != (self._session, self._type):
            self.shown = None
        self._session, self._type = session, type_
        self._ask(wanted=True)

    def clear(self) -> None:
        """Nothing is shown any more."""
        self._session, self.shown = None, None
        self._jobs.cancel("population")

    def start(self) -> None:
        """The page is shown."""
        self._timer.start()

    def stop(self) -> None:
        """The page is hidden, or closed."""
        self._timer.stop()

    def outdate(self) -> None:
        """Something moved in the source: the figures are asked anew, soon."""
        self._moved = True

    @property
    def reading(self) -> bool:
        return self._jobs.running("population")

    @property
    def age(self) -> str:
        """ "populations 3 s old", "" while there are none."""
        if self.shown is None:
            return ""
        seconds = int(time.monotonic() - self._got_s)
        return f"populations {duration(seconds * 1_000_000_000)} old"

    def _tick(self) -> None:
        wait = _SOON_S if self._moved else _ANYWAY_S
        idle = time.monotonic() - self._asked_s
        if self._session is not None and not self.reading and idle >= max(wait, _LOAD * self._cost_s):
            self._ask()
        self.ticked.emit()

    def _ask(self, *, wanted: bool = False) -> None:
        if self._session is None:
            return
        self._asked_s, self._moved = time.monotonic(), False
        self._jobs.run(
            "population",
            self._session,
            "population",
            self._type,
            None,
            on_result=self._on_result,
            on_error=partial(self._on_error, wanted),
        )

    def _on_result(self, population: Population) -> None:
        self._got_s = time.monotonic()
        self._cost_s = self._got_s - self._asked_s
        self.shown = population
        self.arrived.emit(population)

    def _on_error(self, wanted: bool, error: PlayheadError) -> None:
        # What the user did not ask for and the next try may mend is told by the figures' age alone.
        self._moved = passes(error)
        if wanted or self.shown is None or not self._moved:
            self.failed.emit(error)
