"""The stack that reached a step, and the other tasks, as a flat table. GUI thread."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from engine_bridge.format import plain
from engine_bridge.replay.model import Frame, TraceStep
from widgets.code.stack import HERE, FoldRow, FrameRow, StackRow, TaskRow, rows_of, short_place
from widgets.run.labels import draw_glyph, tip
from widgets.theme import Theme, font, theme

_ROW: Final = 20
_Index = QModelIndex | QPersistentModelIndex
_ROOT: Final = QModelIndex()
_DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
_TOOLTIP: Final = int(Qt.ItemDataRole.ToolTipRole)
_CENTER: Final = int(Qt.AlignmentFlag.AlignVCenter)
_STATES: Final = {
    "running": ("running", "running"),
    "waiting": ("clock", "waiting"),
    "done": ("completed", "completed"),
}


class StackModel(QAbstractTableModel):
    """Rows of one step, in one column."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[StackRow] = []
        self._step = TraceStep(n=0, name="")
        self._names: dict[str, str] = {}
        self._opened: frozenset[tuple[int, int]] = frozenset()

    def show(self, step: TraceStep, names: dict[str, str]) -> None:
        """Another step; what was opened stays so while as many frames are on the stack."""
        if len(step.stack) != len(self._step.stack):
            self._opened = frozenset(key for key in self._opened if key[1] == HERE)
        self._step, self._names = step, names
        self.beginResetModel()
        self.rows = rows_of(step, self._opened, names)
        self.endResetModel()

    def toggle(self, index: int) -> bool:
        """Opens or closes a fold or a task; whether the row is one."""
        row = self.row(index)
        if isinstance(row, FoldRow):
            self._opened |= {(row.owner, row.first)}
        elif isinstance(row, TaskRow):
            self._opened ^= {(row.number, -1)}
        else:
            return False
        self.layoutAboutToBeChanged.emit()
        self.rows = rows_of(self._step, self._opened, self._names)
        self.layoutChanged.emit()
        return True

    def row(self, index: int) -> StackRow | None:
        return self.rows[index] if 0 <= index < len(self.rows) else None

    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else 1

    def data(self, index: _Index, role: int = _DISPLAY) -> Any:
        row = self.row(index.row())
        if row is None or role not in (_DISPLAY, _TOOLTIP):
            return None
        if role == _TOOLTIP and isinstance(row, FrameRow):
            return tip(f"{row.frame.function}\n{row.frame.file}:{row.frame.line}")
        return plain(row.text, 200) if role == _DISPLAY else tip(row.text)


class _Delegate(QStyledItemDelegate):
    def __init__(self, view: StackView, model: StackModel) -> None:
        super().__init__()
        self._view, self._model = view, model
        self._code = font(12, code=True)
        self._words = font(12)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(100, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row = self._model.row(index.row())
        if row is None:
            return
        rect, t = option.rect, theme()
        painter.save()
        shown = isinstance(row, FrameRow) and row.frame is self._view.frame
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, t.color("selection"))
        if shown:
            painter.fillRect(rect.left(), rect.top(), 3, rect.height(), t.color("playhead"))
        if isinstance(row, FrameRow):
            self._paint_frame(painter, t, rect, row)
        else:
            self._paint_other(painter, t, rect, row)
        painter.restore()

    def _paint_frame(self, p: QPainter, t: Theme, rect: QRect, row: FrameRow) -> None:
        user = row.frame.kind == "user"
        p.setFont(self._code)
        x = rect.left() + 10 + (18 if row.owner != HERE else 0)
        p.setPen(t.color("text" if user else "muted"))
        name = p.fontMetrics().elidedText(
            plain(row.frame.function, 200), Qt.TextElideMode.ElideMiddle, rect.width() * 2 // 3
        )
        p.drawText(x, rect.top(), rect.width(), rect.height(), _CENTER, name)
        x += p.fontMetrics().horizontalAdvance(name) + 12
        p.setPen(t.color("accent" if user else "muted"))
        room = max(0, rect.right() - x - 6)
        place = p.fontMetrics().elidedText(
            plain(short_place(row.frame), 200), Qt.TextElideMode.ElideLeft, room
        )
        p.drawText(x, rect.top(), room, rect.height(), _CENTER, place)

    def _paint_other(self, p: QPainter, t: Theme, rect: QRect, row: FoldRow | TaskRow) -> None:
        p.setFont(self._words)
        p.setPen(t.color("muted"))
        x = rect.left() + 10 + (18 if isinstance(row, FoldRow) and row.owner != HERE else 0)
        arrow = "▾" if isinstance(row, TaskRow) and row.opened else "▸"
        p.drawText(x, rect.top(), 14, rect.height(), _CENTER, arrow)
        x += 14
        if isinstance(row, TaskRow):
            glyph, state = _STATES.get(row.task.state, ("unknown", "muted"))
            draw_glyph(p, glyph, t.state(state).name(), x, rect.top() + (rect.height() - 12) / 2, 12)
            x += 18
            p.setPen(t.color("text"))
        room = max(0, rect.right() - x - 6)
        text = p.fontMetrics().elidedText(plain(row.text, 300), Qt.TextElideMode.ElideRight, room)
        p.drawText(x, rect.top(), room, rect.height(), _CENTER, text)


class StackView(QTableView):
    """``frame_chosen`` carries a Frame that the user wants to see."""

    frame_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.frame: Frame | None = None
        self.stack_model = StackModel()
        self._delegate = _Delegate(self, self.stack_model)
        self.setModel(self.stack_model)
        self.setItemDelegate(self._delegate)
        self.horizontalHeader().hide()
        self.horizontalHeader().setStretchLastSection(True)
        self.verticalHeader().hide()
        self.verticalHeader().setMinimumSectionSize(_ROW)
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Stack and tasks")
        self.clicked.connect(lambda index: self._choose(index.row()))

    def show_step(self, step: TraceStep, names: dict[str, str], frame: Frame | None) -> None:
        """The stack of another step; ``frame`` is the one whose code and locals are shown."""
        self.frame = frame
        bar = self.verticalScrollBar()
        at = bar.value()
        self.stack_model.show(step, names)
        bar.setValue(at)

    def set_frame(self, frame: Frame | None) -> None:
        """Marks the frame that is shown."""
        self.frame = frame
        self.viewport().update()

    def _choose(self, index: int) -> None:
        row = self.stack_model.row(index)
        if isinstance(row, FrameRow):
            self.frame_chosen.emit(row.frame)
        else:
            self.stack_model.toggle(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose(self.currentIndex().row())
        else:
            super().keyPressEvent(event)
