"""Runner part: operations of dbos answered from the record."""

from __future__ import annotations

import sys
from typing import Any

from engine_bridge.engines.dbos.replay_parts.state import State
from engine_bridge.engines.dbos.replay_parts.turns import CALL
from engine_bridge.engines.dbos.replay_parts.walk import Walk
from engine_bridge.replay.runners.channel import Stop

_COLUMNS = ("output", "error", "serialization", "child_workflow_id", "child_shard_key")
_CHILD_WAIT = 1 << 40  # above every step id: a child's result is waited for before a step is taken
_UNDECIDED = "no patch was here yet"


class Calls:
    """Each method stands before one of SystemDatabase, which it gets as ``original``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._core: Any = sys.modules["dbos._core"]
        self._context: Any = sys.modules["dbos._context"]

    def check(self, original: Any, database: Any, workflow_id: str, fid: int, name: str, *more: Any,
              **named: Any) -> Any:  # fmt: skip
        """Every step asks here for its recorded result first."""
        walk = self._state.mine(workflow_id)
        if walk is None:
            return original(database, workflow_id, fid, name, *more, **named)
        held = self._state.reach(walk, fid, name)
        return {column: held.get(column) for column in _COLUMNS}

    def loading(self, original: Any) -> Any:
        """A function that loads a value, telling when this code cannot; then the code sees what dbos raises."""

        def load(*values: Any, **named: Any) -> Any:
            try:
                return original(*values, **named)
            except Exception as error:
                walk = self._state.walk
                if walk is not None and walk.stop is None:
                    walk.unread.append((getattr(self._state.here, "fid", 0), error))
                raise

        return load

    def patch(
        self, original: Any, database: Any, *, workflow_id: str, function_id: int, patch_name: str
    ) -> bool:
        """Whether the code takes its new way: it does where the run has not been, or went it before."""
        walk = self._state.mine(workflow_id)
        if walk is None:
            return bool(
                original(database, workflow_id=workflow_id, function_id=function_id, patch_name=patch_name)
            )
        return self._patched(walk, function_id, patch_name) in (None, patch_name)

    def _patched(self, walk: Walk, fid: int, name: str) -> str | None:
        # A run that is over and holds nothing here went the old way.
        held = walk.recorded.name(fid)
        if held is None and walk.waits_elsewhere(fid, name):
            self._state.reach(walk, fid, name)
        return _UNDECIDED if held is None and walk.recorded.closed else held

    def deprecated(self, original: Any, database: Any, *, workflow_id: str, function_id: int,
                   patch_name: str) -> bool:  # fmt: skip
        """Whether the history holds the marker of a patch that the code has for old runs only."""
        walk = self._state.mine(workflow_id)
        if walk is None:
            return bool(
                original(database, workflow_id=workflow_id, function_id=function_id, patch_name=patch_name)
            )
        return walk.recorded.name(function_id) == patch_name

    def checkpoint(self, original: Any, database: Any, *, workflow_id: str, function_id: int) -> Any:
        """What an asynchronous patch looks at first."""
        walk = self._state.mine(workflow_id)
        if walk is None:
            return original(database, workflow_id=workflow_id, function_id=function_id)
        return self._patched(walk, function_id, "")

    def child_result(self, original: Any, database: Any, workflow_id: str, **named: Any) -> Any:
        """A child's result, from its own row as dbos does, else as this run got it."""
        walk = self._state.walk
        if walk is None or workflow_id == walk.id:
            return original(database, workflow_id, **named)
        if walk.stop is not None:
            raise walk.again()
        named.pop("fail_if_missing", None)
        self._state.here.fid = int(walk.launch_of(workflow_id) or 0)
        found = original(database, workflow_id, **named)
        if type(found).__name__ != "NoResult":
            return found
        row = walk.recorded.results.get(workflow_id)
        if row is None:
            self._wait_for(walk, workflow_id)
            return found
        if row.get("error") is not None:
            raise self._core.deserialize_exception(row["error"], row["serialization"], database.serializer)
        return self._core.deserialize_value(row["output"], row["serialization"], database.serializer)

    def _wait_for(self, walk: Walk, workflow_id: str) -> None:
        """A child without a result: the run waits for it, or (it is over) never did."""
        call = CALL.get()
        at = (call.place if call is not None else {}) or self._state.recorder.place(sys._getframe(2))
        at = at or walk.last_place

        def stop() -> Stop:
            if walk.recorded.closed:
                actual = f"waits for the result of {workflow_id}"
                divergence = {"kind": "other step", **walk.next_held(), "actual": actual, "at": at}
                return walk.halt(_CHILD_WAIT, "diverged", divergence=divergence)
            now = {"kind": "child", "what": workflow_id, "at": at, "step_id": walk.launch_of(workflow_id)}
            return walk.halt(_CHILD_WAIT, "stopped", now=now)

        self._state.hold(walk, _CHILD_WAIT + len(walk.places), "", stop)

    def get_result(self, original: Any, database: Any, child: str, *values: Any, **named: Any) -> None:
        """Reading a child's result is a step, which dbos writes without looking whether it is there."""
        context = named.get("ctx") or (values[3] if len(values) > 3 else None)
        call, walk = CALL.get(), self._state.walk
        given = context is not None
        context = context or self._context.get_local_dbos_context()
        if walk is None or context is None or not context.is_workflow() or context.workflow_id != walk.id:
            return
        if given:
            fid = context.function_id
        elif call is not None and call.taken:
            fid = call.taken
        else:
            turns = self._state.turns
            if turns is not None and call is not None:
                turns.take_late(call, walk.result_of(child), context)
            context.function_id += 1
            fid = context.function_id
        self._state.reach(walk, fid, "DBOS.getResult")

    def refusing(self, name: str) -> Any:
        """The last line: whatever would write, of whatever version, ends the replay."""

        def refuse(original: Any, *values: Any, **named: Any) -> Any:
            walk = self._state.walk
            if walk is None:
                return original(*values, **named)
            if walk.stop is not None:
                raise walk.again()
            at = self._state.recorder.place(sys._getframe(1)) or walk.last_place
            raise walk.halt(0, "stopped", now={"kind": "step", "what": name.strip("_"), "at": at})

        return refuse
