"""Runner part: what a workflow waits for at the end of a workflow task: which line, and for what."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

from engine_bridge.engines.temporal.replay_parts.drifts import seconds
from engine_bridge.engines.temporal.replay_parts.sites import TASKS, Sites, where
from engine_bridge.replay.runners.frames import awaited_chain, frames_outwards
from engine_bridge.replay.runners.pictures import STEP_NODES, Painter

_FEW = 3
_DEEP = 12


class Awaited:
    """One thing that is waited for: its kind as in Now, its name, and the command that began it."""

    def __init__(self, kind: str, name: str, asked: Any = None) -> None:
        self.kind = kind
        self.name = name
        self.asked = asked

    @property
    def step_id(self) -> str:
        event = self.asked.event if self.asked is not None else None
        return str(event.id) if event is not None else ""

    @property
    def until_ns(self) -> int | None:
        event = self.asked.event if self.asked is not None else None
        if event is None or event.type != "TimerStarted":
            return None
        return int(event.time_ns + seconds(event.about.start_to_fire_timeout) * 1e9)


class Waits:
    """Reads the instance of a workflow: private names, each behind a guard. ``asked`` finds commands by number."""

    def __init__(self, instance: Any, sites: Sites, asked: dict[tuple[str, int], Any]) -> None:
        self._instance = instance
        self._sites = sites
        self._asked = asked
        self.main = getattr(instance, "_primary_task", None)
        self._chain = awaited_chain(self.main.get_coro()) if self.main is not None else []
        self._limits: dict[int, Awaited] = {}

    @functools.cached_property
    def _by_future(self) -> dict[int, Awaited]:
        return self._pending()

    def _pending(self) -> dict[int, Awaited]:
        """Everything under way, by the identity of the future that stands for it."""
        found: dict[int, Awaited] = {}
        activities = getattr(self._instance, "_pending_activities", {})
        for seq, handle in list(activities.items()):
            asked = self._asked.get(("schedule_activity", seq)) or self._asked.get(
                ("schedule_local_activity", seq)
            )
            awaited = Awaited("step", asked.name if asked is not None else "an activity", asked)
            found[id(handle)] = found[id(getattr(handle, "_result_fut", handle))] = awaited
        for seq, handle in list(getattr(self._instance, "_pending_child_workflows", {}).items()):
            asked = self._asked.get(("start_child_workflow_execution", seq))
            awaited = Awaited("child", asked.about.workflow_id if asked is not None else "", asked)
            for name in ("_start_fut", "_result_fut"):
                found[id(getattr(handle, name, handle))] = awaited
            found[id(handle)] = awaited
        for seq, handle in list(getattr(self._instance, "_pending_timers", {}).items()):
            awaited = Awaited("sleeping", "timer", self._asked.get(("start_timer", seq)))
            for future in _set_by(handle):
                found[id(future)] = awaited
            limited = getattr(getattr(getattr(handle, "_callback", None), "__self__", None), "_task", None)
            if limited is not None:
                self._limits[id(limited)] = awaited
        for seq, handle in list(getattr(self._instance, "_pending_nexus_operations", {}).items()):
            asked = self._asked.get(("schedule_nexus_operation", seq))
            awaited = Awaited("step", asked.name if asked is not None else "a Nexus operation", asked)
            for name in ("_start_fut", "_result_fut"):
                found[id(getattr(handle, name, handle))] = awaited
        for condition in list(getattr(self._instance, "_conditions", ())):
            found[id(condition[1])] = Awaited("waiting", _condition(condition[0]))
        return found

    def of(self, task: Any) -> list[Awaited]:
        """What a task waits for; of a gather, a wait or a time limit what is inside it that is left."""
        found: dict[int, Awaited] = {}
        for inner in _inside(self._chain if task is self.main else chain_of(task)):
            self._follow(inner, found, 0)
        if not found:
            self._follow(getattr(task, "_fut_waiter", None), found, 0)
        return sorted(found.values(), key=lambda one: _RANK.get(one.kind, 9))

    def _limit(self) -> list[Awaited]:
        """The time limit of what the main task waits for."""
        waiter = self._by_future.get(id(getattr(self.main, "_fut_waiter", None)))
        limit = self._limits.get(id(self.main)) or waiter  # read behind _by_future, which fills it
        return [limit] if limit is not None else []

    def _follow(self, future: Any, found: dict[int, Awaited], depth: int) -> None:
        if future is None or depth > _DEEP:
            return
        awaited = self._by_future.get(id(future))
        if awaited is not None:
            found[id(awaited)] = awaited
            return
        children = getattr(future, "_children", None)
        for child in children if isinstance(children, list) else ():
            if not child.done():
                self._follow(child, found, depth + 1)
        if isinstance(future, asyncio.Task):
            for inner in _inside(chain_of(future)) or [getattr(future, "_fut_waiter", None)]:
                self._follow(inner, found, depth + 1)

    def everything(self) -> list[Awaited]:
        """All that is under way, each once."""
        return list({id(one): one for one in self._by_future.values()}.values())

    def place(self) -> list[dict[str, Any]]:
        """The lines that the main task stands at, without locals."""
        return self._sites.painted(self.main, self._chain)

    def now(self, stack: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """Now, as the model has it: of the main task, else of whatever is under way. ``stack`` is the main task's."""
        found = self.of(self.main)
        if not found:
            # asyncio's own combinations (wait, timeouts) hide what is behind them.
            found = sorted(self.everything(), key=lambda one: _RANK.get(one.kind, 9))
        at = where(self.place() if stack is None else stack)
        if not found:
            return {"kind": "waiting", "what": "something that is no command", "at": at}
        first = found[0]
        now: dict[str, Any] = {
            "kind": first.kind, "what": listed_names(found), "at": at, "step_id": first.step_id,
        }  # fmt: skip
        until = [one.until_ns for one in [*found, *self._limit()] if one.until_ns is not None]
        if until:
            now["until_ns"] = min(until)
        return now

    def tasks(self, paint: Painter) -> list[dict[str, Any]]:
        """The main task and those beside it; [] when there is only that one."""
        known = [
            t for t in list(getattr(self._instance, "_tasks", ())) if t is not self.main and not t.done()
        ]
        found = []
        for task in sorted(known, key=lambda one: one.get_name())[:TASKS]:
            frames = self._sites.parked(task, paint)
            if frames:
                awaited = self.of(task)
                step = awaited[0].step_id if awaited else ""
                name = task.get_name().partition(" (workflow: ")[0]
                found.append({"name": name, "frames": frames, "state": "waiting", "step_id": step})
        return found

    def told(self) -> dict[str, Any] | None:
        """The fields of the step at the end of a workflow task; None when it only waits for its last command."""
        paint = Painter(STEP_NODES)
        others = self.tasks(paint)
        if not others and self._sites.stands_at_last(self._chain):
            return None
        if others:
            self._sites.forget()  # they may have changed what is seen from it
        stack = self._sites.painted(self.main, self._chain, paint)
        now = self.now(stack)
        if others:
            main = {"name": "main", "frames": stack, "state": "waiting", "step_id": now.get("step_id", "")}
            others = [main, *others]
        words = {"sleeping": "sleeps", "child": f"waits for child {now['what']}"}
        return {"name": words.get(now["kind"], f"waits for {now['what']}"), "stack": stack, "tasks": others}


def _set_by(handle: Any) -> list[Any]:
    """The futures that a timer's callback sets: its arguments, or what it closes over."""
    cells = getattr(getattr(handle, "_callback", None), "__closure__", None) or ()
    values = [*(getattr(handle, "_args", None) or ()), *(_content(cell) for cell in cells)]
    return [value for value in values if asyncio.isfuture(value)]


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def chain_of(task: Any) -> list[Any]:
    """What a task awaits, outermost first."""
    return awaited_chain(task.get_coro()) if isinstance(task, asyncio.Task) else []


def _inside(chain: list[Any]) -> list[Any]:
    """The futures inside asyncio.wait_for and asyncio.wait, whose own future says nothing of them."""
    inner = next(frames_outwards(chain), None)
    name = inner.f_code.co_name if inner is not None else ""
    if inner is None or name not in _COMBINED:
        return []
    found = inner.f_locals.get(_COMBINED[name])
    several = found if isinstance(found, (set, list, tuple)) else [found]
    return [one for one in several if asyncio.isfuture(one) and not one.done()]


_COMBINED = {"wait_for": "fut", "_wait": "fs"}
_RANK = {"waiting": 0, "step": 1, "child": 2, "sleeping": 3}


def listed_names(found: list[Awaited]) -> str:
    """A few names of what is waited for."""
    names = list(dict.fromkeys(one.name for one in found))
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more


def _condition(test: Any) -> str:
    code = getattr(test, "__code__", None)
    return f"a condition (line {code.co_firstlineno})" if code is not None else "a condition"
