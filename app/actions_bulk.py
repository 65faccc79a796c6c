"""Bulk actions in the window: targets found and planned, confirmed, run with a canary, paused, resumed, reported."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from PySide6.QtCore import QObject

from app.actions_bulk_run import BulkRuns
from app.actions_forms import target_words
from app.context import Source
from engine_bridge.actions.confirm import fits, needed, reason_needed
from engine_bridge.actions.model import ActionSpec, Param, ParamType, Plan, PlanItem, Staged, Target
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PlayheadError
from engine_bridge.format import count, plain
from widgets.actions.bulk_setup import BulkSetup
from widgets.actions.form import ActionForm

if TYPE_CHECKING:
    from app.actions_desk import Desk
    from engine_bridge.query.ast import Node
    from engine_bridge.session import Session


def _for_many(param: Param) -> Param:
    """A step means another thing in each run: left empty, each run's own proposal is taken."""
    if param.type is not ParamType.STEP:
        return param
    like = f", such as {plain(str(param.default), 40)} for the first one" if param.default is not None else ""
    doc = f"Leave it empty: each run starts at the step that is proposed for it{like}."
    return msgspec.structs.replace(param, required=False, default=None, source="", doc=doc)


def plan_each(
    session: Session, spec: ActionSpec, targets: list[Target], args: dict[str, Any], token: CancelToken
) -> tuple[PlanItem, ...]:
    """Plans an action on many targets; where a step was left open, each gets the one proposed for it. Worker thread."""
    from engine_bridge.actions.bulk_targets import plan_all

    steps = [p.name for p in spec.params if p.type is ParamType.STEP and p.name not in args]
    if not steps:
        return plan_all(session, targets, spec.id, args, token)
    found: list[PlanItem] = []
    for number, target in enumerate(targets):
        token.progress(number, len(targets), "Planning")
        specs = session.call("actions", target).result()
        own = next((s for s in specs if s.id == spec.id), None)
        defaults = {p.name: p.default for p in own.params if p.name in steps} if own is not None else {}
        staged = Staged(target=target, action=spec.id, args={**args, **defaults})
        found += session.call("plan", (staged,)).result()
    return tuple(found)


class Bulk(QObject):
    """One job is set up at a time; one runs at a time. GUI thread."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self.runs = BulkRuns(desk)
        self.form: ActionForm | None = None
        self.view: BulkSetup | None = None
        self.plan: Plan | None = None
        self._source: Source | None = None
        self._title = ""
        self._filter = ""
        self._token = CancelToken()
        desk.unlocks.changed.connect(lambda key: self._show_blocked())

    # -- what is to be done ---------------------------------------------------------------------------------

    def begin(self, source: Source, spec: ActionSpec, targets: tuple[Target, ...]) -> None:
        """An action on many targets that were chosen."""
        page = self._desk.page()
        words = (page.targets_words() if page is not None else "") or target_words(targets)
        self._begin(source, spec, words, "", lambda token: list(targets))

    def begin_filter(self, source: Source, spec: ActionSpec, query: str, node: Node | None) -> None:
        """An action on every run that matches a filter when the job is planned."""
        session = source.session
        if session is None:
            return

        def find(token: CancelToken) -> list[Target]:
            from engine_bridge.actions.bulk_targets import resolve

            return resolve(session, node, token)

        def count_them() -> object:
            from engine_bridge.actions.bulk_targets import preview

            return preview(session, node, CancelToken())

        words = f"all runs with {plain(query, 80)}" if query else "all runs"
        self._begin(source, spec, words, query, find)
        if self.form is not None:
            self._desk.work.run(
                "bulk-preview", count_them, lambda found: self._on_counted(source, spec, found, words)
            )

    def _on_counted(self, source: Source, spec: ActionSpec, found: object, words: str) -> None:
        """How many match now; they are found again when they are planned."""
        if self.form is not None and self._source is source:
            self._desk.show(self.form, spec.title, source, f"{found} of {words}")

    def _begin(self, source: Source, spec: ActionSpec, words: str, query: str, find: Any) -> None:
        self.stop()
        self._source, self._filter = source, query
        self._title = f"{plain(spec.title.rstrip('… '), 60)}: {words}"
        if not spec.params:
            self._plan(source, spec, {}, find)
            return
        spec = msgspec.structs.replace(spec, params=tuple(map(_for_many, spec.params)))
        form = self.form = ActionForm(spec, plan_title="Find and plan", stage=False)
        form.plan_requested.connect(lambda args: self._plan(source, spec, args, find))
        self._desk.show(form, spec.title, source, words)
        form.begin()

    def begin_staged(
        self, source: Source, title: str, parts: tuple[tuple[Staged, Node | None], ...], query: str
    ) -> None:
        """Actions whose arguments are known, each on all runs that match a filter when the job is planned."""
        session = source.session
        if session is None:
            return
        self.stop()
        self._source, self._filter, self._title = source, query, plain(title, 160)

        def find(token: CancelToken) -> tuple[PlanItem, ...]:
            from engine_bridge.actions.bulk_targets import plan_all, resolve

            found: list[PlanItem] = []
            for staged, node in parts:
                found += plan_all(session, resolve(session, node, token), staged.action, staged.args, token)
            return tuple(found)

        self._find_and_plan(source, find)

    def _plan(self, source: Source, spec: ActionSpec, args: dict[str, Any], find: Any) -> None:
        session = source.session
        self._find_and_plan(
            source,
            lambda token: plan_each(session, spec, find(token), args, token) if session is not None else (),
        )

    def _find_and_plan(self, source: Source, work: Callable[[CancelToken], tuple[PlanItem, ...]]) -> None:
        """Shows the page that waits for the plan, and makes it in a worker thread."""
        view = self.view = BulkSetup()
        view.run_requested.connect(self.run)
        view.discard_requested.connect(self._discard)
        view.changed.connect(self._show_blocked)
        self._desk.show(view, self._title, source)
        form, self.form = self.form, None
        if form is not None:
            form.stop()
            self._desk.window.sheet.drop(form)
        view.show_wait("Finding and planning …")
        self._show_blocked()
        token = self._token = CancelToken(lambda *far: self._desk.window.deliver(lambda: self._on_far(far)))
        self._desk.work.run(f"bulk {source.key}", lambda: work(token), self._on_planned, self._on_failed)

    def _on_far(self, far: tuple[int, int | None, str]) -> None:
        done, total, text = far
        if self.view is not None and self.plan is None:
            self.view.show_wait(f"{text} · {count(done)}" + (f" of {count(total)}" if total else ""))

    def _on_planned(self, items: tuple[PlanItem, ...]) -> None:
        source, view = self._source, self.view
        if view is None or source is None or source.info is None:
            return
        environment = source.info.environment.value
        self.plan = Plan(id=str(uuid.uuid4()), source=source.url, environment=environment, items=items)
        view.show_plan(items, needed(self.plan))
        self._show_blocked()
        view.begin()

    def _on_failed(self, error: PlayheadError) -> None:
        if self.view is not None:
            self.view.show_wait(str(error))

    def blocked(self) -> str:
        """Why the job cannot run now; "" when it can."""
        view, plan, source = self.view, self.plan, self._source
        if view is None or plan is None or source is None:
            return "the targets are being found and planned"
        if not plan.runnable:
            return "every target is refused" if plan.items else "nothing matches"
        if self.runs.running:
            return "another bulk job is running"
        if not self._desk.unlocks.unlocked(source.key):
            return f"{source.title} is read-only: unlock it first (Ctrl+L)"
        must = reason_needed(plan, self._desk.window.settings.get("reason_required"))
        if must and not view.reason.text().strip():
            return "write the reason"
        text = needed(plan)
        return "" if not text or fits(view.confirm.text(), text) else f"type {text} to confirm"

    def _show_blocked(self) -> None:
        if self.view is not None:
            self.view.set_blocked(self.blocked())

    def run(self) -> None:
        """Makes the job and runs its canary, or tells why not."""
        why, view, plan, source = self.blocked(), self.view, self.plan, self._source
        if view is None or plan is None or source is None or why:
            self._desk.window.notify(f"Not run: {why}.")
            if plan is not None and "read-only" in why:
                self._desk.deny(msgspec.structs.replace(plan, items=plan.items[:1]), why, "")
            return
        self.runs.start(source, plan, view.reason.text().strip(), view.settings, self._title, self._filter)
        self.stop()

    def submit(self) -> None:
        """As the button of the page on show."""
        if self.form is not None:
            self.form.submit()
        elif self.view is not None:
            self.run()

    def _discard(self) -> None:
        self.stop()
        self._desk.close_sheet()

    def stop(self) -> None:
        """Drops what is being set up."""
        self._token.cancel()
        for page in (self.form, self.view):
            if page is not None:
                self._desk.window.sheet.drop(page)
        if self.form is not None:
            self.form.stop()
        self.form, self.view, self.plan = None, None, None
