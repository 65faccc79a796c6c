"""One run's finding: a divergence side by side, or what else stopped it, with the line. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from engine_bridge.errors import PlayheadError
from engine_bridge.format import plain
from engine_bridge.history import History
from engine_bridge.replay.gate_report import Result
from engine_bridge.replay.junit import drift_lines
from engine_bridge.replay.model import Outcome, Place
from widgets.code.divergence import DivergenceView
from widgets.code.ends import now_words
from widgets.code.source import CodeSource
from widgets.code.store import SourceStore
from widgets.code.view import CodeView
from widgets.gate.cells import OUTCOMES, short
from widgets.run.labels import Glyph, Link, Text
from widgets.shell.label import label

_EMPTY = CodeSource("")
_MARKS = {Outcome.STOPPED: "now", Outcome.BLOCKED: "blocked"}


class FindingView(QStackedWidget):
    """``opened`` carries (Result, step id): the run is wanted, at that step ("" for none)."""

    opened = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.result: Result | None = None
        self.store = SourceStore(self)
        self.divergence = DivergenceView(self.store)
        self.other = _Other(self.store)
        self.addWidget(self.other)
        self.addWidget(self.divergence)
        self.divergence.opened.connect(self._open)
        self.other.link.activated.connect(lambda: self._open(self.other.step_id))

    def show_result(self, result: Result | None, history: History | None = None) -> None:
        """Shows a run's finding; ``history`` None: not read (yet)."""
        self.result = result
        if result is None:
            self.other.show_nothing()
            self.setCurrentWidget(self.other)
        elif result.divergence is not None:
            at = result.divergence.at if result.divergence.at.file else result.at
            self.divergence.show_divergence(result.divergence, at, history)
            self.setCurrentWidget(self.divergence)
        else:
            self.other.show_result(result)
            self.setCurrentWidget(self.other)

    def _open(self, step_id: str) -> None:
        if self.result is not None:
            self.opened.emit((self.result, step_id))


class _Other(QWidget):
    """What is no divergence: a wait, a side effect, an error, drift."""

    def __init__(self, store: SourceStore) -> None:
        super().__init__()
        self.step_id = ""
        self._store = store
        self._place = Place()
        self._mark = ("now", "")
        self.glyph, self.title = Glyph("clock", "muted", 16), Text(bold=True, least=120)
        self.link = Link("Open the run")
        self.text = label(color="muted", wrap=True)
        self.code, self.no_source = CodeView(), Text(tone="muted", least=80)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        head = QHBoxLayout()
        head.setContentsMargins(8, 0, 8, 0)
        head.setSpacing(8)
        for widget in (self.glyph, self.title, self.link):
            head.addWidget(widget)
        head.addStretch(1)
        column.addLayout(head)
        self.text.setContentsMargins(8, 0, 8, 0)
        column.addWidget(self.text)
        column.addWidget(self.no_source)
        column.addWidget(self.code, 1)
        store.loaded.connect(self._on_file)
        store.coloured.connect(lambda file: self.code.viewport().update())

    def show_nothing(self) -> None:
        self.glyph.hide()
        self.link.hide()
        self.title.set_text("")
        self.text.setText("Choose a group, and a run in it.")
        self._show(Place(), "now")

    def show_result(self, result: Result) -> None:
        status, glyph, words = OUTCOMES[result.outcome]
        self.step_id = result.now.step_id if result.now is not None else _first_drift(result)
        place = _place(result)
        self.glyph.show()
        self.link.show()
        self.glyph.set_glyph(glyph, status)
        where = f" · {short(place)}" if place.line and result.now is None else ""
        self.title.set_text(f"{plain(result.called, 80)}: {_told(result) or words}{where}")
        lines = [f"It {one.what}{_at(one.at)}." for one in result.blocked]
        self.text.setText(
            "\n".join(
                [*lines, *filter(None, (result.error, result.hint)), *drift_lines(result), *result.notes]
            )
        )
        self.text.setVisible(bool(self.text.text()))
        self._show(place, _mark(result))

    def _show(self, place: Place, mark: str) -> None:
        self._place, self._mark = place, (mark, "")
        self.code.setVisible(bool(place.file))
        found = self._store.get(place.file) if place.file else None
        if isinstance(found, CodeSource):
            self.code.show_source(found)
            self.code.set_marks({place.line: self._mark} if place.line and mark else {})
            self.code.set_current(place.line)
            self.no_source.hide()
        else:
            self.code.show_source(_EMPTY)
            self.code.set_marks({})
            words = "Reading the source …" if place.file else "No line is known."
            self.no_source.set_text(found.message if isinstance(found, PlayheadError) else words)
            self.no_source.setVisible(bool(place.file))

    def _on_file(self, file: str) -> None:
        if file == self._place.file:
            self._show(self._place, self._mark[0])


def _mark(result: Result) -> str:
    """The mark of the line; "" for a run that simply went to its end."""
    if result.outcome is Outcome.SAME:
        return "drift" if result.drift else ""
    return _MARKS.get(result.outcome, "divergence")


def _told(result: Result) -> str:
    if result.now is not None:
        return now_words(result.now)
    if result.outcome is Outcome.SAME and result.drift:
        return "went to its recorded end, but drifted"
    return ""


def _place(result: Result) -> Place:
    """The line to show: where it waits, what was blocked, where it drifted, else the last one reached."""
    places = [result.now.at] if result.now is not None else []
    places += [one.at for one in result.blocked]
    if result.outcome is Outcome.SAME:
        places += [drifted.at for drifted in result.drift]
    return next((place for place in places if place.file), result.at)


def _first_drift(result: Result) -> str:
    return next((drifted.drift.step_id for drifted in result.drift if drifted.drift.step_id), "")


def _at(place: Place) -> str:
    return f" at {short(place)}" if place.line else ""
