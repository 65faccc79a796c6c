"""What if: edits of the open run's history, and the hypothetical replay of what the code would do. GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject
from shiboken6 import isValid

from app.replay_recording import Extra, Recording
from engine_bridge.bridge import Capability
from engine_bridge.errors import PlayheadError
from engine_bridge.format import count
from engine_bridge.replay.model import Edit, EditKind
from engine_bridge.replay.turns import numbered
from widgets.code.chain import Made, kind_of
from widgets.code.record import Edited
from widgets.code.what_if import WhatIfEditor
from widgets.code.would import by_turn, edit_words, rows, summary, unfit_words
from widgets.timeline.state import Stamp

if TYPE_CHECKING:
    from app.replay_page import RunReplay
    from widgets.actions.rehearsal import Rehearsal


class WhatIf(QObject):
    """The editor in the Code pane, and the marks of what is hypothetical. Nothing that it does is sent or written."""

    def __init__(self, replay: RunReplay) -> None:
        super().__init__(replay)
        self._replay = replay
        self._page = replay.page
        self.editor: WhatIfEditor | None = None
        self._asked: tuple[object, int | None] | None = None
        self._titles: dict[Edit, str] = {}
        self._by_editor: set[tuple[Edit, ...]] = set()
        self._tried = False  # the replay that begins is that of what the editor holds
        self._rehearsal: tuple[tuple[Edit, ...], Rehearsal] | None = None
        replay.pane.hypothesis.answer_requested.connect(self.answer)
        self._page.context.focus.subscribe(lambda new, old: self._load() if self.opened else None)

    def why_not(self) -> str:
        """Why there is no what-if here; "" when there is."""
        source = self._page.source()
        info = source.info if source is not None else None
        if (why := self._replay.why_not()) or info is None or Capability.WHAT_IF in info.capabilities:
            return why
        return info.missing.get(Capability.WHAT_IF.value, "histories of this engine cannot be edited")

    # -- the editor ---------------------------------------------------------------------------------------

    @property
    def opened(self) -> bool:
        """Whether the editor is in sight."""
        return self.editor is not None and self._replay.pane.pages.currentWidget() is self.editor

    def open(self) -> None:
        """Asks what could have happened at the event under the playhead, or then, behind a hypothetical replay."""
        if why := self.why_not():
            self._page.context.notify(f"What if: {why}.")
            return
        recording = self._hypothetical
        if recording is not None and recording.trace.end is not None and recording.trace.end.next:
            self.answer(None)
            return
        editor = self._shown_editor()
        self._asked = None
        self._load()
        editor.begin()

    def _shown_editor(self) -> WhatIfEditor:
        """The editor, in sight, with the edits that are on show."""
        if self.editor is None:
            self.editor = WhatIfEditor()
            self.editor.run_requested.connect(self.run)
            self.editor.closed.connect(self.close)
        recording = self._hypothetical
        if recording is not None and recording.extra.edits not in self._by_editor:
            made = [Made(edit, kind_of(edit, self.words(edit))) for edit in recording.extra.edits]
            self.editor.chain.set_made(made)
            self._by_editor.add(recording.extra.edits)
        self._page.view.right.show_pane("code")
        self._replay.pane.show_page(self.editor)
        return self.editor

    @property
    def _hypothetical(self) -> Recording | None:
        recording = self._replay.recording
        return recording if recording is not None and recording.hypothetical else None

    # -- later turns --------------------------------------------------------------------------------------

    def answer(self, kind: EditKind | None) -> None:
        """Goes on from what the code would do: at once where nothing is to be filled in, else by the editor."""
        recording = self._hypothetical
        end = recording.trace.end if recording is not None else None
        if recording is None or end is None:
            return
        editor = self._shown_editor()
        turn = 1 + max(edit.turn for edit in recording.extra.edits)
        if end.unfit is not None:
            turn = end.unfit.turn
            editor.chain.make_room(turn)
        self._asked = recording.input.run_id, self._page.context.focus.current.position
        named = {one: self._named(one) for one in end.next}
        wanted = named.get(kind) if kind is not None else None
        editor.show_kinds("Then, what if …", tuple(named.values()), turn, wanted)
        if wanted is not None and not wanted.needs:
            editor.submit()
        else:
            editor.begin(filled=wanted is not None)

    def _load(self) -> None:
        """Asks the source what can be edited at the playhead."""
        source, focus = self._page.source(), self._page.context.focus.current
        editor, run = self.editor, focus.run
        if editor is None or source is None or source.session is None or run is None:
            return
        if self._asked == (run, focus.position):
            return
        self._asked = run, focus.position
        where = (
            f"What if, at event {count(focus.position)} …" if focus.position is not None else "What if, now …"
        )
        editor.show_loading(where)

        def arrived(kinds: tuple[EditKind, ...]) -> None:
            editor.show_kinds(where, [self._named(kind) for kind in kinds])

        def failed(error: PlayheadError) -> None:
            editor.show_kinds(where, ())
            editor.show_note(f"{error.message} {error.hint}".strip(), failed=True)

        self._page.jobs.run(
            "what if", source.session, "edits", run, focus.position, on_result=arrived, on_error=failed
        )

    def _named(self, kind: EditKind) -> EditKind:
        """A kind with the names that the code declares, too, where it has been loaded."""
        recording, run = self._replay.recording, self._page.feed.history.run
        loaded = recording.loaded if recording is not None else None
        known = loaded.handlers.get(run.type, {}) if loaded is not None and run is not None else {}
        names = tuple(dict.fromkeys((*kind.names, *known.get(kind.kind, ()))))
        return msgspec.structs.replace(kind, names=names) if names != kind.names else kind

    def close(self) -> bool:
        """Closes the editor; whether it was open. Edits stay in it until another run is shown."""
        if not self.opened:
            return False
        self._page.jobs.cancel("what if")
        self._replay.pane.show_code()
        return True

    def forget(self) -> None:
        """Another run is shown, or none."""
        self.close()
        self.refused("Another run is shown.")
        self._titles, self._by_editor = {}, set()
        if self.editor is not None:
            self.editor.forget()
        self._replay.pane.hypothesis.show_edits(())
        self._replay.pane.set_hypothetical(None)

    # -- the hypothetical replay --------------------------------------------------------------------------

    def run(self, edits: tuple[Edit, ...]) -> None:
        """Replays with edits, after the questions that any replay asks."""
        edits = numbered(edits)
        if self.editor is not None:
            self._titles.update(self.editor.titles())
            self.editor.show_note("")
        self._tried = self.close()
        if self._tried:
            self._by_editor.add(edits)
        self._replay.replay(extra=Extra(edits, self._replay.questions.chosen()))

    def rehearse(self, edit: Edit, title: str, rehearsal: Rehearsal) -> None:
        """A dry run of an action: what comes of it is shown where it was asked for, too."""
        self._titles[edit] = edit_words(edit, title)
        self._rehearsal = (edit,), rehearsal
        self.run((edit,))

    def refused(self, words: str) -> None:
        """The replay could not begin."""
        rehearsal, self._rehearsal = self._rehearsal, None
        if rehearsal is not None and isValid(rehearsal[1]):
            rehearsal[1].show_trouble(words or "No dry run: the code was not replayed.")

    def take_back(self, words: str) -> bool:
        """The edits that the editor holds cannot be made: shown there again with why; False when it is not its own."""
        tried, self._tried = self._tried, False
        if not tried or self.editor is None:
            return False
        self._page.view.right.show_pane("code")
        self._replay.pane.show_page(self.editor)
        self.editor.show_note(words, failed=True)
        self.editor.begin()
        return True

    def show_step(self, index: int) -> None:
        """Shows a step of the hypothetical replay."""
        if self._replay.recording is not None and self._replay.recording.hypothetical:
            self.show_code()
            self._replay.pane.show_step(index)

    def show_code(self) -> None:
        """Brings the Code pane to the front."""
        self._page.view.right.show_pane("code")

    def show(self, recording: Recording) -> None:
        """Marks what is on show: as hypothetical, or as the record."""
        self._tried = False
        pane, edits = self._replay.pane, recording.extra.edits
        words = {edit.step_id: self.words(edit) for edit in edits if edit.step_id and not edit.turn}
        pane.set_hypothetical(Edited(recording.input.cut, words) if recording.hypothetical else None)
        pane.hypothesis.show_edits(by_turn(edits, self.words))
        if edits:
            pane.hypothesis.show_outcome((), "")

    def finished(self, recording: Recording) -> None:
        """The code did all it would: its commands beside the recorded ones, and the first of them in the code."""
        if not recording.hypothetical:
            return
        trace, edits = recording.trace, by_turn(recording.extra.edits, self.words)
        end, found = trace.end, rows(trace, recording.input.was, edits)
        self._mark_turns(recording)
        self._replay.pane.hypothesis.show_outcome(
            found, summary(trace), end.next if end is not None else (), unfit_words(trace, edits)
        )
        rehearsal, self._rehearsal = self._rehearsal, None
        if rehearsal is not None and rehearsal[0] == recording.extra.edits and isValid(rehearsal[1]):
            rehearsal[1].show_outcome(found, summary(recording.trace))
        turns = end.turns if end is not None else ()
        since = turns[-1] if len(turns) > 1 else 0
        first = next((r.index for r in found if r.index >= since and not r.same and not r.heading), -1)
        if first >= 0:
            self._replay.pane.show_step(first)

    def _mark_turns(self, recording: Recording) -> None:
        """What of the trace is hypothetical is known when it is over."""
        end = recording.trace.end
        if end is not None and end.turns:
            words = {e.step_id: self.words(e) for e in recording.extra.edits if e.step_id and not e.turn}
            self._replay.pane.set_hypothetical(Edited(recording.input.cut, words, end.turns[0]))

    def words(self, edit: Edit) -> str:
        """An edit in a few words."""
        return self._titles.get(edit) or edit_words(edit)

    def stamps(self) -> list[Stamp]:
        """The edits on the timeline, while they are on show."""
        recording = self._replay.recording
        if recording is None or not recording.hypothetical:
            return []
        cut, history = recording.input.cut, self._page.feed.history
        row = history.row_of(cut) if cut is not None else len(history) - 1
        if row < 0:
            return []
        at = history.event(row).time_ns
        words = "hypothetical: " + "; ".join(map(self.words, recording.extra.edits))
        return [Stamp(at, words, glyph="fork", tone="signal")] if at is not None else []
