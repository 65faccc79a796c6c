"""Dry runs: what the code of a run would do about an action, before anything is planned or sent. GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine_bridge.actions.model import ActionSpec, Staged, Target
from engine_bridge.bridge import Capability
from engine_bridge.errors import PlayheadError
from engine_bridge.replay.model import Edit

if TYPE_CHECKING:
    from app.actions_desk import Desk
    from app.context import Source
    from app.replay_what_if import WhatIf
    from widgets.actions.form import ActionForm


class Rehearsals:
    """Offers a dry run in the form of an action on the run that is on show."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def what_if(self, source: Source, spec: ActionSpec, target: Target) -> WhatIf | None:
        """What replays the run on show; None where there is no dry run of this action."""
        from app.run_page import RunPage

        page = self._desk.window.router.pages.get("run")
        if not spec.rehearses or source.can(Capability.WHAT_IF) or not isinstance(page, RunPage):
            return None
        shown = page.context.focus.current
        return page.replay.what_if if (shown.page, shown.run) == ("run", target.ref) else None

    def offer(self, form: ActionForm, source: Source, target: Target, what_if: WhatIf) -> None:
        """Connects the form's button to dry runs of what it holds."""
        form.rehearse_requested.connect(lambda args: self._run(form, source, target, what_if, args))
        form.rehearsal.step_chosen.connect(what_if.show_step)
        form.rehearsal.code_wanted.connect(what_if.show_code)

    def _run(
        self, form: ActionForm, source: Source, target: Target, what_if: WhatIf, args: dict[str, Any]
    ) -> None:
        if source.session is None:
            return
        form.rehearsal.show_running()

        def failed(error: PlayheadError) -> None:
            form.rehearsal.show_trouble(f"{error.message} {error.hint}".strip())

        def arrived(edit: Edit | None) -> None:
            if edit is None:
                form.rehearsal.show_trouble("The code would see nothing of it.")
            else:
                what_if.rehearse(edit, form.spec.title.rstrip("… "), form.rehearsal)

        staged = Staged(target=target, action=form.spec.id, args=args)
        self._desk.jobs.run("rehearse", source.session, "edit_of", staged, on_result=arrived, on_error=failed)
