"""Moves on the entities page: where chosen entities may go, staging, and what is staged on graph and list."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject

from app.actions_specs import Offered
from engine_bridge.actions.model import Staged, Target
from engine_bridge.errors import PlayheadError, UsageError
from engine_bridge.format import count, plain
from engine_bridge.model import Run, RunRef
from engine_bridge.populations import Flow, Population
from widgets.entities.words import role
from widgets.shell.chooser import Choice, Chooser

if TYPE_CHECKING:
    from app.entities_page import EntitiesPage

MOVE: Final = "move"
_KINDS: Final = (MOVE, "degrade")  # actions whose argument ``to`` is the status they lead to
TO: Final = "to"
_MOST: Final = 50  # moves staged one by one; more are a bulk job
_LOOKED_UP: Final = 40  # staged entities that are not at hand and are asked for


class Moves(QObject):
    """Stages moves and shows them. GUI thread. ``bar`` is the list of targets to choose from."""

    def __init__(self, page: EntitiesPage) -> None:
        super().__init__(page)
        self._page = page
        self.bar = Chooser(page.view)
        self.bar.chosen.connect(self.stage)
        self.bar.refused.connect(page.context.notify)
        self.staged: dict[RunRef, str] = {}
        self._stood: dict[RunRef, str] = {}
        self._targets: tuple[Target, ...] = ()

    # -- what is staged -------------------------------------------------------------------------------------

    def show(self, offered: Offered) -> None:
        """Brings the draft of the source to graph and list."""
        moves = [one for one in offered.draft if one.action in _KINDS and one.target.ref is not None]
        self.staged = {
            one.target.ref: str(one.args.get(TO, "")) for one in moves if one.target.ref is not None
        }
        self._stood = {ref: status for ref, status in self._stood.items() if ref in self.staged}
        self.refresh()
        self._look_up()

    def refresh(self) -> None:
        """Rows arrived or changed: staged moves begin where their entities stand now."""
        page = self._page
        for ref in self.staged:
            run = page.view.model.find(ref)
            if run is not None:
                self._stood[ref] = run.engine_status
        mine = ((self._stood.get(ref, ""), to) for ref, to in self.staged.items() if ref.group == page.type)
        page.view.graph.set_staged(Counter(mine))
        page.view.table.set_staged(self.staged)

    def _look_up(self) -> None:
        """Staged elsewhere, or scrolled out of what is at hand: one entity after the other is asked for."""
        source, page = self._page.source(), self._page
        unknown = [ref for ref in self.staged if ref not in self._stood and ref.group == page.type]
        if not unknown or source is None or source.session is None or len(self._stood) >= _LOOKED_UP:
            return

        def got(run: Run) -> None:
            self._stood[run.ref] = run.engine_status
            self.refresh()
            self._look_up()

        def lost(error: PlayheadError) -> None:
            self._stood[unknown[0]] = ""
            self._look_up()

        page.jobs.run("stood", source.session, "run", unknown[0], on_result=got, on_error=lost)

    # -- staging --------------------------------------------------------------------------------------------

    def why_not(self) -> str:
        """Why no move can be staged now, "" when one can."""
        page = self._page
        if not page.targets():
            return "choose entities first"
        return page.offered.why_not(MOVE)

    def choose(self) -> None:
        """Asks where the chosen entities shall go, declared ways first; many are moved by a bulk job."""
        page, targets = self._page, self._page.targets()
        if len(targets) > _MOST:
            page.action_requested.emit(MOVE)
            return
        self._targets = targets
        what = (
            plain(targets[0].ref.run, 60) if len(targets) == 1 and targets[0].ref else _entities(len(targets))
        )
        self.bar.open_overlay(
            f"Move {what} to …", self.choices(targets), nothing="No status it can be moved to is called so."
        )

    def choices(self, targets: tuple[Target, ...]) -> list[Choice]:
        """Every status that entities can be moved to: those that a step leads to first."""
        population = self._page.populations.shown
        found = [self._page.view.model.find(target.ref) for target in targets]
        stand = {run.engine_status for run in found if run is not None}
        nodes = population.nodes if population is not None else ()
        declared = [node.status for node in nodes if node.declared]
        names = self._offered_names() or declared or [node.status for node in nodes]
        made = [_choice(name, stand, population) for name in names if stand != {name}]
        return sorted(made, key=lambda choice: choice.group != "declared")

    def _offered_names(self) -> list[str]:
        spec = self._page.offered.spec(MOVE)
        param = next((p for p in spec.params if p.name == TO), None) if spec is not None else None
        return list(param.choices) if param is not None else []

    def stage(self, to: str) -> None:
        """Stages a move of the chosen entities, as one change of the draft."""
        why = self._page.offered.why_not(MOVE)
        if why:
            self._page.context.notify(f"Move: {why}")
            return
        args: dict[str, Any] = {TO: to}
        self._page.staging_requested.emit(
            tuple(Staged(target=target, action=MOVE, args=args) for target in self._targets)
        )

    # -- undo -----------------------------------------------------------------------------------------------

    def undo(self) -> None:
        """Takes the last staging back."""
        self._page.context.commands.run("action.undo")

    def no_undo(self) -> str:
        try:
            return self._page.context.commands.get("action.undo").when()
        except UsageError:
            return "nothing can be staged here"


def _entities(number: int) -> str:
    return f"{count(number)} entities"


def _choice(name: str, stand: set[str], population: Population | None) -> Choice:
    flows = population.flows if population is not None else ()
    ways = [flow for flow in flows if flow.target == name and flow.source in stand]
    declared = [flow for flow in ways if flow.declared]
    node = next((n for n in population.nodes if n.status == name), None) if population is not None else None
    glyph = role(node)[0] if node is not None else "status"
    group = "declared" if stand and len({flow.source for flow in declared}) == len(stand) else "not declared"
    return Choice(name, name, group, _note(ways, declared, stand), icon=glyph)


def _note(ways: list[Flow], declared: list[Flow], stand: set[str]) -> str:
    """What leads there: steps and who may, or how often it was observed all the same."""
    if declared:
        steps = ", ".join(dict.fromkeys(step for flow in declared for step in flow.steps))
        who = ", ".join(dict.fromkeys(name for flow in declared for name in flow.requesters))
        some = "" if len(declared) >= len(stand) else f" (from {len(declared)} of {len(stand)} statuses)"
        return plain(" · ".join(filter(None, (f"step {steps}" if steps else "", who))) + some, 120)
    seen = sum(flow.count for flow in ways)
    return f"observed {count(seen)}×" if seen else "no step leads there"
