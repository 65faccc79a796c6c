"""The run page's controller: the focus says run, playhead and step; sessions bring the history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from app.actions_specs import Offered
from app.again import Again
from app.commands import Command
from app.context import Context, PageController
from app.replay_page import RunReplay
from app.run_page_actions import RunActions
from app.run_page_children import Children
from app.run_page_commands import commands
from app.run_page_feed import RunFeed
from app.run_page_next import NextSteps
from app.run_page_payloads import Payloads
from app.run_page_play import Player
from app.run_page_queries import Queries
from app.run_page_relations import RunRelations
from engine_bridge.actions.model import PlanItem, Target
from engine_bridge.bridge import Capability
from engine_bridge.errors import NotFoundError, PlayheadError
from engine_bridge.focus import Focus
from engine_bridge.model import RunRef
from engine_bridge.playback import neighbour
from engine_bridge.query.text import quote
from engine_bridge.session import Session
from widgets.journal.entries import Entry
from widgets.run.page import RunView
from widgets.run.panes import Panes
from widgets.unveiling import Unveiling

_TICK_MS = 1_000


class RunPage(PageController):
    """Feeds the run view, and turns its intent into changes of the focus."""

    name = "run"
    title = "Run"

    def __init__(self, context: Context, view: RunView | None = None) -> None:
        super().__init__(context)
        self.view = view or RunView()
        self.feed = RunFeed(self.jobs, self)
        self.actions = RunActions(self)
        self.next_steps = NextSteps(self)
        self.queries = Queries(self)
        self.player = Player(self)
        self.children_in_place = Children(self)
        self.payloads = Payloads(self)
        self.replay = RunReplay(self)
        self._loaded: tuple[str | None, Session | None, RunRef | None] | None = None
        self.relations = RunRelations(self)
        self._notes: tuple[str, ...] = ()
        self._again = Again(self._load_again, self)
        self._ticker = QTimer(self)
        self._ticker.setInterval(_TICK_MS)
        self._ticker.timeout.connect(self._on_tick)
        self._reading = False
        self._unveiling = Unveiling(self.view, self.view.parts())
        self._connect()
        self.view.set_zone(context.settings.zone())

    @classmethod
    def build(cls, context: Context) -> Iterator[PageController | None]:
        view = RunView(whole=False)
        for _ in view.pieces:
            yield None
        yield cls(context, view)

    def _connect(self) -> None:
        view, feed, player = self.view, self.feed, self.player
        feed.opened.connect(self._on_opened)
        feed.grown.connect(self._on_grown)
        feed.done.connect(self._on_done)
        feed.restarted.connect(self._on_restarted)
        feed.failed.connect(self._on_failed)
        feed.lost.connect(self._on_lost)
        feed.decoded.told.connect(self._on_decoded)
        player.moved.connect(lambda position: self.context.focus.change(position=position))
        player.changed.connect(view.transport.set_playing)
        view.transport.stepped.connect(self.step)
        view.transport.play_toggled.connect(self.play)
        view.transport.speed_changed.connect(self._on_speed)
        view.position_requested.connect(self.go_to)
        view.selection_requested.connect(lambda step: self.context.focus.change(step_id=step))
        view.event_requested.connect(self._on_event)
        view.run_opened.connect(self.open_run)
        view.child_requested.connect(self.children_in_place.toggle)
        view.filter_requested.connect(self._on_filter)
        view.payload_requested.connect(self.payloads.load)
        view.decode_requested.connect(self.payloads.decode)
        view.codec_requested.connect(lambda: self.context.commands.run("source.codec"))
        view.more_relations_requested.connect(self.relations.more)
        view.back_requested.connect(self.back_to_list)
        view.retry_requested.connect(self.refresh)
        self.context.sources.changed.connect(self._on_source)
        self.context.settings.changed.append(self._on_setting)

    @property
    def widget(self) -> QWidget:
        return self.view

    def commands(self) -> list[Command]:
        return commands(self)

    # -- focus --------------------------------------------------------------------------------------------

    def focus_changed(self, new: Focus, old: Focus) -> None:
        if new.page != self.name:
            self._pause()
            return
        source = self.source()
        session = source.session if source is not None else None
        if self._loaded != (new.source, session, new.run):
            self._load()
            return
        if old.page != self.name:
            self.feed.resume()
            self.relations.resume()
            self._ticker.start()
        if not self.view.loaded:
            return
        if new.position != old.position or old.page != self.name:
            self.view.set_position(new.position)
        if new.step_id != old.step_id or old.page != self.name:
            self.view.set_selected(new.step_id)

    def _pause(self) -> None:
        self.player.stop()
        self.feed.stop()
        self._ticker.stop()

    def _load_again(self) -> None:
        """Tries once more, the error in sight until then; later, when the page is not shown."""
        focus, source = self.context.focus.current, self.source()
        if focus.page != self.name or focus.run is None or source is None or source.session is None:
            self._loaded = None
            return
        self.feed.load(source.session, focus.run, follow=not source.can(Capability.TAIL))

    def _load(self) -> None:
        self._again.stop()
        self._pause()
        self.children_in_place.clear()
        self.replay.leave()
        for slot in ("payload", "decode", "code payload"):
            self.jobs.cancel(slot)
        focus, source = self.context.focus.current, self.source()
        session = source.session if source is not None else None
        self._loaded = (focus.source, session, focus.run)
        self._notes = ()
        self.show_trail(())
        self.relations.forget()
        self.next_steps.forget()
        self.queries.forget()
        if focus.run is None:
            self.feed.forget()
            self.view.show_loading("No run is open.", "Choose one in the list of runs.")
        elif source is None or session is None:
            self.feed.forget()
            self._show_unopened(source.error if source is not None else None)
        else:
            self.view.show_loading(f"Reading {focus.run.label} …")
            self.view.set_filter_fields(frozenset(field.name for field in source.fields))
            self.feed.load(session, focus.run, follow=not source.can(Capability.TAIL))
        self.status_changed.emit(self.view.status_text())

    def _show_unopened(self, error: PlayheadError | None) -> None:
        if error is not None:
            self.view.show_error(error)
        else:
            self.view.show_loading("Opening the source …")

    def _on_setting(self, name: str, _: Any) -> None:
        if name == "zone":
            self.view.set_zone(self.context.settings.zone())

    def targets(self) -> tuple[Target, ...]:
        return self.actions.targets()

    def show_actions(self, offered: Offered) -> None:
        self.actions.show_offered(offered)
        self.next_steps.show_offered(offered)

    def show_plan(self, items: tuple[PlanItem, ...]) -> None:
        self.actions.show_plan(items)

    def show_trail(self, entries: tuple[Entry, ...]) -> None:
        self.actions.show_trail(entries)
        self.relations.acted(len(entries))

    def refresh(self) -> None:
        self._loaded = None
        self._load()

    def close(self) -> None:
        self._again.stop()
        self._pause()
        self.relations.forget()
        self.replay.close()
        super().close()

    # -- what arrives -------------------------------------------------------------------------------------

    def _on_opened(self) -> None:
        focus = self.context.focus.current
        self._reading = True
        self._unveiling.start()
        self.view.set_history(self.feed.history, position=focus.position, step_id=focus.step_id)
        self.view.set_notes(self._notes)
        self.replay.opened()
        self._ticker.start()
        self.actions.tell_targets()
        self.next_steps.look()
        self.status_changed.emit(self.view.status_text())

    def _on_tick(self) -> None:
        if self.view.isVisible():
            self.view.set_now(self.feed.now_ns)

    def _on_grown(self) -> None:
        if self._reading:
            self._unveiling.start()
        self.view.refresh()
        self.replay.grown()
        self.relations.look()
        self.actions.tell_targets()
        self.next_steps.look()
        self.status_changed.emit(self.view.status_text())

    def _on_done(self) -> None:
        self._reading = False
        self.relations.begin()
        self.replay.read()

    def _on_restarted(self, reason: str) -> None:
        self.player.stop()
        self.children_in_place.clear()
        self._notes = (f"The engine rewrote this history: {reason}. It was read again.",)
        self.context.notify(f"The engine rewrote this history: {reason}.")
        self.context.focus.change(position=None)

    def _on_failed(self, error: PlayheadError) -> None:
        self.view.show_error(error)
        self.status_changed.emit("")
        self._again.failed(error)

    def _on_lost(self, error: PlayheadError | None) -> None:
        if error is None:
            self._notes = ()
        elif isinstance(error, NotFoundError):
            self._notes = ("This run was deleted meanwhile. What you see is the last state that was read.",)
        else:
            self._notes = (f"Live updates stopped: {error}",)
        self.view.set_notes(self._notes)

    def _on_decoded(self) -> None:
        decoded = self.feed.decoded
        decoded.header(self.feed.history, None)
        self.view.retell()
        self.view.set_notes((*self._notes, *filter(None, (decoded.note,))))

    # -- intent -------------------------------------------------------------------------------------------

    def why_not(self) -> str:
        """Why the commands of a run cannot run now; "" when they can."""
        return "" if self.view.loaded else "no run is open"

    def go_to(self, position: int | None) -> None:
        """Grabs the playhead (None: lets it follow the tail)."""
        self.player.stop()
        self.context.focus.change(position=position)

    def step(self, direction: int, *, failures: bool = False) -> None:
        """To the neighbouring event, or failure; a failure's step becomes the selected one."""
        history, focus = self.feed.history, self.context.focus.current
        position = neighbour(history, focus.position, direction, failures_only=failures)
        if position is None:
            where = "after" if direction > 0 else "before"
            self.context.notify(f"There is no {'failure' if failures else 'event'} {where} this one.")
            return
        self.player.stop()
        if not failures:
            self.context.focus.change(position=position)
            return
        step = history.event(history.row_of(position)).step_id
        self.context.focus.change(position=position, step_id=step)

    def first(self) -> None:
        history = self.feed.history
        if len(history):
            self.go_to(int(history.events["position"][0]))

    def live(self) -> None:
        self.go_to(None)

    def play(self) -> None:
        """Plays from the playhead, or pauses."""
        if self.player.playing:
            self.player.stop()
        else:
            self.player.start(self.feed.history, self.context.focus.current.position)

    def _on_speed(self, speed: int) -> None:
        self.player.speed = speed

    def _on_event(self, chosen: tuple[int, str | None]) -> None:
        self.player.stop()
        position, step = chosen
        changes: dict[str, object] = {"position": position}
        if step is not None:
            changes["step_id"] = step
        self.context.focus.change(**changes)

    def _on_filter(self, pair: tuple[str, str]) -> None:
        field, value = pair
        self.context.focus.change(page="runs", query=f"{field} == {quote(value)}")

    def open_run(self, ref: RunRef) -> None:
        """Goes to another run; Back returns."""
        self.context.focus.change(page=self.name, run=ref, position=None, step_id=None, field=None)

    def open_parent(self) -> None:
        run = self.feed.history.run
        if run is None or run.parent is None:
            self.context.notify("This run has no parent.")
        else:
            self.open_run(run.parent)

    def open_child(self) -> None:
        """Goes to the run that the selected step started or waits for."""
        step_id = self.context.focus.current.step_id
        child = None if step_id is None else self.children_in_place.child_of(step_id)
        if child is None:
            self.context.notify("The selected step has no run of its own.")
        else:
            self.open_run(child)

    def back_to_list(self) -> None:
        """To the list of runs; from what is hypothetical, to the record first."""
        if self.replay.show_record():
            return
        self.context.focus.change(page="runs")

    def copy_id(self) -> None:
        run = self.feed.history.run
        if run is not None:
            QGuiApplication.clipboard().setText(run.id)
            self.context.notify("Copied the run's id.")

    def evidence(self) -> None:
        if self.view.blocked.isVisible():
            self.view.blocked.show_evidence()
        else:
            self.context.notify("This run is not blocked here.")

    def clear_selection(self) -> None:
        self.context.focus.change(step_id=None)

    def toggle_reveal(self) -> None:
        payload = self.view.detail.payload
        payload.set_reveal(not payload.reveal)

    def show_pane(self, panes: Panes, pane: str) -> None:
        """Brings a tab to the front and gives it the keyboard."""
        panes.show_pane(pane)
        panes.take_keyboard()
