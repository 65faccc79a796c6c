"""Plans the draft of the focused source, asks for reason and confirmation, and executes or refuses."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.context import Source
from app.jobs import Jobs
from engine_bridge.actions.confirm import fits, needed, reason_needed
from engine_bridge.actions.model import Danger, Plan, PlanItem, Staged
from engine_bridge.errors import PlayheadError
from widgets.actions.review import ReviewView

if TYPE_CHECKING:
    from app.actions_desk import Desk


class Review(QObject):
    """One review at a time. GUI thread."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._jobs = Jobs(self)
        self.view: ReviewView | None = None
        self.plan: Plan | None = None
        self._key = ""
        self._reasoned: tuple[Staged, ...] = ()
        desk.drafts.changed.connect(self._on_draft)
        desk.unlocks.changed.connect(lambda key: self._show_blocked())

    def open(self, *, begin: bool = True) -> None:
        """Reviews what is staged on the focused source; ``begin`` gives the review the keyboard."""
        source = self._desk.source()
        if source is None:
            return
        if self.view is None or self._key != source.key:
            self.stop()
            self._key = source.key
            view = self.view = ReviewView()
            view.execute_requested.connect(self.execute)
            view.discard_requested.connect(self._desk.discard)
            view.undo_requested.connect(self._desk.undo_staging)
            view.removed.connect(lambda staged: self._desk.drafts.remove(self._key, staged))
            view.edited.connect(self._on_edit)
            view.copied.connect(lambda kind: self._desk.window.notify(f"Copied as {kind}."))
            view.export_requested.connect(lambda: self._desk.exports.start())
            view.changed.connect(self._show_blocked)
        staged = self._desk.drafts.staged(self._key)
        if self._desk.sheet_page() is not self.view and staged != self._reasoned:
            self.view.reason.clear()  # it was written for something else
        self._reasoned = staged
        self._desk.show(self.view, "Review", source)
        self.replan()
        if begin:
            self.view.begin()

    def stop(self) -> None:
        """Nothing shows it any more."""
        self._jobs.cancel_all()
        view, self.view, self.plan = self.view, None, None
        self.show_on_page()
        if view is not None:
            view.stop()
            self._desk.window.sheet.drop(view)

    def _source(self) -> Source | None:
        return self._desk.window.sources.get(self._key)

    def _on_draft(self, key: str) -> None:
        if self.view is not None and key == self._key:
            self.replan()

    def _on_edit(self, staged: Staged) -> None:
        self._desk.forms.edit(staged)

    def replan(self) -> None:
        """Plans the draft again: what is confirmed is what was planned last."""
        source, view = self._source(), self.view
        if view is None:
            return
        staged = self._desk.drafts.staged(self._key)
        self.plan = None
        self.show_on_page()
        self._jobs.cancel_all()
        view.show_planning(len(staged))
        self._show_blocked()
        if staged and source is not None and source.session is not None:
            self._jobs.run(
                "plan", source.session, "plan", staged, on_result=self._on_planned, on_error=self._on_error
            )

    def _on_planned(self, items: list[PlanItem]) -> None:
        source = self._source()
        if self.view is None or source is None or source.info is None:
            return
        environment = source.info.environment.value
        self.plan = Plan(id=str(uuid.uuid4()), source=source.url, environment=environment, items=tuple(items))
        self.show_on_page()
        self.view.show_plan(self.plan, self.needed)
        destroys = any(item.danger is Danger.DESTROYS for item in self.plan.runnable)
        self.view.export_button.setVisible(destroys)
        self.view.undo_button.setEnabled(self._desk.drafts.can_undo(self._key))
        self._show_blocked()

    def show_on_page(self) -> None:
        """The page shows what the plan will do to what it shows."""
        page, own = self._desk.page(), self._key == self._desk.window.focus.current.source
        if page is not None:
            page.show_plan(self.plan.items if own and self.plan is not None else ())

    def _on_error(self, error: PlayheadError) -> None:
        if self.view is not None:
            self.view.show_error(str(error))

    @property
    def needed(self) -> str:
        """What must be typed, "" for nothing."""
        return needed(self.plan) if self.plan is not None else ""

    def blocked(self) -> str:
        """Why the plan cannot be executed now; "" when it can."""
        if self.view is None:
            return "no plan is under review"
        if not self._desk.drafts.staged(self._key):
            return "nothing is staged"
        if self.plan is None:
            return "the plan is being made"
        if not self.plan.runnable:
            return "every item is refused"
        if self._desk.executions.running:
            return "another execution is under way"
        return self._locked() or self._unsaid()

    def _locked(self) -> str:
        source = self._source()
        title = source.title if source else ""
        return (
            ""
            if self._desk.unlocks.unlocked(self._key)
            else f"{title} is read-only: unlock it first (Ctrl+L)"
        )

    def _unsaid(self) -> str:
        view = self.view
        if view is None or self.plan is None:
            return ""
        if self.reason_needed and not view.reason.text().strip():
            return "write the reason"
        if self.needed and not fits(view.confirm.text(), self.needed):
            return f"type {self.needed} to confirm"
        return ""

    def _mistyped(self) -> bool:
        """Whether something else was typed than what confirms."""
        typed = self.view.confirm.text().strip() if self.view is not None else ""
        return bool(self.needed and typed and not fits(typed, self.needed))

    @property
    def reason_needed(self) -> bool:
        wanted = self._desk.window.settings.get("reason_required")
        return self.plan is not None and reason_needed(self.plan, wanted)

    def _show_blocked(self) -> None:
        if self.view is not None:
            why = self.blocked()
            self.view.set_blocked(why, "lock" if why and why == self._locked() else "info")

    def execute(self) -> None:
        """Executes the plan under review; a refused attempt is told, and journalled when a plan was there."""
        why, plan, source = self.blocked(), self.plan, self._source()
        if self.view is None or plan is None or source is None:
            self._desk.window.notify(f"Not executed: {why}.")
            return
        reason = self.view.reason.text().strip()
        if why:
            self._desk.window.notify(f"Not executed: {why}.")
            if why == self._locked() or self._mistyped():
                self._desk.deny(plan, why, reason)
            return
        self._desk.executions.start(source, plan, reason)
        self.stop()
