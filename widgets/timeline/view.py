"""The timeline of a run: canvas, minimap, scroll bar and the small tools in the corner. GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import Final

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent, QContextMenuEvent, QFocusEvent, QHideEvent, QKeyEvent
from PySide6.QtWidgets import QGridLayout, QScrollBar, QWidget

from engine_bridge.history import History
from widgets.timeline import text, walk
from widgets.timeline.builder import Builder
from widgets.timeline.canvas import Canvas
from widgets.timeline.gestures import Gestures
from widgets.timeline.layout import ROW
from widgets.timeline.minimap import Minimap
from widgets.timeline.state import Key, Stamp, TimelineState
from widgets.timeline.ticks import Mode
from widgets.timeline.tools import Tools
from widgets.timeline.tracks import IN_PLACE
from widgets.unveiling import Unveiling

ZOOM: Final = 1.5
EMPTY: Final = "No steps are recorded yet. They appear here as the run makes them."
NO_RUN: Final = "Choose a run to see its timeline."


class TimelineView(QWidget):
    """Draws one History, with children opened in place. Emits intent; knows no session.

    ``position_requested`` carries a position; ``step_selected`` a step id or None; ``child_requested`` the id of
    a step whose child run is to be opened with :meth:`set_child`; ``live_requested`` nothing;
    ``context_requested`` a step id or None, and a global QPoint. ``built`` follows each finished background build.
    """

    position_requested = Signal(object)
    step_selected = Signal(object)
    child_requested = Signal(object)
    live_requested = Signal()
    context_requested = Signal(object, object)
    built = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = TimelineState()
        self._gestures = Gestures(self.state, self)
        self._builder = Builder(self)
        self.canvas = Canvas(self.state, self._gestures, self)
        self.minimap = Minimap(self.state, self)
        self.tools = Tools(self.canvas)
        self._bar = QScrollBar(Qt.Orientation.Vertical, self)
        self._bar.setAccessibleName("Lanes")
        self._unveiling = Unveiling(self, [(self.canvas,), (self.minimap,)])
        self._arrange()
        self._connect()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.canvas.setFocusProxy(self)
        self.setAccessibleName("Timeline")
        self.show_state()

    def _arrange(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(0)
        grid.addWidget(self.canvas, 0, 0)
        grid.addWidget(self._bar, 0, 1)
        grid.addWidget(self.minimap, 1, 0, 1, 2)
        grid.setRowStretch(0, 1)
        grid.setColumnStretch(0, 1)

    def _connect(self) -> None:
        gestures = self._gestures
        gestures.changed.connect(self.show_state)
        gestures.moved_to.connect(self._on_moved_to)
        gestures.selected.connect(self._on_selected)
        gestures.child_toggled.connect(self._toggle_child)
        gestures.live.connect(self.live_requested)
        gestures.context.connect(self.context_requested)
        self.canvas.resized.connect(self.show_state)
        self.minimap.changed.connect(self.show_state)
        self._bar.valueChanged.connect(self._on_scrolled)
        self._builder.adopted.connect(self._on_adopted)
        self.tools.fit.clicked.connect(self.fit)
        self.tools.closer.clicked.connect(lambda: self.zoom(ZOOM))
        self.tools.wider.clicked.connect(lambda: self.zoom(1 / ZOOM))
        self.tools.live.clicked.connect(self.live_requested)
        self.tools.active.toggled.connect(self.set_active)
        self.tools.elapsed.toggled.connect(self.set_elapsed)

    # The contract.

    def set_history(self, history: History | None) -> None:
        """Shows a history from its beginning; big ones coarsely until they are built."""
        self._builder.cancel_all()
        self.state.set_history(history)
        self._build()
        self.show_state()

    def refresh(self) -> None:
        """Follows the history after it grew. Cost O(what was appended)."""
        self.state.refresh()
        self._build()
        self.show_state()

    def set_position(self, position: int | None) -> None:
        """Puts the playhead on a position; None is LIVE."""
        self.state.set_position(position)
        self.show_state()

    def set_now(self, now_ns: int) -> None:
        """The engine's clock: open bars reach to it."""
        self.state.set_now(now_ns)
        self.show_state()

    def set_selected(self, step_id: str | None) -> None:
        """Selects a step of the run by its id and brings it into sight; emits nothing."""
        state = self.state
        if step_id is None or state.history is None:
            state.selected = None
        elif state.selected is None or self._gestures.id_of(state.selected) != step_id:
            row = state.history.step_row(step_id)
            state.selected = (0, row) if row >= 0 else None
            if state.selected:
                state.reveal(state.selected)
        self.show_state()

    def reveal(self, step_id: str) -> None:
        """Scrolls a step into sight without selecting it."""
        row = -1 if self.state.history is None else self.state.history.step_row(step_id)
        if row >= 0:
            self.state.reveal((0, row))
            self.show_state()

    def set_stamps(self, stamps: tuple[Stamp, ...]) -> None:
        """What operators did to the run, and what is staged on it."""
        if stamps != self.state.stamps:
            self.state.stamps = stamps
            self.canvas.update()

    def set_dropped(self, since_ns: int | None) -> None:
        """From when on a staged action drops what is recorded; None when none does."""
        if since_ns != self.state.dropped_ns:
            self.state.dropped_ns = since_ns
            self.canvas.update()

    def set_findings(self, findings: tuple[Stamp, ...]) -> None:
        """Where a replay of the run parts from its history."""
        if findings != self.state.findings:
            self.state.findings = findings
            self.canvas.update()

    def set_child(self, step_id: str, history: History | None) -> None:
        """Opens a child run's lanes under the step's lane, or closes them (None)."""
        if self.state.history is None:
            return
        row = self.state.history.step_row(step_id)
        if row >= 0:
            self.state.set_child(step_id, row, history)
            self._build()
            self.show_state()

    def set_zone(self, zone: tzinfo | None) -> None:
        self.state.zone = zone
        self.show_state()

    def fit(self) -> None:
        """Shows the whole run."""
        self.state.fit()
        self.show_state()

    def zoom(self, factor: float) -> None:
        """Zooms in (> 1) or out, around the selection where it is in sight."""
        state = self.state
        x = None
        if state.selected is not None:
            start, end, _ = state.span(state.selected)
            x = state.scale.x_of((start + end) // 2)
            x = x if 0 <= x <= state.scale.width else None
        state.zoom(factor, x)
        self.show_state()

    def zoom_to_selection(self) -> None:
        """Shows the selected step with some room on both sides."""
        if self.state.selected is not None:
            self._gestures.zoom_to(self.state.selected)

    def set_active(self, active: bool) -> None:
        """Squeezes idle time (true), or shows it to scale."""
        self.state.set_active(active)
        self.show_state()

    def set_elapsed(self, elapsed: bool) -> None:
        """Counts time from the run's start (true), or shows the time of day."""
        self.state.mode = Mode.ELAPSED if elapsed else Mode.CLOCK
        self.show_state()

    @property
    def busy(self) -> bool:
        """Whether a build runs in the background, so that the picture is coarse or lags a little."""
        return self._builder.busy

    def selection_text(self) -> str:
        """The selected step in words; what a screen reader says."""
        state = self.state
        if state.selected is None:
            return f"{state.history.n_steps} steps, none selected" if state.history else NO_RUN
        key = state.selected
        where = f"lane {state.row_of(key) + 1} of {len(state.layout)}"
        return text.spoken(state.step(key), state.span(key)[2], where)

    # Inside.

    def _build(self) -> None:
        for track in self.state.tracks:
            self._builder.ensure(track)

    def _on_adopted(self, track: object) -> None:
        state = self.state
        if state.main.history.n_steps > IN_PLACE:
            self._unveiling.start()
        state.relayout()
        if state.fitted:
            state.fit()
        self.show_state()
        self.built.emit()

    def show_state(self) -> None:
        """Follows the state after it was changed from outside: scroll bar, tools, repaint."""
        state = self.state
        state.resize(self.canvas.plot.width(), self.canvas.plot.height())
        self.canvas.empty_text = NO_RUN if state.history is None else EMPTY
        self.canvas.note = "preparing all steps …" if self.busy and state.tracks[0].built.coarse else ""
        hidden = max(0, state.layout.height - state.height)
        self._bar.blockSignals(True)
        self._bar.setRange(0, hidden)
        self._bar.setPageStep(state.height)
        self._bar.setSingleStep(ROW)
        self._bar.setValue(state.top)
        self._bar.blockSignals(False)
        self._bar.setVisible(hidden > 0)
        self.tools.show_state(state)
        self.canvas.update()
        self.minimap.update()

    def _on_scrolled(self, value: int) -> None:
        self.state.scroll(value)
        self.show_state()

    def _on_moved_to(self, position: object) -> None:
        self.position_requested.emit(position)

    def _on_selected(self, step_id: object) -> None:
        words = self.selection_text()
        self.setAccessibleDescription(words)
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))
        self.step_selected.emit(step_id)

    def _toggle_child(self, key: object) -> None:
        if isinstance(key, tuple) and not key[0]:
            step_id = self.state.step(key).id
            if any(track.key == step_id for track in self.state.tracks):
                self.set_child(step_id, None)
            else:
                self.child_requested.emit(step_id)

    def _go(self, key: Key | None) -> None:
        if key is not None:
            self.state.reveal(key)
            self._gestures.select(key)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        action = self._keys().get(Qt.Key(event.key()))
        control = event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
        if action is None or self.state.empty or control:
            super().keyPressEvent(event)
        else:
            action()

    def _keys(self) -> dict[Qt.Key, Callable[[], None]]:
        state, keys = self.state, Qt.Key
        return {
            keys.Key_Left: lambda: self._go(walk.along(state, -1)),
            keys.Key_Right: lambda: self._go(walk.along(state, +1)),
            keys.Key_Up: lambda: self._go(walk.across(state, -1)),
            keys.Key_Down: lambda: self._go(walk.across(state, +1)),
            keys.Key_Plus: lambda: self.zoom(ZOOM),
            keys.Key_Equal: lambda: self.zoom(ZOOM),
            keys.Key_Minus: lambda: self.zoom(1 / ZOOM),
            keys.Key_F: self.fit,
            keys.Key_Z: self.zoom_to_selection,
            keys.Key_Home: lambda: self._edge(first=True),
            keys.Key_End: lambda: self._edge(first=False),
            keys.Key_PageUp: lambda: self._on_scrolled(state.top - state.height),
            keys.Key_PageDown: lambda: self._on_scrolled(state.top + state.height),
            keys.Key_Return: self._enter,
            keys.Key_Enter: self._enter,
            keys.Key_Escape: lambda: self._gestures.select(None),
        }

    def _enter(self) -> None:
        key = self.state.selected
        if key is not None and not key[0] and self.state.step(key).child is not None:
            self._toggle_child(key)

    def _edge(self, *, first: bool) -> None:
        """The first or last moment comes to the edge of the view, at the same zoom."""
        low, high = self.state.shown_limits()
        x = self.state.scale.x_of(low if first else high)
        self.state.pan(x - (0.02 if first else 0.98) * self.state.scale.width)
        self.show_state()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.tools.retint()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The menu key asks for the selected step's menu; the mouse asks when it is pressed."""
        key = self.state.selected
        if event.reason() == QContextMenuEvent.Reason.Keyboard and key is not None:
            start, end, _ = self.state.span(key)
            middle = self.state.scale.x_of((start + end) // 2)
            at = self.map_plot(min(max(middle, 0.0), self.state.scale.width), self.state.row_of(key))
            self.context_requested.emit(self._gestures.id_of(key), self.canvas.mapToGlobal(at))
        event.accept()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.canvas.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.canvas.update()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.state.hovered = None

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DeferredDelete:
            self._builder.cancel_all()
        return super().event(event)

    def sizeHint(self) -> QSize:
        return self.canvas.sizeHint() + QSize(0, self.minimap.height())

    def map_plot(self, x: float, row: int) -> QPoint:
        """The canvas point at plot px ``x`` in the middle of a layout row's bars."""
        y, height = self.state.layout.bar_y(row)
        return self.canvas.plot.topLeft() + QPoint(round(x), y - self.state.top + height // 2)
