"""Follows one entity: waits at the database's cheap gate, then reads its rows again and hands over what is new.

Behind the gate a print of the entity's own rows (their number, the highest order, its version) tells whether it moved.
What was handed over is compared with what is there now, which also finds changed and deleted rows: they yield Restart.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.history import read_tale
from engine_bridge.engines.entity_state.history_drafts import Tale
from engine_bridge.engines.entity_state.history_teller import SHELF, Teller
from engine_bridge.engines.entity_state.row_parts import named
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_connect import Reader
from engine_bridge.engines.entity_state.store_tables import BoundTable
from engine_bridge.errors import BusyError, NotFoundError
from engine_bridge.history import Batch, Restart
from engine_bridge.model import Run, RunRef

_POLL_S: Final = 0.2
_CLOCK_S: Final = 5.0
# A long history is read again at most this often, however fast the database moves.
_REREAD_SHARE: Final = 4.0
_MARKS: Final = ("order", "id", "resolved_at", "done_at", "leased_until", "attempts", "last_error")
_Print = tuple[Any, ...]


def follow(store: Store, ref: RunRef, after: int, cancel: CancelToken) -> Iterator[Batch | Restart]:
    """New batches until cancelled; every ``_CLOCK_S`` one that only moves the engine's clock.

    Continues the history that ended at ``after`` (0: from the start). Yields Restart, and ends, when the rows do not
    continue it: a position that no history of this session ended at, deleted or changed rows.
    """
    teller = Teller() if after == 0 else SHELF.take(store, ref, after)
    if teller is None:
        yield Restart("Another history of this entity is open.")
        return
    try:
        yield from _follow(_Look(store, ref, cancel), teller, cancel)
    finally:
        SHELF.put(store, ref, teller)


def _follow(look: _Look, teller: Teller, cancel: CancelToken) -> Iterator[Batch | Restart]:
    spoke, pause = time.monotonic(), 0.0
    while not cancel.wait(pause):
        began = time.monotonic()
        found = look.again()
        if isinstance(found, Restart):
            yield found
            return
        pause = _POLL_S
        if found is not None:
            why = teller.broken(found[0])
            if why:
                yield Restart(why)
                return
            for batch in teller.batches(*found, cancel):
                spoke = time.monotonic()
                yield batch
            pause = max(_POLL_S, (time.monotonic() - began) * _REREAD_SHARE)
        if time.monotonic() - spoke >= _CLOCK_S:
            spoke = time.monotonic()
            yield Batch(engine_now_ns=look.store.now_ns(cancel))


class _Look:
    """What a tail saw last: the database's gate, the entity's print, and when time alone changes it."""

    def __init__(self, store: Store, ref: RunRef, cancel: CancelToken) -> None:
        self.store = store
        self._ref = ref
        self._cancel = cancel
        self._gate: str | None = None
        self._print: _Print | None = None
        self._due_ns: int | None = None

    def again(self) -> tuple[Tale, Run] | Restart | None:
        """The entity as it is now; None when it did not move, or the file is locked."""
        store, cancel = self.store, self._cancel
        try:
            gate = store.version_token(cancel)
            due = self._due_ns is not None and store.now_ns(cancel) >= self._due_ns
            if gate == self._gate and not due:
                return None
            with store.reader(cancel) as read:
                found = self._fingerprint(read)
            if found == self._print and not due:
                self._gate = gate
                return None
            tale, run = read_tale(store, self._ref, cancel)
        except NotFoundError:
            return Restart("The entity was deleted.")
        except BusyError:
            return None
        self._gate, self._print, self._due_ns = gate, found, _next_due(tale)
        return tale, run

    def _fingerprint(self, read: Reader) -> _Print:
        bound = self.store.workflow(self._ref.group)
        mine = sa.select(bound.table).where(bound.id == bound.key(self._ref.run), *bound.scope)
        rows = read.all(mine)
        if not rows:
            raise NotFoundError("The entity was deleted.")
        tables = (bound.history, bound.failures, bound.delayed)
        return tuple(rows[0]), *(self._count(read, table) for table in tables if table is not None)

    def _count(self, read: Reader, table: BoundTable) -> _Print:
        names = [name for name in _MARKS if name in table.names]
        seen = [sa.func.max(sa.cast(getattr(table, name), sa.Text)) for name in names]
        counted = [sa.func.count(getattr(table, name)) for name in names]
        mine = named(table, self._ref.run)
        row = read.one(
            sa.select(sa.func.count(), *seen, *counted).select_from(table.table).where(mine, *table.rows)
        )
        return tuple(row)


def _next_due(tale: Tale) -> int | None:
    """When the passing of time alone changes what is shown: the next end of a lease or a claim."""
    now_ns = tale.story.now_ns
    due = [step.planned_end_ns for step in tale.steps if not step.status.closed]
    due += [line.leased_ns for line in tale.story.delays if not line.done]
    return min((at for at in due if at is not None and at > now_ns), default=None)
