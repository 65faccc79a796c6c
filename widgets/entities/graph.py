"""The status graph: a painted, zoomable view of how many entities stand where and how they got there. GUI thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from engine_bridge.graph import ready
from engine_bridge.populations import Flow, Population
from widgets.entities.layout import Key, Layout, place, topology
from widgets.entities.paint import Look, StatusPainter
from widgets.entities.scene import Scene, build, stage
from widgets.entities.words import entities, flow_text, node_text
from widgets.shell.label import plain_tooltip
from widgets.theme import RADIUS, font, theme

_LEAST, _MOST = 0.08, 2.5
_READABLE: Final = 0.66
_MARGIN: Final = 20.0
_INLINE: Final = 24  # statuses up to which a layout takes less than a frame
_HEIGHTS: Final = (150, 320)
_STEPS: Final = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
_PRESS: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
_LARGER: Final = (Qt.Key.Key_Plus, Qt.Key.Key_Equal)
_OWN: Final = frozenset(
    (*_STEPS, *_PRESS, *_LARGER, Qt.Key.Key_Minus, Qt.Key.Key_0, Qt.Key.Key_Home, Qt.Key.Key_End)
)


class StatusGraph(QWidget):
    """Shows a population. ``toggled`` carries (status, add) of a status that was clicked or entered: ``add`` keeps the
    others chosen. ``menu_requested`` carries (status, global point). ``placed`` comes with every new layout."""

    toggled = Signal(object)
    menu_requested = Signal(object)
    placed = Signal()
    _laid_out = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(240, _HEIGHTS[0])
        self.setAccessibleName("Status graph")
        self.scene: Scene | None = None
        self.look = Look()
        self._population: Population | None = None
        self._key: Key | None = None
        self._layout: Layout | None = None
        self._moves: dict[tuple[str, str], int] = {}
        self._fitted = True
        self._drag: QPoint | None = None
        self._dragged = False
        self._empty = ""
        self._laid_out.connect(self._take, Qt.ConnectionType.QueuedConnection)

    # -- what is shown --------------------------------------------------------------------------------------

    def set_population(self, population: Population | None, empty: str = "") -> None:
        """Shows figures; the layout stays while statuses and ways do. ``empty`` is told where there are none."""
        self._population, self._empty = population, empty
        if population is None:
            self.scene, self._key, self._layout = None, None, None
            self.look.current = -1
            self._fitted = True
            self.update()
            return
        key = topology(population)
        if key == self._key and self._layout is not None:
            self._show(population, self._layout)
        elif key != self._key:
            self._key, self._layout = key, None
            self._lay_out(key, population)

    def _lay_out(self, key: Key, population: Population) -> None:
        if len(population.nodes) <= _INLINE and ready():
            self._take((key, place(population)))
            return

        def work() -> None:
            placed = place(population)
            # The view may be gone by the time a large layout is done.
            try:
                self._laid_out.emit((key, placed))
            except RuntimeError:
                return

        threading.Thread(target=work, name="playhead-layout", daemon=True).start()

    def _take(self, made: tuple[Key, Layout]) -> None:
        key, placed = made
        if key != self._key or self._population is None:
            return
        current = self.current
        self._layout = placed
        self._show(self._population, placed)
        if self.scene is not None:
            self.look.current = self.scene.find(current)
        self.updateGeometry()
        if self._fitted:
            self.fit()
        self.placed.emit()

    def _show(self, population: Population, placed: Layout) -> None:
        self.scene = build(population, placed)
        stage(self.scene, self._moves)
        self._tell()
        self.update()

    def set_staged(self, moves: Mapping[tuple[str, str], int]) -> None:
        """How many moves are staged from one status to another; ("", target) where the first is not known."""
        if dict(moves) == self._moves:
            return
        self._moves = dict(moves)
        if self.scene is not None:
            stage(self.scene, self._moves)
            if self._fitted:
                self.fit()
        self.update()

    def set_chosen(self, statuses: frozenset[str]) -> None:
        """The statuses that the filter asks for."""
        self.look.chosen = statuses
        self._tell()
        self.update()

    @property
    def current(self) -> str:
        """The status that the keyboard stands on, "" for none."""
        at = self.look.current
        return self.scene.boxes[at].node.status if self.scene is not None and at >= 0 else ""

    @property
    def staged_words(self) -> list[str]:
        """What is staged, as its pills say."""
        arcs = self.scene.staged if self.scene is not None else []
        return [f"{arc.count}: {arc.source} → {arc.target}" for arc in arcs]

    def text(self, index: int) -> str:
        """A status in words, for tooltips and screen readers."""
        if self.scene is None or not 0 <= index < len(self.scene.boxes):
            return ""
        node = self.scene.boxes[index].node
        chosen = "\nshown in the list" if node.status in self.look.chosen else ""
        return node_text(node, self.scene.population.as_of_ns) + chosen

    def way_text(self, flow: Flow) -> str:
        """A way in words, for its tooltip."""
        return flow_text(flow, self.scene is None or self.scene.declares)

    def make_painter(self, painter: QPainter, scene: Scene) -> StatusPainter:
        """Paints one frame; graphs of another kind paint theirs."""
        return StatusPainter(painter, scene, self.look)

    def describe(self) -> str:
        """What stands at the keyboard, or the size of the graph."""
        if self.scene is None:
            return self._empty
        if self.look.current >= 0:
            return self.text(self.look.current)
        total = self.scene.population.total
        return f"{len(self.scene.boxes)} statuses, {entities(total or 0)}. Arrow keys walk, Enter filters."

    def _tell(self) -> None:
        """Tells screen readers where the keyboard stands."""
        text = self.describe()
        if text != self.accessibleDescription():
            self.setAccessibleDescription(text)
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))

    # -- zoom and pan ---------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        high = _HEIGHTS[1] if self.scene is None else int(self.scene.bounds.height() + 2 * _MARGIN)
        return QSize(900, max(_HEIGHTS[0], min(high, _HEIGHTS[1])))

    def fit(self) -> None:
        """Shows the whole graph, never larger than 1:1; a large one from its initial status, still legible."""
        self._fitted = True
        if self.scene is None or self.width() < 2 * _MARGIN:
            return
        bounds = self.scene.bounds
        wide, high = self.width() - 2 * _MARGIN, self.height() - 2 * _MARGIN
        scale = min(wide / max(bounds.width(), 1.0), high / max(bounds.height(), 1.0), 1.0)
        scale = max(scale, _READABLE)
        left = (self.width() - bounds.width() * scale) / 2
        top = (self.height() - bounds.height() * scale) / 2
        if bounds.height() * scale > high:
            top = self._top(scale)
        corner = QPointF(max(left, _MARGIN), top)
        self.look.scale, self.look.origin = scale, corner - bounds.topLeft() * scale
        self.update()

    def _top(self, scale: float) -> float:
        """Where a graph that is too high begins, so that its first status is in sight."""
        scene = self.scene
        if scene is None or not scene.boxes:
            return _MARGIN
        first = (scene.boxes[0].rect.center().y() - scene.bounds.top()) * scale
        least = self.height() - _MARGIN - scene.bounds.height() * scale
        return min(_MARGIN, max(least, self.height() / 2 - first))

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Zooms about a point of the widget (default: its centre)."""
        at = at or QPointF(self.width() / 2, self.height() / 2)
        scale = min(max(self.look.scale * factor, _LEAST), _MOST)
        self.look.origin = at - (at - self.look.origin) * (scale / self.look.scale)
        self.look.scale, self._fitted = scale, False
        self.update()

    def pan(self, dx: float, dy: float) -> None:
        self.look.origin = self.look.origin + QPointF(dx, dy)
        self._fitted = False
        self.update()

    def box_rect(self, index: int) -> QRectF:
        """Where a status stands in the widget."""
        if self.scene is None:
            return QRectF()
        rect, scale = self.scene.boxes[index].rect, self.look.scale
        return QRectF(rect.topLeft() * scale + self.look.origin, rect.size() * scale)

    def _reveal(self, index: int) -> None:
        rect, room = self.box_rect(index), QRectF(self.rect()).adjusted(8, 8, -8, -8)
        dx = max(room.left() - rect.left(), 0.0) + min(room.right() - rect.right(), 0.0)
        dy = max(room.top() - rect.top(), 0.0) + min(room.bottom() - rect.bottom(), 0.0)
        if dx or dy:
            self.pan(dx, dy)

    # -- events ---------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        t = theme()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(
                t.color("accent") if self.hasFocus() and self.look.current < 0 else t.color("line")
            )
            painter.setBrush(t.color("panel"))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
            painter.setClipRect(self.rect().adjusted(1, 1, -1, -1))
            if self.scene is not None and self.scene.boxes:
                self.make_painter(painter, self.scene).paint(QRectF(self.rect()))
                return
            painter.setPen(t.color("muted"))
            painter.setFont(font(12))
            painter.drawText(
                self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._empty
            )

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self.update()
        super().changeEvent(event)

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

    def _scene_point(self, point: QPointF) -> QPointF:
        return (point - self.look.origin) / self.look.scale

    def box_at(self, point: QPointF) -> int:
        """The status under a point of the widget, -1 for none."""
        return -1 if self.scene is None else self.scene.box_at(self._scene_point(point))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag, self._dragged = event.position().toPoint(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point = event.position().toPoint()
        if self._drag is None:
            self._hover(event)
            return
        delta = point - self._drag
        if self._dragged or delta.manhattanLength() > 4:
            self._dragged, self._drag = True, point
            self.pan(delta.x(), delta.y())

    def _hover(self, event: QMouseEvent) -> None:
        if self.scene is None:
            return
        index = self.box_at(event.position())
        if index != self.look.hovered:
            self.look.hovered = index
            self.update()
        self.setCursor(Qt.CursorShape.PointingHandCursor if index >= 0 else Qt.CursorShape.ArrowCursor)
        text = self.text(index)
        if index < 0:
            edge = self.scene.edge_at(self._scene_point(event.position()), 5 / self.look.scale)
            text = self.way_text(edge.flow) if edge is not None else ""
        QToolTip.showText(event.globalPosition().toPoint(), plain_tooltip(text), self)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.look.hovered = -1
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None and not self._dragged:
            index = self.box_at(event.position())
            held = event.modifiers() & (
                Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
            )
            if index >= 0:
                self.press(index, add=bool(held))
        self._drag = None

    def press(self, index: int, *, add: bool = False) -> None:
        """Chooses a status, as a click does."""
        if self.scene is not None:
            self.look.current = index
            self._tell()
            self.update()
            self.toggled.emit((self.scene.boxes[index].node.status, add))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        keyboard = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = self.look.current if keyboard else self.box_at(QPointF(event.pos()))
        if self.scene is not None and index >= 0:
            corner = self.mapToGlobal(self.box_rect(index).bottomLeft().toPoint())
            point = corner if keyboard else event.globalPos()
            self.menu_requested.emit((self.scene.boxes[index].node.status, point))

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        tabbed = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        if tabbed and self.look.current < 0:
            self.walk(0)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def event(self, event: QEvent) -> bool:
        # Plus, minus and the like are commands of the page, too; with the keyboard in here they zoom.
        override = event.type() == QEvent.Type.ShortcutOverride
        if override and isinstance(event, QKeyEvent) and event.key() in _OWN and not _strong(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in _STEPS:
            self._step(*_STEPS[key])
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.walk(0 if key == Qt.Key.Key_Home else -1)
        elif key in _PRESS and self.look.current >= 0:
            self.press(self.look.current, add=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif key in _LARGER or key == Qt.Key.Key_Minus:
            self.zoom(1 / 1.2 if key == Qt.Key.Key_Minus else 1.2)
        elif key == Qt.Key.Key_0:
            self.fit()
        else:
            super().keyPressEvent(event)

    def walk(self, index: int) -> None:
        """Puts the keyboard on a status: the first, or -1 for the last."""
        if self.scene is not None and self.scene.boxes:
            self.look.current = index % len(self.scene.boxes)
            self._reveal(self.look.current)
            self._tell()
            self.update()

    def _step(self, dx: int, dy: int) -> None:
        """To the nearest status in a direction; to the first one when the keyboard stands on none."""
        if self.scene is None or self.look.current < 0:
            self.walk(0)
            return
        here = self.scene.boxes[self.look.current].rect.center()
        costs = []
        for number, box in enumerate(self.scene.boxes):
            gap = box.rect.center() - here
            along, across = gap.x() * dx + gap.y() * dy, abs(gap.x() * dy) + abs(gap.y() * dx)
            if along > 1:
                costs.append((along + 2 * across, number))
        if costs:
            self.walk(min(costs)[1])


def _strong(event: QKeyEvent) -> bool:
    return bool(event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier))
