"""The runs around the one on show: read when its history is read, and again when they may be others. GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer

from engine_bridge.bridge import Capability, Relation, Relations
from engine_bridge.codes import STEP_KINDS
from engine_bridge.errors import PlayheadError
from engine_bridge.history import History
from engine_bridge.model import StepKind

if TYPE_CHECKING:
    from app.run_page import RunPage

_PAGE: Final = 100
_SETTLE_MS: Final = 1_500  # a server's lists learn of a run a moment after its history does
_CHILD: Final = STEP_KINDS.index(StepKind.CHILD)


class RunRelations(QObject):
    """Pages of relations for the view. What was read stays in sight while it is read again."""

    def __init__(self, page: RunPage) -> None:
        super().__init__(page)
        self._page = page
        self._items: list[Relation] = []
        self._after: bytes | None = None
        self._state: object = None
        self._told: int | None = None
        self._missed = False  # whether they were to be read again while another page was on the screen
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.timeout.connect(self._read_again)

    def forget(self) -> None:
        """Another run is shown."""
        self._timer.stop()
        self._page.jobs.cancel("relations")
        self._items, self._after, self._state, self._told, self._missed = [], None, None, None, False

    def begin(self) -> None:
        """The history is read."""
        self._items, self._after = [], None
        source = self._page.source()
        missing = source.can(Capability.RELATIONS) if source is not None else ""
        if missing:
            self._page.view.relations.show_none(missing)
            return
        self._state = _state(self._page.feed.history)
        self.more()

    def more(self) -> None:
        """Reads the next page."""
        self._ask(self._after, _PAGE, quiet=False)

    def look(self) -> None:
        """The history grew: another state of the run or of a child may be another relation."""
        state = _state(self._page.feed.history) if self._state is not None else None
        if state != self._state:
            self._state = state
            self._timer.start()

    def resume(self) -> None:
        """The page is shown again."""
        if self._missed:
            self._timer.start()

    def acted(self, entries: int) -> None:
        """So many actions of operators are known: one more may have made a run."""
        before, self._told = self._told, entries
        if before is not None and entries > before and self._state is not None:
            self._timer.start()

    def _read_again(self) -> None:
        self._missed = self._page.context.focus.current.page != self._page.name
        if not self._missed:
            self._ask(None, max(_PAGE, len(self._items)), quiet=True)

    def _ask(self, after: bytes | None, limit: int, *, quiet: bool) -> None:
        source, run = self._page.source(), self._page.context.focus.current.run
        if source is None or source.session is None or run is None:
            return

        def arrived(found: Relations) -> None:
            self._items = [*(self._items if after is not None else ()), *found.items]
            self._after = found.after
            self._page.view.set_relations(tuple(self._items), more=found.after is not None)

        def failed(error: PlayheadError) -> None:
            if not quiet:
                self._page.view.relations.set_error(error)

        self._page.jobs.run(
            "relations", source.session, "related", run, after, limit, on_result=arrived, on_error=failed
        )


def _state(history: History) -> object:
    """What relations follow from: the run's status, and how its children stand. Cost O(steps), some microseconds."""
    run, steps = history.run, history.steps
    children = steps["kind"] == _CHILD
    return (run and run.status, int(children.sum()), int(steps["status"][children].sum()))
