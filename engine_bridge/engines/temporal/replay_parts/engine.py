"""Runner part: temporalio itself: its Replayer, fed one history after the other in one event loop."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import inspect
import json
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from engine_bridge.engines.temporal.replay_parts.asking import Asking
from engine_bridge.engines.temporal.replay_parts.contents import Contents
from engine_bridge.engines.temporal.replay_parts.dropped import Dropped
from engine_bridge.engines.temporal.replay_parts.ending import Ending
from engine_bridge.engines.temporal.replay_parts.found import code_of, codes
from engine_bridge.engines.temporal.replay_parts.instance import Current, recording
from engine_bridge.engines.temporal.replay_parts.readable import unreadable
from engine_bridge.engines.temporal.replay_parts.recorded import Recorded, type_names
from engine_bridge.engines.temporal.replay_parts.turns import Turns
from engine_bridge.engines.temporal.replay_parts.walk import Walk
from engine_bridge.replay.runners.debugger import PASSED
from engine_bridge.replay.runners.failures import failure
from engine_bridge.replay.runners.loop import Engine, Recorder, serve

OPEN = 8
DEBUGGED = (1, 20)
PATIENCE_S, CORE_LOOK_S, EVENTS_A_SECOND = 8.0, 0.25, 1000
_SILENT = "Temporal's core takes no part of this history any more: an event of it lacks what core needs"
BUILD = "playhead"  # else the SDK hashes every module that is loaded (0.3 s)


class Player:
    """One replayer of the SDK, open: histories go in one by one."""

    def __init__(self, replayer: Any) -> None:
        self._replayer = replayer
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        self._manager: Any = None
        self._results: Any = None

    async def replay(self, history: Any) -> BaseException | None:
        """What core has against a history, None when nothing."""
        if self._manager is None:
            self._manager = self._replayer.workflow_replay_iterator(self._feed())
            self._results = await self._manager.__aenter__()
        await self._queue.put(history)
        result = await self._results.__anext__()
        problem: BaseException | None = result.replay_failure
        return problem

    async def _feed(self) -> Any:
        while True:
            history = await self._queue.get()
            if history is None:
                return
            yield history

    async def close(self) -> None:
        """Lets go of its worker."""
        if self._manager is not None:
            await self._queue.put(None)
            with suppress(Exception):
                await self._manager.__aexit__(None, None, None)


class TemporalEngine(Engine):
    """Replays histories of temporalio 1.8 and newer.

    Options of a project: ``data_converter``, ``interceptors``, ``plugins``, ``workflow_failure_exception_types`` and
    ``config`` (all of them, by the names of Replayer's arguments) are each ``module:attribute``, an object or what
    makes it; ``worker_script`` is an entry point from which they are taken; ``sandbox`` false replays without it.
    """

    def warm(self) -> tuple[str, tuple[str, ...]]:
        from importlib.metadata import version

        import temporalio.api.enums.v1
        import temporalio.api.history.v1
        import temporalio.bridge.proto.workflow_completion
        import temporalio.client
        import temporalio.runtime
        import temporalio.worker
        import temporalio.worker.workflow_sandbox

        self._quiet(temporalio.runtime)
        logging.getLogger("temporalio.worker").setLevel(logging.CRITICAL + 1)
        found = version("temporalio")
        self._version = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
        return found, (_folder(temporalio.worker),)

    @staticmethod
    def _quiet(runtime: Any) -> None:
        """Core's own log says what the end of the replay says better."""
        silent = runtime.Runtime(telemetry=runtime.TelemetryConfig(logging=None))
        runtime.Runtime.set_default(silent, error_if_already_set=False)

    def load(self, job: dict[str, Any], recorder: Recorder) -> dict[str, tuple[str, int]]:
        self._current = Current(recorder)
        Dropped(recorder.channel).install()
        self._players: dict[tuple[str, int], Player] = {}
        self._last: tuple[str, Walk, type] | None = None
        self._loop = asyncio.new_event_loop()
        self._codes = codes(job, recorder.files)
        self._code = self._codes[0]
        asyncio.set_event_loop(self._loop)
        self._bare = recorder.record == "bare"
        self._debugged = recorder.debugger is not None
        self._sandbox = (job.get("options") or {}).get("sandbox", True) is not False
        self._without_sandbox(recorder)
        if recorder.record == "places" and recorder.lines.is_cheap:
            recorder.lines.start()  # for the line that ends a run
        gc.freeze()  # what was imported stays: no need to look through it at each collection
        return {name: _place(kind) for name, kind in self._every().items()}

    def _without_sandbox(self, recorder: Recorder) -> None:
        """The sandbox of old versions does not let a debugger's modules pass: with one, they replay without."""
        if self._sandbox and self._debugged and self._version < DEBUGGED:
            self._sandbox = False
            text = "With a debugger, this version of temporalio replays without its sandbox."
            recorder.channel.send("log", text=text, level="warning")

    def _every(self) -> dict[str, type]:
        return {name: kind for code in reversed(self._codes) for name, kind in code.kinds.items()}

    def handlers(self) -> dict[str, dict[str, tuple[str, ...]]]:
        from temporalio import workflow

        found = {}
        for name, kind in self._every().items():
            known = workflow._Definition.must_from_class(kind)
            fields = {"query": "queries", "signal": "signals", "update": "updates"}
            names = {what: getattr(known, field, None) or () for what, field in fields.items()}
            found[name] = {what: tuple(sorted(filter(None, some))) for what, some in names.items()}
        return found

    def replay(self, item: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
        with open(item["input"], "rb") as file:
            header, _, data = file.read().partition(b"\n")
        facts = json.loads(header)
        turns = self._current.turns = _turns(facts, data, item.get("then") or [])
        recorded = turns.recorded if turns is not None else Recorded(_events(data), type_names())
        queue = recorded.start.task_queue.name
        named = code_of(self._codes, recorded.type, queue)
        if named is None:
            known = ", ".join(sorted(self._every())[:20]) or "none"
            return {
                "outcome": "failed",
                "error": f"The code has no workflow {recorded.type}.",
                "hint": f"It has: {known}.",
            }
        self._code, kind = named
        recorder.total = 0  # events tell how far it is
        self._current.since = time.monotonic()
        self._current.facts = {"namespace": facts.get("namespace", ""), "task_queue": queue}
        self._last = None
        if turns is not None:
            return self._by_turns(facts["id"], turns, kind, recorder)
        found = self._loop.run_until_complete(self._replay(facts["id"], recorded, kind, recorder))
        if self._bare or self._debugged:
            return found
        if (found.get("divergence") or {}).pop("after", False):
            found = self._with_lines(facts["id"], recorded, kind, recorder)
            (found.get("divergence") or {}).pop("after", None)
        return found

    def _by_turns(self, workflow_id: str, turns: Turns, kind: type, recorder: Recorder) -> dict[str, Any]:
        """An edited history: what later turns edit is found by silent replays, and the whole is told in the end."""

        def replayed() -> dict[str, Any]:
            return self._loop.run_until_complete(self._replay(workflow_id, turns.recorded, kind, recorder))

        while turns.left and not recorder.cancelled:
            with recorder.trial():
                found = replayed()
            if self._last is None or not turns.take(self._last[1], found):
                break
        found = replayed()
        if self._last is not None and not self._bare:
            walk = self._last[1]
            found |= {**turns.told(walk), "next": turns.next(walk, found)}
        found.get("divergence", {}).pop("after", None)
        return found

    def ask(self, item: dict[str, Any], questions: list[dict[str, Any]], recorder: Recorder) -> None:
        if self._last is None or self._bare:
            return
        workflow_id, walk, kind = self._last
        if walk.stop is not None or walk.crash is not None:
            return
        lines = recorder.lines
        coverage, self._current.since = lines.coverage, time.monotonic()
        self._current.asking = Asking(questions, recorder, walk)
        try:
            self._loop.run_until_complete(self._played(workflow_id, walk.recorded, kind))
        finally:
            self._current.asking, lines.coverage = None, coverage

    async def _played(self, workflow_id: str, recorded: Recorded, kind: type) -> None:
        """The same again, telling nothing: what became of it was told before."""
        from temporalio.client import WorkflowHistory

        player = await self._player(recorded.type, kind)
        try:
            await self._watched(player, WorkflowHistory(workflow_id, recorded.raw))
        except Exception:  # noqa: BLE001 - its worker is gone; the next history gets another
            self._players.pop((recorded.type, id(self._code)), None)

    def _with_lines(
        self, workflow_id: str, recorded: Recorded, kind: type, recorder: Recorder
    ) -> dict[str, Any]:
        """The same again, telling nothing, for the line that only counting lines finds: where the code ended."""
        told, record = recorder.n, recorder.record
        needed = record == "places" and not recorder.lines.is_cheap
        if needed:
            recorder.lines.start()
        recorder.record, self._current.finds_ends = "bare", True
        try:
            return self._loop.run_until_complete(self._replay(workflow_id, recorded, kind, recorder))
        finally:
            if needed:
                recorder.lines.stop()
            recorder.lines.reset()
            recorder.n, recorder.record, self._current.finds_ends = told, record, False

    async def _replay(
        self, workflow_id: str, recorded: Recorded, kind: type, recorder: Recorder
    ) -> dict[str, Any]:
        from temporalio.client import WorkflowHistory

        contents = Contents()
        walk = self._current.walk = Walk(recorded, recorder, contents)
        walk.hypothetical = self._current.turns is not None
        self._last = workflow_id, walk, kind
        history = WorkflowHistory(workflow_id, recorded.raw)
        try:
            player = await self._player(recorded.type, kind)
        except Exception as error:  # noqa: BLE001 - the sandbox imports the user's code here
            return _not_made(error, recorder)
        failed = await unreadable(recorded.events, self._code.settings)
        if failed is not None:
            self._last = self._current.walk = None
            return failed
        codec = self._codec()
        if codec is not None and not self._bare:
            await contents.decode(codec, recorded.behind(1))
        try:
            problem = await self._watched(player, history)
        except Exception as error:  # noqa: BLE001 - its worker is gone; the next history gets another
            self._players.pop((recorded.type, id(self._code)), None)
            problem = error
        finally:
            self._current.walk = None
        return Ending(walk, problem).values()

    async def _watched(self, player: Player, history: Any) -> BaseException | None:
        """What core has against a history. Raises TimeoutError when core has died of it, which it does not tell."""
        patience = PATIENCE_S + len(history.events) / EVENTS_A_SECOND
        task = asyncio.ensure_future(player.replay(history))
        while not task.done():
            await asyncio.wait({task}, timeout=CORE_LOOK_S)
            if (
                not task.done()
                and not self._current.inside
                and time.monotonic() - self._current.since > patience
            ):
                task.cancel()
                raise TimeoutError(_SILENT)
        return task.result()

    def _codec(self) -> Any:
        return getattr(self._code.settings.get("data_converter"), "payload_codec", None)

    async def _player(self, name: str, kind: type) -> Player:
        """The open replayer of a workflow type: each checks its workflows in the sandbox once, which takes long."""
        key = name, id(self._code)
        found = self._players.pop(key, None)
        if found is None:
            while len(self._players) >= OPEN:
                await self._players.pop(next(iter(self._players))).close()
            found = Player(self._replayer(kind))
        self._players[key] = found
        return found

    def _replayer(self, kind: type) -> Any:
        from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
        from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

        known = inspect.signature(Replayer.__init__).parameters
        given = {key: value for key, value in self._code.settings.items() if key in known}
        runner = given.pop("workflow_runner", None) or SandboxedWorkflowRunner()
        if self._debugged and hasattr(runner, "restrictions"):
            passed = runner.restrictions.with_passthrough_modules(*PASSED)
            runner = dataclasses.replace(runner, restrictions=passed)
        free = given.pop("unsandboxed_workflow_runner", None) or UnsandboxedWorkflowRunner()
        if not self._sandbox:
            runner = free
        if not self._bare:
            runner, free = recording(runner, self._current), recording(free, self._current)
        given |= {"workflow_runner": runner, "unsandboxed_workflow_runner": free, "debug_mode": True}
        given.setdefault("build_id", BUILD)
        if self._debugged:  # who steps over a line that waits stays in the thread of the next workflow task
            given["workflow_task_executor"] = ThreadPoolExecutor(1)
        workflows = [] if kind in self._code.brought else [kind]
        return Replayer(workflows=workflows, **{key: value for key, value in given.items() if key in known})


def _folder(module: Any) -> str:
    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(module.__file__))), "")


def _turns(facts: dict[str, Any], data: bytes, then: list[dict[str, Any]]) -> Turns | None:
    """The turns of an edited history, behind which is what was recorded instead; None of a recorded one."""
    if "rest" not in facts:
        return None
    end = len(data) - int(facts["rest"])
    return Turns(_events(data[:end]), _events(data[end:]), then)


def _events(data: bytes) -> Any:
    from temporalio.api.history.v1 import History

    return list(History.FromString(data).events)


def _place(kind: type) -> tuple[str, int]:
    try:
        return inspect.getsourcefile(kind) or "", inspect.getsourcelines(kind)[1]
    except (OSError, TypeError):
        return "", 0


def _not_made(error: Exception, recorder: Recorder) -> dict[str, Any]:
    """The SDK refuses the workflow itself: most often the sandbox cannot import it."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    told = failure(cause, recorder.files)
    hint = told["hint"] or "A worker would refuse it, too. Option sandbox=false replays without the sandbox."
    return {"outcome": "failed", **told, "hint": hint}


serve(TemporalEngine())
