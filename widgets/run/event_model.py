"""The events of a history as a table model; an event is decoded only when its row is seen. GUI thread."""

from __future__ import annotations

import re
from collections import OrderedDict
from datetime import tzinfo
from functools import lru_cache
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from engine_bridge import format as fmt
from engine_bridge.codes import EVENT_KINDS, time_or_none
from engine_bridge.history import History, distinct
from engine_bridge.model import Event, EventKind, PayloadRef, Provenance
from engine_bridge.payloads import decode, summary
from engine_bridge.payloads.masking import mask_decoded, mask_text
from widgets.run.blocked import evidence_text
from widgets.run.entity import came_from, is_entity, move_words
from widgets.run.labels import tip
from widgets.run.moment import spans_days

COLUMNS: Final = ("#", "time", "event", "step", "detail")
NUMBER, TIME, EVENT, STEP, DETAIL = range(5)
_CACHED: Final = 512
_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")
_TEXTS = 4_000
_PREVIEW: Final = 120  # characters
_DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
_TOOLTIP: Final = int(Qt.ItemDataRole.ToolTipRole)
_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class EventModel(QAbstractTableModel):
    """Rows are all events, or those of ``set_rows``. ``event_at`` keeps the last few hundred decoded ones."""

    def __init__(self) -> None:
        super().__init__()
        self._history: History | None = None
        self._count = 0
        self._rows: NDArray[np.int64] | None = None
        self._cache: OrderedDict[int, Event] = OrderedDict()
        self._texts: dict[tuple[int, int], str] = {}
        self._zone: tzinfo | None = None
        self._with_day = False
        self.position: int | None = None
        self.step_row = -1

    @property
    def history(self) -> History | None:
        return self._history

    def set_history(self, history: History | None) -> None:
        """Shows another history from its start, unfiltered."""
        self.beginResetModel()
        self._history, self._rows = history, None
        self._count = len(history) if history is not None else 0
        self._cache.clear()
        self._look_at_days()
        self.endResetModel()

    def set_zone(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self._look_at_days()

    def _look_at_days(self) -> None:
        self._texts.clear()
        self._with_day = self._history is not None and spans_days(self._history, self._zone)

    @property
    def with_day(self) -> bool:
        """Whether the time column shows days too."""
        return self._with_day

    @property
    def of_entity(self) -> bool:
        """Whether this is an entity's life."""
        return self._history is not None and is_entity(self._history.run)

    def grow(self) -> None:
        """Takes events that the history gained; what is shown stays where it is."""
        if self._history is None:
            return
        count = len(self._history)
        if self._rows is None and count > self._count:
            self.beginInsertRows(QModelIndex(), self._count, count - 1)
            self._count = count
            self.endInsertRows()
        self._count = count
        self._look_at_days()

    def retell(self) -> None:
        """Forgets the words of events: they read otherwise now."""
        self._cache.clear()
        self._texts.clear()
        if self.rowCount():
            self.dataChanged.emit(self.index(0, 0), self.index(self.rowCount() - 1, len(COLUMNS) - 1))

    def set_rows(self, rows: NDArray[np.int64] | None) -> None:
        """Shows only some rows of the history (rising), or all again."""
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def add_rows(self, rows: NDArray[np.int64]) -> None:
        """More rows of a filter that is still looking."""
        if self._rows is None or not len(rows):
            return
        places = np.searchsorted(self._rows, rows)
        for place in distinct(places)[::-1].tolist():  # from the end, so that places before it stay
            some = rows[places == place]
            self.beginInsertRows(QModelIndex(), place, place + len(some) - 1)
            self._rows = np.concatenate([self._rows[:place], some, self._rows[place:]])
            self.endInsertRows()

    def rowCount(self, parent: _Index = _ROOT) -> int:
        if parent.isValid():
            return 0
        return self._count if self._rows is None else len(self._rows)

    def columnCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _DISPLAY) -> Any:
        if role == _DISPLAY and orientation == Qt.Orientation.Horizontal:
            return COLUMNS[section]
        return None

    def source_row(self, row: int) -> int:
        """The history's row of a table row."""
        return row if self._rows is None else int(self._rows[row])

    def event_at(self, row: int) -> Event | None:
        """The event of a table row; None beyond the end."""
        return self.history_event(self.source_row(row))

    def history_event(self, source: int) -> Event | None:
        """The event of a history's row, from the cache of the last few hundred."""
        cached = self._cache.get(source)
        if cached is not None:
            self._cache.move_to_end(source)
            return cached
        history = self._history
        if history is None or not 0 <= source < len(history):
            return None
        event = decoded(history, source)
        self._cache[source] = event
        if len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return event

    def row_of(self, position: int) -> int:
        """The last shown row at or before a position; -1 when there is none."""
        if self._history is None:
            return -1
        source = self._history.row_of(position)
        if self._rows is None:
            return source
        return int(np.searchsorted(self._rows, source, side="right")) - 1

    def later(self, row: int) -> bool:
        """Whether a row comes after the playhead."""
        if self.position is None or self._history is None:
            return False
        event = self.event_at(row)
        return event is not None and event.position > self.position

    def of_step(self, row: int) -> bool:
        """Whether a row belongs to the selected step."""
        if self.step_row < 0 or self._history is None:
            return False
        return bool(self._history.events["step"][self.source_row(row)] == self.step_row)

    def data(self, index: _Index, role: int = _DISPLAY) -> Any:
        if role == _DISPLAY:
            return self.text(index.row(), index.column())
        if role == _TOOLTIP:
            return tip(self.tooltip(index.row(), index.column()))
        return None

    def text(self, row: int, column: int) -> str:
        """A cell's words; those of rows in sight are asked for with every frame."""
        key = (self.source_row(row), column)
        text = self._texts.get(key)
        if text is None:
            if len(self._texts) > _TEXTS:
                self._texts.clear()
            text = self._texts[key] = self._text(row, column)
        return text

    def _text(self, row: int, column: int) -> str:
        event = self.event_at(row)
        if event is None:
            return ""
        if column == NUMBER:
            return str(event.position)
        if column == TIME:
            return self._time(event.time_ns)
        if column == EVENT:
            return fmt.plain(words_of(event), 200)
        if column == STEP:
            return fmt.plain(event.step_name or "", 200)
        return mask_text(detail_of(event))

    def _time(self, ns: int | None) -> str:
        # An entity's moves are days apart: what matters is read at a glance, the exact time is in the tooltip.
        clock = fmt.clock(ns, self._zone, digits=0 if self.of_entity else 3)
        return f"{fmt.day(ns, self._zone)} {clock}" if self._with_day and clock else clock

    def tooltip(self, row: int, column: int) -> str:
        """The exact value, and where it comes from."""
        event = self.event_at(row)
        if event is None:
            return ""
        if column == TIME:
            return fmt.timestamp(event.time_ns, self._zone) or "no time recorded"
        if column == EVENT:
            return f"{event.kind.value}: {event.name}\n{provenance_text(event)}"
        if column == DETAIL:
            return mask_text("\n".join(filter(None, (event.detail, *move_words(event, whole=True)))))
        return event.step_name or "" if column == STEP else ""


def decoded(history: History, row: int) -> Event:
    """An event of a history; a record that cannot be decoded becomes an event that says so."""
    try:
        return history.event(row)
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError, KeyError) as error:
        events = history.events
        return Event(
            position=int(events["position"][row]),
            kind=EVENT_KINDS[int(events["kind"][row])],
            name="unreadable record",
            time_ns=time_or_none(events["time_ns"][row]),
            detail=f"this record cannot be decoded ({type(error).__name__})",
        )


def words_of(event: Event) -> str:
    """What happened: of a change of status the engine's own name says by what, and of what has no other name."""
    if event.kind is EventKind.STATUS_CHANGED and event.name:
        return event.name
    if event.kind in (EventKind.OTHER, EventKind.OPERATOR, EventKind.TASK) and event.name:
        words = _CAPITAL.sub(" ", event.name).lower() if event.name.isalpha() else event.name
        if event.kind is EventKind.TASK:
            return f"task {words.rpartition(' ')[2]}"
        return (
            words.replace("workflow execution", "run").replace("workflow ", "").replace("activity task ", "")
        )
    return event.kind.value


def detail_of(event: Event) -> str:
    """The detail column: why and who, attempt, the error or the event's words, and a mark on what was not recorded."""
    parts = move_words(event)
    if event.attempt is not None:
        parts.append(f"attempt {event.attempt}")
    if event.kind is EventKind.STATUS_CHANGED:
        parts.append(came_from(event))
    elif event.detail:
        parts.append(event.detail)
    elif event.failure is not None:
        parts.append(f"{event.failure.type}: {event.failure.message}".rstrip(": "))
    elif event.ref is not None:
        parts.append(event.ref.label)
    if event.failure is None and event.payloads:
        parts.append(preview(event.payloads[0]))
    mark = "" if event.provenance is Provenance.RECORDED else f" ({event.provenance.value})"
    return (fmt.plain(" · ".join(filter(None, parts)), 400) + mark).lstrip()


def preview(ref: PayloadRef) -> str:
    """A short payload that came along, decoded and masked, on one line; "" when none did."""
    return "" if ref.head is None else _preview(ref.head, None if ref.encoded else ref.encoding)


@lru_cache(maxsize=2_048)
def _preview(head: bytes, encoding: str | None) -> str:
    return summary(mask_decoded(decode(head, encoding)), _PREVIEW)


def provenance_text(event: Event) -> str:
    """How we know of an event, with its evidence."""
    return "\n".join(filter(None, (event.provenance.value, evidence_text(event.evidence))))
