"""By which trace each action is found on the server again, and what was answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from engine_bridge.actions.model import Change, Outcome
from engine_bridge.engines.temporal import act_traces_rest as rest
from engine_bridge.engines.temporal import act_traces_run as runs
from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.act_trace import Trace
from engine_bridge.engines.temporal.actions_space import START
from engine_bridge.engines.temporal.payloads import json_value
from engine_bridge.format import safe_lines

_SHOWN: Final = 4_000


def of(trace: Trace) -> Outcome | None:
    """What a request did, None where nothing shows it (yet)."""
    found = _TRACES.get(trace.item.staged.action)
    return None if found is None else found(trace)


def answers(trace: Trace) -> tuple[Change, ...]:
    """What an update or a query answered."""
    answer, action = trace.answer, trace.item.staged.action
    if answer is None or action not in ("update", "query"):
        return ()
    found = answer.query_result if action == "query" else answer.outcome.success
    shown = [_answer(payload) for payload in found.payloads]
    return (Change(what="answer", before="", after=safe_lines(", ".join(shown)[:_SHOWN]) or "none"),)


def _answer(payload: Any) -> str:
    one = values.stored(payload)
    if "json" in (one.encoding or ""):
        value = json_value(one)
        return value if isinstance(value, str) and "\n" in value else json.dumps(value, ensure_ascii=False)
    return f"{len(one.data)} bytes of {one.encoding or 'an unknown encoding'}" if one.data else "null"


_TRACES: Final[dict[str, Callable[[Trace], Outcome | None]]] = {
    "signal": runs.one_event("WorkflowExecutionSignaled", runs.by_request, "the signal"),
    "cancel": runs.one_event("WorkflowExecutionCancelRequested", runs.by_cause, "the request to cancel"),
    "terminate": runs.one_event("WorkflowExecutionTerminated", runs.by_details, "its termination"),
    "pause": runs.one_event("WorkflowExecutionPaused", runs.by_request, "the pause"),
    "unpause": runs.one_event("WorkflowExecutionUnpaused", runs.by_request, "the end of the pause"),
    "update": runs.update,
    "query": runs.query,
    "reset": runs.reset,
    "delete": runs.gone,
    "pause_activity": rest.paused_activity,
    "unpause_activity": rest.set_going,
    "reset_activity": rest.set_going,
    "complete_activity": rest.ended_activity,
    "fail_activity": rest.ended_activity,
    "update_options": rest.options_set,
    "start_like": rest.started,
    START: rest.started,
    "pause_schedule": rest.noted,
    "resume_schedule": rest.noted,
    "trigger_schedule": rest.triggered,
    "backfill_schedule": rest.backfilled,
    "batch": rest.batch,
    "stop_batch": rest.stopped,
}

SIGNED: Final = frozenset(
    {"signal", "cancel", "terminate", "pause", "unpause", "update", "reset", "start_like", START, "batch"}
)
"""Actions whose request the server keeps the id of, in the history or beside it."""
