"""Runner part: operations whose arguments dbos does not compare with the record; here they are."""

from __future__ import annotations

import sys
import time
from typing import Any

from engine_bridge.engines.dbos.replay_parts.state import State
from engine_bridge.engines.dbos.replay_parts.walk import Walk
from engine_bridge.replay.runners.channel import Stop

_STARTERS = ("wrapper", "start_workflow", "start_workflow_async", "enqueue_async")
_OPTIONS_KEPT = ("priority", "queue_partition_key", "workflow_timeout_ms")


class Compared:
    """Each method stands before one of dbos, which it gets as ``original``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._drifts = state.drifts
        self._core: Any = sys.modules["dbos._core"]

    def child(self, original: Any, *values: Any, **named: Any) -> Any:
        """A child is about to be started: its arguments are in its own row, which dbos does not look at."""
        made = original(*values, **named)
        walk, frame = self._state.walk, sys._getframe(2)
        if walk is None or made.parent_workflow_id != walk.id:
            return made
        walk.starts.add(made.parent_workflow_fid)
        if frame.f_code.co_name in _STARTERS:
            current, given = values[0] if values else named.get("cur_ctx"), frame.f_locals
            self._state.quietly(lambda: self._child(walk, made, current, given))
        return made

    def _child(self, walk: Walk, made: Any, current: Any, given: dict[str, Any]) -> None:
        func = given["func"]
        options = getattr(made, "start_options", current)
        asked = {
            "name": self._core.get_dbos_func_name(getattr(func, "__orig_func", func)),
            "args": tuple(given["args"]),
            "kwargs": dict(given["kwargs"]),
            "bound": hasattr(func, "__self__"),
            "queue": given.get("queue_name") or getattr(given.get("self"), "name", None),
            "id": made.id_assigned_for_next_workflow,
            "options": {name: getattr(options, name, None) for name in _OPTIONS_KEPT},
        }
        self._drifts.child(walk, made.parent_workflow_fid, asked)

    def sleep(
        self, original: Any, database: Any, workflow_id: str, fid: int, seconds: float, **named: Any
    ) -> float:
        """A sleep that the history lived through takes no time; one that lasts is where the run stands."""
        walk = self._state.mine(workflow_id)
        if walk is None:
            return float(original(database, workflow_id, fid, seconds, **named))
        if fid not in walk.visited:
            self._state.quietly(lambda: self._drifts.sleep(walk, fid, seconds))
        wake = walk.recorded.wake_ns(fid)
        lasts = wake is not None and wake > time.time_ns() and not walk.recorded.closed
        alone = walk.concurrent or walk.recorded.last == fid
        if lasts and alone and walk.recorded.name(fid) == "DBOS.sleep":
            self._asleep(walk, fid, wake)
        original(database, workflow_id, fid, seconds, **named)
        return 0.0

    def _asleep(self, walk: Walk, fid: int, wake: int | None) -> None:
        if walk.stop is not None:
            raise walk.again()

        def stop() -> Stop:
            return walk.halt(fid, "stopped", now=walk.frontier(fid, "DBOS.sleep") | {"until_ns": wake})

        self._state.hold(walk, fid, "DBOS.sleep", stop)

    def recv(self, original: Any, database: Any, workflow_id: str, fid: int, limit: int, topic: Any, *more: Any,
             **named: Any) -> Any:  # fmt: skip
        """The topic is with the message that was consumed, the time limit in the next step's row."""
        walk = self._state.mine(workflow_id)
        if walk is not None and fid not in walk.visited:
            self._state.quietly(lambda: self._drifts.topic(walk, fid, topic))
            self._limit(walk, limit, more[0] if more else named.get("timeout_seconds"))
        return original(database, workflow_id, fid, limit, topic, *more, **named)

    def get_event(self, original: Any, database: Any, *values: Any, **named: Any) -> Any:
        """The time limit is in the next step's row."""
        seconds, caller = (*values[2:4], None, None)[:2]
        caller, walk = named.get("caller_ctx", caller), self._state.walk
        if walk is not None and caller is not None and caller["function_id"] not in walk.visited:
            self._limit(walk, caller["timeout_function_id"], named.get("timeout_seconds", seconds))
        return original(database, *values, **named)

    def _limit(self, walk: Walk, limit: int, seconds: Any) -> None:
        if seconds is not None and walk.recorded.is_timeout(limit):
            self._state.quietly(lambda: self._drifts.sleep(walk, limit, seconds, "timeout"))

    def set_event(self, original: Any, database: Any, workflow_id: str, fid: int, key: str, value: Any,
                  **named: Any) -> Any:  # fmt: skip
        """Every value that a key had is kept, with the step that set it."""
        walk = self._state.mine(workflow_id)
        if walk is not None and fid not in walk.visited and walk.recorded.name(fid) == "DBOS.setEvent":
            row = walk.recorded.events.get(fid)
            self._state.quietly(lambda: self._drifts.value(walk, fid, "event", row, key, value))
        return original(database, workflow_id, fid, key, value, **named)

    def write_stream(self, original: Any, database: Any, workflow_id: str, fid: int, key: str, value: Any,
                     **named: Any) -> Any:  # fmt: skip
        """Every value of a stream is kept, with the step that wrote it."""
        walk = self._state.mine(workflow_id)
        name = named.get("function_name", "DBOS.writeStream")
        if walk is not None and fid not in walk.visited and walk.recorded.name(fid) == name:
            row = walk.recorded.streams.get(fid)
            self._state.quietly(lambda: self._drifts.value(walk, fid, "stream", row, key, value))
        return original(database, workflow_id, fid, key, value, **named)

    def outcome(self, original: Any, database: Any, workflow_id: str, status: str, *, output: Any = None,
                error: Any = None, **named: Any) -> bool:  # fmt: skip
        """How the run ends is kept, and written nowhere."""
        walk = self._state.walk
        if walk is not None and workflow_id == walk.id:
            walk.outcome = (status, output, error)
        return True
