"""What DBOS's own function names mean, and how the steps are called."""

from __future__ import annotations

from typing import Final

from engine_bridge.engines.dbos.history_rows import RawStep
from engine_bridge.model import StepKind

SLEEP: Final = "DBOS.sleep"
RECV: Final = "DBOS.recv"
GET_EVENT: Final = "DBOS.getEvent"
GET_RESULT: Final = "DBOS.getResult"
SET_EVENT: Final = "DBOS.setEvent"
CLOSE_STREAM: Final = "DBOS.closeStream"
PATCH: Final = "DBOS.patch-"
WAITS: Final = frozenset({RECV, GET_EVENT})
STREAMS: Final = frozenset({"DBOS.writeStream", CLOSE_STREAM})

_KINDS: Final = {
    SLEEP: StepKind.TIMER,
    RECV: StepKind.SIGNAL_WAIT,
    GET_EVENT: StepKind.SIGNAL_WAIT,
    GET_RESULT: StepKind.RESULT_WAIT,
    "DBOS.waitFirst": StepKind.RESULT_WAIT,
    "DBOS.send": StepKind.SIGNAL_SEND,
    "DBOS.send_bulk": StepKind.SIGNAL_SEND,
    SET_EVENT: StepKind.EVENT_SET,
    "DBOS.writeStream": StepKind.STREAM,
    CLOSE_STREAM: StepKind.STREAM,
    "DBOS.asyncio_wait": StepKind.OTHER,
}


def kind_of(row: RawStep) -> StepKind:
    """The kind of a step row (reference/dbos.md §2.2)."""
    if row.name in _KINDS:
        return _KINDS[row.name]
    if row.name.startswith(PATCH):
        return StepKind.PATCH
    if row.name.startswith("DBOS."):
        return StepKind.CONTROL
    return StepKind.CHILD if row.child is not None else StepKind.STEP


def title_of(row: RawStep) -> str:
    """The name shown for a row when nothing better (a topic, a key) is known."""
    if row.name.startswith(PATCH):
        return row.name[len(PATCH) :]
    return row.name.removeprefix("DBOS.") or row.name or f"step {row.id}"
