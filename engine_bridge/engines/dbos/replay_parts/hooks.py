"""Runner part: what is replaced in dbos so that a replay reads the record and never acts."""

from __future__ import annotations

import asyncio
import sys
import time
import types
from collections.abc import Callable
from typing import Any

from engine_bridge.engines.dbos.replay_parts.recorded import WAITS, Walk
from engine_bridge.replay.runners.frames import awaited_frames, frame_record
from engine_bridge.replay.runners.loop import Recorder
from engine_bridge.replay.runners.pictures import picture

TASKS = 40
_WRITERS = (
    "_record_operation_result_txn", "_record_operation_error", "init_workflow", "init_child_workflow", "init_workflows",
    "send_bulk_with_connection", "create_schedule", "upsert_schedule", "enqueue_workflow", "cancel_workflows",
    "resume_workflows", "delete_workflows", "fork_workflow", "rewind_workflow", "update_workflow_attributes",
    "_insert_workflow_status",
)  # fmt: skip
_THREADS = ("queue_thread", "background_jobs_thread", "dynamic_scheduler_loop", "startup_recovery_thread")


class Hooks:
    """Stands between the user's workflow and dbos. ``walk`` is the run being replayed."""

    def __init__(
        self,
        dbos: types.ModuleType,
        core: types.ModuleType,
        system: types.ModuleType,
        context: types.ModuleType,
    ) -> None:
        self.dbos: Any = dbos
        self.core: Any = core
        self.system: Any = system
        self.context: Any = context
        self.stored: Any = sys.modules["dbos._serialization"]
        self.walk: Walk | None = None
        self.recorder: Recorder | None = None

    def quiet(self) -> None:
        """No thread of dbos looks for work."""
        for name in _THREADS:
            if hasattr(self.dbos, name):
                setattr(self.dbos, name, lambda *a, **k: None)
        for name in ("run_notification_listener", "run_notifier"):
            if hasattr(self.system.SystemDatabase, name):
                setattr(self.system.SystemDatabase, name, lambda *a, **k: None)

    def install(self, recorder: Recorder) -> None:
        """From now on every operation of a workflow comes by here."""
        self.recorder = recorder
        self._watch_calls()
        database = self.system.SystemDatabase
        self._replace(database, "_check_operation_execution_txn", self._check)
        self._replace(database, "patch", self._patch)
        self._replace(database, "deprecate_patch", self._patch)
        self._replace(database, "get_checkpoint_name", self._checkpoint)
        self._replace(database, "check_workflow_result", self._child_result)
        self._replace(database, "record_get_result", self._get_result)
        self._replace(database, "update_workflow_outcome", self._outcome)
        self._replace(database, "set_event_from_workflow", self._set_event)
        self._replace(database, "write_stream_from_workflow", self._write_stream)
        for name in _WRITERS:
            if hasattr(database, name):
                self._replace(database, name, self._refuse(name))
        for name in ("start_workflow", "start_workflow_async"):
            if hasattr(self.core, name):
                self._starts(name)
        self.core._execute_workflow_wthread = self._threaded(self.core._execute_workflow_wthread)
        self.core._execute_workflow_async = self._on_loop(self.core._execute_workflow_async)

    @staticmethod
    def _replace(owner: Any, name: str, hook: Callable[..., Any]) -> None:
        original = getattr(owner, name, None)
        if original is not None:
            setattr(owner, name, lambda *a, **k: hook(original, *a, **k))

    # Where the code stands ---------------------------------------------------------------------------------------

    def _watch_calls(self) -> None:
        """Every operation takes the next function id where it is called: the line is on the stack at that moment."""
        hooks = self

        def set_id(context: Any, value: int) -> None:
            own = context.__dict__
            own["playhead_id"] = value
            walk = hooks.walk
            if (
                walk is not None
                and value > 0
                and own.get("workflow_id") == walk.id
                and value not in walk.sites
            ):
                walk.sites[value] = hooks.site(sys._getframe(1))

        self.context.DBOSContext.function_id = property(
            lambda context: context.__dict__["playhead_id"], set_id
        )

    def site(self, frame: Any) -> dict[str, Any]:
        """The stack, the other tasks and the line at a frame."""
        recorder = self._recorder
        stack, via = recorder.stack(frame), "stack"
        place = recorder.place(frame)
        tasks: list[dict[str, Any]] = []
        task = _current_task()
        if task is not None:
            if not place:
                stack, place, via = self._of_task(task)
            tasks = self._tasks(task)
        return {
            "stack": stack,
            "place": place,
            "tasks": tasks,
            "via": via,
            "task": task.get_name() if task else "",
        }

    def _of_task(self, task: Any) -> tuple[list[dict[str, Any]], dict[str, Any], str]:
        """Where a task without a user frame comes from: the line that made its coroutine."""
        origin = getattr(task.get_coro(), "cr_origin", None) or ()
        files = self._recorder.files
        stack = [
            {"file": file, "line": line, "function": name, "kind": "user"}
            for file, line, name in origin
            if files.kind(file) == "user"
        ]
        place = {key: stack[0][key] for key in ("file", "line", "function")} if stack else {}
        return stack, place, "origin"

    def _tasks(self, current: Any) -> list[dict[str, Any]]:
        recorder = self._recorder
        if recorder.record != "full":
            return []
        found = []
        for task in list(asyncio.all_tasks())[:TASKS]:
            frames = [
                frame_record(frame, "user", True, picture)
                for frame in reversed(awaited_frames(task.get_coro()))
                if recorder.files.kind(frame.f_code.co_filename) == "user"
            ]
            if not frames:
                frames = self._of_task(task)[0]
            if frames:
                state = "running" if task is current else "waiting"
                found.append({"name": task.get_name(), "frames": frames, "state": state})
        return found

    @property
    def _recorder(self) -> Recorder:
        if self.recorder is None:
            raise RuntimeError("no replay is under way")
        return self.recorder

    # Operations --------------------------------------------------------------------------------------------------

    def reach(self, walk: Walk, fid: int, asked: str) -> dict[str, Any] | None:
        """The code asks for a step: told once; its recorded row. Raises Stop where there is none, or another one."""
        held = walk.recorded.steps.get(fid)
        site = walk.sites.get(fid) or walk.sites.setdefault(fid, self.site(sys._getframe(1)))
        if fid not in walk.visited:
            walk.visited.add(fid)
            drift = [d for d in walk.drift if d["step_id"] == str(fid)]
            self._recorder.step(
                asked, kind=WAITS.get(asked, "patch" if asked.startswith("DBOS.patch") else "step"), step_id=str(fid),
                recorded=held["function_name"] if held else None, stack=site["stack"], tasks=site["tasks"],
                via=site["via"], drift=drift,
            )  # fmt: skip
        if walk.stop is not None:
            raise walk.stop
        if held is None:
            raise self._frontier(walk, fid, asked, site)
        if held["function_name"] != asked:
            raise walk.halt("diverged", divergence=walk.part(fid, asked))
        return held

    def _frontier(self, walk: Walk, fid: int, asked: str, site: dict[str, Any]) -> BaseException:
        if walk.recorded.closed:
            return walk.halt("diverged", divergence=walk.part(fid, asked))
        now = {"kind": "step", "what": asked, "step_id": str(fid), "at": site["place"]}
        if asked in ("DBOS.recv", "DBOS.getEvent"):
            # The time-out's row is written when the wait begins.
            began = walk.recorded.steps.get(fid + 1, {})
            now.update(kind="waiting", until_ns=_wake_ns(began))
        return walk.halt("stopped", now=now)

    def _check(
        self,
        original: Any,
        database: Any,
        workflow_id: str,
        function_id: int,
        name: str,
        *more: Any,
        **named: Any,
    ) -> Any:
        walk = self.walk
        if walk is None or workflow_id != walk.id:
            return original(database, workflow_id, function_id, name, *more, **named)
        held = self.reach(walk, function_id, name)
        if name == "DBOS.sleep" and held is not None:
            until = _wake_ns(held)
            if until is not None and until > time.time_ns():
                at = walk.sites[function_id]["place"]
                now = {
                    "kind": "sleeping",
                    "what": name,
                    "step_id": str(function_id),
                    "until_ns": until,
                    "at": at,
                }
                raise walk.halt("stopped", now=now)
        return original(database, workflow_id, function_id, name, *more, **named)

    def _patch(
        self, original: Any, database: Any, *, workflow_id: str, function_id: int, patch_name: str
    ) -> Any:
        walk = self.walk
        if walk is None or workflow_id != walk.id:
            return original(database, workflow_id=workflow_id, function_id=function_id, patch_name=patch_name)
        held = walk.recorded.steps.get(function_id)
        if held is not None and held["function_name"] != patch_name:
            return False  # an older run: the code takes its old way
        if held is None and walk.recorded.closed:
            return False
        self.reach(walk, function_id, patch_name)
        return True

    def _checkpoint(self, original: Any, database: Any, *, workflow_id: str, function_id: int) -> Any:
        walk = self.walk
        if walk is not None and workflow_id == walk.id:
            held = walk.recorded.steps.get(function_id)
            return held["function_name"] if held else None
        return original(database, workflow_id=workflow_id, function_id=function_id)

    def _child_result(self, original: Any, database: Any, workflow_id: str, **named: Any) -> Any:
        walk = self.walk
        if walk is None or workflow_id == walk.id:
            return original(database, workflow_id, **named)
        if walk.stop is not None:
            raise walk.stop
        found = original(database, workflow_id, **named)
        if type(found).__name__ == "NoResult":
            site = self.site(sys._getframe(1))
            at = site["place"] or self._last_place(walk)
            raise walk.halt("stopped", now={"kind": "child", "what": workflow_id, "at": at})
        return found

    @staticmethod
    def _last_place(walk: Walk) -> dict[str, Any]:
        places = [walk.sites[n]["place"] for n in sorted(walk.sites) if walk.sites[n]["place"]]
        return places[-1] if places else {}

    def _get_result(
        self, original: Any, database: Any, result_workflow_id: str, *values: Any, **named: Any
    ) -> None:
        """Reading a child's result is a step, which dbos writes without looking whether it is there."""
        context = named.get("ctx") or (values[3] if len(values) > 3 else None)
        given = context is not None
        context = context or self.context.get_local_dbos_context()
        walk = self.walk
        if walk is None or context is None or not context.is_workflow() or context.workflow_id != walk.id:
            return
        if not given:
            context.function_id += 1
        self.reach(walk, context.function_id, "DBOS.getResult")

    def _set_event(
        self,
        original: Any,
        database: Any,
        workflow_id: str,
        function_id: int,
        key: str,
        value: Any,
        **named: Any,
    ) -> Any:
        self._compare(
            function_id,
            "event",
            self.walk.recorded.events.get(function_id) if self.walk else None,
            key,
            value,
        )
        return original(database, workflow_id, function_id, key, value, **named)

    def _write_stream(
        self,
        original: Any,
        database: Any,
        workflow_id: str,
        function_id: int,
        key: str,
        value: Any,
        **named: Any,
    ) -> Any:
        self._compare(
            function_id,
            "stream",
            self.walk.recorded.streams.get(function_id) if self.walk else None,
            key,
            value,
        )
        return original(database, workflow_id, function_id, key, value, **named)

    def _quietly(self, compare: Callable[[], None]) -> None:
        """A comparison that cannot be made must not change what the user's code does."""
        try:
            compare()
        except Exception as error:  # noqa: BLE001 - told, and the replay goes on
            text = f"not compared: {type(error).__name__}: {error}"[:500]
            self._recorder.channel.send("log", text=text, level="warning")

    def _compare(self, fid: int, what: str, row: dict[str, Any] | None, key: str, value: Any) -> None:
        """What the code writes where the engine only looks at the step's name."""
        walk = self.walk
        if walk is None or row is None:
            return
        recorded = self.loads(row["value"], row.get("serialization"))
        if row["key"] != key:
            walk.drift.append(
                {"what": f"{what} key", "recorded": row["key"], "replayed": key, "step_id": str(fid)}
            )
        elif not alike(recorded, value):
            walk.drift.append(
                {
                    "what": f"{what} {key}",
                    "recorded": picture(recorded),
                    "replayed": picture(value),
                    "step_id": str(fid),
                }
            )

    def loads(self, text: Any, serialization: Any) -> Any:
        """A stored value, with the project's own serialiser where it has one."""
        return self.stored.deserialize_value(text, serialization, self.dbos._dbos_global_instance._serializer)

    def _starts(self, name: str) -> None:
        """A child's arguments are in its own row: compared, for the engine does not."""
        original = getattr(self.core, name)
        before = 0 if name == "start_workflow" else 1

        def start(dbos: Any, *args: Any, **named: Any) -> Any:
            func, given, keywords = args[before : before + 3]
            self._quietly(lambda: self._compare_child(before, func, given, keywords))
            return original(dbos, *args, **named)

        setattr(self.core, name, start)
        if hasattr(self.dbos, name):
            setattr(self.dbos, name, start)

    def _compare_child(self, taken: int, func: Any, args: Any, keywords: Any) -> None:
        walk = self.walk
        context = self.context.get_local_dbos_context()
        if walk is None or context is None or context.workflow_id != walk.id:
            return
        # The asynchronous way has taken the child's function id already.
        fid = context.function_id + 1 - taken
        child = walk.recorded.children.get(
            (walk.recorded.steps.get(fid) or {}).get("child_workflow_id") or ""
        )
        if child is None or child.get("inputs") is None:
            return
        recorded = self.stored.deserialize_args(
            child["inputs"], child.get("serialization"), self.dbos._dbos_global_instance._serializer
        )
        given = {"args": tuple(args), "kwargs": dict(keywords)}
        held = {"args": tuple(recorded["args"]), "kwargs": dict(recorded["kwargs"])}
        if not alike(held, given):
            walk.drift.append(
                {"what": "input", "recorded": picture(held), "replayed": picture(given), "step_id": str(fid)}
            )

    def _outcome(
        self,
        original: Any,
        database: Any,
        workflow_id: str,
        status: str,
        *,
        output: Any = None,
        error: Any = None,
        **named: Any,
    ) -> bool:
        if self.walk is not None and workflow_id == self.walk.id:
            self.walk.outcome = (status, output, error)
        return True

    def _refuse(self, name: str) -> Callable[..., Any]:
        """The last line: whatever would write, of whatever version, ends the replay."""

        def refuse(original: Any, *values: Any, **named: Any) -> Any:
            walk = self.walk
            if walk is None:
                return original(*values, **named)
            at = self.site(sys._getframe(1))["place"]
            raise walk.halt("stopped", now={"kind": "step", "what": name.strip("_"), "at": at})

        return refuse

    # The run's thread or task ------------------------------------------------------------------------------------

    def _threaded(self, original: Any) -> Any:
        def run(*values: Any) -> Any:
            walk = self.walk
            try:
                return original(*values)
            except BaseException as error:  # noqa: BLE001 - a stop, or the workflow's own error
                if walk is not None:
                    walk.error = error
                return None
            finally:
                if walk is not None:
                    walk.done.set()

        return run

    def _on_loop(self, original: Any) -> Any:
        async def run(*values: Any) -> Any:
            walk = self.walk
            sys.set_coroutine_origin_tracking_depth(6)
            try:
                return await original(*values)
            except BaseException as error:  # noqa: BLE001 - a stop, or the workflow's own error
                if walk is not None:
                    walk.error = error
                return None
            finally:
                if walk is not None:
                    walk.done.set()

        return run


def alike(recorded: Any, replayed: Any) -> bool:
    """Whether two values are the same to a reader: equal, or of equal structure where they know no equality."""
    try:
        if recorded == replayed:
            return True
    except Exception:  # noqa: BLE001 - a class may refuse to be compared
        return bool(picture(recorded) == picture(replayed))
    return bool(picture(recorded) == picture(replayed)) and "__eq__" not in _defined_names(type(recorded))


def _defined_names(kind: type) -> set[str]:
    return {name for base in kind.__mro__[:-1] for name in vars(base)}


def _wake_ns(row: dict[str, Any]) -> int | None:
    try:
        return int(float(row["output"]) * 1e9)
    except (KeyError, TypeError, ValueError):
        return None


def _current_task() -> Any:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
