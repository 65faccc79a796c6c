"""The code pane: source, stack, locals and record at the playhead, all of one recorded replay. GUI thread."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QWidget

from engine_bridge.errors import PlayheadError
from engine_bridge.format import count, safe_lines
from engine_bridge.history import History
from engine_bridge.model import PayloadRef
from engine_bridge.replay.model import End, Frame, Picture, Place, TraceStep
from engine_bridge.replay.trace import Trace
from widgets import glyphs
from widgets.code.answers import Answers
from widgets.code.before import locals_before
from widgets.code.cursor import (
    AT_STEP,
    Cursor,
    Missing,
    hit_of,
    locals_at,
    next_line,
    previous_line,
    stack_at,
)
from widgets.code.divergence import DivergenceView
from widgets.code.ends import Ending, ending
from widgets.code.index import TraceIndex
from widgets.code.locals import named
from widgets.code.marks import marks_of
from widgets.code.parts import CodeParts
from widgets.code.record import Edited, record_of
from widgets.code.sides import SidesPage
from widgets.code.source import CodeSource
from widgets.code.store import SourceStore

_NOWHERE: Final = TraceStep(n=0, name="")
_EMPTY: Final = CodeSource("")
_GLYPHS: Final = {"muted": "step", "signal": "fork"}
_RESULT_MS: Final = 120  # the playhead must rest so long before the record's result is read


class CodePane(CodeParts):
    """Shows a trace at a position, and emits what the user wants.

    ``position_requested`` carries a position of the history; ``lines_requested`` the number of the step on the way to
    which every line is wanted; ``payload_requested`` a PayloadRef whose first bytes are; ``step_opened`` a step id;
    ``asked`` "replay", "again", "cancel", "project", "on_save", "forget", "what_if", "record" (the hypothetical is
    left), "questions" or "debug"; ``noticed`` a word for the status bar.
    """

    position_requested = Signal(object)
    lines_requested = Signal(object)
    payload_requested = Signal(object)
    step_opened = Signal(object)
    asked = Signal(object)
    noticed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._trace: Trace | None = None
        self._index = TraceIndex(Trace(""))
        self._history: History | None = None
        self._position: int | None = None
        self._entry = Place()
        self._cursor = Cursor(-1)
        self._target: Cursor | None = None
        self._frame: Frame | None = None
        self._file = ""
        self._line = 0
        self._loose = False
        self._pinned = False  # the step was chosen, not found by the playhead
        self._walk: tuple[int, bool] | None = None
        self._answers = Answers()
        self._edited: Edited | None = None
        self._sides: SidesPage | None = None
        self._over: QWidget | None = None
        self.store = SourceStore(self)
        self.store.loaded.connect(self._on_loaded)
        self.store.coloured.connect(self._on_coloured)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_RESULT_MS)
        self._rest.timeout.connect(self._ask_result)
        self._build()
        self._connect()

    def _connect(self) -> None:
        self.intro.asked.connect(self.asked)
        self.bar.asked.connect(self._on_bar)
        self.stale.asked.connect(self.asked)
        self.hypothesis.step_chosen.connect(self.show_step)
        self.hypothesis.left.connect(lambda: self.asked.emit("record"))
        self.hypothesis.edit_requested.connect(lambda: self.asked.emit("what_if"))
        self.choose_questions.activated.connect(lambda: self.asked.emit("questions"))
        self.band.asked.connect(self._on_band)
        self.files.file_chosen.connect(self._on_file)
        self.code.line_picked.connect(self.go_to_line)
        self.stack.frame_chosen.connect(self._on_frame)
        self.card.opened.connect(self._on_card)

    # -- what is shown ------------------------------------------------------------------------------------

    @property
    def trace(self) -> Trace | None:
        return self._trace

    @property
    def at(self) -> Cursor:
        """The step in force and, between two steps, the line."""
        return self._cursor

    @property
    def place(self) -> tuple[str, int]:
        """The file and line that are shown at the playhead."""
        return self._file, self._line

    def show_intro(self) -> None:
        """There is no recording; ``intro`` says what to do."""
        self._trace, self._walk, self._target = None, None, None
        self._rest.stop()
        self._show_base()

    def set_trace(
        self, trace: Trace, history: History | None, sources: dict[str, CodeSource] | None = None
    ) -> None:
        """A recording, which may still grow; files are read anew, save those whose text is known to be the one then."""
        self.store.forget(sources or {})
        self._trace, self._history = trace, history
        self._index = TraceIndex(trace)
        self._walk, self._target, self._file, self._line = None, None, "", 0
        self._entry, self._pinned = Place(), False
        self.files.clear()
        self.output.clear_all()
        self.band.show_note("failed", "failed", "", ())
        if self._over is self._sides:
            self._over = None
        self._show_base()
        self.grew()
        if trace.end is not None:
            self.finished(trace.end)

    def set_answers(self, answers: Answers) -> None:
        """What is asked at every event, and answered there."""
        self._answers = answers
        self.asking.setVisible(bool(answers.questions))
        self.show_answers()

    def show_answers(self) -> None:
        """The answers at the playhead; more of them may have come."""
        if not self._answers.questions:
            return
        at = None if self._would() else self._held(self._position)
        self.answers.show_locals(*self._answers.at(at))
        rows = min(max(len(self.answers.locals_model.tree.rows), 1), 8)
        self.answers.setMaximumHeight(rows * 20 + 6)
        self.answers_head.set_text(f"QUERIES {self._where()}")

    def _would(self, at: Cursor | None = None) -> bool:
        """Whether a step is one that the code would do."""
        step, trace = (at or self._cursor).step, self._trace
        edited = self._edited
        if edited is None or trace is None or not 0 <= step < len(trace.steps):
            return False
        return trace.steps[step].recorded is None or (edited.since is not None and step >= edited.since)

    def _where(self) -> str:
        if self._would():
            return "as they would be"
        return f"at event {count(self._position)}" if self._position is not None else "at the newest event"

    def _held(self, position: int | None) -> int | None:
        """A position of the trace: what lies behind an edit is another event than the record has there."""
        cut = self._edited.cut if self._edited is not None else None
        return None if cut is not None and position is not None and position > cut else position

    def set_hypothetical(self, edited: Edited | None) -> None:
        """Whether what is shown is not the record."""
        self._edited = edited

    def show_step(self, index: int) -> None:
        """Shows a step of the trace; the playhead goes along where it has a position of its own."""
        if self._trace is not None and 0 <= index < len(self._trace.steps):
            self._go(Cursor(index))

    def set_entry(self, place: Place) -> None:
        """Where the workflow begins: shown before its first step."""
        self._entry = place
        if self._cursor.step < 0:
            self._show()

    def grew(self) -> None:
        """Steps were added to the trace."""
        self._index.take()
        self.files.set_files(self._index.files)
        if self._trace is not None and self._cursor.line == AT_STEP and not self._pinned:
            self._cursor = Cursor(self._trace.at(self._held(self._position)))
        self._show()

    def finished(self, end: End) -> None:
        """The replay is over: its end in the bar, and what is to be done in the band."""
        words = ending(end)
        if self._edited is None:
            self.bar.show_words(words.glyph, words.tone, words.title)
        else:
            self.bar.show_words("fork", "signal", f"hypothetical: {count(end.steps)} steps replayed")
        text = f"{words.text}\n{words.hint}".strip() if words.text else ""
        links = ["place"] if words.place.line and words.text else []
        links += ["sides"] if end.divergence is not None else []
        links += ["stack"] if words.stack else []
        self.band.show_note(words.glyph, words.tone, text, tuple(links))
        self.output.set_stack(words.stack)
        self.grew()

    def show_trouble(self, words: Ending) -> None:
        """A later replay failed before its first step: said above what is shown, which stays."""
        text = f"Replayed again: {words.title}. {words.text}\n{words.hint}".strip()
        self.band.show_note(words.glyph, words.tone, text, ("stack",) if words.stack else ())
        self.output.set_stack(words.stack)

    def set_history(self, history: History | None) -> None:
        """The history grew or was read again: results and names may be there now, and places of steps before it."""
        again, self._history, trace = history is not self._history, history, self._trace
        if trace is None or not (again or trace.unplaced):
            return
        if again:
            trace.relocate(history)
        elif not trace.settle(history):
            return
        if self._cursor.line == AT_STEP:
            self._cursor = Cursor(trace.at(self._held(self._position)))
            self._show()

    def set_position(self, position: int | None) -> None:
        """Moves the playhead (None: LIVE): line, stack, locals and record at once."""
        same, self._position = position == self._position, position
        trace = self._trace
        if trace is None or (same and self._target is None):
            return
        target, self._target = self._target, None
        at = Cursor(trace.at(self._held(position)))
        if target is not None and (target.step < 0 or trace.position(target.step) == position):
            at = target
        self._cursor, self._frame, self._pinned = at, None, False
        self._show()

    def set_on_save(self, on: bool) -> None:
        """Shows whether every save replays again."""
        self.bar.set_on_save(on)

    def set_reveal(self, on: bool) -> None:
        """Shows or masks what looks like a secret."""
        self.locals.set_reveal(on)
        self.answers.set_reveal(on)
        self.card.set_reveal(on)

    def lines_arrived(self, n: int) -> None:
        """The lines on the way to a step are in the trace: the walk that wanted them goes on."""
        walk, self._walk = self._walk, None
        if walk is not None and self._trace is not None and n in self._trace.lines:
            self.step_line(walk[0], over=walk[1])

    # -- the moment ---------------------------------------------------------------------------------------

    def _show(self) -> None:
        trace = self._trace
        if trace is None:
            return
        index = self._cursor.step
        if index >= len(trace.steps):
            index = len(trace.steps) - 1
        hit = hit_of(trace, self._cursor)
        frame = self._frame if self._frame is not None else None if hit is not None else self._frame_of(index)
        self._show_card(index)
        self.show_answers()
        step = trace.steps[index] if index >= 0 else _NOWHERE
        self.stack.show_step(stack_at(step, hit), self._index.names, frame)
        if hit is not None and self._frame is None:
            now, before = locals_at(trace, self._cursor)
            self._show_locals(now, before, hit.function)
            self._show_place(hit.file, hit.line)
        elif frame is not None:
            self._show_frame(trace, index, frame)
            self._show_place(frame.file, frame.line)
        else:
            self._show_locals({}, None, "")
            self._show_loose(index)

    def _show_frame(self, trace: Trace, index: int, frame: Frame) -> None:
        now, before = named(frame.locals), locals_before(trace, index, frame)
        if now or not before:
            self._show_locals(now, before, frame.function)
        else:
            # Of a function that has returned, or a task that is only made, the line is known and nothing else.
            self._show_locals(before, before, f"{frame.function}, as last seen")

    def _frame_of(self, index: int) -> Frame | None:
        """The user's frame of a step: on its stack, else on that of the task that waits for it."""
        trace = self._trace
        if trace is None or index < 0:
            return None
        step = trace.steps[index]
        tasks = (task for task in step.tasks if task.step_id and task.step_id == step.step_id)
        waiting = (f for task in tasks for f in task.frames if f.kind == "user")
        return trace.frame(index) or next(waiting, None)

    def _show_loose(self, index: int) -> None:
        """No line is known for the step: that of the step before, or the workflow's head."""
        trace = self._trace
        before = range(index - 1, -1, -1) if trace is not None else range(0)
        frame = next((f for f in map(self._frame_of, before) if f is not None), None)
        if frame is not None:
            self._show_place(frame.file, frame.line, loose=True)
        else:
            self._show_place(self._entry.file, self._entry.line, loose=True)

    def _show_card(self, index: int) -> None:
        trace = self._trace
        if trace is None or index < 0:
            self.card.show_words("Before the first step", "no step has been reached here")
            return
        step = trace.steps[index]
        record = record_of(step, self._history, trace.end, self._edited)
        glyph = _GLYPHS.get(record.state) or glyphs.state_glyph(record.state)
        total = max(len(trace.steps), trace.end.steps if trace.end is not None else 0)
        self.card.show_step(step, index + 1, total, glyph, record.state, record.words)
        if self.card.set_result(record.result):
            self._rest.start()

    def _ask_result(self) -> None:
        ref: PayloadRef | None = self.card.ref
        if ref is not None and self.isVisible():
            self.payload_requested.emit(ref)

    def _show_locals(self, now: dict[str, Picture], before: dict[str, Picture] | None, function: str) -> None:
        self.locals.show_locals(now, before)
        changes = self.locals.locals_model.tree.changes
        where = self._where()
        if self._cursor.line != AT_STEP and self._trace is not None:
            lines = len(self._trace.lines.get(self._cursor.step + 1, ()))
            where = f"at line {self._cursor.line + 1} of {lines} after this step"
        parts = (f"LOCALS {where}", function, f"{changes} changed" if changes else "")
        self.heading.set_text(" · ".join(part for part in parts if part))

    # -- source -------------------------------------------------------------------------------------------

    def _show_place(self, file: str, line: int, *, loose: bool = False) -> None:
        self._file, self._line, self._loose = file, line, loose
        if file:
            self.files.show_file(file)
        self._show_file(file)

    def _show_file(self, file: str) -> None:
        found = self.store.get(file) if file else None
        shown = self.code.source
        if found is not None or not isinstance(shown, CodeSource) or shown.file != file:
            self.code.show_source(found if isinstance(found, CodeSource) else _EMPTY)
        words = "" if file else "No line of your code is known here."
        if isinstance(found, PlayheadError):
            words = safe_lines(f"{found.message}\n{found.hint}".strip())
        if words:
            self.no_source.setText(words)
        self.sources.setCurrentIndex(1 if words else 0)
        here = file == self._file
        self.code.set_hits(self._index.hits(file), self._index.lines(file), (file, self._index.state))
        self.code.set_marks(marks_of(self._trace, self._index, file))
        self.code.set_current(self._line if here else 0, loose=self._loose)

    def _on_loaded(self, file: str) -> None:
        if self.files.files and self.files.currentIndex() >= 0:
            shown = self.files.files[self.files.currentIndex()]
            if shown == file:
                self._show_file(file)

    def _on_coloured(self, file: str) -> None:
        source = self.code.source
        if isinstance(source, CodeSource) and source.file == file:
            self.code.viewport().update()

    def _on_file(self, file: str) -> None:
        self._show_file(file)

    # -- intent -------------------------------------------------------------------------------------------

    def _on_frame(self, frame: Frame) -> None:
        self._frame = frame
        self._show()

    def _on_card(self) -> None:
        trace = self._trace
        if trace is not None and 0 <= self._cursor.step < len(trace.steps):
            step_id = trace.steps[self._cursor.step].step_id
            if step_id:
                self.step_opened.emit(step_id)

    def _on_bar(self, what: str) -> None:
        if what == "output":
            self.output.toggle()
        else:
            self.asked.emit(what)

    def _on_band(self, what: str) -> None:
        end = self._trace.end if self._trace is not None else None
        if what == "stack":
            self.output.show_stack()
        elif what == "sides":
            self.show_sides()
        elif end is not None:
            self.show_place(ending(end).place)

    def show_sides(self) -> None:
        """History and code beside each other where they part, in place of the code."""
        found = (
            self._trace.end.divergence if self._trace is not None and self._trace.end is not None else None
        )
        if found is None:
            return
        if self._sides is None:
            self._sides = SidesPage(self.store)
            self._sides.view.opened.connect(self.step_opened)
            self._sides.left.connect(self.show_code)
        self._sides.view.show_divergence(found, found.at, self._history)
        self.show_page(self._sides)

    @property
    def sides(self) -> DivergenceView | None:
        """History and code beside each other, once that was asked for."""
        return self._sides.view if self._sides is not None else None

    def show_code(self) -> None:
        """Back from what stands in place of the code."""
        self._over = None
        self._show_base()

    def show_page(self, page: QWidget) -> None:
        """Something else in place of the code, also when that changes; ``show_code`` leads back."""
        if self.pages.indexOf(page) < 0:
            self.pages.addWidget(page)
        self._over = page
        self.pages.setCurrentWidget(page)

    def _show_base(self) -> None:
        if self._over is None:
            self.pages.setCurrentIndex(1 if self._trace is not None else 0)

    def show_place(self, place: Place) -> None:
        """Brings a line of the code in sight; the playhead stays where it is."""
        if place.file:
            self.files.show_file(place.file)
            self._show_file(place.file)
            self.code.set_current(place.line, loose=True)

    def go_to_line(self, line: int, direction: int = 1) -> None:
        """Moves the playhead to the next step that stands on a line of the file that is shown."""
        source, trace = self.code.source, self._trace
        if trace is None or not isinstance(source, CodeSource):
            return
        found = self._index.next_at(source.file, line, self._cursor.step, direction)
        if found < 0:
            ran = self._index.hits(source.file).get(line, 0)
            words = f"ran {count(ran)} times between steps" if ran else "was not reached"
            self.noticed.emit(f"No step stands on line {line}: it {words}.")
            return
        self._go(Cursor(found))

    def step_line(self, direction: int, *, over: bool = False) -> None:
        """To the next (+1) or previous (-1) executed line; ``over`` stays out of functions called on the way."""
        trace = self._trace
        if trace is None:
            return
        walk = next_line if direction > 0 else previous_line
        found = walk(trace, self._cursor, over=over)
        if isinstance(found, Missing):
            self._walk = (direction, over)
            self.lines_requested.emit(found.n)
        elif found is None:
            self.noticed.emit(f"The recording {'ends' if direction > 0 else 'begins'} here.")
        else:
            self._go(found)

    def _go(self, at: Cursor) -> None:
        trace = self._trace
        if trace is None:
            return
        position = trace.position(at.step) if at.step >= 0 else self._position
        beyond = self._would(at) or self._held(position) != position
        if position == self._position or at.step < 0 or beyond:
            self._cursor, self._frame, self._pinned = at, None, True
            self._show()
        else:
            self._target = at
            self.position_requested.emit(position)
