"""Operator actions on the run page: buttons in the header, the Operators tab, marks on the timeline, the step menu."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMenu

from app.actions_specs import Offered
from engine_bridge.actions.model import ActionSpec, ParamType, PlanItem, Staged, Target
from engine_bridge.model import Run
from widgets.actions.buttons import ActionButtons
from widgets.actions.menu import add_actions
from widgets.journal.entries import Entry
from widgets.journal.table import EntryTable
from widgets.run.panes import Pane
from widgets.timeline.state import Stamp

if TYPE_CHECKING:
    from app.run_page import RunPage

FIRST: Final = ("signal", "cancel", "fork", "reset", "resume", "terminate")
_MARKS: Final = {"again": "retrying", "applied": "signal", "left": "cancelled"}
_COLUMNS: Final = ("when", "who", "action", "outcome", "reason")


class RunActions(QObject):
    """What of the run page belongs to operators. GUI thread."""

    def __init__(self, page: RunPage) -> None:
        super().__init__(page)
        self._page = page
        self._state: object = None
        self._offered = Offered()
        self._trail: tuple[Entry, ...] = ()
        self._plan: tuple[PlanItem, ...] = ()
        self.buttons = ActionButtons()
        self.operators = EntryTable("What operators did to this run", _COLUMNS)
        self.operators.set_placeholder(
            "The journal knows of no action on this run. A lists what can be done."
        )
        view = page.view
        view.header.side.addWidget(self.buttons)
        view.left.add(Pane("operators", "Operators", self.operators))
        view.step_menu_filled.connect(self._add_step_actions)
        self.buttons.chosen.connect(page.action_requested)
        self.operators.entry_opened.connect(lambda _: page.context.focus.change(page="journal"))

    def targets(self) -> tuple[Target, ...]:
        """The open run, once it is read."""
        page = self._page
        run = page.feed.history.run if page.view.loaded else None
        if run is None or run.ref != page.context.focus.current.run:
            return ()
        return (Target(kind="run", id=str(run.ref), title=run.type, ref=run.ref),)

    def tell_targets(self) -> None:
        """Says that actions may mean something else now: another run, or the same one in another state."""
        run = self._page.feed.history.run
        state = (
            None if run is None else (run.ref, run.status, run.engine_status, run.blocked_on, run.attempts)
        )
        if state != self._state:
            self._state = state
            self._page.targets_changed.emit()

    def show_offered(self, offered: Offered) -> None:
        """Buttons, and what is staged on this run."""
        self._offered = offered
        found = sorted(offered.with_reasons(), key=_rank)
        self.buttons.set_actions(found, _wanted(self._page.feed.history.run))
        titles = {spec.id: spec.title.rstrip("… ") for spec in offered.specs}
        self._page.view.header.show_staged(tuple(titles.get(s.action, s.action) for s in offered.staged))
        self._show_stamps()

    def show_plan(self, items: tuple[PlanItem, ...]) -> None:
        """What is planned: on the timeline stands where this run's history is cut, and what comes again."""
        self._plan = items
        self._show_stamps()

    def show_trail(self, entries: tuple[Entry, ...]) -> None:
        """What operators did to this run, newest first."""
        self._trail = entries
        self.operators.set_entries(entries, self._page.context.settings.zone())
        self._page.view.left.set_count("operators", str(len(entries)) if entries else "")
        self._show_stamps()

    def _show_stamps(self) -> None:
        done = (Stamp(entry.time_ns, _words(entry)) for entry in self._trail)
        staged = ((self._start_of(one), one.action) for one in self._offered.staged)
        planned = (Stamp(at, f"staged: {name}", staged=True) for at, name in staged if at is not None)
        cut = self._cut()
        marks = () if cut is None else tuple(self._marks(cut))
        self._page.view.timeline.set_stamps((*done, *(planned if cut is None else ()), *marks))
        self._page.view.timeline.set_dropped(
            None if cut is None or cut.cut is None else self._time_of(cut.cut)
        )

    def _cut(self) -> PlanItem | None:
        """The plan that drops a part of this run's history, if one does."""
        run = self._page.feed.history.run
        mine = (item for item in self._plan if run is not None and item.staged.target.ref == run.ref)
        return next((item for item in mine if item.cut is not None and not item.refused), None)

    def _marks(self, item: PlanItem) -> Iterator[Stamp]:
        """Where the history is cut, and what lies behind it that comes again."""
        for mark in item.marks:
            at = self._time_of(mark.position)
            if at is not None:
                yield Stamp(at, mark.words, glyph=_MARKS[mark.kind])
        at = self._time_of(item.cut) if item.cut is not None else None
        if at is not None:
            yield Stamp(at, f"{item.staged.action}: kept up to here", staged=True)

    def _time_of(self, position: int) -> int | None:
        """When an event happened, None for one that is not at hand."""
        history = self._page.feed.history
        row = history.row_of(position)
        return int(history.events["time_ns"][row]) if row >= 0 else None

    def _start_of(self, staged: Staged) -> int | None:
        """When the step began that a staged action starts at, None when it names none."""
        spec, history = self._offered.spec(staged.action), self._page.feed.history
        names = [p.name for p in spec.params if p.type is ParamType.STEP] if spec is not None else []
        steps = [str(staged.args[name]) for name in names if name in staged.args]
        row = history.step_row(steps[0]) if steps else -1
        return history.step(row).start_ns if row >= 0 else None

    def _add_step_actions(self, menu: QMenu) -> None:
        """Actions that start at a step: the one whose menu this is has been selected."""
        actions = [
            (spec, why)
            for spec, why in self._offered.with_reasons()
            if any(param.type is ParamType.STEP for param in spec.params)
        ]
        add_actions(menu, actions, self._page.action_requested.emit)


def _rank(offer: tuple[ActionSpec, str]) -> tuple[int, bool]:
    """What engines call their common actions first; of the others, those that can be done now."""
    spec, why = offer
    return (FIRST.index(spec.id), False) if spec.id in FIRST else (len(FIRST), bool(why))


def _wanted(run: Run | None) -> str:
    """The action that the state of a run suggests."""
    if run is None:
        return ""
    if run.extra.get("stuck"):
        return "release_claim"
    return "signal" if run.blocked_on is not None and run.blocked_on.kind == "signal" else ""


def _words(entry: Entry) -> str:
    """What a mark on the timeline says."""
    return "\n".join(filter(None, (f"{entry.action}: {entry.words}", entry.who, entry.reason)))
