"""Replay on the run page: the code pane, what fills it, and where it shows in the other views. GUI thread."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, QTimer

from app.replay import ReplayDesk
from app.replay_debug import Debugging
from app.replay_elsewhere import Elsewhere
from app.replay_flow import Ready, ReplayFlow
from app.replay_follow import Follow
from app.replay_questions import Questions
from app.replay_recording import Extra, Recording
from app.replay_what_if import WhatIf
from engine_bridge.bridge import Capability
from engine_bridge.errors import PlayheadError
from engine_bridge.format import count, duration, plain
from engine_bridge.model import PayloadRef
from engine_bridge.replay.model import End, Outcome, Place
from engine_bridge.replay.protocol import Log
from widgets.code.card import PREVIEW
from widgets.code.ends import ending
from widgets.code.intro import WHAT

if TYPE_CHECKING:
    from app.run_page import RunPage

_BROKEN: Final = (Outcome.FAILED, Outcome.CRASHED, Outcome.HUNG)
_HOLD_MS: Final = 4_000  # a replay that replaces another is shown at the playhead, or after this time


class RunReplay(QObject):
    """What of the run page belongs to replays."""

    def __init__(self, page: RunPage) -> None:
        super().__init__(page)
        self.page = self._page = page
        self.pane = page.view.code
        self.desk = ReplayDesk(page.context.sources.in_thread, self)
        self.flow = ReplayFlow(page.jobs, self.desk, page.view.window, self)
        self.elsewhere = Elsewhere(self)
        self.changes = Follow(self)
        self.what_if, self.questions, self.debugging = WhatIf(self), Questions(self), Debugging(self)
        self._recording: Recording | None = None
        self._record: Recording | None = None
        self._next: Recording | None = None
        self._how = ""
        self._hold = QTimer(self)
        self._hold.setSingleShot(True)
        self._hold.setInterval(_HOLD_MS)
        self._hold.timeout.connect(self._on_held)
        self._connect()

    def _connect(self) -> None:
        pane, desk, flow, view = self.pane, self.desk, self.flow, self._page.view
        pane.asked.connect(self._on_asked)
        pane.position_requested.connect(self._page.go_to)
        pane.lines_requested.connect(self._on_lines_wanted)
        pane.payload_requested.connect(self._load_result)
        pane.step_opened.connect(self.elsewhere.open_step)
        pane.noticed.connect(self._page.context.notify)
        desk.grew.connect(self._on_grown)
        desk.restarted.connect(self._on_restarted)
        desk.changed.connect(self._on_changed)
        desk.ended.connect(self._on_ended)
        desk.answered.connect(self._on_answered)
        desk.logged.connect(self._on_logged)
        desk.lined.connect(self._on_lined)
        flow.ready.connect(self._on_ready)
        flow.refused.connect(self._on_refused)
        flow.asking.connect(self._on_asking)
        view.right.currentChanged.connect(lambda _: self._begin_quietly())
        self._page.feed.restarted.connect(self.forget)
        view.step_menu_filled.connect(self.elsewhere.add_step_action)
        view.blocked.place_chosen.connect(self.elsewhere.show_now)
        view.detail.payload.reveal_changed.connect(pane.set_reveal)

    # -- the page -----------------------------------------------------------------------------------------

    @property
    def recording(self) -> Recording | None:
        """The replay that is shown."""
        return self._recording

    @property
    def record(self) -> Recording | None:
        """The replay of what is recorded, also while a hypothetical one is shown."""
        return self._record

    @property
    def busy(self) -> bool:
        """Whether a replay of the run is under way, or being prepared."""
        asked = self.flow.dialog is not None or self._page.jobs.running("replay") or self.flow.working
        return asked or self.desk.running

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
        self._hold.stop()
        if self._recording is not None:
            self._recording.sources = self.pane.store.kept()
        self.desk.leave()
        self.changes.leave()
        self._recording = self._record = self._next = None
        self.what_if.forget()
        self._show_intro()
        self.elsewhere.show()

    def forget(self, _: object = None) -> None:
        """The run's history was rewritten: what was recorded answers to none."""
        self.desk.forget(self._key())
        self.leave()

    def opened(self) -> None:
        """A run is shown: its recording, where there is one, else what replay does."""
        source = self._page.source()
        able = source is not None and not source.can(Capability.REPLAY)
        self._page.view.right.set_shown("code", able)
        kept = self.desk.kept(self._key())
        if not able:
            return
        if kept is not None:
            self._take(kept)
        else:
            self._show_intro()

    def read(self) -> None:
        """All that is recorded of the run has been read."""
        recording, history = self._recording, self._page.feed.history
        if recording is not None and len(history) < recording.steps_then:
            self.forget()  # it is another history than the one that was replayed
        elif recording is not None:
            recording.history = history
        self.pane.set_history(history)
        self._begin_quietly()

    def grown(self) -> None:
        """The history grew: a replay answers to what was there then."""
        recording, history = self._recording, self._page.feed.history
        self.pane.set_history(history)
        if recording is None or recording.running or recording.hypothetical:
            return
        more = len(history) - recording.steps_then
        self.pane.bar.show_stale(f"{count(more)} newer event{'s' if more != 1 else ''}" if more > 0 else "")

    def close(self) -> None:
        """The application is closing."""
        self.flow.stop()
        self.questions.stop()
        self._hold.stop()
        self.changes.leave()
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
        elif what == "on_save":
            self.changes.toggle()
        elif what == "what_if":
            self.what_if.open()
        elif what == "record":
            self.show_record()
        elif what == "questions":
            self.questions.choose()
        elif what == "debug":
            self.debugging.start()

    def replay(self, *, choose: bool = False, extra: Extra | None = None) -> None:
        """Replays the open run, asking what must be asked; ``choose``: whose code, too. ``extra`` None: as shown."""
        self.flow.stop()
        if not self.why_not():
            self._page.view.right.show_pane("code")
        self._begin(aloud=True, choose=choose, extra=extra)

    def follow(self) -> None:
        """Replays again what was agreed to, because its code was edited."""
        self._begin(aloud=False)

    def show_record(self) -> bool:
        """Back from a hypothetical replay, or from what asks for one, to the record; whether there was a way back."""
        if self.what_if.close():
            return True
        if self._recording is None or not self._recording.hypothetical:
            return False
        self.flow.stop()
        self._hold.stop()
        self.desk.cancel()
        record, self._recording, self._next = self._record, None, None
        if record is not None:
            self._take(record)
        else:
            self._show_intro()
            self.elsewhere.show()
            self._begin_quietly()
        return True

    def extra(self) -> Extra:
        """What is asked of the next replay: the edits that are shown, and the questions."""
        edits = self._recording.extra.edits if self._recording is not None else ()
        return Extra(edits, self.questions.chosen())

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

    def _begin(self, *, aloud: bool, choose: bool = False, extra: Extra | None = None) -> None:
        source, run = self._page.source(), self._page.context.focus.current.run
        if source is None or run is None or self.why_not():
            return
        self.flow.begin(
            source, run, aloud=aloud, choose=choose, extra=self.extra() if extra is None else extra
        )

    def _on_asking(self, words: str) -> None:
        if self._recording is None:
            self.pane.intro.show_words("clock", "waiting", "Replay", words, buttons=("cancel",))

    def _on_refused(self, why: PlayheadError | str) -> None:
        words = f"{why.message} {why.hint}".strip() if isinstance(why, PlayheadError) else why
        self.what_if.refused(words)
        if isinstance(why, PlayheadError) and self.what_if.take_back(words):
            return
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
        before = self._recording
        made = Recording(ready.spec, ready.project, ready.input, self._page.feed.history, ready.extra)
        self.desk.record(key, made)
        if self._record is not None and self._record.trace.end is None:
            self._record = None  # it was abandoned for this one
        self.changes.began(made)
        same = before is not None and before.extra.edits == ready.extra.edits
        if same and before is not None and before.trace.steps and before.trace.end is not None:
            # What is shown stays until the new one comes to where the playhead is: no blank in between.
            self._next = made
            if not ready.extra.debug:  # that waits for somebody
                self._hold.start()
        else:
            self._take(made)
        for notice in ready.input.notices:
            self._page.context.notify(notice)

    def _on_held(self) -> None:
        """It takes its time: it is shown as far as it is, if it is anywhere; code that is broken never is."""
        if self._next is not None and not self._next.trace.steps:
            self._hold.start()
        else:
            self._show_next()

    def _show_next(self) -> None:
        recording, self._next = self._next, None
        self._hold.stop()
        if recording is not None:
            self._take(recording)

    def _take(self, recording: Recording) -> None:
        self._recording = recording
        if not recording.hypothetical:
            self._record = recording
        self.what_if.show(recording)
        self.pane.set_answers(recording.answers)
        project = recording.project
        doc = f"{project.code}\nby {project.python}{f' ({self._how})' if self._how else ''}"
        self.pane.bar.show_project(PurePath(project.code).name, doc)
        self.pane.bar.show_stale("")
        self.pane.set_trace(recording.trace, recording.history, recording.sources)
        self.pane.output.add(recording.logs)
        self.pane.set_position(self._page.context.focus.current.position)
        self.changes.shown(recording)
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
        if recording not in (self._recording, self._next):
            return
        if recording.running:
            of, share = _far(recording)
            stuck = bool(recording.busy)
            tone = "retrying" if stuck else "running"
            self.pane.bar.show_words(
                "warning" if stuck else "running", tone, f"{recording.phase}{of}", running=True, share=share
            )
        if recording.loaded is not None and recording is self._recording:
            file, line = recording.loaded.workflows.get(recording.input.type, ("", 0))
            self.pane.set_entry(Place(file=file, line=line, function=recording.input.type))
        self.debugging.show(recording)

    def _on_grown(self, recording: Recording) -> None:
        self.changes.grew(recording)
        if recording is self._next and (self._arrived(recording) or recording.extra.debug):
            self._show_next()
        elif recording is self._recording:
            self.pane.grew()
            self._on_changed(recording)

    def _on_restarted(self, recording: Recording) -> None:
        if recording is self._recording:
            self._take(recording)

    def _arrived(self, recording: Recording) -> bool:
        """Whether a replay is at the playhead."""
        position, trace = self._page.context.focus.current.position, recording.trace
        return position is not None and bool(trace.steps) and trace.position(len(trace.steps) - 1) > position

    def _on_answered(self, recording: Recording) -> None:
        if recording is self._recording:
            self.pane.show_answers()

    def _on_logged(self, message: tuple[Recording, list[Log]]) -> None:
        if message[0] is self._recording:
            self.pane.output.add(message[1])

    def _on_ended(self, recording: Recording) -> None:
        end = recording.trace.end
        if end is None or recording not in (self._recording, self._next):
            return
        self.debugging.show(recording)
        broken = not recording.trace.steps and end.outcome in _BROKEN
        worthless = broken or end.outcome is Outcome.CANCELLED
        if recording is self._next and not (worthless and self._recording is not None):
            self._show_next()  # which comes here again
            return
        if recording is self._next:
            self._keep_before(end)
        elif broken and recording.hypothetical:
            self._drop_hypothetical(end)
        elif broken:
            self._show_broken(end)
        elif end.outcome is Outcome.CANCELLED and not recording.trace.steps:
            self._recording = None
            self._show_intro()
        else:
            self.pane.finished(end)
            self.what_if.finished(recording)
        self.elsewhere.show()
        self.grown()
        self.changes.ended(recording)

    def _keep_before(self, end: End) -> None:
        """The edited code cannot be replayed: what was recorded before stays, under what is wrong now."""
        self._next = None
        self._hold.stop()
        before = self._recording
        if before is None:
            return
        if before.trace.end is not None:
            self.desk.keep(self._key(), before)
            self.pane.finished(before.trace.end)
        if end.outcome is not Outcome.CANCELLED:
            self.pane.show_trouble(ending(end))

    def _drop_hypothetical(self, end: End) -> None:
        words = ending(end)
        self.what_if.refused(f"{words.text} {words.hint}".strip())
        self.show_record()
        if self._record is not None:
            self.pane.show_trouble(words)
        else:
            self._show_broken(end)

    def _show_broken(self, end: End) -> None:
        words = ending(end)
        self._recording = None
        self.pane.show_intro()
        self.pane.intro.show_words(
            words.glyph, "failed", words.title.capitalize(), words.text, words.hint,
            stack=words.stack, buttons=("replay", "project"),
        )  # fmt: skip

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

    # -- records -------------------------------------------------------------------------------------------

    def _load_result(self, ref: PayloadRef) -> None:
        source = self._page.source()
        if source is None or source.session is None or source.can(Capability.PAYLOADS):
            return
        if ref.encoded and not source.can(Capability.DECODE):
            self._page.jobs.run(
                "code payload", source.session, "decode_payloads", (ref.key,),
                on_result=lambda found: self.pane.card.set_decoding(ref, found[0]),
                on_error=lambda error: self.pane.card.set_error(ref, error.message),
            )  # fmt: skip
            return
        self._page.jobs.run(
            "code payload", source.session, "payload", ref.key, 0, PREVIEW,
            on_result=lambda data: self.pane.card.set_data(ref, data),
            on_error=lambda error: self.pane.card.set_error(ref, error.message),
        )  # fmt: skip


def _far(recording: Recording) -> tuple[str, float | None]:
    """How far a replay is and about how long it will still take, in words and as a share."""
    progress = recording.progress
    if progress is not None and progress.total:
        share = min(1.0, progress.done / progress.total)
        left = progress.left_s if progress.left_s is not None and progress.left_s >= 1 else None
        more = f" · about {duration(round(left) * 1_000_000_000)} left" if left is not None else ""
        return f" {share:.0%}{more}", share
    total, done = recording.input.steps, len(recording.trace.steps)
    return (
        (f" · {count(done)} of about {count(total)} steps", min(1.0, done / total)) if total else ("", None)
    )
