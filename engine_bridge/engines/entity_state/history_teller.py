"""Hands a history over in batches, and knows what it has handed over, so that a tail continues exactly there."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.history_drafts import Draft, Prints, Tale
from engine_bridge.history import Batch, BatchBuilder
from engine_bridge.model import Event, Run, RunRef, Step, StepStatus

_EVENTS_A_BATCH: Final = 8_000
_REMEMBERED: Final = 8
_MAY_VANISH: Final = "c:"  # claims; "created" is the other key with a c


class Teller:
    """Belongs to one thread at a time. ``position`` is that of the last event handed over."""

    def __init__(self) -> None:
        self.position = 0
        self.run: Run | None = None
        self.steps: dict[str, Step] = {}
        self.told: dict[str, Prints] = {}
        self._builder = BatchBuilder()

    def batches(self, tale: Tale, run: Run, cancel: CancelToken) -> Iterator[Batch]:
        """All that a tale has beyond what was handed over; nothing when there is nothing."""
        fresh = [draft for draft in tale.drafts if draft.key not in self.told]
        every = {step.id: step for step in tale.steps}
        every |= {id_: _given_up(step) for id_, step in self.steps.items() if id_ not in every}
        changed = {id_: step for id_, step in every.items() if self.steps.get(id_) != step}
        if not fresh and not changed and run == self.run:
            return
        total = len(self.told) + len(fresh)
        for at in range(0, max(len(fresh), 1), _EVENTS_A_BATCH):
            cancel.progress(at, len(fresh), "Building the history")
            some = fresh[at : at + _EVENTS_A_BATCH]
            last = at + _EVENTS_A_BATCH >= len(fresh)
            named = {draft.step_id for draft in some if draft.step_id is not None}
            steps = [step for id_, step in every.items() if id_ in named or (last and id_ in changed)]
            for id_ in named:
                changed.pop(id_, None)
            more: dict[str, Any] = {"total": total, "engine_now_ns": tale.story.now_ns}
            more["notes"] = tale.notes if last else ()
            yield self._builder.build(run, [(self._event(d), d.run_code) for d in some], steps, **more)
        self.run, self.steps = run, every

    def _event(self, draft: Draft) -> Event:
        self.position += 1
        self.told[draft.key] = draft.prints
        return draft.event(self.position)

    def broken(self, tale: Tale) -> str:
        """Why what was handed over is not the beginning of a tale any more; "" while it is."""
        now = {draft.key: draft.prints for draft in tale.drafts}
        for key, prints in self.told.items():
            if key not in now:
                if not key.startswith(_MAY_VANISH):
                    return _GONE[key[:1]]
            elif now[key] != prints:
                return "A row of this history was changed."
        return ""


_GONE: Final = {
    "m": "History rows of this entity were deleted.",
    "g": "A change outside the history was undone, or has its history row now.",
    "f": "A failure was deleted from the log.",
    "r": "A resolved failure is open again.",
    "d": "A delayed step was deleted.",
    "D": "A delayed step that was done is open again.",
    "c": "The first status is another one now.",
}


def _given_up(step: Step) -> Step:
    """A claim that is not held any more: when it ended is not recorded."""
    return step if step.status.closed else msgspec.structs.replace(step, status=StepStatus.COMPLETED)


class Shelf:
    """Tellers by store, run and last position."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: weakref.WeakKeyDictionary[Any, OrderedDict[tuple[RunRef, int], Teller]]
        self._kept = weakref.WeakKeyDictionary()

    def put(self, store: object, ref: RunRef, teller: Teller) -> None:
        """Keeps a teller for the tail that comes next; only the latest few are kept."""
        with self._lock:
            kept = self._kept.setdefault(store, OrderedDict())
            kept[ref, teller.position] = teller
            while len(kept) > _REMEMBERED:
                kept.popitem(last=False)

    def take(self, store: object, ref: RunRef, position: int) -> Teller | None:
        """The teller that ended at a position, None when there is none."""
        with self._lock:
            return self._kept.get(store, OrderedDict()).pop((ref, position), None)


SHELF: Final = Shelf()
