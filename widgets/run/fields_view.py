"""A table of facts: name, value, and a mark on what was not simply recorded. GUI thread."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from engine_bridge import format as fmt
from engine_bridge.model import Provenance
from widgets import glyphs
from widgets.run.blocked import evidence_text
from widgets.run.facts import Fact
from widgets.run.labels import draw_glyph, tip
from widgets.theme import font, theme

_ROW = 22
_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_CENTER = int(Qt.AlignmentFlag.AlignVCenter)
_DISPLAY = int(Qt.ItemDataRole.DisplayRole)
_TOOLTIP = int(Qt.ItemDataRole.ToolTipRole)


class FactModel(QAbstractTableModel):
    """Facts as rows; columns are name, value, provenance."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: list[Fact] = []

    def set_facts(self, facts: list[Fact]) -> None:
        """Replaces all rows; the same count keeps the view where it is."""
        if len(facts) == len(self.facts):
            self.facts = facts
            if facts:
                self.dataChanged.emit(self.index(0, 0), self.index(len(facts) - 1, 2))
            return
        self.beginResetModel()
        self.facts = facts
        self.endResetModel()

    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.facts)

    def columnCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else 3

    def data(self, index: _Index, role: int = _DISPLAY) -> Any:
        fact = self.facts[index.row()]
        if role == _DISPLAY:
            return (fact.name, fmt.plain(fact.value), provenance_mark(fact))[index.column()]
        if role == _TOOLTIP:
            return tip(fact_tip(fact))
        return None


def provenance_mark(fact: Fact) -> str:
    """What stands in the last column: nothing for recorded values."""
    return "" if fact.provenance is Provenance.RECORDED else fact.provenance.value


def fact_tip(fact: Fact) -> str:
    """The exact value and its evidence."""
    lines = [fact.value] if len(fact.value) > 60 else []
    if fact.exact:
        lines.append(f"{fact.exact} ns")
    if fact.provenance is not Provenance.RECORDED:
        lines += [fact.provenance.value, evidence_text(fact.evidence)]
    return "\n".join(line for line in lines if line)


class _Delegate(QStyledItemDelegate):
    def __init__(self, model: FactModel) -> None:
        super().__init__()
        self._model = model
        self._words, self._code = font(12), font(12, code=True)
        self._heading, self._mark = font(11, bold=True), font(11)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(60, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        fact = self._model.facts[index.row()]
        rect, column, t = option.rect, index.column(), theme()
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, t.color("selection"))
        inner = rect.adjusted(10 if column == 0 else 4, 0, -4, 0)
        tone = "text" if column == 1 else "muted"
        painter.setFont((self._words, self._code, self._mark)[column])
        if fact.heading:
            painter.setFont(self._heading)
        if column == 1 and fact.status:
            draw_glyph(
                painter,
                glyphs.state_glyph(fact.status),
                t.state(fact.status).name(),
                inner.left(),
                inner.center().y() - 6,
                13,
            )
            inner = inner.adjusted(19, 0, 0, 0)
        if column == 1 and fact.link is not None:
            tone = "accent"
        painter.setPen(t.color(tone))
        text = str(self._model.data(index))
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(inner, _CENTER, shown)
        painter.restore()


class FieldsView(QTableView):
    """``run_opened`` carries the RunRef of a followed value; ``filter_requested`` a (field, value)."""

    run_opened = Signal(object)
    filter_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.facts_model = FactModel()
        self._delegate = _Delegate(self.facts_model)
        self.filter_fields: frozenset[str] = frozenset()
        self.setModel(self.facts_model)
        self.setItemDelegate(self._delegate)
        self.horizontalHeader().hide()
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.verticalHeader().setMinimumSectionSize(_ROW)
        self.setColumnWidth(0, 132)
        self.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.setColumnWidth(2, 64)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Fields")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu)
        self.doubleClicked.connect(lambda index: self._open(index.row()))

    def set_facts(self, facts: list[Fact]) -> None:
        """Shows facts; the provenance column takes room only when something fills it."""
        marked = any(provenance_mark(fact) for fact in facts)
        self.setColumnHidden(2, not marked)
        self.facts_model.set_facts(facts)

    def fact(self, row: int) -> Fact | None:
        return self.facts_model.facts[row] if 0 <= row < len(self.facts_model.facts) else None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        fact = self.fact(self.currentIndex().row())
        if fact is not None and event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(fact.value)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(self.currentIndex().row())
        else:
            super().keyPressEvent(event)

    def _open(self, row: int) -> None:
        fact = self.fact(row)
        if fact is not None and fact.link is not None:
            self.run_opened.emit(fact.link)

    def _on_menu(self, at: QPoint) -> None:
        fact = self.fact(self.rowAt(at.y()))
        if fact is not None and not fact.heading:
            menu = self.menu(fact)
            menu.exec(self.viewport().mapToGlobal(at))
            menu.deleteLater()

    def menu(self, fact: Fact) -> QMenu:
        """What a row offers."""
        menu = QMenu(self)
        copies = (("Copy value", fact.value), ("Copy name and value", f"{fact.name}: {fact.value}"))
        for title, text in (*copies, ("Copy nanoseconds", fact.exact)):
            if text:
                action = menu.addAction(title)
                action.triggered.connect(lambda _=False, text=text: QGuiApplication.clipboard().setText(text))
        if fact.link is not None:
            menu.addAction("Open run").triggered.connect(lambda: self.run_opened.emit(fact.link))
        if fact.field and fact.field.split(".")[0] in self.filter_fields:
            title = fmt.plain(f"Filter runs by {fact.field} {fact.value}", 80)
            pair = (fact.field, fact.value)
            menu.addAction(title).triggered.connect(lambda: self.filter_requested.emit(pair))
        return menu
