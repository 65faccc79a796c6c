"""Runner part: what is replaced in dbos so that a replay reads the record and never acts."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from engine_bridge.engines.dbos.replay_parts.calls import Calls
from engine_bridge.engines.dbos.replay_parts.compared import Compared
from engine_bridge.engines.dbos.replay_parts.sites import ORIGIN
from engine_bridge.engines.dbos.replay_parts.state import State
from engine_bridge.engines.dbos.replay_parts.turns import CALL, LATE

_WRITERS = (
    "_record_operation_result_txn", "_record_operation_error", "init_workflow", "init_child_workflow", "init_workflows",
    "send_bulk_with_connection", "create_schedule", "upsert_schedule", "enqueue_workflow", "cancel_workflows",
    "resume_workflows", "delete_workflows", "fork_workflow", "rewind_workflow", "update_workflow_attributes",
    "_insert_workflow_status",
)  # fmt: skip
_THREADS = ("queue_thread", "background_jobs_thread", "dynamic_scheduler_loop", "startup_recovery_thread")
_LISTENERS = ("run_notification_listener", "run_notifier")
_TO_THREAD_ORIGINAL = asyncio.to_thread
NAP_S = 1.0
_BESIDE = "DBOS runs it there as a plain function and records nothing of it, so what it gave is not known."
_BESIDE_HINT = (
    "Call steps in the workflow itself: one after the other, or gathered in an asynchronous workflow."
)


def quiet() -> None:
    """No thread of dbos looks for work, and no datasource reaches for its database."""
    owner: Any = sys.modules["dbos._dbos"]
    database = sys.modules["dbos._sys_db"].SystemDatabase
    for target, names in ((owner, _THREADS), (database, _LISTENERS)):
        for name in names:
            if hasattr(target, name):
                setattr(target, name, lambda *a, **k: None)
    for module in ("dbos._datasource_sqlite", "dbos._datasource_postgres", "dbos._workflow_commands"):
        _make_idle(sys.modules.get(module))


def _make_idle(module: Any) -> None:
    names = ("run_migrations", "verify_migrations")
    kinds = [
        k for k in vars(module or object).values() if isinstance(k, type) and k.__module__ == module.__name__
    ]
    for owner, name in [(kind, name) for kind in kinds for name in names]:
        if name in vars(owner):
            setattr(owner, name, _nothing(vars(owner)[name]))
    for name in ("delete_completed_datasource_checkpoints", "delete_completed_datasource_checkpoints_async"):
        if hasattr(module, name):
            setattr(module, name, _nothing(getattr(module, name)))


def _nothing(original: Any) -> Any:
    async def later(*values: Any, **named: Any) -> None:
        return None

    return later if inspect.iscoroutinefunction(original) else lambda *values, **named: None


async def _set_up(original: Any, database: Any, waiters: Any, setup: Any, *values: Any) -> Any:
    """The first half of a wait: here it may last, and then it must be possible to give it up."""
    return await asyncio.to_thread(setup, *values)


class Hooks:
    """Puts the hooks in. Once in a process, before the user's code is imported."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._core: Any = sys.modules["dbos._core"]

    def install(self) -> None:
        """From now on every operation of a workflow comes by here."""
        database, context = (
            sys.modules["dbos._sys_db"].SystemDatabase,
            sys.modules["dbos._context"].DBOSContext,
        )
        calls, compared = Calls(self._state), Compared(self._state)
        for name, hook in {
            "check_operation_execution": calls.check,
            "_check_operation_execution_txn": calls.check,
            "patch": calls.patch,
            "deprecate_patch": calls.deprecated,
            "get_checkpoint_name": calls.checkpoint,
            "check_workflow_result": calls.child_result,
            "record_get_result": calls.get_result,
            "record_sleep": compared.sleep,
            "recv_setup": compared.recv,
            "get_event_setup": compared.get_event,
            "set_event_from_workflow": compared.set_event,
            "write_stream_from_workflow": compared.write_stream,
            "update_workflow_outcome": compared.outcome,
            **{name: calls.refusing(name) for name in _WRITERS},
        }.items():
            swap(database, name, hook)
        swap(database, "_run_event_setup_async", _set_up)
        swap(context, "create_start_workflow_child", compared.child, static=True)
        for name in ("deserialize_value", "deserialize_exception"):
            everywhere(name, calls.loading(getattr(self._core, name)))
        everywhere("decorate_step", self._steps(self._core.decorate_step))
        self._watch_ids(context)
        self._core._execute_workflow_wthread = self._threaded(self._core._execute_workflow_wthread)
        self._core._execute_workflow_async = self._on_loop(self._core._execute_workflow_async)
        asyncio.to_thread = asyncio.threads.to_thread = self._to_thread
        swap(time, "sleep", self._nap)

    def _watch_ids(self, context: Any) -> None:
        """Every operation takes the next function id where it is called: the line is on the stack at that moment."""
        state = self._state

        def set_id(own: Any, value: int) -> None:
            held, walk = own.__dict__, state.walk
            own_id = walk is not None and value > 0 and held.get("workflow_id") == walk.id
            if walk is None or not own_id or value in walk.places:
                held["playhead_id"] = value
            elif not state.is_taken(own):
                held["playhead_id"] = value = state.turns.skip(value) if state.turns is not None else value
                state.taken(walk, value, sys._getframe(1))

        def get_id(own: Any) -> int:
            call = CALL.get()
            if call is not None and call.reads:
                call.reads = False
                return call.taken
            return int(own.__dict__["playhead_id"])

        context.function_id = property(get_id, set_id)

    def _steps(self, original: Any) -> Any:
        """A step called beside its workflow (in a thread of the user's) is no step to dbos, which just runs it."""

        def decorate(*values: Any, **named: Any) -> Any:
            decorator = original(*values, **named)

            def keep(func: Any) -> Any:
                self._state.steps[f"<temp>.{named.get('name') or func.__qualname__}"] = func
                return decorator(unrunnable(func, self._refuse))

            return keep

        return decorate

    def _refuse(self, func: Any) -> None:
        walk = self._state.walk
        if walk is None:
            return
        if walk.stop is not None:
            raise walk.again()
        at = self._state.recorder.place(sys._getframe(2))
        where = f" at line {at['line']}" if at else ""
        error = f"The step {func.__name__} is called beside the workflow{where}, in a thread of its own or the like."
        raise walk.halt(0, "failed", error=f"{error} {_BESIDE}", hint=_BESIDE_HINT)

    def _to_thread(self, func: Any, /, *args: Any, **named: Any) -> Any:
        turns, frame, call = self._state.turns, sys._getframe(1), None
        if turns is None or turns.loop is not asyncio.get_running_loop():
            return _TO_THREAD_ORIGINAL(func, *args, **named)
        kind = self._state.recorder.files.kind(frame.f_code.co_filename)
        if kind == "engine" or frame.f_globals is globals():
            name = getattr(getattr(func, "func", func), "__name__", "")
            aside = frame.f_globals.get("__name__") == "dbos._dbos"
            call = turns.call(LATE.get(name, ""), aside=aside)
            call.place = self._state.sites.line(frame)
            if call.late or name == "debounce":
                call.site = self._state.sites.here(frame, 0)
        counted = call is None and self._state.counts_lines
        return turns.run(call, functools.partial(self._in_worker, counted, func), args, named)

    def _in_worker(self, counted: bool, func: Any, *args: Any, **named: Any) -> Any:
        """Runs what is not the user's, or whose lines are not counted, at full speed."""
        lines = self._state.recorder.lines
        if counted:
            lines.resume()
        else:
            lines.pause()
        return func(*args, **named)

    def _nap(self, original: Any, seconds: float) -> None:
        """A sleep in the workflow's body, which dbos does not know: over where the history goes on behind it."""
        walk, frame = self._state.walk, sys._getframe(2)
        if walk is None or threading.get_ident() != walk.thread or not self._state.is_user(frame):
            original(seconds)
        elif walk.stop is not None:
            raise walk.again()
        elif not walk.recorded.closed and not walk.is_behind and seconds >= NAP_S:
            what = f"time.sleep({seconds:g}), which is not durable"
            at = self._state.recorder.place(frame)
            raise walk.halt(0, "stopped", now={"kind": "sleeping", "what": what, "at": at})

    def _threaded(self, original: Any) -> Any:
        def run(*values: Any) -> Any:
            walk = self._state.walk
            if walk is not None:
                walk.thread = threading.get_ident()
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
            walk, turns = self._state.walk, self._state.turns
            if walk is not None:
                walk.thread = threading.get_ident()
            sys.set_coroutine_origin_tracking_depth(ORIGIN)
            if turns is not None:
                turns.begin()
            if not self._state.counts_lines:
                self._state.recorder.lines.pause()
            try:
                return await original(*values)
            except BaseException as error:  # noqa: BLE001 - a stop, or the workflow's own error
                if walk is not None:
                    walk.error = error
                return None
            finally:
                self._state.recorder.lines.resume()
                if walk is not None:
                    walk.done.set()

        return run


def swap(owner: Any, name: str, hook: Callable[..., Any], *, static: bool = False) -> None:
    """Puts a hook before a method, where this version has it; the hook gets the original first."""
    original = getattr(owner, name, None)
    if original is None:
        return

    @functools.wraps(original)
    def hooked(*values: Any, **named: Any) -> Any:
        return hook(original, *values, **named)

    setattr(owner, name, staticmethod(hooked) if static else hooked)


def everywhere(name: str, replacement: Any) -> None:
    """Replaces a function under its name in every module of dbos that imported it."""
    original = getattr(sys.modules["dbos._core"], name)
    for module in [m for key, m in list(sys.modules.items()) if key.split(".")[0] == "dbos"]:
        if getattr(module, name, None) is original and module.__name__ != "dbos._serialization":
            setattr(module, name, replacement)


def unrunnable(func: Any, refuse: Callable[[Any], None]) -> Any:
    """A step whose body does not run while a run is replayed."""

    @functools.wraps(func)
    async def later(*values: Any, **named: Any) -> Any:
        refuse(func)
        return await func(*values, **named)

    @functools.wraps(func)
    def body(*values: Any, **named: Any) -> Any:
        refuse(func)
        return func(*values, **named)

    return later if inspect.iscoroutinefunction(func) else body
