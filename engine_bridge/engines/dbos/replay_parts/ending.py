"""Runner part: what became of a replay, in the words of the protocol."""

from __future__ import annotations

import re
import traceback
import types
from typing import Any

from engine_bridge.engines.dbos.replay_parts.alike import alike, apart, loads_inert
from engine_bridge.engines.dbos.replay_parts.parting import return_behind
from engine_bridge.engines.dbos.replay_parts.state import State
from engine_bridge.engines.dbos.replay_parts.walk import Walk
from engine_bridge.replay.runners.channel import Stop
from engine_bridge.replay.runners.pictures import picture

_OWN = ("DBOSUnexpectedStepError", "DBOSStepNondeterminismError", "DBOSPatchNondeterminismError")
_CHOSEN: tuple[str, ...] = ("now", "divergence", "error", "hint")


class Ending:
    """Made when the walk is over."""

    def __init__(self, walk: Walk, state: State) -> None:
        self.walk = walk
        self._state = state

    def values(self) -> dict[str, Any]:
        """The fields of End."""
        found = self._values()
        if not self.walk.unread:
            return found
        fid, error = self.walk.unread[0]
        what = f"What step {fid} ({self.walk.recorded.name(fid)}) recorded" if fid else "A recorded value"
        words = f"{what} cannot be loaded here: {_in_words(error)}"
        if found["outcome"] != "diverged":
            note = f"{words[:500]}. The code was given that error instead, as DBOS would do."
            # How it ended may come of that alone.
            drift = [entry for entry in found.get("drift", ()) if "step_id" in entry]
            return {**found, "drift": drift, "notes": [note]}
        # Where the code went then tells nothing about the code.
        return {"outcome": "failed", "error": words[:2000], "hint": _missing(error), "stack": _stack(error)}

    def _values(self) -> dict[str, Any]:
        walk = self.walk
        stop = walk.stop or (walk.error if isinstance(walk.error, Stop) else None)
        blocked = self._state.recorder.blocked
        if blocked and (stop is None or stop.kind != "diverged"):
            stop = Stop("blocked")
        if stop is not None and stop.kind == "diverged" and stop.values["divergence"]["kind"] == "late end":
            own = self._own_end()
            if own:
                return {"outcome": "stopped", "drift": [], "notes": [own]}
        if stop is not None:
            chosen: dict[str, Any] = {name: stop.values[name] for name in _CHOSEN if name in stop.values}
            return {"outcome": stop.kind, "drift": walk.drift, **chosen}
        if walk.outcome is None:
            return {"outcome": "failed", "error": _in_words(walk.error), "stack": _stack(walk.error)}
        return self._finished(*walk.outcome)

    def _own_end(self) -> str:
        """What to say of a run that DBOS itself ended as its code came to other steps than recorded; "" of others."""
        error = loads_inert(self.walk.recorded.result.get("error"))
        name, told = type(error).__name__, list(getattr(error, "args", ()))
        if name not in _OWN:
            return ""
        where = f" at step {told[1]}" if len(told) > 1 else ""
        return (
            f"Not decided: DBOS itself ended this run with {name}{where}, when it was executed again and its code came"
            " to other steps than the first time. What the code would have done without that is not recorded."
        )

    def _finished(self, status: str, output: Any, error: Any) -> dict[str, Any]:
        walk, recorded = self.walk, self.walk.recorded
        if walk.unvisited():
            held = walk.next_held()
            kind = "error" if status == "ERROR" else "early end"
            return self._diverged(kind, held["expected"], status, held["step_id"])
        if not recorded.closed:
            kind, what = "nothing", "the code runs to its end here"
            if recorded.queued:
                kind, what = (
                    "queued",
                    f"waits in {recorded.queue}; then the code runs to its end without a step",
                )
            now = {"kind": kind, "what": what, "at": walk.last_place}
            return {"outcome": "stopped", "drift": walk.drift, "now": now}
        if status != recorded.status:
            return self._diverged(
                "error" if status == "ERROR" else "other outcome", recorded.status, status, ""
            )
        self._compare_result(output, error)
        return {"outcome": "same", "drift": walk.drift}

    def _diverged(self, kind: str, expected: str, status: str, step: str) -> dict[str, Any]:
        failure = self.walk.error
        at = self._raised_at(failure) or self._ended_at()
        actual = f"{status}: {_in_words(failure)}"[:500] if failure else status
        verb = "fails" if status == "ERROR" else "ends"
        message = f"The code {verb} here ({actual}); the history goes on with {expected}."
        if not step:
            message = f"The code {verb} with {actual}; the run ended with {expected}."
        values = {"kind": kind, "expected": expected, "actual": actual, "step_id": step, "at": at}
        return {"outcome": "diverged", "drift": self.walk.drift, "divergence": values | {"message": message}}

    def _raised_at(self, failure: BaseException | None) -> dict[str, Any]:
        """The innermost line of the user's code that an error came through."""
        found: dict[str, Any] = {}
        trace: types.TracebackType | None = failure.__traceback__ if failure is not None else None
        files = self._state.recorder.files
        while trace is not None:
            code = trace.tb_frame.f_code
            if files.kind(code.co_filename) == "user":
                name = getattr(code, "co_qualname", code.co_name)
                found = {"file": code.co_filename, "line": trace.tb_lineno, "function": name}
            trace = trace.tb_next
        return found

    def _ended_at(self) -> dict[str, Any]:
        """The line executed last, where lines are counted; else the return behind the last step."""
        last = self._state.recorder.lines.last
        if last is None:
            return return_behind(self.walk.last_place)
        code, line = last
        name = getattr(code, "co_qualname", code.co_name)
        return {"file": code.co_filename, "line": line, "function": name}

    def _compare_result(self, output: Any, error: Any) -> None:
        """Result or error, both as they come back from the store."""
        recorded, drifts = self.walk.recorded, self._state.drifts
        encoding = recorded.row.get("serialization")
        what, given = ("result", output) if recorded.status == "SUCCESS" else ("error", error)
        text = recorded.result.get("output" if what == "result" else "error")
        if text == given or text is None:
            return
        load = drifts.loads if what == "result" else drifts.loads_error
        try:
            held, replayed = load(text, encoding), load(given, encoding)
        except Exception:  # noqa: BLE001 - a class may not be made for it
            held, replayed = loads_inert(text), loads_inert(given)
        if not alike(held, replayed):
            self.walk.apart = apart(held, replayed)
            self.walk.drifted(what, picture(held), picture(replayed))


def _missing(error: Exception) -> str:
    """What a value lacks that could not be loaded, and what to do about it."""
    if isinstance(error, ImportError):
        return (
            f"This environment has no module {error.name}: choose the interpreter that the runs were made by."
        )
    if isinstance(error, AttributeError):
        named = re.search(r"attribute '([\w.]+)'", str(error))
        name = named[1] if named is not None else "such class"
        return f"The code has no {name} any more: keep it under its name while runs hold one."
    return "Python cannot make it again from what was pickled of it. DBOS itself would fail where it recovers this run."


def _in_words(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}"[:2000]


def _stack(error: BaseException | None) -> str:
    return "".join(traceback.format_exception(error))[-8000:] if error else ""
