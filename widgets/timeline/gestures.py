"""Mouse and wheel on the timeline: what a press, a drag, a wheel turn means. GUI thread."""

from __future__ import annotations

import html
from typing import Final

from PySide6.QtCore import QObject, QPoint, QPointF, QRect, Qt, Signal
from PySide6.QtGui import QMouseEvent, QWheelEvent

from engine_bridge.playback import neighbour
from widgets.timeline import paint_frame as paint
from widgets.timeline import text
from widgets.timeline.markers import RUN_LANE
from widgets.timeline.state import Key, TimelineState

GRAB_PX: Final = 6
DRAG_PX: Final = 4
FINE_PX: Final = 4
"""With Shift, the playhead moves by one event for as many px: for events that share a time."""
WHEEL_ZOOM: Final = 1.0018
"""Zoom factor of one unit of a wheel's angle (120 a notch: 1.24)."""
_SHIFT: Final = Qt.KeyboardModifier.ShiftModifier


class Gestures(QObject):
    """Turns mouse events into changes of the state, or into intent. Signals carry what the view's own carry."""

    changed = Signal()
    moved_to = Signal(object)
    selected = Signal(object)
    child_toggled = Signal(object)
    live = Signal()
    context = Signal(object, object)

    def __init__(self, state: TimelineState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._mode = ""
        self._from = QPointF()
        self._last = QPointF()
        self._fine_from: int | None = None
        self._emitted: int | None = None

    # Where things are.

    def _near_playhead(self, at: QPointF, plot: QRect) -> bool:
        state = self._state
        if state.playhead_ns is None:
            return False
        flag = paint.flag_rect(state, plot)
        if flag is not None and flag.contains(at):
            return True
        near = abs(plot.x() + state.scale.x_of(state.playhead_ns) - at.x()) <= GRAB_PX
        if at.y() < plot.y():
            return near
        return near and state.position is not None and self._span_at(at, plot) is None

    def _span_at(self, at: QPointF, plot: QRect) -> Key | None:
        if not plot.contains(at.toPoint()):
            return None
        return self._state.hit(at.x() - plot.x(), int(at.y()) - plot.y())

    def _mark_at(self, at: QPointF, plot: QRect) -> tuple[int, int, int, int] | None:
        """Track, step row, event row and count of the marker under a point."""
        if not plot.contains(at.toPoint()):
            return None
        row = self._state.layout.row_at(int(at.y()) - plot.y() + self._state.top)
        marks = self._state.frame(1.0).marks
        near = (marks.at == row) & (abs(marks.x - (at.x() - plot.x())) <= 8)
        for i in near.nonzero()[0].tolist():
            return int(marks.track[i]), int(marks.step[i]), int(marks.event[i]), int(marks.count[i])
        return None

    def _row_in_gutter(self, at: QPointF, plot: QRect) -> int:
        if at.x() >= plot.x() or at.y() < plot.y():
            return -1
        return self._state.layout.row_at(int(at.y()) - plot.y() + self._state.top)

    # Mouse.

    def press(self, event: QMouseEvent, plot: QRect) -> None:
        at = self._from = self._last = event.position()
        if self._state.empty or event.button() == Qt.MouseButton.MiddleButton:
            self._mode = "" if self._state.empty else "pan"
        elif event.button() == Qt.MouseButton.RightButton:
            self._context(event, plot)
        elif event.button() != Qt.MouseButton.LeftButton:
            self._mode = ""
        elif self._near_playhead(at, plot):
            self._mode = "playhead"
            self._fine_from = None
            self._emitted = self._state.position
        elif at.x() >= plot.x() - 2 and at.y() < plot.y():
            self._mode = "axis"
        elif self._row_in_gutter(at, plot) >= 0:
            self._press_gutter(self._row_in_gutter(at, plot))
        else:
            self._mode = "press"

    def _context(self, event: QMouseEvent, plot: QRect) -> None:
        key = self._span_at(event.position(), plot)
        if key is not None:
            self.select(key)
        self.context.emit(None if key is None else self.id_of(key), event.globalPosition().toPoint())

    def _press_gutter(self, row: int) -> None:
        state = self._state
        number, lane = int(state.layout.track[row]), int(state.layout.lane[row])
        if lane == RUN_LANE:
            return
        spans = state.tracks[number].on_lane(lane, None)
        if not len(spans):
            return
        chosen = state.selected if state.selected and state.row_of(state.selected) == row else None
        key = chosen or (number, int(spans.row[0]))
        self.select(key)
        if state.expandable(row):
            self.child_toggled.emit(key)

    def move(self, event: QMouseEvent, plot: QRect) -> Qt.CursorShape:
        """Follows the mouse; gives the cursor to show."""
        at = event.position()
        far = (at - self._from).manhattanLength() > DRAG_PX
        if self._mode == "press" and far:
            self._mode = "pan"
        if self._mode == "axis" and far:
            self._mode = "range"
        if self._mode == "pan":
            self._pan(at)
            return Qt.CursorShape.ClosedHandCursor
        if self._mode == "playhead":
            self._drag_playhead(at, plot, bool(event.modifiers() & _SHIFT))
            return Qt.CursorShape.SplitHCursor
        if self._mode == "range":
            self._state.range_px = (self._from.x() - plot.x(), self._clamped(at.x() - plot.x()))
            self.changed.emit()
            return Qt.CursorShape.IBeamCursor
        self._hover(at, plot)
        return Qt.CursorShape.SplitHCursor if self._near_playhead(at, plot) else Qt.CursorShape.ArrowCursor

    def _clamped(self, x: float) -> float:
        return min(max(x, 0.0), self._state.scale.width)

    def _pan(self, at: QPointF) -> None:
        delta = at - self._last
        self._last = at
        self._state.pan(-delta.x())
        self._state.scroll(self._state.top - round(delta.y()))
        self.changed.emit()

    def _drag_playhead(self, at: QPointF, plot: QRect, fine: bool) -> None:
        position = self._fine(at) if fine else self._state.position_at(self._clamped(at.x() - plot.x()))
        if not fine:
            self._fine_from, self._from = None, at
        if position is not None and position != self._emitted:
            self._emitted = position
            self.moved_to.emit(position)

    def _fine(self, at: QPointF) -> int | None:
        """One event for some px, counted from where Shift went down."""
        history = self._state.history
        if history is None or not len(history):
            return None
        if self._fine_from is None:
            here = history.last_position if self._emitted is None else self._emitted
            self._fine_from, self._from = history.row_of(here), at
        row = self._fine_from + round((at.x() - self._from.x()) / FINE_PX)
        return int(history.events["position"][min(max(row, 0), len(history) - 1)])

    def _hover(self, at: QPointF, plot: QRect) -> None:
        hovered = self._span_at(at, plot)
        if hovered != self._state.hovered:
            self._state.hovered = hovered
            self.changed.emit()

    def release(self, event: QMouseEvent, plot: QRect) -> None:
        mode, self._mode = self._mode, ""
        at = event.position()
        if mode == "press":
            self._click(at, plot)
        elif mode == "axis":
            position = self._state.position_at(self._clamped(at.x() - plot.x()))
            if position is not None:
                self.moved_to.emit(position)
        elif mode == "range":
            self._zoom_to_range()
        elif mode == "playhead" and self._beyond_end(at, plot):
            self.live.emit()

    def _beyond_end(self, at: QPointF, plot: QRect) -> bool:
        """Dropped to the right of everything: an open run's playhead follows the tail again."""
        state = self._state
        return state.main.open_run and at.x() - plot.x() > state.scale.x_of(state.now_ns) + 2 * GRAB_PX

    def _click(self, at: QPointF, plot: QRect) -> None:
        mark = self._mark_at(at, plot)
        if mark is not None and mark[2] >= 0 and mark[0] == 0:
            history = self._state.main.history
            step = int(history.events["step"][mark[2]])
            if step >= 0:
                self.select((0, step))
            self.moved_to.emit(int(history.events["position"][mark[2]]))
            return
        key = (mark[0], mark[1]) if mark is not None and mark[1] >= 0 else self._span_at(at, plot)
        self.select(key)

    def _zoom_to_range(self) -> None:
        state = self._state
        x0, x1 = sorted(state.range_px or (0.0, 0.0))
        state.range_px = None
        if x1 - x0 > DRAG_PX:
            state.show_range(state.scale.time_ns(x0), state.scale.time_ns(x1), 0.0)
        self.changed.emit()

    def double_click(self, event: QMouseEvent, plot: QRect) -> None:
        if self._state.empty:
            return
        key = self._span_at(event.position(), plot)
        if key is not None:
            self.zoom_to(key)
        elif event.position().y() < plot.y():
            self._state.fit()
            self.changed.emit()

    def leave(self) -> None:
        if self._state.hovered is not None:
            self._state.hovered = None
            self.changed.emit()

    # Wheel.

    def wheel(self, event: QWheelEvent, plot: QRect) -> None:
        """Zooms at the cursor; Shift or a sideways wheel pans; over the gutter it scrolls; over the flag it steps."""
        state = self._state
        if state.empty:
            return
        turn, at = event.angleDelta(), event.position()
        sideways = (
            turn.x() if abs(turn.x()) > abs(turn.y()) else turn.y() if event.modifiers() & _SHIFT else 0
        )
        flag = paint.flag_rect(state, plot)
        if flag is not None and flag.contains(at):
            self._step_playhead(-1 if turn.y() > 0 else 1)
        elif at.x() < plot.x():
            state.scroll(state.top - round(turn.y() / 120 * 3 * 26))
        elif sideways:
            state.pan(-sideways / 120 * state.scale.width / 10)
        else:
            state.zoom(WHEEL_ZOOM ** turn.y(), self._clamped(at.x() - plot.x()))
        self.changed.emit()

    def _step_playhead(self, direction: int) -> None:
        state = self._state
        position = neighbour(state.main.history, state.position, direction)
        if position is not None:
            self.moved_to.emit(position)

    # Selection.

    def id_of(self, key: Key) -> str | None:
        """The step id that the rest of the window knows: for a child's step, that of the child's own step."""
        track = self._state.tracks[key[0]]
        return track.key if key[0] else self._state.step(key).id or None

    def select(self, key: Key | None) -> None:
        """Selects a span and says so."""
        state = self._state
        if key is None and state.selected is None:
            return
        state.selected = key
        self.changed.emit()
        self.selected.emit(None if key is None else self.id_of(key))

    def zoom_to(self, key: Key) -> None:
        """Shows a span with some room on both sides."""
        start, end, _ = self._state.span(key)
        self._state.show_range(start, max(end, start + 1_000), 0.25)
        self.changed.emit()

    # Words.

    def tooltip(self, at: QPoint, plot: QRect) -> str:
        """What stands under a point, as text that Qt cannot take for markup."""
        words = self._words(QPointF(at), plot)
        return f"<p style='white-space:pre'>{html.escape(words)}</p>" if words else ""

    def _words(self, at: QPointF, plot: QRect) -> str:
        state = self._state
        if state.empty:
            return ""
        row = self._row_in_gutter(at, plot)
        if row >= 0:
            return "".join(paint.lane_words(state, int(state.layout.track[row]), int(state.layout.lane[row])))
        if self._near_playhead(at, plot):
            return "Drag to move the playhead; with Shift one event at a time; drop it right of the end for LIVE."
        mark = self._mark_at(at, plot)
        if mark is not None and mark[2] >= 0:
            return text.event_tooltip(state.tracks[mark[0]].history.event(mark[2]), mark[3], state.zone)
        key = (mark[0], mark[1]) if mark is not None else self._span_at(at, plot)
        if key is None:
            return ""
        return text.tooltip(state.step(key), state.span(key)[2], state.now_of(key[0]), state.zone)
