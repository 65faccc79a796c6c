"""The Next steps tab: asks the source which step applies to the open entity, and stages what the user chooses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject

from app.actions_specs import Offered
from engine_bridge.actions.model import ActionSpec, Staged
from engine_bridge.bridge import Capability
from engine_bridge.errors import PlayheadError
from engine_bridge.model import Run, RunRef
from engine_bridge.populations import Resolution
from widgets.run.next_steps import NextStepsPane, Offer
from widgets.run.panes import Pane

if TYPE_CHECKING:
    from app.run_page import RunPage

MOVE: Final = "move"
RETRY: Final = "retry_step"
PANE: Final = "next"


class NextSteps(QObject):
    """Only for sources whose workflows are declared in configs. GUI thread."""

    def __init__(self, page: RunPage) -> None:
        super().__init__(page)
        self._page = page
        self._offered = Offered()
        self._asked: tuple[RunRef, str, str | None] | None = None
        self._question: tuple[str, dict[str, Any]] = ("", {})
        self.pane = NextStepsPane()
        view = page.view
        view.right.add(Pane(PANE, "Next steps", self.pane))
        view.right.set_shown(PANE, False)
        view.right.currentChanged.connect(lambda _: self.look())
        self.pane.asked.connect(self._on_asked)
        self.pane.move_requested.connect(self._move)
        self.pane.retry_requested.connect(self._retry)

    def why_not(self) -> str:
        """Why there is no such tab now, "" when there is."""
        source = self._page.source()
        return "no source is open" if source is None else source.can(Capability.CONFIG)

    def forget(self) -> None:
        """Another run comes: nothing is known of it."""
        self._asked = None
        self._question = ("", {})
        self.pane.stop()
        self._page.jobs.cancel("next")
        self._page.view.right.set_shown(PANE, not self.why_not())
        self.pane.show_words("Which step applies is asked when this tab is shown.")

    def _shown(self) -> bool:
        return self._page.view.right.current_id == PANE and not self.why_not()

    def look(self) -> None:
        """Asks, when the tab is shown and the entity is not the one, or not where, it was asked about last."""
        run = self._page.feed.history.run
        if run is None or not self._page.view.loaded or not self._shown():
            return
        if self._asked != _state(run):
            self._ask(run)

    def _on_asked(self, question: tuple[str, dict[str, Any]]) -> None:
        self._question = question
        run = self._page.feed.history.run
        if run is not None and self._shown():
            self._ask(run)

    def _ask(self, run: Run) -> None:
        """Asks for the chosen requester, then for every other one: who could go on is what one comes to see."""
        self._asked = _state(run)
        requester, data = self._question
        found: dict[str, Resolution] = {}

        def arrived(one: Resolution) -> None:
            if not found:
                self._show(one)
            found[one.requester] = one
            left = [name for name in one.requesters if name not in found]
            if left:
                self._call(run.ref, left[0], data, arrived, self._page.context.report)
            else:
                self._surveyed(found)

        self._call(run.ref, requester, data, arrived, self.pane.show_error)

    def _call(
        self,
        ref: RunRef,
        requester: str,
        data: dict[str, Any],
        arrived: Callable[[Resolution], None],
        failed: Callable[[PlayheadError], None],
    ) -> None:
        source = self._page.source()
        if source is not None and source.session is not None:
            self._page.jobs.run(
                "next",
                source.session,
                "next_steps",
                ref,
                requester,
                data,
                on_result=arrived,
                on_error=failed,
            )

    def _show(self, found: Resolution) -> None:
        self.pane.show_resolution(found)
        self._tell_offers()

    def _surveyed(self, found: dict[str, Resolution]) -> None:
        """Every requester was asked for; while nobody chose one, the first who can go on is shown."""
        self.pane.set_survey({name: one.step for name, one in found.items()})
        fitting = next((one for one in found.values() if one.step), None)
        if not self._question[0] and fitting is not None:
            self._show(fitting)

    def show_offered(self, offered: Offered) -> None:
        """What can be done to the entity now."""
        self._offered = offered
        self._tell_offers()

    def _tell_offers(self) -> None:
        self.pane.set_offers(self._offer(MOVE, "to"), self._offer(RETRY, "step"))

    def _offer(self, action: str, param: str) -> Offer:
        why, spec = self._offered.why_not(action), self._offered.spec(action)
        chosen = next((p.choices for p in spec.params if p.name == param), ()) if spec is not None else ()
        return Offer(why, chosen or None)

    def _move(self, target: str) -> None:
        self._stage(MOVE, {"to": target})

    def _retry(self, wanted: tuple[str, str]) -> None:
        step, requester = wanted
        data = self.pane.data
        self._stage(RETRY, {"step": step, "requester": requester} | ({"data": data} if data else {}))

    def _stage(self, action: str, args: dict[str, Any]) -> None:
        """Stages at once what needs no more than this; asks for the rest in the action's form."""
        spec, targets = self._offered.spec(action), self._offered.targets
        if spec is None or len(targets) != 1:
            return
        known = {param.name for param in spec.params}
        given = {name: value for name, value in args.items() if name in known}
        refused = _unfit(spec, given)
        if refused:
            self._page.context.notify(refused)
        elif any(p.required and p.default is None and p.name not in given for p in spec.params):
            self._page.action_requested.emit(action)
        else:
            defaults = {p.name: p.default for p in spec.params if p.default is not None}
            staged = Staged(target=targets[0], action=action, args={**defaults, **given})
            self._page.staging_requested.emit((staged,))


def _unfit(spec: ActionSpec, given: dict[str, Any]) -> str:
    """Why an action cannot take what was chosen here, "" when it can."""
    for param in spec.params:
        value = given.get(param.name)
        if param.choices and value is not None and value not in param.choices:
            return (
                f"{spec.title.rstrip('… ')} does not offer {value}: {', '.join(param.choices) or 'nothing'}."
            )
    return ""


def _state(run: Run) -> tuple[RunRef, str, str | None]:
    return run.ref, run.engine_status, run.version
