"""Observed moves from status to status, counted by the database over the history.

Histories only grow, so what was counted up to a row is kept with the workflow and the next look counts only newer
rows; it is forgotten after a while, for rows may be deleted.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.population_checks import Checked
from engine_bridge.engines.entity_state.population_counts import Scope
from engine_bridge.engines.entity_state.row_parts import by_scan, labelled, numbered, of_entity
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_tables import BoundTable
from engine_bridge.format import count
from engine_bridge.populations import Flow

WINDOW: Final = 5_000_000
"""History rows that are counted, the newest, where their order is a number that tells."""
_KEEP_S: Final = 300.0
# Rows that were numbered, but not committed yet, when the others were counted.
_UNSETTLED: Final = 1_000

_Key = tuple[str, str, str, str]  # from, to, step, requester


@dataclass(slots=True)
class Observed:
    """Moves that happened. ``note`` says what they were counted of, where that is not everything."""

    flows: tuple[Flow, ...] = ()
    note: str = ""


@dataclass(slots=True)
class _Kept:
    upto: int | None = None
    counts: Counter[_Key] = field(default_factory=Counter)
    until_s: float = 0.0
    first: int | None = None


_KEPT: weakref.WeakKeyDictionary[BoundTable, _Kept] = weakref.WeakKeyDictionary()
_LOCK: Final = threading.Lock()


def observe(store: Store, scope: Scope, checked: Checked, cancel: CancelToken) -> Observed:
    """The flows of a workflow, the most frequent first."""
    history = scope.bound.history
    if history is None:
        return Observed()
    if history.from_ is None:
        # Without a column for it, where a move began is known only from the row before.
        pairs: Counter[_Key] = Counter({(*pair, "", ""): number for pair, number in checked.moves.items()})
        whole = checked.dwell_of >= checked.entities and checked.exact
        return Observed(
            _flows(pairs), "" if whole else f"Moves are those of {count(checked.dwell_of)} entities."
        )
    counts, first = _Moves(store, scope, history, cancel).count()
    cut = first is not None and first > 1
    return Observed(
        _flows(counts), f"Moves are counted of the newest {count(WINDOW)} history rows." if cut else ""
    )


class _Moves:
    """Counts the moves of a scope; each read takes long only where nobody waits for it."""

    def __init__(self, store: Store, scope: Scope, history: BoundTable, cancel: CancelToken) -> None:
        self._store, self._scope, self._history, self._cancel = store, scope, history, cancel

    def count(self) -> tuple[Counter[_Key], int | None]:
        """The counts, and above which order they were counted (None: all rows)."""
        order = self._history.order
        if not numbered(self._history.order):
            return self._grouped([]), None
        newest = self._value(sa.func.max(order))
        if newest is None:
            return Counter(), None
        if not self._scope.whole:
            floor = self._floor(newest)
            return self._grouped(_above(self._history, floor)), floor
        kept = self._kept(newest)
        return kept.counts + self._grouped(_above(self._history, kept.upto)), kept.first

    def _value(self, expression: Any) -> Any:
        return self._store.all(sa.select(expression), self._cancel)[0][0]

    def _floor(self, newest: int) -> int | None:
        oldest = self._value(sa.func.min(self._history.order))
        return newest - WINDOW if newest - WINDOW >= oldest else None

    def _kept(self, newest: int) -> _Kept:
        """What is counted for good, brought up to date."""
        history = self._history
        with _LOCK:
            kept = _KEPT.get(history)
            if kept is None or kept.until_s < time.monotonic() or newest < (kept.upto or newest):
                floor = self._floor(newest)
                kept = _Kept(floor, until_s=time.monotonic() + _KEEP_S, first=floor)
            upto = newest - _UNSETTLED
            if upto > (kept.upto or 0):
                between = [*_above(history, kept.upto), history.order <= upto]
                kept.counts = kept.counts + self._grouped(between)
                kept.upto = upto
            _KEPT[history] = kept
            return kept

    def _grouped(self, where: list[Any]) -> Counter[_Key]:
        scope, history = self._scope, self._history
        by = [history.from_, history.to, history.step, history.requester]
        statement = sa.select(*labelled(*by, sa.func.count())).select_from(history.table)
        if not scope.whole or (scope.where and history.tenant is None):
            statement = statement.where(of_entity(scope.bound, history, scope.where))
        statement = statement.group_by(*(column for column in by if column is not None))
        found: Counter[_Key] = Counter()
        for span in self._spans(where):
            for source, target, step, requester, number in self._store.all(
                statement.where(*span), self._cancel
            ):
                found[_text(source), _text(target), _text(step), _text(requester)] += number
        return found

    def _spans(self, where: list[Any]) -> Iterator[list[Any]]:
        history, store = self._history, self._store
        if numbered(history.order):
            rows = [by_scan(store.dialect, rule) for rule in history.scope]
            return ([*rows, *span] for span in store.spans(history.order, self._cancel, within=where))
        spans = store.spans(history.entity_id, self._cancel, within=history.rows)
        return ([*history.scope, *where, *span] for span in spans)


def _above(history: BoundTable, order: int | None) -> list[Any]:
    return [] if order is None else [history.order > order]


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _flows(counts: Counter[_Key]) -> tuple[Flow, ...]:
    pairs: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
    for (source, target, step, requester), number in counts.items():
        pairs.setdefault((source, target), Counter())[step, requester] += number
    left: Counter[str] = Counter()
    for (source, _), ways in pairs.items():
        left[source] += ways.total()
    flows = [
        Flow(
            source=source,
            target=target,
            declared=False,
            steps=_named(step for (step, _), _ in ways.most_common()),
            requesters=_named(who for (_, who), _ in ways.most_common()),
            count=ways.total(),
            share=ways.total() / left[source],
        )
        for (source, target), ways in pairs.items()
        if source
    ]
    return tuple(sorted(flows, key=lambda flow: -flow.count))


def _named(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
