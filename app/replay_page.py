"""Replay on the run page: the code pane, what fills it, and where it shows in the other views. GUI thread."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMenu

from app.replay import Recording, ReplayDesk
from app.replay_flow import Ready, ReplayFlow
from engine_bridge.bridge import Capability
from engine_bridge.errors import PlayheadError
from engine_bridge.format import count, plain
from engine_bridge.model import PayloadRef
from engine_bridge.replay.model import Now, Outcome, Place
from engine_bridge.replay.protocol import Log
from widgets.code.card import PREVIEW
from widgets.code.ends import ending, now_words
from widgets.code.intro import WHAT
from widgets.timeline.state import Stamp

if TYPE_CHECKING:
    from app.run_page import RunPage

_BROKEN: Final = (Outcome.FAILED, Outcome.CRASHED, Outcome.HUNG)


class RunReplay(QObject):
    """What of the run page belongs to replays."""

    def __init__(self, page: RunPage) -> None:
        super().__init__(page)
        self._page = page
        self.pane = page.view.code
        self.desk = ReplayDesk(page.context.sources.in_thread, self)
        self.flow = ReplayFlow(page.jobs, self.desk, page.view.window, self)
        self._recording: Recording | None = None
        self._how = ""
        self._connect()

    def _connect(self) -> None:
        pane, desk, flow, view = self.pane, self.desk, self.flow, self._page.view
        pane.asked.connect(self._on_asked)
        pane.position_requested.connect(self._page.go_to)
        pane.lines_requested.connect(self._on_lines_wanted)
        pane.payload_requested.connect(self._load_result)
        pane.step_opened.connect(self._open_step)
        pane.noticed.connect(self._page.context.notify)
        desk.grew.connect(self._on_grown)
        desk.changed.connect(self._on_changed)
        desk.ended.connect(self._on_ended)
        desk.logged.connect(self._on_logged)
        desk.lined.connect(self._on_lined)
        flow.ready.connect(self._on_ready)
        flow.refused.connect(self._on_refused)
        flow.asking.connect(self._on_asking)
        view.right.currentChanged.connect(lambda _: self._begin_quietly())
        view.step_menu_filled.connect(self._add_step_action)
        view.blocked.place_chosen.connect(self._show_now)
        view.detail.payload.reveal_changed.connect(pane.set_reveal)

    # -- the page -----------------------------------------------------------------------------------------

    @property
    def recording(self) -> Recording | None:
        """The replay of the run that is shown."""
        return self._recording

    def why_not(self) -> str:
        """Why runs of this source cannot be replayed; "" when they can."""
        source = self._page.source()
        if not self._page.view.loaded:
            return "no run is open"
        return "the source is not open" if source is None else source.can(Capability.REPLAY)

    def no_trace(self) -> str:
        """Why there is nothing to walk through."""
        return self.why_not() or ("" if self._recording is not None else "this run has not been replayed yet")

    def _key(self) -> Any:
        focus = self._page.context.focus.current
        return focus.source, focus.run

    def leave(self) -> None:
        """Another run, or none, is about to be shown."""
        self.flow.stop()
        self.desk.leave()
        self._recording = None
        self._show_intro()
        self._show_elsewhere()

    def opened(self) -> None:
        """A run is shown: its recording, where there is one, else what replay does."""
        source = self._page.source()
        able = source is not None and not source.can(Capability.REPLAY)
        self._page.view.right.set_shown("code", able)
        kept = self.desk.kept(self._key())
        if not able:
            return
        if kept is not None and kept.history is self._page.feed.history:
            self._take(kept)
            return
        self.desk.forget(self._key())
        self._show_intro()

    def read(self) -> None:
        """All that is recorded of the run has been read."""
        if self._recording is not None and self._recording.history is self._page.feed.history:
            self._recording.trace.relocate(self._page.feed.history)
        self._begin_quietly()

    def grown(self) -> None:
        """The history grew: a replay answers to what was there then."""
        recording, history = self._recording, self._page.feed.history
        self.pane.set_history(history)
        if recording is None or recording.running:
            return
        more = len(history) - recording.steps_then
        self.pane.bar.show_stale(f"{count(more)} newer event{'s' if more != 1 else ''}" if more > 0 else "")

    def close(self) -> None:
        """The application is closing."""
        self.flow.stop()
        self.desk.close()

    # -- starting -----------------------------------------------------------------------------------------

    def _on_asked(self, what: str) -> None:
        if what in ("replay", "again"):
            self.replay()
        elif what == "project":
            self.replay(choose=True)
        elif what == "cancel":
            self.cancel()
        elif what == "forget":
            self._withdraw()

    def replay(self, *, choose: bool = False) -> None:
        """Replays the open run, asking what must be asked; ``choose``: whose code, too."""
        self.flow.stop()
        if not self.why_not():
            self._page.view.right.show_pane("code")
        self._begin(aloud=True, choose=choose)

    def cancel(self) -> None:
        """Ends what is under way; what was recorded stays."""
        self.flow.stop()
        self.desk.cancel()
        if self._recording is None:
            self._show_intro()

    def _begin_quietly(self) -> None:
        """Whose code tab is open and who agreed before need not ask again for each run."""
        page = self._page
        fresh = self._recording is None and self.flow.dialog is None and not page.jobs.running("replay")
        if fresh and page.view.right.current_id == "code" and not self.why_not() and page.feed.complete:
            self._begin(aloud=False)

    def _begin(self, *, aloud: bool, choose: bool = False) -> None:
        source, run = self._page.source(), self._page.context.focus.current.run
        if source is None or run is None or self.why_not():
            return
        self.flow.begin(source, run, aloud=aloud, choose=choose)

    def _on_asking(self, words: str) -> None:
        if self._recording is None:
            self.pane.intro.show_words("clock", "waiting", "Replay", words, buttons=("cancel",))

    def _on_refused(self, why: PlayheadError | str) -> None:
        if self._recording is not None:
            if isinstance(why, PlayheadError):
                self._page.context.report(why)
        elif isinstance(why, PlayheadError):
            buttons = ("replay", "project")
            self.pane.intro.show_words("warning", "failed", why.message, why.hint, buttons=buttons)
        else:
            self._show_intro(why)

    def _on_ready(self, ready: Ready) -> None:
        self._how = ready.how
        key = (self._page.context.focus.current.source, ready.ref)
        made = self.desk.record(key, ready.spec, ready.project, ready.input, self._page.feed.history)
        self._take(made)
        for notice in ready.input.notices:
            self._page.context.notify(notice)

    def _take(self, recording: Recording) -> None:
        self._recording = recording
        project = recording.project
        doc = f"{project.code}\nby {project.python}{f' ({self._how})' if self._how else ''}"
        self.pane.bar.show_project(PurePath(project.code).name, doc)
        self.pane.bar.show_stale("")
        self.pane.set_trace(recording.trace, recording.history)
        self.pane.output.add(recording.logs)
        self.pane.set_position(self._page.context.focus.current.position)
        self._on_changed(recording)
        if not recording.running:
            self._on_ended(recording)

    def _show_intro(self, hint: str = "") -> None:
        self.pane.show_intro()
        self.pane.intro.show_words("timeline", "accent", "Replay", WHAT, plain(hint))

    def _withdraw(self) -> None:
        recording, source = self._recording, self._page.source()
        if recording is None or source is None:
            return
        from app import replay_state

        consents, project, url = replay_state.consents(), recording.project, source.url

        def forget() -> None:
            consents.withdraw(project, replay_state.source_key(url))

        self._page.context.sources.in_thread("playhead-replay-forget", forget)
        self._page.context.notify("Consent is withdrawn: you are asked before the next replay.")

    # -- what arrives -------------------------------------------------------------------------------------

    def _on_changed(self, recording: Recording) -> None:
        if recording is not self._recording:
            return
        if recording.running:
            done, total = len(recording.trace.steps), recording.input.steps
            of = f" · {count(done)} of about {count(total)} steps" if total else ""
            stuck = bool(recording.busy)
            tone = "retrying" if stuck else "running"
            self.pane.bar.show_words(
                "warning" if stuck else "running", tone, f"{recording.phase}{of}", running=True
            )
        if recording.loaded is not None:
            file, line = recording.loaded.workflows.get(recording.input.type, ("", 0))
            self.pane.set_entry(Place(file=file, line=line, function=recording.input.type))

    def _on_grown(self, recording: Recording) -> None:
        if recording is self._recording:
            self.pane.grew()
            self._on_changed(recording)

    def _on_logged(self, message: tuple[Recording, list[Log]]) -> None:
        if message[0] is self._recording:
            self.pane.output.add(message[1])

    def _on_ended(self, recording: Recording) -> None:
        end = recording.trace.end
        if recording is not self._recording or end is None:
            return
        self.pane.finished(end)
        if not recording.trace.steps and end.outcome in _BROKEN:
            words = ending(end)
            self._recording = None
            self.pane.show_intro()
            self.pane.intro.show_words(
                words.glyph, "failed", words.title.capitalize(), words.text, words.hint,
                stack=words.stack, buttons=("replay", "project"),
            )  # fmt: skip
        self._show_elsewhere()
        self.grown()

    def _on_lines_wanted(self, n: int) -> None:
        recording = self._recording
        if recording is None or recording.running:
            self._page.context.notify("Lines can be walked when the replay is over.")
        elif n in recording.asked:
            self._page.context.notify("No lines were recorded on the way to this step.")
        else:
            self._page.context.notify(f"Recording every line up to step {n + 1} …")
            self.desk.record_lines(recording, n)

    def _on_lined(self, message: tuple[Recording, int]) -> None:
        recording, n = message
        if recording is self._recording:
            self.pane.lines_arrived(n)

    # -- the other views ----------------------------------------------------------------------------------

    def now(self) -> Now | None:
        """What the run is doing, by its replay; None where it does not say."""
        end = self._recording.trace.end if self._recording is not None else None
        return end.now if end is not None else None

    def _show_elsewhere(self) -> None:
        """The line that waits beside what the run is blocked on; divergence and drift on the timeline."""
        now = self.now()
        self._page.view.blocked.show_place(now_words(now) if now is not None and now.at.line else "")
        self._page.view.timeline.set_findings(tuple(self._findings()))

    def _findings(self) -> list[Stamp]:
        recording = self._recording
        end = recording.trace.end if recording is not None else None
        if recording is None or end is None:
            return []
        found = []
        if end.divergence is not None:
            words = f"diverged: expected {end.divergence.expected}, got {end.divergence.actual}"
            at = self._time(end.divergence.step_id, end.divergence.position)
            found.append(Stamp(at, words, glyph="failed", tone="failed") if at is not None else None)
        for step in recording.trace.steps:
            if step.drift:
                at = self._time(step.step_id, step.position)
                words = "drift: another " + ", ".join(drift.what for drift in step.drift)
                found.append(Stamp(at, words, glyph="warning", tone="retrying") if at is not None else None)
        return [stamp for stamp in found if stamp is not None]

    def _time(self, step_id: str, position: int | None) -> int | None:
        history = self._page.feed.history
        if position is not None and (row := history.row_of(position)) >= 0:
            return history.event(row).time_ns
        row = history.step_row(step_id) if step_id else -1
        return history.step(row).start_ns if row >= 0 else None

    def _show_now(self) -> None:
        now = self.now()
        if now is not None:
            self._page.view.right.show_pane("code")
            self.pane.show_place(now.at)

    def _add_step_action(self, menu: QMenu) -> None:
        recording, step = self._recording, self._page.context.focus.current.step_id
        index = recording.trace.of_step(step) if recording is not None and step is not None else -1
        if recording is not None and index >= 0:
            position = recording.trace.position(index)
            menu.addAction("Show its line of code").triggered.connect(lambda: self._show_step(position))

    def _show_step(self, position: int) -> None:
        self._page.view.right.show_pane("code")
        self._page.go_to(position)

    def _open_step(self, step_id: str) -> None:
        self._page.context.focus.change(step_id=step_id)
        self._page.view.right.show_pane("detail")

    def _load_result(self, ref: PayloadRef) -> None:
        source = self._page.source()
        if source is None or source.session is None or source.can(Capability.PAYLOADS):
            return
        self._page.jobs.run(
            "code payload", source.session, "payload", ref.key, 0, PREVIEW,
            on_result=lambda data: self.pane.card.set_data(ref, data),
            on_error=lambda error: self.pane.card.set_error(ref, error.message),
        )  # fmt: skip
