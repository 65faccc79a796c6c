"""The resources page's controller: reads one kind of the focused source's resources every few seconds."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from app.actions_specs import Offered
from app.commands import Command
from app.context import Context, PageController, Source
from engine_bridge.actions.model import Target
from engine_bridge.bridge import Capability, Resource
from engine_bridge.errors import PlayheadError
from engine_bridge.focus import Focus
from engine_bridge.format import count
from widgets.actions.menu import add_actions
from widgets.resources.page import ResourcesView
from widgets.table.cell_menu import cell_menu
from widgets.table.columns import row_text
from widgets.table.empty import error_details

_EVERY_MS: Final = 3_000
_TICK_MS: Final = 1_000


class ResourcesPage(PageController):
    """Shows queues, schedules, versions … of the focused source."""

    name = "resources"
    title = "Resources"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.view = ResourcesView()
        self._error: PlayheadError | None = None
        self.offered = Offered()
        self._clock_gap_ns = 0
        self._shown: tuple[str | None, str] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._read)
        self._ticker = QTimer(self)
        self._ticker.setInterval(_TICK_MS)
        self._ticker.timeout.connect(self._tick)
        self.view.kind_chosen.connect(self._on_kind)
        self.view.runs_wanted.connect(self.show_runs)
        self.view.table.current_moved.connect(self.targets_changed)
        self.view.table.menu_requested.connect(lambda point: self.menu().popup(point))
        self.view.empty.chosen.connect(self._on_chosen)
        context.sources.changed.connect(self._on_source)

    @property
    def widget(self) -> QWidget:
        return self.view

    def focus_changed(self, new: Focus, old: Focus) -> None:
        if new.page != self.name:
            self._stop()
            return
        self.refresh()
        self._timer.start()
        self._ticker.start()

    def _on_source(self, key: str) -> None:
        focus = self.context.focus.current
        if (
            key == focus.source
            and focus.page == self.name
            and (self._shown is None or self._error is not None)
        ):
            self.refresh()

    def targets(self) -> tuple[Target, ...]:
        row = self.view.current()
        if row is None or row.depth:
            return ()
        resource = row.resource
        return (Target(kind=resource.kind, id=resource.id, title=resource.title),)

    def show_actions(self, offered: Offered) -> None:
        self.offered = offered

    def menu(self) -> QMenu:
        """What can be done to the chosen row."""
        row = self.view.current()
        runs = [("Show its runs", self._show_current)] if row is not None and row.resource.filter else []
        menu = cell_menu(self.view, [[*runs, ("Copy", self._copy)]])
        add_actions(menu, self.offered.with_reasons(), self.action_requested.emit)
        return menu

    @property
    def watching(self) -> bool:
        """Whether the page is shown, and so read again and again."""
        return self._timer.isActive()

    def _stop(self) -> None:
        self._timer.stop()
        self._ticker.stop()
        self.jobs.cancel_all()

    def close(self) -> None:
        self.context.sources.changed.disconnect(self._on_source)
        self._stop()
        super().close()

    def refresh(self) -> None:
        self.view.model.clock.zone = self.context.settings.zone()
        source = self.source()
        if source is None or source.session is None or source.info is None:
            self._show_nothing("No source is open", "Choose one in the sources panel, or connect.")
            return
        reason = source.can(Capability.RESOURCES)
        self.view.set_kinds(() if reason else source.info.resource_kinds)
        if not self.view.kind:
            self._show_nothing("No resources", reason or "This engine has none that can be listed.")
            return
        self.jobs.run(
            "clock", source.session, "now_ns", on_result=self._on_clock, on_error=lambda error: None
        )
        self._read()

    def _on_clock(self, now_ns: int) -> None:
        self._clock_gap_ns = now_ns - time.time_ns()
        self._tick()

    def _tick(self) -> None:
        first, last = self.view.table.visible_rows
        self.view.model.tick(time.time_ns() + self._clock_gap_ns, first, last)

    def _on_kind(self, kind: str) -> None:
        self.view.show_resources(())
        self._shown = None
        self.jobs.cancel("resources")
        self._read()

    def _read(self) -> None:
        source, kind = self.source(), self.view.kind
        if source is None or source.session is None or not kind or self.jobs.running("resources"):
            return
        self.jobs.run(
            "resources",
            source.session,
            "resources",
            kind,
            on_result=partial(self._on_read, source, kind),
            on_error=self._on_failed,
        )

    def _on_read(self, source: Source, kind: str, resources: list[Resource]) -> None:
        self._error = None
        self._shown = (source.key, kind)
        if not resources:
            self._show_nothing(
                f"No {kind}", f"This source has no {kind} now. They appear here when there are any."
            )
            return
        self.view.show_resources(resources)
        warned = sum(bool(resource.warning) for resource in resources)
        told = f" · {count(warned)} with a warning" if warned else ""
        self.status_changed.emit(f"{count(len(resources))} {kind}{told}")
        self.targets_changed.emit()

    def _show_nothing(self, title: str, text: str) -> None:
        self.view.empty.show_state("resources", title, text)
        self.view.show_empty()
        self.status_changed.emit("")

    def _on_failed(self, error: PlayheadError) -> None:
        self._error = error
        self.view.empty.show_error(error)
        self.view.show_empty()
        self.status_changed.emit(error.message)

    def _on_chosen(self, action: str) -> None:
        if action == "copy" and self._error is not None:
            QApplication.clipboard().setText(error_details(self._error))
        elif action == "retry":
            self.refresh()

    def show_runs(self, resource: Resource) -> None:
        """Goes to the runs of a resource."""
        self.context.focus.change(page="runs", query=resource.filter)

    def _show_current(self) -> None:
        row = self.view.current()
        if row is not None and row.resource.filter:
            self.show_runs(row.resource)

    def _copy(self) -> None:
        rows = self.view.table.selected_items()
        lines = [row_text(self.view.model.columns, row, self.view.model.clock).strip() for row in rows]
        QApplication.clipboard().setText("\n".join(lines))
        self.context.notify("Copied.")

    def commands(self) -> list[Command]:
        view = self.view
        make = partial(Command, scope="resources")

        def no_runs() -> str:
            row = view.current()
            return "" if row is not None and row.resource.filter else "choose a row that has runs first"

        def none_chosen() -> str:
            return "" if view.current() is not None else "choose a row first"

        return [
            make("resources.next_kind", "Next Kind", lambda: view.step(1), keys=("]",), menu="View"),
            make("resources.previous_kind", "Previous Kind", lambda: view.step(-1), keys=("[",), menu="View"),
            make(
                "resources.show_runs",
                "Show Its Runs",
                self._show_current,
                keys=("O",),
                when=no_runs,
                icon="runs",
            ),
            make("resources.copy", "Copy Rows", self._copy, keys=("Ctrl+C",), when=none_chosen, icon="copy"),
        ]
