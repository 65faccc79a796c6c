"""Keeps the state of open sources true: does each still answer, and how many runs and failures has it?"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer

from app.context import Source
from app.jobs import Jobs
from app.sources import Sources
from engine_bridge.bridge import Capability, Changes, Facets
from engine_bridge.errors import ConnectError, PlayheadError

if TYPE_CHECKING:
    from engine_bridge.session import Session

_EVERY_MS: Final = 2_000
_FIRST_MS: Final = 300
"""Until counts are asked for first: the rows that the user waits for go before them."""
_LATE_S: Final = 3.0


@dataclass(slots=True)
class _Watched:
    session: Session
    mark: bytes | None = None
    asked_s: float = 0.0
    counted_s: float = 0.0
    cost_s: float = 0.0
    moved: bool = True
    wants: set[str] = field(default_factory=set)


class Watch(QObject):
    """Asks each open source every two seconds whether anything moved. GUI thread; reads go through sessions.

    A ConnectError, or silence for three seconds, makes a source stale; the next answer makes it live again.
    Counts are read again when something moved, and never take more than a twentieth of the time.
    """

    def __init__(self, sources: Sources, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sources = sources
        self._jobs = Jobs(self)
        self._watched: dict[str, _Watched] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._tick)
        sources.changed.connect(self._on_source)

    def stop(self) -> None:
        self._timer.stop()
        self._jobs.cancel_all()
        self._sources.changed.disconnect(self._on_source)

    def _on_source(self, key: str) -> None:
        source = self._sources.get(key)
        session = source.session if source else None
        known = self._watched.get(key)
        if session is None:
            if self._watched.pop(key, None) is not None:
                self._jobs.cancel(f"ask {key}")
                self._jobs.cancel(f"count {key}")
        elif known is None or known.session is not session:
            self._watched[key] = watched = _Watched(session)
            QTimer.singleShot(_FIRST_MS, self, lambda: self._first(key, watched))
        if self._watched and not self._timer.isActive():
            self._timer.start()
        elif not self._watched:
            self._timer.stop()

    def _first(self, key: str, watched: _Watched) -> None:
        source = self._sources.get(key)
        if source is not None and self._watched.get(key) is watched and self._timer.isActive():
            self._count(source, watched)

    def _tick(self) -> None:
        for key, watched in list(self._watched.items()):
            source = self._sources.get(key)
            if source is None:
                continue
            if self._jobs.running(f"ask {key}"):
                if time.monotonic() - watched.asked_s > _LATE_S:
                    self._sources.mark(key, "stale", _silent(watched))
            else:
                self._ask(source, watched)

    def _ask(self, source: Source, watched: _Watched) -> None:
        key = source.key
        watched.asked_s = time.monotonic()

        def answered(changes: object) -> None:
            if isinstance(changes, Changes):
                watched.mark = changes.mark
                watched.moved = watched.moved or changes.moved
            self._sources.mark(key, "live")
            if watched.moved:
                self._count(source, watched)

        def failed(error: PlayheadError) -> None:
            if isinstance(error, ConnectError):
                self._sources.mark(key, "stale", error)

        slot, session = f"ask {key}", watched.session
        if source.can(Capability.CHANGES) == "":
            self._jobs.run(slot, session, "changes", watched.mark, (), on_result=answered, on_error=failed)
        else:
            self._jobs.run(slot, session, "now_ns", on_result=answered, on_error=failed)

    def _count(self, source: Source, watched: _Watched) -> None:
        now, slot = time.monotonic(), f"count {source.key}"
        early = now - watched.counted_s < max(1.0, 20 * watched.cost_s) and watched.counted_s
        if early or source.can(Capability.FACETS) or self._jobs.running(slot):
            return
        watched.counted_s, watched.moved = now, False

        def counted(facets: Facets) -> None:
            watched.cost_s = time.monotonic() - now
            bad = sum(facets.by_status.get(status, 0) for status in ("failed", "timed_out", "terminated"))
            failures = bad if facets.failures is None else facets.failures
            self._sources.set_counts(
                source.key, {"runs": facets.total, "failures": failures} if facets.exact else {}
            )

        self._jobs.run(
            slot, watched.session, "facets", None, 0, on_result=counted, on_error=lambda error: None
        )


def _silent(watched: _Watched) -> ConnectError:
    seconds = int(time.monotonic() - watched.asked_s)
    return ConnectError(
        f"No answer for {seconds} s.", "What is shown may be old; it is tried again by itself."
    )
