"""Follows one run: waits at the database's cheap gate, then reads the run's rows again and hands over what is new.

Reading one run is cheap (0.02 ms for a few rows, by primary key), so no watermark is kept: rows are compared with what
was handed over, which also finds changed and deleted ones. A rewind, a resume or a deletion yields Restart.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.connect import Database
from engine_bridge.engines.dbos.history import SHELF, Teller, read_tale
from engine_bridge.engines.dbos.history_tale import Tale
from engine_bridge.errors import BusyError, NotFoundError
from engine_bridge.history import Batch, Restart
from engine_bridge.model import Provenance, RunRef, Step

_POLL_S: Final = 0.2
_CLOCK_S: Final = 5.0
# A long history is read again at most this often, however fast the database moves.
_REREAD_SHARE: Final = 4.0
_MAY_VANISH: Final = ("dispatch ", "requeued ", "R")


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
    gate, due_ns, spoke = "", None, time.monotonic()
    while not cancel.cancelled:
        seen = db.version_token(cancel)
        now_ns = db.now_ns(cancel)
        pause = _POLL_S
        if seen != gate or (due_ns is not None and now_ns >= due_ns):
            began = time.monotonic()
            found = _read(db, ref, cancel)
            if isinstance(found, Restart):
                yield found
                return
            if found is not None:
                gate = seen
                tale, now_ns = found
                why = broken(teller, tale)
                if why:
                    yield Restart(why)
                    return
                for batch in teller.batches(tale, now_ns, cancel):
                    spoke = time.monotonic()
                    yield batch
                due_ns = _next_due(tale, now_ns)
            pause = max(_POLL_S, (time.monotonic() - began) * _REREAD_SHARE)
        if time.monotonic() - spoke >= _CLOCK_S:
            spoke = time.monotonic()
            yield Batch(engine_now_ns=now_ns)
        cancel.wait(pause)


def _read(db: Database, ref: RunRef, cancel: CancelToken) -> tuple[Tale, int] | Restart | None:
    try:
        return read_tale(db, ref, cancel)
    except NotFoundError:
        return Restart("The run was deleted.")
    except BusyError:
        return None


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
