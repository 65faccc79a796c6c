"""Entities compared with their histories: drift, broken links, dwell times, and since when the longest one stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.population_counts import Scope
from engine_bridge.engines.entity_state.row_parts import keys, labelled, of_entity
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import NO_STATUS, Bound
from engine_bridge.engines.entity_state.store_tables import BoundTable, family

EXACT: Final = 20_000
"""Populations up to this size are compared whole."""
SAMPLE: Final = 2_000
"""Entities of a larger one that are compared; also those whose stays are measured."""
COMPARED: Final = 5_000
"""Entities that one read compares where an application waits for it."""
_BLOCKS: Final = 50
_IDS: Final = 500


@dataclass(slots=True)
class Checked:
    """What the comparison found. ``entities`` were compared, ``exact``: all of them; ``dwell_of`` were measured.

    ``moves`` counts (from, to) of the measured entities.
    """

    entities: int = 0
    exact: bool = True
    dwell_of: int = 0
    broken: int = 0
    drift: Counter[str] = field(default_factory=Counter)
    oldest: dict[str, int] = field(default_factory=dict)
    dwell: dict[str, int] = field(default_factory=dict)
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)


def check(store: Store, scope: Scope, total: int, cancel: CancelToken) -> Checked:
    """Compares all entities of a small population, a sample of a large one."""
    bound, history = scope.bound, scope.bound.history
    found = Checked(exact=total <= EXACT)
    if history is None:
        return found
    entities = _sample(scope, store, total, cancel)
    lives = _lives(history, store, [row[0] for row in entities], cancel)
    found.dwell_of = found.entities = len(entities)
    _measure(found, bound, entities, lives, compare=not found.exact or total <= SAMPLE)
    if found.exact and total > SAMPLE:
        _compare_all(found, scope, store, cancel)
        found.broken = _broken(scope, history, store, cancel)
        found.entities = total
    return found


def _sample(scope: Scope, store: Store, total: int, cancel: CancelToken) -> list[tuple[Any, str]]:
    """(id, status) of some entities: all where they are few, else blocks spread evenly over the ids."""
    bound = scope.bound
    chosen = sa.select(*labelled(bound.id, bound.status)).where(*scope.where)
    if total <= SAMPLE or family(bound.id) != "integer":
        return _named(store.all(chosen.order_by(bound.id).limit(SAMPLE), cancel))
    low, high = (store.all(sa.select(edge(bound.id)), cancel)[0][0] for edge in (sa.func.min, sa.func.max))
    span = max(1, -(-(high - low + 1) // _BLOCKS))
    first = sa.bindparam("first", type_=sa.BigInteger)
    block = chosen.where(bound.id >= first, bound.id < first + sa.literal(span, sa.BigInteger))
    block = block.order_by(bound.id).limit(SAMPLE // _BLOCKS)
    firsts = [low + n * span for n in range(_BLOCKS)]
    return [row for first_id in firsts for row in _named(store.all(block, cancel, {"first": first_id}))]


def _named(rows: Any) -> list[tuple[Any, str]]:
    return [(id_, NO_STATUS if status is None else str(status)) for id_, status in rows]


_Row = tuple[str | None, str, int | None]


def _lives(
    history: BoundTable, store: Store, ids: Sequence[Any], cancel: CancelToken
) -> dict[str, list[_Row]]:
    """The history rows (from, to, at) of some entities, each one's in order, by the entity's id."""
    found: dict[str, list[_Row]] = {}
    chosen = labelled(history.entity_id, history.from_, history.to, history.at)
    statement = sa.select(*chosen).where(*history.rows).order_by(history.entity_id, history.order)
    for at in range(0, len(ids), _IDS):
        some = history.entity_id.in_(keys(history, ids[at : at + _IDS]))
        for entity, source, target, moment in store.all(statement.where(some), cancel):
            row = (None if source is None else str(source), str(target), moment)
            found.setdefault(str(entity), []).append(row)
    return found


def _measure(
    found: Checked,
    bound: Bound,
    entities: Sequence[tuple[Any, str]],
    lives: dict[str, list[_Row]],
    compare: bool,
) -> None:
    stays: dict[str, list[int]] = {}
    for id_, status in entities:
        rows = lives.get(str(id_), [])
        entered = rows[-1][2] if rows and rows[-1][1] == status else None
        if compare and rows:
            found.drift[status] += bound.status_column is not None and rows[-1][1] != status
            _note_oldest(found, status, entered)
        _walk(found, rows, stays, compare)
    found.dwell = {status: int(median(spans)) for status, spans in stays.items()}
    found.drift = +found.drift
    if not found.exact:
        # The longest standing one of a sample is not that of the population.
        found.oldest = {}


def _walk(found: Checked, rows: list[_Row], stays: dict[str, list[int]], compare: bool) -> None:
    """One entity's life: what it counts as moves, stays and broken links."""
    before: _Row | None = None
    for source, target, at in rows:
        said = before[1] if before is not None else None
        start = source if source is not None else said
        if start is not None:
            found.moves[start, target] += 1
        whole = source is None or source == said
        if before is not None:
            found.broken += compare and not whole
            if whole and at is not None and before[2] is not None and said is not None:
                stays.setdefault(said, []).append(at - before[2])
        before = (source, target, at)


def _note_oldest(found: Checked, status: str, entered: int | None) -> None:
    if entered is not None:
        found.oldest[status] = min(entered, found.oldest.get(status, entered))


def _compare_all(found: Checked, scope: Scope, store: Store, cancel: CancelToken) -> None:
    """Drift and the longest standing ones of all entities, by the database."""
    bound, history = scope.bound, scope.bound.history
    if history is None:
        return
    last = bound.latest("to").scalar_subquery()
    at = None if history.at is None else bound.latest("at").scalar_subquery()
    chosen = sa.select(*labelled(bound.status, last, at)).select_from(bound.table).where(*scope.where)
    for span in store.spans(bound.place, cancel, COMPARED):
        inner = chosen.where(*span).subquery()
        for name, number, start in store.all(_drifted(history, inner), cancel):
            named = NO_STATUS if name is None else str(name)
            if bound.status_column is not None and number:
                found.drift[named] += int(number)
            _note_oldest(found, named, start)


def _drifted(history: BoundTable, inner: sa.Subquery) -> sa.Select[Any]:
    """By status: how many the history tells otherwise, and since when the longest one stands."""
    status, said, since = inner.c.c0, inner.c.c1, inner.c.c2
    drift = sa.func.sum(sa.case((said != status, 1), else_=0))
    oldest: Any = None
    if history.at is not None:
        oldest = sa.type_coerce(sa.func.min(sa.case((said == status, since), else_=None)), history.at.type)
    return sa.select(*labelled(status, drift, oldest)).group_by(status)


def _broken(scope: Scope, history: BoundTable, store: Store, cancel: CancelToken) -> int:
    if history.from_ is None:
        return 0
    before = sa.func.lag(history.to).over(partition_by=history.entity_id, order_by=history.order)
    links = sa.select(*labelled(history.from_, before))
    if scope.where:
        links = links.where(of_entity(scope.bound, history, scope.where))
    broken = 0
    for span in store.spans(history.entity_id, cancel, within=history.rows):
        inner = links.where(*span).subquery()
        counted = sa.select(sa.func.count()).select_from(inner).where(inner.c.c0 != inner.c.c1)
        broken += store.all(counted, cancel)[0][0]
    return broken
