"""The detail tab: the focused step, event or run at the playhead; its fields over its payloads. GUI thread."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSplitter, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from engine_bridge.format import plain
from engine_bridge.model import Event, Failure, PayloadRef, Run, Step
from widgets.payload.viewer import PayloadView
from widgets.run.facts import Fact, event_facts, run_facts, step_facts
from widgets.run.failure_view import FailureView
from widgets.run.fields_view import FieldsView
from widgets.run.moment import Moment

STEP, EVENT, RUN = "step", "event", "run"
_TRIES = 6  # attempts whose failures get a tab; all are in the fields


@dataclass(frozen=True, slots=True)
class Section:
    """A tab below the fields: a failure chain, or a payload."""

    title: str
    ref: PayloadRef | None = None
    failure: Failure | None = None


def step_sections(step: Step) -> list[Section]:
    """What a step holds beyond its fields; a failed one's failure first, since it is what people come for."""
    tries = [
        Section(f"attempt {attempt.number}", failure=attempt.failure)
        for attempt in step.attempt_list[-_TRIES:]
        if attempt.failure is not None and attempt.failure != step.failure
    ]
    payloads = _payloads(step.output, step.error, step.input)
    if step.failure is None:
        return payloads + tries
    return [Section("failure", failure=step.failure), *tries, *payloads]


def run_sections(run: Run) -> list[Section]:
    failure = [Section("failure", failure=run.failure)] if run.failure is not None else []
    return failure + _payloads(run.output, run.error_payload, run.input)


def event_sections(event: Event) -> list[Section]:
    failure = [Section("failure", failure=event.failure)] if event.failure is not None else []
    return failure + _payloads(*event.payloads)


def _payloads(*refs: PayloadRef | None) -> list[Section]:
    return [Section(plain(ref.label, 40), ref=ref) for ref in refs if ref is not None]


class DetailPane(QWidget):
    """Three subjects, of which the last touched shows first; ``subject_changed`` carries the chosen one."""

    run_opened = Signal(object)
    filter_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._moment: Moment | None = None
        self._step_row = -1
        self._subject = RUN
        self._subjects_shown: list[str] = []
        self._sections: list[Section] = []
        self._wanted = ""
        self.subjects = _bar("Subject")
        self.sections = _bar("Payloads")
        self.fields = FieldsView()
        self.payload = PayloadView()
        self.failure = FailureView()
        self.payload.reveal_changed.connect(self.failure.set_reveal)
        self.failure.codec_requested.connect(self.payload.codec_requested)
        self.fields.run_opened.connect(self.run_opened)
        self.fields.filter_requested.connect(self.filter_requested)
        self.subjects.currentChanged.connect(self._on_subject)
        self.sections.tabBarClicked.connect(self._on_section_clicked)
        self.sections.currentChanged.connect(self._show_section)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.payload)
        self._stack.addWidget(self.failure)
        self._lower = QWidget()
        lower = QVBoxLayout(self._lower)
        lower.setContentsMargins(0, 0, 0, 0)
        lower.setSpacing(0)
        lower.addWidget(self.sections)
        lower.addWidget(self._stack, 1)
        self._lower.hide()
        self._splitter = QSplitter(Qt.Orientation.Vertical)
        self._splitter.addWidget(self.fields)
        self._splitter.addWidget(self._lower)
        self._splitter.setHandleWidth(1)
        self._splitter.setSizes([240, 300])
        self._splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.subjects)
        layout.addWidget(self._splitter, 1)

    @property
    def subject(self) -> str:
        """STEP, EVENT or RUN."""
        return self._subject

    @property
    def facts(self) -> list[Fact]:
        return self.fields.facts_model.facts

    def set_subject(self, subject: str) -> None:
        """Prefers a subject from the next ``show_moment`` on."""
        self._subject = subject

    def forget(self) -> None:
        """Another history comes: payloads are read again, even under the same names, and masked."""
        self._set_sections([])
        self.failure.set_failure(None)
        self.payload.set_reveal(False)
        self.payload.set_ref(None)

    def show_moment(self, moment: Moment, step_row: int) -> None:
        """Shows the preferred subject at the moment; ``step_row`` -1: no step is selected."""
        self._moment, self._step_row = moment, step_row
        titles = self._titles(moment, step_row)
        if self._subject not in titles:
            self._subject = next(iter(titles), RUN)
        self.subjects.blockSignals(True)
        self._fit_tabs(titles)
        self.subjects.blockSignals(False)
        self._show_subject()

    def _titles(self, moment: Moment, step_row: int) -> dict[str, str]:
        titles: dict[str, str] = {}
        if step_row >= 0:
            name = moment.history.names[int(moment.history.steps["name"][step_row])]
            titles[STEP] = f"Step {plain(name, 32)}"
        if moment.position is not None and moment.state.position:
            titles[EVENT] = f"Event {moment.state.position}"
        titles[RUN] = "Run"
        return titles

    def _fit_tabs(self, titles: dict[str, str]) -> None:
        if self._subjects_shown != list(titles):
            while self.subjects.count():
                self.subjects.removeTab(0)
            for _ in titles:
                self.subjects.addTab("")
            self._subjects_shown = list(titles)
        for index, title in enumerate(titles.values()):
            self.subjects.setTabText(index, title.replace("&", "&&"))
        self.subjects.setCurrentIndex(self._subjects_shown.index(self._subject))

    def _on_subject(self, index: int) -> None:
        if 0 <= index < len(self._subjects_shown):
            self._subject = self._subjects_shown[index]
            self._show_subject()

    def _show_subject(self) -> None:
        moment = self._moment
        if moment is None or moment.run is None:
            return
        if self._subject == STEP:
            facts, sections = self._step(moment)
        elif self._subject == EVENT and (event := moment.event()) is not None:
            facts, sections = event_facts(event, moment), event_sections(event)
        else:
            facts, sections = run_facts(moment.run, moment), run_sections(moment.run)
        self.fields.set_facts(facts)
        self._set_sections(sections)

    def _step(self, moment: Moment) -> tuple[list[Fact], list[Section]]:
        row, columns = self._step_row, moment.history.steps
        step = moment.history.step(row)
        first, last = int(columns["first"][row]), int(columns["last"][row])
        facts = step_facts(step, moment.step_status(row), first, last, moment)
        return facts, step_sections(step)

    def _set_sections(self, sections: list[Section]) -> None:
        if sections == self._sections:
            return
        self._sections = sections
        self._lower.setVisible(bool(sections))
        self.sections.blockSignals(True)
        while self.sections.count():
            self.sections.removeTab(0)
        for section in sections:
            title = section.title[:1].upper() + section.title[1:]
            self.sections.addTab(title.replace("&", "&&"))
        titles = [section.title for section in sections]
        index = titles.index(self._wanted) if self._wanted in titles else 0
        if sections:
            self.sections.setCurrentIndex(index)
        self.sections.blockSignals(False)
        self._show_section(index)

    def _on_section_clicked(self, index: int) -> None:
        if 0 <= index < len(self._sections):
            self._wanted = self._sections[index].title

    def _show_section(self, index: int) -> None:
        if not 0 <= index < len(self._sections):
            self.payload.set_ref(None)
            return
        section = self._sections[index]
        if section.failure is not None:
            self.failure.set_failure(section.failure)
            self._stack.setCurrentWidget(self.failure)
        else:
            self.payload.set_ref(section.ref)
            self._stack.setCurrentWidget(self.payload)


def _bar(name: str) -> QTabBar:
    bar = QTabBar()
    bar.setExpanding(False)
    bar.setDrawBase(False)
    bar.setElideMode(Qt.TextElideMode.ElideMiddle)
    bar.setUsesScrollButtons(True)
    bar.setAccessibleName(name)
    return bar
