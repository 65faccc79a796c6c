"""Pictures of every main view, drawn by the real window without a display: for ``make demo`` and the docs.

The window is driven through its own commands and focus, as a user would; nothing is drawn for the picture alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine_bridge.bridge import Capability
from engine_bridge.errors import NotFoundError, PlayheadError
from engine_bridge.focus import Focus
from engine_bridge.model import Run, RunRef

if TYPE_CHECKING:
    from app.context import Source
    from app.window import MainWindow

_OPEN_S: Final = 30.0
_SETTLE_S: Final = 10.0
_CALM: Final = 240  # passes of 5 ms: late questions (counts, charts) start within a second
_STREAMS: Final = ("tail", "live", "changes")


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: its name, the page, which run (a field of ``Cast``, or an id), a position, and commands to run
    first; of entities their type and a filter. ``act`` is what else a user would do on the page.
    """

    name: str
    page: str
    run: str = ""
    position: int | None = None
    commands: tuple[str, ...] = ()
    type: str = ""
    query: str = ""
    act: Callable[[MainWindow], None] | None = None


def _compare_next(window: MainWindow) -> None:
    """Enters the demo's next release as the new config."""
    from app.demo_community import MAPPING, NEXT
    from app.impact_page import ImpactPage

    page = window.router.pages.get("impact")
    if isinstance(page, ImpactPage):
        page.view.old.set_places((str(MAPPING.parent / "registration.json"),))
        page.view.new.set_places((str(NEXT),))
        page.compare()


SHOTS: Final = (
    Shot("welcome", "welcome"),
    Shot("runs", "runs"),
    Shot("run", "run", "waiting"),
    Shot("run_playhead", "run", "completed", 9),
    Shot("run_failed", "run", "failed", None, ("run.show_failures",)),
    Shot("run_graph", "run", "completed", None, ("run.show_graph", "run.show_relations")),
    Shot("failures", "failures"),
    Shot("resources", "resources"),
    Shot("palette", "runs", "", None, ("app.palette",)),
    Shot("keys", "run", "waiting", None, ("app.keys",)),
)
_STUCK: Final = "u-48213"
ENTITY_SHOTS: Final = (
    Shot("entities", "entities", type="registration", query="state == pending_documents and failures > 0"),
    Shot("entities_claims", "entities", type="invoice", query="stuck"),
    Shot("entities_list", "runs"),
    Shot("entity", "run", _STUCK, None, ("run.show_events", "run.show_next")),
    Shot("entity_graph", "run", _STUCK, None, ("run.show_failures", "run.show_graph")),
    Shot("entity_failures", "failures"),
    Shot("entity_resources", "resources"),
    Shot("config", "config", type="registration"),
    Shot("impact", "impact", type="registration", act=_compare_next),
)
"""For a source whose runs are entities; pages that it or this window lacks are left out."""


def shots_of(source: Source) -> tuple[Shot, ...]:
    """The pictures that tell most about a source."""
    shots = SHOTS if source.can(Capability.POPULATION) else ENTITY_SHOTS
    return tuple(shot for shot in shots if _has(source, shot.page))


def _has(source: Source, page: str) -> bool:
    from app.pages import missing, spec_of

    spec = spec_of(page)
    return page == "welcome" or (spec is not None and not missing(spec, source))


@dataclass(frozen=True, slots=True)
class Cast:
    """The runs that play in the pictures, picked from what the source holds."""

    waiting: Run
    failed: Run
    completed: Run


class Shooter:
    """Draws pictures of one source into a folder. GUI thread, and it alone: it spins the event loop itself."""

    def __init__(self, window: MainWindow, folder: Path) -> None:
        self._window = window
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def open(self, target: str, title: str | None = None) -> Source:
        """Opens a source and waits for it. Raises its error."""
        self._window.open(target, title)
        source = self._window.sources.all()[-1]
        self._spin(lambda: source.info is not None or source.error is not None, _OPEN_S)
        if source.error is not None:
            raise source.error
        if source.info is None:
            raise PlayheadError(f"{source.title} did not open within {_OPEN_S:.0f} s.", "Try again.")
        return source

    def shoot(
        self, source: Source, suffix: str = "", shots: tuple[Shot, ...] | None = None
    ) -> Iterator[Path]:
        """Draws each shot, yielding the files as they are written; those that suit the source unless some are given."""
        cast = cast_of(source)
        for shot in shots_of(source) if shots is None else shots:
            yield self._shoot(source, shot, _ref_of(source, cast, shot.run), suffix)

    def _shoot(self, source: Source, shot: Shot, ref: RunRef | None, suffix: str) -> Path:
        window = self._window
        window.focus.set(Focus(page="welcome"))
        if shot.page != "welcome":
            where = Focus(page=shot.page, source=source.key, run=ref, position=shot.position)
            window.focus.set(where.with_(type=shot.type or None, query=shot.query))
        self.settle()
        if shot.act is not None:
            shot.act(window)
            self.settle()
        for command in shot.commands:
            window.run_command(command)
            self.settle()
        path = self._folder / f"{shot.name}{suffix}.png"
        if not window.grab().save(str(path), "PNG"):
            raise PlayheadError(f"{path} cannot be written.", "Choose another folder, or free some space.")
        window.overlays.close()
        return path

    def settle(self) -> None:
        """Waits until no page has awaited anything but its live stream for a moment, and the paints are done."""
        self._spin(self._idle, _SETTLE_S, calm_for=_CALM)

    def _idle(self) -> bool:
        return not any(page.jobs.waiting(_STREAMS) for page in self._window.router.pages.all())

    def _spin(self, done: Callable[[], bool], seconds: float, calm_for: int = 5) -> None:
        from PySide6.QtWidgets import QApplication

        deadline = time.monotonic() + seconds
        calm = 0
        while time.monotonic() < deadline and calm < calm_for:
            QApplication.processEvents()
            calm = calm + 1 if done() else 0
            time.sleep(0.005)


def _ref_of(source: Source, cast: Cast, name: str) -> RunRef | None:
    if not name:
        return None
    run: Run | None = getattr(cast, name, None)
    if run is None and source.session is not None:
        found = source.session.call("find", name, 1).result(_OPEN_S)
        run = found[0] if found else cast.waiting
    return run.ref if run is not None else None


def cast_of(source: Source) -> Cast:
    """Picks runs that have a story: one of each kind. Raises NotFoundError in an empty source."""
    runs = _newest(source)
    if not runs:
        raise NotFoundError("This source holds no runs to draw.")

    def best(wanted: Callable[[Run], bool]) -> Run:
        fitting = [run for run in runs if wanted(run) and run.parent is None] or runs
        return max(fitting, key=lambda run: min(run.steps_done or 0, 20))

    return Cast(
        waiting=best(
            lambda r: not r.status.closed and r.blocked_on is not None and r.blocked_on.kind == "signal"
        ),
        failed=best(lambda r: r.status.bad),
        completed=best(lambda r: r.status.closed and not r.status.bad),
    )


def _newest(source: Source) -> list[Run]:
    from engine_bridge.bridge import Sort

    if source.session is None:
        return []
    page = source.session.call("runs", None, Sort(), None, "forward", 300).result(_OPEN_S)
    return list(page.items)
