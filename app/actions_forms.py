"""Opens the form of an action on what is chosen, and stages what it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from app.actions_rehearse import Rehearsals
from app.actions_specs import Offered
from app.context import Source
from engine_bridge.actions.model import ActionSpec, Staged, Target
from engine_bridge.format import count, plain
from widgets.actions.form import ActionForm

if TYPE_CHECKING:
    from app.actions_desk import Desk


def target_words(targets: tuple[Target, ...]) -> str:
    """ "fulfil_order order-00022", "12 runs"."""
    if len(targets) == 1:
        target = targets[0]
        return plain(f"{target.title} {target.label}".strip(), 160)
    return f"{count(len(targets))} runs"


class Forms(QObject):
    """One form at a time. GUI thread."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._rehearsals = Rehearsals(desk)
        self.view: ActionForm | None = None

    def open(self, action: str, offered: Offered | None = None) -> None:
        """Starts an action on what is chosen now, or on what was asked about. Without parameters it is planned at
        once."""
        offered, source = offered or self._desk.offered, self._desk.source()
        why = offered.why_not(action)
        spec = offered.spec(action)
        if why or spec is None or source is None:
            self._desk.window.notify(f"{plain(spec.title if spec else action)}: {why}")
            return
        if len(offered.targets) > 1:
            self._desk.bulk.begin(source, spec, offered.targets)
        elif spec.params or self._rehearsals.what_if(source, spec, offered.targets[0]) is not None:
            self._show(source, spec, offered.targets[0])
        else:
            self._stage(source, spec, offered.targets[0], {}, review=True)

    def _show(self, source: Source, spec: ActionSpec, target: Target, edited: Staged | None = None) -> None:
        self.stop()
        what_if = self._rehearsals.what_if(source, spec, target)
        form = self.view = ActionForm(spec, rehearses=what_if is not None)
        if what_if is not None:
            self._rehearsals.offer(form, source, target, what_if)
        step = self._desk.window.focus.current.step_id
        if edited is not None:
            form.set_args(edited.args)
        elif step is not None and spec.params:
            for name in form.step_params:
                form.take_step(name, step)
        form.step_wanted.connect(lambda name: self._take_step(form, name))
        form.stage_requested.connect(
            lambda args: self._stage(source, spec, target, args, review=False, edited=edited)
        )
        form.plan_requested.connect(
            lambda args: self._stage(source, spec, target, args, review=True, edited=edited)
        )
        self._desk.show(form, spec.title, source, target_words((target,)))
        form.begin()

    def _take_step(self, form: ActionForm, name: str) -> None:
        step = self._desk.window.focus.current.step_id
        if step is None:
            self._desk.window.notify("Select a step on the timeline, in the graph or in the events first.")
        else:
            form.take_step(name, step)

    def _stage(
        self,
        source: Source,
        spec: ActionSpec,
        target: Target,
        args: dict[str, Any],
        *,
        review: bool,
        edited: Staged | None = None,
    ) -> None:
        staged = Staged(target=target, action=spec.id, args=args)
        if edited is not None:
            self._desk.drafts.replace(source.key, edited, staged)
        else:
            self._desk.drafts.add(source.key, staged)
        if review:
            self._desk.review.open()
        else:
            self._desk.close_sheet()
        self.stop()
        if not review:
            self._desk.window.notify(f"Staged: {spec.title.rstrip('… ')}. Ctrl+E reviews what is staged.")

    def submit(self) -> None:
        """As the form's Plan button."""
        if self.view is not None:
            self.view.submit()

    def no_rehearsal(self) -> str:
        """Why the form has no dry run; "" when it has one."""
        offered = self.view is not None and not self.view.rehearse_button.isHidden()
        return (
            ""
            if offered
            else "only signals, updates and the like, of the run on show, where its code can be replayed"
        )

    def rehearse(self) -> None:
        """As the form's Dry Run button."""
        if self.view is not None and not self.no_rehearsal():
            self.view.rehearse_button.click()

    def stop(self) -> None:
        """Drops the form."""
        form, self.view = self.view, None
        if form is not None:
            form.stop()
            self._desk.window.sheet.drop(form)

    def edit(self, staged: Staged) -> None:
        """Asks the source for the action's form again, filled with what was staged."""
        source = self._desk.source()
        if source is None:
            return

        def arrived(specs: list[ActionSpec]) -> None:
            spec = next((s for s in specs if s.id == staged.action), None)
            if spec is None or not spec.params:
                self._desk.window.notify("This action has no parameters.")
            else:
                self._show(source, spec, staged.target, staged)

        self._ask(source, staged.target, arrived)

    def choose_on(self, source: Source, target: Target) -> None:
        """Asks what can be done to a target that is no row of the page, lists it, and starts what is chosen."""

        def arrived(specs: list[ActionSpec]) -> None:
            offered = Offered(targets=(target,), specs=tuple(specs))
            self._desk.window.overlays.actions(offered, lambda action: self.open(action, offered))

        self._ask(source, target, arrived)

    def _ask(self, source: Source, target: Target, arrived: Callable[[list[ActionSpec]], None]) -> None:
        if source.session is not None:
            failed = self._desk.window.report
            self._desk.jobs.run("form", source.session, "actions", target, on_result=arrived, on_error=failed)
