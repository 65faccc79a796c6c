"""Follows one run: waits at the database's cheap gate, then reads the run's rows again and hands over what is new.

Behind the gate a fingerprint of the run's own rows (tail_print.py) tells whether it moved at all. If so its rows are
read again, and compared with what was handed over, which also finds changed and deleted ones: no watermark is kept.
A rewind, a resume or a deletion yields Restart.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.history import SHELF, Teller, read_tale
from engine_bridge.engines.dbos.history_tale import Tale
from engine_bridge.engines.dbos.tail_print import Print, fingerprint
from engine_bridge.errors import BusyError, NotFoundError
from engine_bridge.history import Batch, Restart
from engine_bridge.model import Provenance, RunRef, Step

_POLL_S: Final = 0.2
_CLOCK_S: Final = 5.0
# A long history is read again at most this often, however fast the database moves.
_REREAD_SHARE: Final = 4.0
_Found = tuple[Tale, int] | Restart | bool
_SAME: Final = True
_BUSY: Final = False
# Only the latest dispatch is kept, cancelling wipes the queue, and old schemas delete a message that was received.
_MAY_VANISH: Final = ("dispatch ", "requeued ", "queued", "R", "M")


def follow(db: Database, ref: RunRef, after: int, cancel: CancelToken) -> Iterator[Batch | Restart]:
    """New batches until cancelled; every ``_CLOCK_S`` one that only moves the engine's clock.

    Continues the history that ended at ``after`` (0: from the start). Yields Restart, and ends, when the rows do not
    continue it: a position that no history of this session ended at, deleted or rewritten steps.
    """
    teller = Teller() if after == 0 else SHELF.take(db, ref, after)
    if teller is None:
        yield Restart("Another history of this run is open.")
        return
    try:
        yield from _follow(db, ref, teller, cancel)
    finally:
        SHELF.put(db, ref, teller)


def _follow(db: Database, ref: RunRef, teller: Teller, cancel: CancelToken) -> Iterator[Batch | Restart]:
    gate, look, spoke, pause = "", _Look(), time.monotonic(), 0.0
    while not cancel.wait(pause):
        seen, now_ns, pause = db.version_token(cancel), db.now_ns(cancel), _POLL_S
        if seen != gate or look.due(now_ns):
            began = time.monotonic()
            found = look.again(db, ref, now_ns, cancel)
            gate = gate if found is _BUSY else seen
            for item in _told(teller, found, cancel):
                spoke = time.monotonic()
                yield item
                if isinstance(item, Restart):
                    return
            pause = max(_POLL_S, (time.monotonic() - began) * _REREAD_SHARE)
        if time.monotonic() - spoke >= _CLOCK_S:
            spoke = time.monotonic()
            yield Batch(engine_now_ns=now_ns)


def _told(teller: Teller, found: _Found, cancel: CancelToken) -> Iterator[Batch | Restart]:
    if isinstance(found, Restart):
        yield found
    elif not isinstance(found, bool):
        tale, now_ns = found
        why = broken(teller, tale)
        if why:
            yield Restart(why)
        else:
            yield from teller.batches(tale, now_ns, cancel)


class _Look:
    """What a tail saw last of its run: its fingerprint, its open children, and when time alone changes it."""

    def __init__(self) -> None:
        self._print: Print | None = None
        self._children: list[str] = []
        self._due_ns: int | None = None

    def due(self, now_ns: int) -> bool:
        return self._due_ns is not None and now_ns >= self._due_ns

    def again(self, db: Database, ref: RunRef, now_ns: int, cancel: CancelToken) -> _Found:
        """The run as it is now; _SAME when it did not move, _BUSY when the file is locked."""
        try:
            found = fingerprint(db, ref.run, self._children, cancel)
            if found is not None and found == self._print and not self.due(now_ns):
                return _SAME
            tale, read_ns = read_tale(db, ref, cancel)
        except NotFoundError:
            return Restart("The run was deleted.")
        except BusyError:
            return _BUSY
        opened = [s.child.run for s in tale.steps if s.child is not None and not s.status.closed]
        # Children that were not watched yet may have moved since the fingerprint was taken.
        self._print = found if opened == self._children else None
        self._children = opened
        self._due_ns = _next_due(tale, read_ns)
        return tale, read_ns


def broken(teller: Teller, tale: Tale) -> str:
    """Why what was handed over is not the beginning of a tale any more; "" while it is."""
    now = {draft.key: (draft.time_ns, draft.status) for draft in tale.drafts}
    for key, (time_ns, status) in teller.told.items():
        if key not in now:
            if not key.startswith(_MAY_VANISH):
                return f"Rows of this run were deleted or it was resumed ({_words(key)})."
        elif key.startswith("E") and now[key][1] is not status:
            return f"{_words(key)} ended otherwise than was known."
        elif key.startswith("E") and now[key][0] != time_ns is not None and not _estimate(tale, key[1:]):
            return f"{_words(key)} was executed anew."
    recorded = {step.id for step in tale.steps}
    gone = [id_ for id_, step in teller.steps.items() if id_ not in recorded and _counts(step)]
    return f"Step {gone[0]} is not there any more." if gone else ""


def _counts(step: Step) -> bool:
    """Whether a row was more than a guess at what the code was doing."""
    return step.provenance is not Provenance.INFERRED


def _estimate(tale: Tale, id_: str) -> bool:
    """Whether a step's end is rebuilt or inferred: better evidence may move it."""
    return any(step.id == id_ and "end_ns" in step.fields for step in tale.steps)


def _words(key: str) -> str:
    return f"Step {key[1:]}" if key[1:].isdigit() else key


def _next_due(tale: Tale, now_ns: int) -> int | None:
    """When the passing of time alone changes what is shown: the next planned end."""
    due = [s.planned_end_ns for s in tale.steps if s.planned_end_ns is not None and not s.status.closed]
    return min((at for at in due if at > now_ns), default=None)
