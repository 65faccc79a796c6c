"""The run page: one run in linked views, all at the same playhead and the same selected step. GUI thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import tzinfo

import numpy as np
from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QPalette
from PySide6.QtWidgets import QMenu, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from engine_bridge import format as fmt
from engine_bridge.bridge import Relation
from engine_bridge.codes import PROVENANCES
from engine_bridge.errors import PlayheadError
from engine_bridge.history import History
from engine_bridge.model import Event, Run
from widgets.code.pane import CodePane
from widgets.graph import GraphView
from widgets.run.blocked import BlockedLine
from widgets.run.detail import EVENT, RUN, STEP, DetailPane
from widgets.run.entity import why
from widgets.run.event_table import EventsPane
from widgets.run.failures import FailuresPane
from widgets.run.header import RunHeader
from widgets.run.message import MessagePage
from widgets.run.moment import Moment, blocked_at, moment_at
from widgets.run.notices import Notices
from widgets.run.panes import Pane, Panes
from widgets.run.relations import RelationsPane
from widgets.run.transport import Transport
from widgets.timeline import TimelineView
from widgets.unveiling import in_turn

_LARGE = 5_000  # events from which on following a history takes more than one turn of the event loop


class RunView(QWidget):
    """Shows what it is given and emits what the user wants; it changes neither position nor selection by itself.

    ``position_requested`` carries a position or None (LIVE); ``selection_requested`` (step id or None);
    ``event_requested`` (position, step id or None) moves both at once. Unless it is made ``whole``, the caller goes
    through ``pieces``: each makes a part, and none takes a frame's time.
    """

    position_requested = Signal(object)
    selection_requested = Signal(object)
    event_requested = Signal(object)
    run_opened = Signal(object)
    child_requested = Signal(object)
    filter_requested = Signal(object)
    payload_requested = Signal(object)
    decode_requested = Signal(object)
    codec_requested = Signal()
    more_relations_requested = Signal()
    back_requested = Signal()
    retry_requested = Signal()
    step_menu_filled = Signal(object)

    def __init__(self, parent: QWidget | None = None, *, whole: bool = True) -> None:
        super().__init__(parent)
        self._history: History | None = None
        self._moment: Moment | None = None
        self._position: int | None = None
        self._step_id: str | None = None
        self._step_row = -1
        self._now_ns: int | None = None
        self._zone: tzinfo | None = None
        self._extra_notes: tuple[str, ...] = ()
        self.pieces = self._build()
        if whole:
            for _ in self.pieces:
                pass

    def _build(self) -> Iterator[None]:
        # From the outside in: a style sheet makes every change of parent dear, and dearer the more is below it.
        self._stack = QStackedWidget(self)
        _column(self).addWidget(self._stack)
        self.message, content = MessagePage(), QWidget()
        self._stack.addWidget(self.message)
        self._stack.addWidget(content)
        column = _column(content)
        column.addLayout(self._top())
        self.split, lower = _splitter(Qt.Orientation.Vertical), _splitter(Qt.Orientation.Horizontal)
        column.addWidget(self.split, 1)
        yield
        self.timeline = TimelineView()
        self.split.addWidget(self.timeline)
        self.split.addWidget(lower)
        yield
        self.left, self.right = Panes("What happened", []), Panes("Looked at closely", [])
        lower.addWidget(self.left)
        lower.addWidget(self.right)
        self.events = EventsPane()
        self.left.add(Pane("events", "Events", self.events))
        yield
        self.failures, self.relations = FailuresPane(), RelationsPane()
        self.left.add(Pane("failures", "Failures", self.failures))
        self.left.add(Pane("relations", "Relations", self.relations))
        yield
        self.detail = DetailPane()
        yield
        self.right.add(Pane("detail", "Detail", self.detail))
        self.graph = GraphView()
        self.right.add(Pane("graph", "Graph", self.graph))
        yield
        self.code = CodePane()
        self._code_timer = QTimer(self)
        self._code_timer.setSingleShot(True)
        self._code_timer.setInterval(0)
        self._code_timer.timeout.connect(lambda: self.code.set_position(self._position))
        self.right.add(Pane("code", "Code", self.code))
        self.right.set_shown("code", False)
        yield
        lower.setSizes([600, 700])
        self.split.setStretchFactor(0, 2)
        self.split.setStretchFactor(1, 3)
        self.split.setSizes([320, 480])
        self.setAutoFillBackground(True)
        self.setBackgroundRole(QPalette.ColorRole.Base)
        self._connect()
        self.home = self.events.table
        self.show_loading("No run is open.", "Choose one in the list of runs.")

    def _top(self) -> QVBoxLayout:
        self.header, self.blocked, self.notices = RunHeader(), BlockedLine(), Notices()
        self.transport = Transport()
        self.header.side.addWidget(self.transport)
        rows = QVBoxLayout()
        rows.setContentsMargins(16, 12, 16, 10)
        rows.setSpacing(8)
        for widget in (self.header, self.blocked, self.notices):
            rows.addWidget(widget)
        return rows

    def _connect(self) -> None:
        for source in (self.timeline, self.graph):
            source.step_selected.connect(self.selection_requested)
        for opener in (self.header, self.blocked, self.relations, self.detail):
            opener.run_opened.connect(self.run_opened)
        self.graph.child_opened.connect(self.run_opened)
        self.blocked.step_selected.connect(self.selection_requested)
        self.relations.step_selected.connect(self.selection_requested)
        self.relations.more_requested.connect(self.more_relations_requested)
        self.timeline.position_requested.connect(self.position_requested)
        self.timeline.child_requested.connect(self.child_requested)
        self.timeline.context_requested.connect(self._on_step_menu)
        self.timeline.live_requested.connect(lambda: self.position_requested.emit(None))
        self.transport.live_requested.connect(lambda: self.position_requested.emit(None))
        self.events.event_picked.connect(self._on_event)
        self.failures.failure_picked.connect(self.event_requested)
        self.events.filter_requested.connect(self.filter_requested)
        self.detail.filter_requested.connect(self.filter_requested)
        self.detail.payload.load_requested.connect(self.payload_requested)
        self.detail.payload.decode_requested.connect(self.decode_requested)
        self.detail.payload.codec_requested.connect(self.codec_requested)
        self.message.back_requested.connect(self.back_requested)
        self.message.retry_requested.connect(self.retry_requested)

    # -- what is shown ------------------------------------------------------------------------------------

    def parts(self) -> tuple[tuple[QWidget, ...], ...]:
        """What is painted of a run, from the top, in groups of which none takes a frame's time."""
        top = (self.header, self.blocked, self.notices)
        return top, (self.timeline.canvas,), (self.timeline.minimap,), (self.left,), (self.right,)

    @property
    def history(self) -> History | None:
        return self._history

    @property
    def moment(self) -> Moment | None:
        return self._moment

    @property
    def loaded(self) -> bool:
        """Whether a run is shown, and not a message."""
        return self._stack.currentIndex() == 1

    def show_run(
        self,
        run: Run,
        history: History,
        *,
        relations: tuple[Relation, ...] = (),
        position: int | None = None,
        step_id: str | None = None,
        payloads: Callable[[str, int, int], bytes] | None = None,
    ) -> None:
        """Shows a whole run at once, with no controller: for pictures and tests.

        ``payloads`` reads (key, offset, length), now; without it payloads stay unread.
        """
        if history.run is None:
            history.run = run
        self.detail.payload.set_reader(payloads)
        self.set_history(history, position=position, step_id=step_id)
        self.set_relations(relations, more=False)

    def set_history(
        self, history: History, *, position: int | None = None, step_id: str | None = None
    ) -> None:
        """Another history, at a position, with a selected step."""
        self._history, self._position, self._step_id = history, position, step_id
        self._now_ns = history.engine_now_ns
        self._stack.setCurrentIndex(1)
        self.detail.forget()
        self.detail.set_subject(STEP if step_id is not None else RUN if position is None else EVENT)
        self.events.set_history(history)
        self.timeline.set_history(history)
        self.graph.set_history(history)
        self.relations.show_none("Reading what this run has to do with …")
        self._extra_notes = ()
        self._select_everywhere()
        self._move_everywhere()
        self._show_grown()
        self.timeline.fit()
        blocked = None if history.run is None else history.run.blocked_on
        if position is None and step_id is None and blocked is not None and blocked.step_id is not None:
            # What a run waits for is what one came to see, and often its last lane.
            self.timeline.reveal(blocked.step_id)

    def refresh(self) -> None:
        """The history grew: every view takes what is new, nothing that is read moves."""
        self.events.refresh()
        self.timeline.refresh()
        self.graph.refresh()
        if self._history is not None and len(self._history) > _LARGE:
            in_turn(self, self._show_rest)
        else:
            self._show_rest()

    def _show_rest(self) -> None:
        self._show_moment()
        self._show_grown()

    def retell(self) -> None:
        """Events and steps of the history read otherwise now: what was hidden in them was decoded."""
        self.events.retell()
        self._show_rest()

    def _show_grown(self) -> None:
        history = self._history
        if history is None or self._moment is None:
            return
        self.failures.show_history(self._moment)
        self.left.set_count("events", fmt.count(len(history)))
        self.left.set_count("failures", fmt.count(self.failures.count) if self.failures.count else "")
        if history.run is not None:
            self.header.show_chain(history.run, self.relations.items)

    def set_position(self, position: int | None) -> None:
        """Moves the playhead (None: LIVE) in every view."""
        self._position = position
        self._move_everywhere()

    def _move_everywhere(self) -> None:
        self.timeline.set_position(self._position)
        self.graph.set_position(self._position)
        self.events.set_position(self._position)
        # In a turn of its own: two short pauses of the event loop are smoother than one long one.
        self._code_timer.start()
        self.transport.set_live(self._position is None)
        self._show_moment()

    def set_selected(self, step_id: str | None) -> None:
        """Selects a step in every view; None selects none."""
        if step_id is not None and step_id != self._step_id:
            self.detail.set_subject(STEP)
        self._step_id = step_id
        self._select_everywhere()
        self._show_moment()

    def _select_everywhere(self) -> None:
        self.timeline.set_selected(self._step_id)
        self.graph.set_selected(self._step_id)
        if self._history is not None:
            self.events.set_selected(self._selected_row(self._history))

    def _show_moment(self) -> None:
        history = self._history
        if history is None:
            return
        self._moment = moment = moment_at(history, self._position, self._now_ns, self._zone)
        blocked = why(moment, blocked_at(moment))
        self.header.show_moment(moment, blocked)
        self.blocked.show_blocked(blocked, moment)
        self._show_notes()
        self.detail.show_moment(moment, self._selected_row(history))

    def _selected_row(self, history: History) -> int:
        """The selected step's row, -1 for none; looked up once, since that is linear."""
        known = 0 <= self._step_row < history.n_steps and history.step(self._step_row).id == self._step_id
        if not known:
            self._step_row = -1 if self._step_id is None else history.step_row(self._step_id)
        return self._step_row

    def set_now(self, now_ns: int) -> None:
        """The engine's clock moved: open bars and waits grow. Does nothing for a closed run."""
        history = self._history
        if history is None or history.run is None or history.run.status.closed:
            return
        self._now_ns = history.engine_now_ns = now_ns
        self.timeline.set_now(now_ns)
        self._show_moment()

    def set_zone(self, zone: tzinfo | None) -> None:
        """Times in another zone (None: the machine's)."""
        self._zone = zone
        for view in (self.timeline, self.events, self.relations):
            view.set_zone(zone)
        self._show_moment()
        self._show_grown()

    def set_relations(self, items: tuple[Relation, ...], *, more: bool) -> None:
        """All relations read so far."""
        self.relations.set_items(items, more=more)
        self.left.set_count("relations", f"{fmt.count(len(items))}{'+' if more else ''}" if items else "")
        if self._history is not None and self._history.run is not None:
            self.header.show_chain(self._history.run, items)

    def set_filter_fields(self, names: frozenset[str]) -> None:
        """Fields by which runs of this source can be filtered: menus offer them."""
        self.events.filter_fields = self.detail.fields.filter_fields = names

    def set_notes(self, notes: tuple[str, ...]) -> None:
        """Notices beside those of the history: lost live updates, a deleted run."""
        self._extra_notes = notes
        self._show_notes()

    def _show_notes(self) -> None:
        history = self._history
        if history is None:
            return
        bad = (history.run.bad,) if history.run is not None and history.run.bad else ()
        self.notices.set_notes((*self._extra_notes, *bad, *history.notes))

    def show_loading(self, title: str, hint: str = "") -> None:
        """No run yet."""
        self.message.show_words(title, hint)
        self._stack.setCurrentIndex(0)

    def show_error(self, error: PlayheadError) -> None:
        """There is no run to show, and why."""
        self.message.show_error(error)
        self._stack.setCurrentIndex(0)

    def status_text(self) -> str:
        """ "48 events · recorded 44 · rebuilt 3 · inferred 1": the truth about the data, for the status bar."""
        history = self._history
        if history is None or not self.loaded:
            return ""
        counts = np.bincount(history.events["provenance"], minlength=len(PROVENANCES)).tolist()[
            : len(PROVENANCES)
        ]
        parts = [f"{p.value} {fmt.count(n)}" for p, n in zip(PROVENANCES, counts, strict=True) if n]
        return " · ".join([f"{fmt.count(len(history))} events", *parts])

    # -- intent -------------------------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        self.detail.set_subject(EVENT if event.step_id is None else STEP)
        self.event_requested.emit((event.position, event.step_id))

    def _on_step_menu(self, step_id: str | None, at: QPoint) -> None:
        if step_id is not None:
            self.selection_requested.emit(step_id)
            menu = self.step_menu(step_id)
            menu.exec(at)
            menu.deleteLater()

    def step_menu(self, step_id: str) -> QMenu:
        """What a step of the timeline offers."""
        menu = QMenu(self)
        history = self._history
        row = history.step_row(step_id) if history is not None else -1
        if history is None or row < 0:
            return menu
        step, clipboard = history.step(row), QGuiApplication.clipboard()
        first = int(history.steps["first"][row])
        menu.addAction("Go to its first event").triggered.connect(lambda: self.position_requested.emit(first))
        menu.addAction("Copy name").triggered.connect(lambda: clipboard.setText(step.name))
        menu.addAction("Copy step id").triggered.connect(lambda: clipboard.setText(step.id))
        if step.child is not None:
            menu.addAction("Open its run").triggered.connect(lambda: self.run_opened.emit(step.child))
            menu.addAction("Open or close it here").triggered.connect(
                lambda: self.child_requested.emit(step_id)
            )
        self.step_menu_filled.emit(menu)
        return menu

    def begin_find(self) -> None:
        """Puts the keyboard into the find box of what is looked at: the payload, else the events."""
        payload = self.detail.payload
        focused = self.focusWidget()
        if focused is not None and self.detail.isAncestorOf(focused) and payload.finder.isVisible():
            payload.finder.begin()
            return
        self.left.show_pane("events")
        self.events.finder.begin()


def _splitter(orientation: Qt.Orientation) -> QSplitter:
    splitter = QSplitter(orientation)
    splitter.setHandleWidth(1)
    splitter.setChildrenCollapsible(False)
    return splitter


def _column(widget: QWidget) -> QVBoxLayout:
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    return layout
