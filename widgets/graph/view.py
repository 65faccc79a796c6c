"""The step graph: a painted, zoomable view of what followed what, in the state at the playhead. GUI thread."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from engine_bridge import format as fmt
from engine_bridge.graph import Node, node_states, ready
from engine_bridge.history import History
from engine_bridge.model import StepKind, StepStatus
from engine_bridge.playback import state_at
from widgets.graph.layout import Layout
from widgets.graph.paint import GraphPainter
from widgets.graph.scene import NODE_HEIGHT, GraphScene, build
from widgets.theme import font

_MIN_SCALE, _MAX_SCALE = 0.02, 2.5
_INLINE_STEPS = 400
_MARGIN = 16.0


class GraphView(QWidget):
    """Shows the observed graph of a history.

    ``step_selected`` carries a step id; clicking a folded node again walks through its steps.
    ``child_opened`` carries the RunRef of a child run's node that was opened (Enter or double click).
    """

    step_selected = Signal(object)
    child_opened = Signal(object)
    _built = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("Step graph")
        self._history: History | None = None
        self._scene: GraphScene | None = None
        self._position: int | None = None
        self._status: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._states: list[tuple[StepStatus, int]] = []
        self._selected: int = -1
        self._selected_id: str | None = None
        self._scale, self._origin = 1.0, QPointF(_MARGIN, _MARGIN)
        self._fitted = True
        self._drag: QPoint | None = None
        self._dragged = False
        self._generation = 0
        self._dirty = False
        self._painter = GraphPainter()
        self._built.connect(self._take, Qt.ConnectionType.QueuedConnection)

    # What is shown

    def set_history(self, history: History | None) -> None:
        """Shows another history (None: nothing)."""
        self._history = history
        self._scene, self._selected, self._fitted = None, -1, True
        self._generation += 1
        self.refresh()

    def refresh(self) -> None:
        """Builds the graph again after the history grew. Layouts of large graphs arrive later."""
        self._dirty = True
        if self.isVisible():
            self._rebuild()
        self.update()

    def _rebuild(self) -> None:
        self._dirty = False
        history = self._history
        if history is None or not history.n_steps:
            self._scene = None
            return
        char = QFontMetricsF(font(12)).averageCharWidth() * 1.08
        self._generation += 1
        if history.n_steps <= _INLINE_STEPS and ready():
            self._take((self._generation, build(history, char)))
            return
        frozen, generation = history.snapshot(), self._generation
        threading.Thread(
            target=lambda: self._build_later(generation, frozen, char), name="playhead-layout", daemon=True
        ).start()

    def _build_later(self, generation: int, history: History, char: float) -> None:
        scene = build(history, char)
        # The view may be gone by the time a large layout is done.
        try:
            self._built.emit((generation, scene))
        except RuntimeError:
            return

    def _take(self, result: tuple[int, GraphScene]) -> None:
        generation, scene = result
        if generation != self._generation:
            return
        self._scene = scene
        self._restate()
        self.set_selected(self._selected_id)
        if self._fitted:
            self.fit()
        self.update()

    def show_scene(self, scene: GraphScene, states: list[tuple[StepStatus, int]]) -> None:
        """Shows a scene that was built elsewhere, with its nodes' states."""
        self._scene, self._states = scene, states
        self.fit()

    def set_position(self, position: int | None) -> None:
        """Moves the playhead (None: LIVE); nodes take their state at it."""
        self._position = position
        self._restate()
        self.update()

    def _restate(self) -> None:
        if self._history is None or self._scene is None:
            self._states = []
            return
        self._status = state_at(self._history, self._position).step_status
        rows = len(self._scene.run_graph.node_of)
        status = self._status[:rows]
        self._states = node_states(self._scene.run_graph, status)
        self.setAccessibleDescription(self.describe())

    def set_selected(self, step_id: str | None) -> None:
        """Selects the node of a step id (None: nothing)."""
        self._selected_id = step_id
        self._selected = -1
        if step_id is not None and self._history is not None and self._scene is not None:
            row = self._history.step_row(step_id)
            node_of = self._scene.run_graph.node_of
            self._selected = int(node_of[row]) if 0 <= row < len(node_of) else -1
            self._reveal(self._selected)
        self.update()

    def describe(self) -> str:
        """The selection in words, or the size of the graph."""
        if self._scene is None:
            return "No steps yet."
        if self._selected < 0:
            return f"{len(self._scene.run_graph.nodes)} nodes."
        return self.node_text(self._selected)

    def node_text(self, index: int) -> str:
        """Plain text of a node, for tooltips and screen readers."""
        if self._scene is None or index >= len(self._states):
            return ""
        node = self._scene.run_graph.nodes[index]
        status, done = self._states[index]
        lines = [fmt.plain(node.name, 200), status.value.replace("_", " ")]
        if node.count > 1:
            lines.append(f"{done} of {node.count} done")
        duration = self._duration(node)
        if duration:
            lines.append(duration)
        return "\n".join(lines)

    def _duration(self, node: Node) -> str:
        if self._history is None or node.child is not None:
            return ""
        steps = [self._history.step(row) for row in node.rows[:200]]
        known = [s.duration_ns for s in steps if s.duration_ns is not None]
        if not known:
            return ""
        return fmt.duration(known[0]) if len(known) == 1 else f"{fmt.duration(sum(known))} in all"

    # Zoom and pan

    def fit(self) -> None:
        """Shows the whole graph, never larger than 1:1."""
        self._fitted = True
        if self._scene is None:
            return
        size = self._scene.layout
        room_w, room_h = self.width() - 2 * _MARGIN, self.height() - 2 * _MARGIN
        scale = min(room_w / max(size.width, 1.0), room_h / max(size.height, 1.0), 1.0)
        # A long chain is more useful readable from its top than whole and illegible.
        self._scale = max(scale, min(0.45, room_w / max(size.width, 1.0)), _MIN_SCALE)
        left = (self.width() - size.width * self._scale) / 2
        top = (self.height() - size.height * self._scale) / 2
        self._origin = QPointF(
            max(left, _MARGIN) if size.width * self._scale < self.width() else left, max(top, _MARGIN)
        )
        self.update()

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Zooms about a point of the widget (default: its centre)."""
        at = at or QPointF(self.width() / 2, self.height() / 2)
        scale = min(max(self._scale * factor, _MIN_SCALE), _MAX_SCALE)
        self._origin = at - (at - self._origin) * (scale / self._scale)
        self._scale, self._fitted = scale, False
        self.update()

    def pan(self, dx: float, dy: float) -> None:
        self._origin += QPointF(dx, dy)
        self._fitted = False
        self.update()

    def _reveal(self, index: int) -> None:
        if index < 0 or self._scene is None:
            return
        centre = self._to_widget(self._scene.layout, index)
        inside = QRectF(self.rect()).adjusted(40, 24, -40, -24)
        if not inside.contains(centre):
            target = QPointF(
                min(max(centre.x(), inside.left()), inside.right()),
                min(max(centre.y(), inside.top()), inside.bottom()),
            )
            self.pan(target.x() - centre.x(), target.y() - centre.y())

    def _to_widget(self, placed: Layout, index: int) -> QPointF:
        return QPointF(placed.x[index] * self._scale, placed.y[index] * self._scale) + self._origin

    def node_at(self, point: QPointF) -> int:
        """The node under a point of the widget, -1 for none."""
        if self._scene is None or not len(self._scene.widths):
            return -1
        x = (point.x() - self._origin.x()) / self._scale
        y = (point.y() - self._origin.y()) / self._scale
        placed = self._scene.layout
        hits = np.flatnonzero(
            (np.abs(placed.x - x) <= self._scene.widths / 2) & (np.abs(placed.y - y) <= NODE_HEIGHT / 2)
        )
        return int(hits[0]) if len(hits) else -1

    # Events

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            if self._scene is None:
                self._painter.empty(painter, self.rect(), self._history is not None)
            else:
                self._painter.paint(
                    painter, self.rect(), self._scene, self._states, self._selected, self._scale, self._origin
                )

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self.update()
        super().changeEvent(event)

    def showEvent(self, event: QEvent) -> None:
        if self._dirty:
            self._rebuild()

    def resizeEvent(self, event: QResizeEvent) -> None:
        if self._fitted:
            self.fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        delta = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier or (delta.x() and not delta.y()):
            self.pan(delta.x() or delta.y(), 0)
        else:
            self.zoom(1.0015 ** delta.y(), event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag, self._dragged = event.position().toPoint(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point = event.position().toPoint()
        if self._drag is not None:
            delta = point - self._drag
            if self._dragged or delta.manhattanLength() > 4:
                self._dragged = True
                self._drag = point
                self.pan(delta.x(), delta.y())
            return
        index = self.node_at(event.position())
        self.setCursor(Qt.CursorShape.PointingHandCursor if index >= 0 else Qt.CursorShape.ArrowCursor)
        text = self.node_text(index) if index >= 0 else ""
        # A leading tag would make Qt take foreign text for markup.
        safe = text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", "<br>")
        QToolTip.showText(event.globalPosition().toPoint(), f"<span>{safe}</span>" if text else "", self)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None and not self._dragged:
            self._click(self.node_at(event.position()))
        self._drag = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._open(self.node_at(event.position()))

    def _click(self, index: int) -> None:
        if index < 0 or self._scene is None or self._history is None:
            self._selected_id, self._selected = None, -1
            self.step_selected.emit(None)
            self.update()
            return
        rows = self._scene.run_graph.nodes[index].rows
        ids = [self._history.step(row).id for row in rows]
        again = self._selected_id in ids and index == self._selected
        chosen = ids[(ids.index(self._selected_id) + 1) % len(ids)] if again and self._selected_id else ids[0]
        self._selected_id = chosen
        self._selected = index
        self.step_selected.emit(chosen)
        self.update()

    def _open(self, index: int) -> None:
        if index < 0 or self._scene is None or self._history is None:
            return
        node = self._scene.run_graph.nodes[index]
        child = node.child or (
            self._history.step(node.rows[0]).child if node.kind is StepKind.CHILD else None
        )
        if child is not None:
            self.child_opened.emit(child)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        moves = {
            Qt.Key.Key_Up: (0, -1),
            Qt.Key.Key_Down: (0, 1),
            Qt.Key.Key_Left: (-1, 0),
            Qt.Key.Key_Right: (1, 0),
        }
        if key in moves:
            self._step(*moves[Qt.Key(key)])
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(1.25)
        elif key == Qt.Key.Key_Minus:
            self.zoom(0.8)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(self._selected)
        elif key == Qt.Key.Key_0:
            self.fit()
        else:
            super().keyPressEvent(event)

    def _step(self, dx: int, dy: int) -> None:
        """Selects the nearest node in a direction; the first one when none is selected."""
        if self._scene is None or not len(self._scene.widths):
            return
        if self._selected < 0:
            self._click(0)
            return
        placed = self._scene.layout
        gap_x, gap_y = placed.x - placed.x[self._selected], placed.y - placed.y[self._selected]
        along, across = gap_x * dx + gap_y * dy, np.abs(gap_x * dy) + np.abs(gap_y * dx)
        cost = np.where(along > 1, along + 2 * across, np.inf)
        best = int(cost.argmin())
        if np.isfinite(cost[best]):
            self._click(best)
            self._reveal(best)
