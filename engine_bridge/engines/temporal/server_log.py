"""The failure log: runs that closed badly, the last to close first. The server lists closed runs in that order."""

from __future__ import annotations

import base64
import binascii
import time
from typing import Final

import msgspec

from engine_bridge.bridge import FailureRow, Page
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal.server_places import listing
from engine_bridge.engines.temporal.server_runs import Lister
from engine_bridge.engines.temporal.visibility import joined
from engine_bridge.errors import UsageError
from engine_bridge.model import Failure, Run
from engine_bridge.query.ast import Node

_BAD: Final = "ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut')"
_BATCH: Final = 100
_SCAN_S: Final = 2.0


def page(
    lister: Lister, query: Node | None, text: str, cursor: bytes | None, limit: int, cancel: CancelToken
) -> Page:
    """A page of FailureRow. A text, or a filter that visibility cannot answer, is searched for 2 s at most."""
    where = lister.where(query)
    folded = text.casefold()
    token, skip = _decoded(cursor)
    scanned = bool(folded) or where.residual is not None
    kept: list[FailureRow] = []
    searched, deadline = 0, time.monotonic() + _SCAN_S
    onward: tuple[bytes, int] | None = (token, skip)
    while onward is not None and len(kept) < limit and (not searched or time.monotonic() < deadline):
        token, skip = onward
        request = listing(lister.client, joined((_BAD, where.clause)), _BATCH)
        request.next_page_token = token
        answer = lister.client.call("list_workflow_executions", request, cancel)
        runs = lister.closings.told(lister.runs(answer.executions[skip:], cancel), cancel)
        onward = (answer.next_page_token, 0) if answer.next_page_token else None
        for number, run in enumerate(runs, skip):
            if len(kept) >= limit:
                onward = (token, number)
                break
            searched += 1
            row = _row(run)
            if where.matches(run) and (
                not folded or any(folded in part.casefold() for part in _texts(run, row.failure))
            ):
                kept.append(row)
        cancel.progress(searched, None, "reading failures")
    unfinished = onward is not None and len(kept) < limit
    return Page(
        items=tuple(kept),
        after=None if onward is None else _encoded(*onward),
        searched=searched if scanned or unfinished else None,
        complete=not unfinished,
    )


def _row(run: Run) -> FailureRow:
    failure = run.failure or Failure(type=run.engine_status, message="its error cannot be read")
    return FailureRow(
        ref=run.ref,
        run_type=run.type,
        time_ns=run.ended_ns,
        failure=failure,
        step_name=failure.wraps or None,
        run_status=run.status.value,
    )


def _texts(run: Run, failure: Failure) -> list[str]:
    found = [run.id, run.ref.run, run.type]
    todo = [failure]
    while todo:
        one = todo.pop()
        found += [one.type, one.message, one.code or ""]
        todo += one.causes
    return found


def _encoded(token: bytes, skip: int) -> bytes:
    return msgspec.json.encode((base64.b64encode(token).decode(), skip))


def _decoded(cursor: bytes | None) -> tuple[bytes, int]:
    if cursor is None:
        return b"", 0
    try:
        token, skip = msgspec.json.decode(cursor, type=tuple[str, int])
        return base64.b64decode(token), skip
    except (msgspec.MsgspecError, binascii.Error):
        raise UsageError("This place in the failure log is not valid.", "Start from the top.") from None
