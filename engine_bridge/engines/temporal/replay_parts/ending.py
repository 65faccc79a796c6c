"""Runner part: how a replay ended. Core says whether code and history part; where, the commands and events say."""

from __future__ import annotations

import re
from typing import Any

from engine_bridge.engines.temporal.replay_parts.around import mentioned
from engine_bridge.engines.temporal.replay_parts.matching import (
    Parting,
    ordered_commands,
    ordered_events,
    parting_of,
)
from engine_bridge.engines.temporal.replay_parts.recorded import ENDS, Happened, told_event
from engine_bridge.engines.temporal.replay_parts.sites import where
from engine_bridge.engines.temporal.replay_parts.walk import Answer, Walk
from engine_bridge.replay.runners.failures import WORDS, failure

_CORE = re.compile(r'message: "(.*?)", (?:source|stack_trace)', re.S)
_EVENT = re.compile(r"(?:HistoryEvent|EventInfo) ?[({{] ?(?:id|event_id): (\d+)")
_LINE = re.compile(r'^\s*File "(.+)", line (\d+), in (.+)$', re.M)
_NDE = ("ondeterminism", "TMPRL1100", "ondeterministic")


class Ending:
    """The fields of End that tell how it ended. ``problem`` is what core raised, None when it was content."""

    def __init__(self, walk: Walk, problem: BaseException | None) -> None:
        self._walk = walk
        self._recorded = walk.recorded
        self._problem = problem
        found = _CORE.search(str(problem)) if problem is not None else None
        self.said = (found[1] if found else str(problem or "")).replace('\\"', '"')[:WORDS]

    def values(self) -> dict[str, Any]:
        """The fields, without the counts."""
        walk = self._walk
        if walk.stop is not None:
            return {"outcome": "cancelled" if walk.stop.kind == "cancelled" else "blocked"}
        if walk.crash is not None:
            return {"outcome": "failed", **failure(walk.crash, walk.recorder.files)}
        if self._problem is None:
            return self._held()
        if walk.failure is not None:
            return self._failed_task()
        if any(word in str(self._problem) for word in _NDE) or self._out_of_step():
            return {"outcome": "diverged", "divergence": self._divergence(), "drift": walk.drift}
        return self._broken()

    def _out_of_step(self) -> bool:
        """Whether core's state machines meet an event that they cannot take from what the code did."""
        return "workflow machines" in self.said and _EVENT.search(self.said) is not None

    def _held(self) -> dict[str, Any]:
        walk = self._walk
        if walk.failure is not None:
            return self._failed_task()
        if self._recorded.closed:
            return {"outcome": "same", "drift": walk.drift}
        now = walk.now or {
            "kind": "queued" if not walk.answers else "waiting",
            "what": "",
            "at": walk.last_place,
        }
        if walk.ended:
            now = {
                "kind": "nothing",
                "what": "the code ends here; the end is not recorded",
                "at": walk.last_place,
            }
        return {"outcome": "stopped", "now": now, "drift": walk.drift}

    def _failed_task(self) -> dict[str, Any]:
        """The code raised what fails a workflow task: as recorded (it is stuck there), or not."""
        walk, at = self._walk, self._raised_at()
        words, stack = exception_words(walk.failure), str(walk.failure.stack_trace)[-8000:]
        answer = walk.answers[-1] if walk.answers else None
        if answer is None or not answer.recorded:
            now = {"kind": "waiting", "what": f"a workflow task that fails: {words}", "at": at}
            return {"outcome": "stopped", "now": now, "drift": walk.drift, "stack": stack}
        task = answer.task
        event = task.events[0] if task is not None and task.events else None
        expected = told_event(event) if event is not None else "an answer without commands"
        why = "The code raises here, where the recorded run went on: its workflow task would fail, and be tried again."
        position = event.id if event is not None else answer.started
        divergence = {
            "kind": "error", "expected": expected, "actual": words, "step_id": str(position),
            "position": position, "at": at, "message": why,
        }  # fmt: skip
        return {"outcome": "diverged", "divergence": divergence, "drift": walk.drift, "stack": stack}

    def _raised_at(self) -> dict[str, Any]:
        kind = self._walk.recorder.files.kind
        found: dict[str, Any] = {}
        one = self._walk.failure
        for _ in range(8):
            lines = [m for m in _LINE.findall(one.stack_trace) if kind(m[0]) == "user"]
            if lines:
                file, line, function = lines[-1]
                found = {"file": file, "line": int(line), "function": function}
            if not one.HasField("cause"):
                break
            one = one.cause
        return found or self._walk.last_place

    def _broken(self) -> dict[str, Any]:
        hint = ""
        if "ecod" in self.said or "onvert" in self.said:
            hint = "Name the project's data converter (option data_converter, module:attribute)."
        return {"outcome": "failed", "error": self.said or type(self._problem).__name__, "hint": hint}

    # -- where ----------------------------------------------------------------------------------------------

    def _divergence(self) -> dict[str, Any]:
        asked = self._walk.commands.items()
        local = {str(seq): one.name for (what, seq), one in asked if what == "schedule_local_activity"}
        for answer in self._walk.answers:
            if answer.recorded and answer.task is not None:
                parting = parting_of(answer.task, answer.asked, local)
                if parting is not None:
                    return self._told(answer, parting)
        return self._by_core()

    def _by_core(self) -> dict[str, Any]:
        """Core knows better than the commands: what it says, at the command that differs or the line the code is at."""
        found = _EVENT.search(self.said)
        event = self._recorded.event(int(found[1])) if found else None
        drift = self._walk.drift[-1]["step_id"] if self._walk.drift else ""
        last = str(event.id) if event is not None else drift
        known = (one for answer in self._walk.answers for one in answer.asked if one.event is not None)
        asked = next((one for one in known if str(one.event.id) == last), None)
        event = event or (asked.event if asked is not None else None)
        started = self._walk.answers[-1].started if self._walk.answers else None
        position = event.id if event is not None else started
        return {
            "kind": "other step", "expected": told_event(event) if event is not None else "what is recorded",
            "actual": f"another {asked.words}" if asked is not None else "something else",
            "step_id": str(position or ""), "position": position,
            "at": (where(asked.site["stack"]) if asked is not None else {}) or self._walk.last_place,
            "message": _sentence(self.said),
        }  # fmt: skip

    def _told(self, answer: Answer, parting: Parting) -> dict[str, Any]:
        event, asked = parting.event, parting.asked
        at = (asked.site.get("last") or where(asked.site["stack"])) if asked is not None else {}
        at = at or answer.place or self._walk.last_place
        next_held = event or next(iter(self._behind(answer)), None)
        kind, why = self._explained(answer, parting, at, next_held)
        expected = told_event(event) if event is not None else "nothing more in this workflow task"
        actual = asked.words if asked is not None else _nothing(event, self._walk.ended)
        if asked is not None and event is not None and asked.key == event.key:
            kind, why, actual = "other step", "", f"another {actual}"
        position = event.id if event is not None else answer.task.completed if answer.task else answer.started
        told = {
            "kind": kind, "expected": expected, "actual": actual, "step_id": str(position), "position": position,
            "at": at, "message": f"{why} {_sentence(self.said)}".strip(),
        }  # fmt: skip
        if asked is not None and asked.type in ENDS and "last" not in asked.site:
            told["after"] = True  # the line is that of the last wait before it
        return told

    def _behind(self, answer: Answer) -> list[Happened]:
        """Events of commands that the history has after an answer."""
        last = (
            max((e.id for e in answer.task.events), default=answer.started) if answer.task else answer.started
        )
        return [event for event in self._recorded.behind(last + 1) if event.type in _STEPS]

    def _explained(
        self, answer: Answer, parting: Parting, at: dict[str, Any], next_held: Happened | None
    ) -> tuple[str, str]:
        event, asked, _ = parting
        if event is None and asked is not None:
            words = f"; the history goes on with {told_event(next_held)}" if next_held is not None else ""
            return "extra step", f"The code commands {asked.words}, which is not recorded here{words}."
        if event is None:
            return "other step", ""
        here = f"Event {event.id} is {told_event(event)}"
        if asked is None:
            if event.is_patch:
                return (
                    "missing step",
                    f"{here}: the run went through this patch, which the code does not have here.",
                )
            return "missing step", f"{here}; the code does not command it."
        said = f"{here}; the code {_gives(asked.words)}."
        if event.type in ENDS and asked.type in ENDS:
            return "other outcome", said
        if event.type in ENDS:
            return "late end", said
        if asked.type in ENDS:
            return "early end", f"{said} The history goes on."
        return self._moved(answer, event, asked, at, said)

    def _moved(
        self, answer: Answer, event: Happened, asked: Any, at: dict[str, Any], said: str
    ) -> tuple[str, str]:
        """Put in, taken out, moved or replaced: told by what the history has next and the text behind the line."""
        held = [one.key for one in ordered_events(answer.task)] if answer.task else []
        asks = [one.key for one in ordered_commands(answer.asked)]
        if asked.key in held:  # within one workflow task their numbers tell
            if held.count(event.key) > asks.count(event.key):
                return "missing step", f"{said} {_capital(told_event(event))} is probably left out."
            if asks.count(asked.key) > held.count(asked.key):
                return "extra step", f"{said} {_capital(asked.words)} is probably new."
            return "other step", f"{said} Both are there: the order probably changed."
        later = [one.key for one in self._recorded.behind(event.id + 1) if one.type in _STEPS]
        given = [one.key for one in answer.asked]
        comes = event.key in given[given.index(asked.key) + 1 :] or mentioned(
            at, _names_of(event.type, event.name)
        )
        if comes:
            again = mentioned(at, _names_of(asked.type, asked.name))
            if asked.key in later and not again:
                return "other step", f"{said} Both are there: the order probably changed."
            return "extra step", f"{said} {_capital(asked.words)} is probably new."
        if later[:1] == [asked.key] or (asked.event is not None and asked.event.id > event.id):
            return "missing step", f"{said} {_capital(told_event(event))} is probably left out."
        return "other step", f"{said} It is probably replaced, renamed or removed."


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _names_of(type_: str, name: str) -> set[str]:
    """What the text would call a command by."""
    return {name} if name else {"sleep"} if type_ == "TimerStarted" else set()


_STEPS = frozenset(
    {
        *ENDS, "ActivityTaskScheduled", "TimerStarted", "StartChildWorkflowExecutionInitiated",
        "SignalExternalWorkflowExecutionInitiated", "NexusOperationScheduled",
    }
)  # fmt: skip


def _nothing(event: Happened | None, ended: bool) -> str:
    """What the code does in place of a command: nothing of that name, or it waits."""
    if event is not None and event.type == "WorkflowExecutionUpdateAccepted":
        return "no handler that accepts it"
    if event is not None and (event.is_patch or event.is_local):
        return f"no {told_event(event)}"
    return "nothing more" if ended else "waits"


def _gives(words: str) -> str:
    return words if words in ENDS.values() else f"commands {words}"


def exception_words(failed: Any) -> str:
    name = failed.application_failure_info.type
    return f"{name}: {failed.message}"[:WORDS] if name else str(failed.message)[:WORDS]


def _sentence(said: str) -> str:
    """What core says, cut where it dumps an event."""
    text = said.partition("HistoryEvent {")[0].strip()[:400]
    return f"Temporal: {text}{'' if text.endswith(('.', '!')) else '.'}" if text else ""
