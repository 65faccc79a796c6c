"""What changed in the list of runs since a mark: what began or closed since, and the visible rows, now and then."""

from __future__ import annotations

import zlib
from typing import Final

import msgspec

from engine_bridge.bridge import Changes
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.server_merge import CLOSED, OPEN
from engine_bridge.engines.temporal.server_places import listing
from engine_bridge.engines.temporal.server_runs import Lister
from engine_bridge.engines.temporal.visibility_leaves import moment
from engine_bridge.errors import PlayheadError
from engine_bridge.model import Run, RunRef

LIMIT: Final = 500
"""Rows that one answer carries at most, beside the visible ones."""
_SLACK_NS: Final = 5_000_000_000
"""Visibility may be written a little after the fact, out of order."""
_TOP: Final = 10
_VISIBLE_NS: Final = 5_000_000_000


class _Mark(msgspec.Struct, array_like=True):
    """Since when; which runs with which statuses the last answers held; the visible rows, when they were read, and
    which they were."""

    at: int
    seen: dict[str, str]
    visible: int
    visible_at: int
    shown: int = 0


def since(lister: Lister, mark: bytes | None, visible: tuple[RunRef, ...], cancel: CancelToken) -> Changes:
    """What happened since ``mark``; None, and marks of other sessions, start anew."""
    old = _parsed(mark)
    now_ns = lister.client.now_ns()
    if old is None:
        recent = _recent(lister, now_ns - _SLACK_NS, cancel)
        seen = {run.ref.run: run.engine_status for run in recent}
        return Changes(
            mark=_encoded(_Mark(now_ns, seen, 0, now_ns)), moved=mark is not None, reset=mark is not None
        )
    recent = _recent(lister, old.at - _SLACK_NS, cancel)
    fresh = [run for run in recent if old.seen.get(run.ref.run) != run.engine_status]
    shown = _crc(" ".join(ref.run for ref in visible))
    due = now_ns - old.visible_at >= _VISIBLE_NS or shown != old.shown
    looked = bool(visible) and (bool(fresh) or due)
    rows = _look(lister, visible, cancel) if looked else {}
    print_ = _print(visible, rows) if looked else old.visible
    seen = {run.ref.run: run.engine_status for run in recent if _recently(run, now_ns)}
    new_mark = _encoded(_Mark(now_ns, seen, print_, now_ns if looked else old.visible_at, shown))
    # Rows that come into sight show what was read with their page, which may be long ago.
    moved = bool(fresh) or (looked and (shown != old.shown or print_ != old.visible))
    if not moved:
        return Changes(mark=new_mark, moved=False)
    changed = {run.ref: run for run in fresh} | rows
    return Changes(
        mark=new_mark,
        moved=True,
        changed=tuple(lister.closings.told(list(changed.values()), cancel)),
        new=sum(run.ref.run not in old.seen and (run.created_ns or 0) > old.at - _SLACK_NS for run in fresh),
        removed=tuple(ref for ref in visible if ref not in rows) if looked else (),
    )


def _look(lister: Lister, visible: tuple[RunRef, ...], cancel: CancelToken) -> dict[RunRef, Run]:
    """The visible rows as they are now, open ones with what they wait for."""
    rows = lister.by_refs(visible, cancel)
    return {run.ref: run for run in lister.opens.look(list(rows.values()), cancel)}


def _recent(lister: Lister, at: int, cancel: CancelToken) -> list[Run]:
    """What began or closed after a time. Mostly that is little, and at the top of the server's own lists."""
    clauses = (OPEN, CLOSED)
    requests = [listing(lister.client, clause, _TOP) for clause in clauses]
    answers = lister.client.call_all("list_workflow_executions", requests, cancel)
    found: list[Run] = []
    for clause, answer in zip(clauses, answers, strict=True):
        if isinstance(answer, PlayheadError):
            raise answer
        runs = lister.runs(answer.executions, cancel)
        times = [(run.created_ns if clause is OPEN else run.ended_ns) or 0 for run in runs]
        if times != sorted(times, reverse=True) or (len(runs) == _TOP and times[-1] > at):
            then = moment(at)
            return lister.matching(f"(StartTime > {then} or CloseTime > {then})", LIMIT, cancel)
        found += [run for run, time in zip(runs, times, strict=True) if time > at]
    return found


def _recently(run: Run, now_ns: int) -> bool:
    """Whether the next question finds a run again: by then it must be known."""
    edge = now_ns - 2 * _SLACK_NS
    return (run.created_ns or 0) > edge or (run.ended_ns or 0) > edge


def _print(visible: tuple[RunRef, ...], rows: dict[RunRef, Run]) -> int:
    text = "\n".join(
        f"{ref.run} {rows[ref].engine_status} {rows[ref].now}" if ref in rows else "" for ref in visible
    )
    return _crc(text)


def _crc(text: str) -> int:
    return zlib.crc32(text.encode()) or 1


def _encoded(mark: _Mark) -> bytes:
    return msgspec.json.encode(mark)


def _parsed(mark: bytes | None) -> _Mark | None:
    if mark is None:
        return None
    try:
        return msgspec.json.decode(mark, type=_Mark)
    except msgspec.MsgspecError:
        return None
