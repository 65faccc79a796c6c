"""Operator actions in the window: what is chosen, what is staged, the sheet, and who carries it out."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Signal

from app.actions_lock import Locks
from app.actions_specs import Offered, Specs
from app.actions_trail import Trail
from app.actions_unfinished import Unfinished
from app.actions_work import Work
from app.context import PageController, Source
from app.drafts import Drafts
from app.jobs import Jobs
from app.unlock import Unlocks
from engine_bridge.actions.model import Plan, Staged, Target
from engine_bridge.bridge import Capability

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.actions_bulk import Bulk
    from app.actions_bulk_run import BulkRuns
    from app.actions_execute import Executions
    from app.actions_export import Exports
    from app.actions_forms import Forms
    from app.actions_review import Review
    from app.window import MainWindow
    from engine_bridge.query.ast import Node
    from widgets.actions.close_dialog import CloseDialog


class Desk(QObject):
    """One for each window. GUI thread. ``journal_moved`` says that the journal has new rows."""

    journal_moved = Signal()

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.jobs = Jobs(self)
        self.work = Work(window.sources, window.report, self)
        self.unlocks = Unlocks(window.sources, self)
        self.drafts = Drafts(self)
        self.specs = Specs(self)
        self.locks = Locks(self)
        self.trail = Trail(self)
        self.unfinished = Unfinished(self)
        self.closing: CloseDialog | None = None
        self._shown: object = None
        self._sheet_of = ""  # the key of the source that the sheet's page is about
        self._aside = False  # whether it is hidden because another source is looked at
        self.specs.changed.connect(self.show_offered)
        self.drafts.changed.connect(lambda key: self.show_offered())
        self.journal_moved.connect(lambda: self._look())
        window.status_bar.staged_clicked.connect(lambda: window.run_command("action.review"))
        window.sources.changed.connect(self._on_source)

    @cached_property
    def forms(self) -> Forms:
        from app.actions_forms import Forms

        return Forms(self)

    @cached_property
    def review(self) -> Review:
        from app.actions_review import Review

        return Review(self)

    @cached_property
    def executions(self) -> Executions:
        from app.actions_execute import Executions

        return Executions(self)

    @cached_property
    def exports(self) -> Exports:
        from app.actions_export import Exports

        return Exports(self)

    @cached_property
    def bulk(self) -> Bulk:
        from app.actions_bulk import Bulk

        return Bulk(self)

    # -- what is chosen -------------------------------------------------------------------------------------

    def source(self) -> Source | None:
        """The focused source."""
        return self.window.router.source()

    def page(self) -> PageController | None:
        """The page on the screen."""
        scope = self.window.router.scope
        return self.window.router.pages.get(scope) if scope else None

    @property
    def offered(self) -> Offered:
        """What can be done to what is chosen, and what of it is staged."""
        focus, offered = self.window.focus.current, self.specs.offered
        chosen = {(target.kind, target.id) for target in offered.targets}
        draft = self.drafts.staged(focus.source)
        staged = tuple(one for one in draft if (one.target.kind, one.target.id) in chosen)
        return replace(offered, staged=staged, draft=draft)

    def why_not(self, action: str) -> str:
        """Why an action cannot be staged on what is chosen."""
        return self.offered.why_not(action)

    def on_built(self, page: PageController) -> None:
        """A page was built: its targets and buttons are ours."""
        page.targets_changed.connect(lambda: self._look())
        page.action_requested.connect(self.start)
        page.staging_requested.connect(self.stage)
        page.bulk_requested.connect(self.stage_bulk)

    def scope_changed(self) -> None:
        """Another page, source or run may be on the screen; often it is the playhead alone that moved."""
        source, focus = self.source(), self.window.focus.current
        shown = (self.window.router.scope, focus.source, focus.run, source and source.info)
        if shown != self._shown:
            self._shown = shown
            page = self.page()
            self.window.place_sheet(page.sheet_home if page is not None else None)
            self._turn_sheet(focus.source)
            self.locks.show()
            self.trail.look()
            self._look(again=False)
            self.show_offered()

    def _turn_sheet(self, key: str | None) -> None:
        """What is asked or reviewed stands beside its own source only; what is executed stays in sight."""
        if self._aside and key == self._sheet_of:
            self._aside = False
            self.window.unhide_sheet()
        elif self.sheet_page() is not None and key != self._sheet_of and not self.busy:
            self._aside = True
            self.window.hide_sheet()
        if "review" in vars(self):
            self.review.show_on_page()

    def _look(self, *, again: bool = True) -> None:
        page = self.page()
        targets: tuple[Target, ...] = page.targets() if page is not None else ()
        self.specs.look(self.source(), targets, again=again)

    def show_offered(self) -> None:
        """Buttons, badges and the tray follow what is offered and staged."""
        page, key = self.page(), self.window.focus.current.source
        if page is not None:
            page.show_actions(self.offered)
        self.window.status_bar.set_staged(len(self.drafts.staged(key)))

    def _on_source(self, key: str) -> None:
        source = self.window.sources.get(key)
        if source is None or source.session is None:
            self.drafts.forget(key)
            self._aside = self._aside and key != self._sheet_of

    # -- what the user does ---------------------------------------------------------------------------------

    def start(self, action: str) -> None:
        """Opens the form of an action on what is chosen."""
        if "executions" in vars(self):
            self.executions.forget_refused()
        self.forms.open(action)

    def stage(self, staged: tuple[Staged, ...]) -> None:
        """Stages what a page made, as one change of the draft, and shows its plan; the keyboard stays where it is."""
        key = self.window.focus.current.source
        if key is not None and staged:
            self.drafts.add(key, *staged)
            self.review.open(begin=False)

    def stage_bulk(self, asked: tuple[str, tuple[tuple[Staged, Node | None], ...], str]) -> None:
        """Sets up a bulk job of actions that a page made, each on all that match a filter."""
        source = self.source()
        if source is not None:
            title, parts, query = asked
            self.bulk.begin_staged(source, title, parts, query)

    def show(self, page: QWidget, title: str, source: Source, where: str = "") -> None:
        """Shows a page in the sheet, under its title, target, source and environment."""
        self._sheet_of, self._aside = source.key, False
        environment = source.info.environment.value if source.info else ""
        self.window.show_sheet(page, title, " · ".join(filter(None, (where, source.title))), environment)

    def close_sheet(self) -> None:
        """Closes the sheet; what is staged stays, what is executed goes on."""
        if "executions" in vars(self):
            if self.executions.running:
                self.window.notify("It goes on; Ctrl+E shows it again.")
            else:
                self.executions.forget_refused()
                self.executions.leave()
        self.window.hide_sheet()
        self.window.focus_page()

    def open_review(self) -> None:
        if "executions" in vars(self) and self.executions.running:
            self.executions.show()
        else:
            self.review.open()

    def no_review(self) -> str:
        return "" if "executions" in vars(self) and self.executions.running else self.no_staged()

    def no_sheet(self) -> str:
        return "" if self.sheet_page() is not None else "no sheet is open"

    def sheet_page(self) -> QWidget | None:
        """What the sheet shows, None while it is closed."""
        window = self.window
        return window.sheet.shown_page if "sheet" in vars(window) else None

    def no_plan(self) -> str:
        return self.no_sheet()

    def submit(self) -> None:
        """Plans the form on show, or executes the plan on show."""
        page = self.sheet_page()
        if page is None:
            return
        if page is self.forms.view:
            self.forms.submit()
        elif page is self.review.view:
            self.review.execute()
        elif "bulk" in vars(self):
            self.bulk.submit()

    def copy_as(self, kind: str) -> None:
        """Copies the whole plan on show."""
        view = self.review.view
        text = view.copy_as(kind) if view is not None else ""
        if text:
            self.window.copy(text)
        self.window.notify(f"Copied as {kind}." if text else f"There is no plan to copy as {kind}.")

    def choose(self) -> None:
        """Every action on what is chosen, in the palette's list; disabled ones say why."""
        self.window.overlays.actions(self.offered, self.start)

    def choose_whole(self) -> None:
        """Every action on the source itself, which takes no run: to start a workflow, say."""
        source = self.source()
        if source is not None and source.info is not None:
            kind, id_ = source.info.whole
            self.forms.choose_on(source, Target(kind=kind, id=id_))

    def no_whole(self) -> str:
        source = self.source()
        if source is None or source.info is None:
            return "no source is open"
        none = (
            ""
            if source.info.whole[0]
            else "this source has no actions beside those on its runs and resources"
        )
        return source.can(Capability.ACTIONS) or none

    def cancel(self) -> None:
        self.executions.cancel()

    def not_busy(self) -> str:
        executing = "executions" in vars(self) and self.executions.running
        return "" if executing else "nothing is being executed"

    def revert(self) -> None:
        self.executions.undo_last()

    def no_revert(self) -> str:
        return self.executions.no_undo() if "executions" in vars(self) else "nothing was executed"

    def no_staged(self) -> str:
        return "" if self.drafts.staged(self.window.focus.current.source) else "nothing is staged"

    def undo_staging(self) -> None:
        """Takes the last change of the draft back."""
        key = self.window.focus.current.source
        if key is not None:
            self.drafts.undo(key)

    def no_undo_staging(self) -> str:
        key = self.window.focus.current.source
        return "" if self.drafts.can_undo(key) else "there is nothing to undo"

    def discard(self) -> None:
        """Empties the draft; undo brings it back."""
        key = self.window.focus.current.source
        if key is not None:
            self.drafts.clear(key)
            self.window.notify("Discarded what was staged. Ctrl+Z brings it back.")
            if "executions" not in vars(self) or not self.executions.running:
                self.close_sheet()

    def deny(self, plan: Plan, why: str, reason: str) -> None:
        """Journals an attempt that was not allowed."""
        target = self.window.sources.target(self.window.focus.current.source or "")

        def work() -> None:
            from app.journal import journal
            from app.opening import source_id
            from engine_bridge.actions.execute import deny

            named = msgspec.structs.replace(plan, source=source_id(target.url))
            for item in named.items:
                deny(journal(), named, item, why, reason)

        self.work.run("deny", work, lambda _: self.journal_moved.emit())

    # -- bulk -----------------------------------------------------------------------------------------------

    def bulk_runs(self) -> BulkRuns:
        return self.bulk.runs

    def choose_matching(self) -> None:
        """Chooses what to do to all runs that match the filter."""
        page, source = self.page(), self.source()
        found = page.matching() if page is not None else None
        if found is None or source is None:
            return
        query, node = found

        def start(action: str) -> None:
            spec = self.offered.spec(action)
            if spec is not None:
                self.bulk.begin_filter(source, spec, query, node)

        self.window.overlays.matching_actions(self.offered, query, start)

    def no_matching(self) -> str:
        page = self.page()
        if page is None or page.matching() is None:
            return "no list of runs is shown"
        return self.offered.reason

    def no_job(self) -> str:
        return "" if "bulk" in vars(self) and self.bulk.runs.view is not None else "there is no bulk job"

    def no_running(self) -> str:
        return "" if "bulk" in vars(self) and self.bulk.runs.running else "no bulk job is running"

    def no_rest(self) -> str:
        job = self.bulk.runs.job if "bulk" in vars(self) else None
        if job is None or job.state.final or self.bulk.runs.running:
            return "no bulk job is waiting to go on"
        return ""

    # -- the end --------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something is being executed."""
        executing = "executions" in vars(self) and self.executions.running
        return executing or ("bulk" in vars(self) and self.bulk.runs.running)

    def ask_to_close(self) -> None:
        """Asks what shall become of what is being executed; the window closes when it has an outcome."""
        from widgets.actions.close_dialog import CloseDialog

        bulk = "bulk" in vars(self) and self.bulk.runs.running
        dialog = self.closing = CloseDialog(self.window, bulk=bulk)
        dialog.cancelled.connect(self._cancel_and_close)
        dialog.finished.connect(self._on_asked)
        dialog.open()

    def _on_asked(self) -> None:
        self.closing = None

    def _cancel_and_close(self) -> None:
        if not self.busy:
            self.window.close()
        if "executions" in vars(self) and self.executions.running:
            self.executions.ended.connect(self._close_when_rested)
            self.executions.cancel()
        if "bulk" in vars(self) and self.bulk.runs.running:
            self.bulk.runs.ended.connect(self._close_when_rested)
            self.bulk.runs.pause()

    def _close_when_rested(self) -> None:
        if not self.busy:
            self.window.close()

    def close(self) -> None:
        """The window is closing: stops timers and what is under way, which then settles itself."""
        self.unlocks.stop()
        self.specs.stop()
        self.trail.stop()
        self.unfinished.stop()
        self.work.stop()
        self.jobs.cancel_all()
        for part in ("executions", "review", "forms", "bulk", "exports"):
            if part in vars(self):
                getattr(self, part).stop()
        if "bulk" in vars(self):
            self.bulk.runs.stop()
