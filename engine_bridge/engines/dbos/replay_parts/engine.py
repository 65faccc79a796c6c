"""Runner part: dbos itself. One instance on a scratch database, made before the user's code asks for its own."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import json
import os
import sys
import time
import traceback
import types
from contextlib import suppress
from typing import Any

from engine_bridge.engines.dbos.replay_parts.drifts import Drifts
from engine_bridge.engines.dbos.replay_parts.ending import Ending
from engine_bridge.engines.dbos.replay_parts.hooks import Hooks, quiet
from engine_bridge.engines.dbos.replay_parts.orders import (
    BUDGET_S,
    SUSPECT,
    Before,
    Orders,
    Search,
    Tried,
    score,
    undecided,
)
from engine_bridge.engines.dbos.replay_parts.parting import called
from engine_bridge.engines.dbos.replay_parts.recorded import Recorded
from engine_bridge.engines.dbos.replay_parts.scratch import OWNED, Scratch
from engine_bridge.engines.dbos.replay_parts.sites import Sites
from engine_bridge.engines.dbos.replay_parts.state import State
from engine_bridge.engines.dbos.replay_parts.walk import Walk
from engine_bridge.replay.runners.channel import Stop
from engine_bridge.replay.runners.loop import Engine, Recorder, serve

PATIENCE_S = 2.0
LOOK_EVERY_S = 0.25
HASTE = 2
_IDLE = ("launch", "destroy", "reset_system_database", "listen_queues", "apply_schedules",
         "create_schedule", "alert_handler")  # fmt: skip
_PARTS = ("_dbos", "_core", "_sys_db", "_context", "_serialization", "_utils", "_datasource", "_datasource_sqlite",
          "_datasource_postgres", "_workflow_commands", "_queue", "_debouncer")  # fmt: skip


class DbosEngine(Engine):
    """Replays runs of dbos 3.x.

    Options of a project (each ``module:attribute``): ``setup`` is called after the import, where instances of workflow
    classes are made elsewhere than at import; ``serializer`` is the application's own, or what makes it, where its
    config is not made at import. ``argv`` are arguments that the modules read.
    """

    def warm(self) -> tuple[str, tuple[str, ...]]:
        for name in [name for name in os.environ if name.startswith("DBOS")]:
            del os.environ[name]
        from importlib.metadata import version

        found = version("dbos")
        import dbos

        folders = (os.path.join(os.path.dirname(dbos.__file__), ""),)
        if found.split(".")[0] != "3":
            # The parent says so: nothing of it is known here.
            return found, folders

        for name in _PARTS:
            with suppress(ImportError):
                importlib.import_module(f"dbos.{name}")
        self.scratch = Scratch(sys.argv[1])
        self.serializer: Any = None
        self._failed: dict[str, int] = {}
        quiet()
        self._claim(dbos.DBOS)
        return found, folders

    def _claim(self, kind: Any) -> None:
        """Makes the one instance now; the application's own ``DBOS(config=…)`` then gets it as it is."""
        original = kind.__init__

        def init(instance: Any, *args: Any, config: Any = None, **named: Any) -> None:
            if getattr(instance, "_initialized", False) and config is not None:
                self.serializer = config.get("serializer") or self.serializer
                instance.enable_patching = bool(config.get("enable_patching"))
            if not getattr(instance, "_initialized", False):
                original(instance, *args, config=config, **named)

        kind.__init__ = init
        self.instance = kind(
            config={
                "name": "replay",
                "system_database_url": self.scratch.url,
                "system_database_engine": self.scratch.engine,
                "application_version": OWNED,
                "executor_id": OWNED,
                "log_level": "CRITICAL",
            }
        )
        kind.launch()
        # Until the user's modules are in, as it is for them before they launch.
        self.instance._launched = False
        self.instance.enable_patching = True
        for name in _IDLE:
            if hasattr(kind, name):
                setattr(kind, name, _idle(getattr(kind, name)))

    def load(self, job: dict[str, Any], recorder: Recorder) -> dict[str, tuple[str, int]]:
        options = job.get("options") or {}
        self.state = State(recorder, Sites(recorder), Drifts(sys.modules["dbos._serialization"]))
        Hooks(self.state).install()
        # What the user's code reads there is its own, not the runner's.
        sys.argv = [*job["modules"][:1], *options.get("argv", ())]
        for name in job["modules"]:
            load_module(name)
        if options.get("setup"):
            named(options["setup"])()
        if options.get("serializer"):
            found = named(options["serializer"])
            self.serializer = found() if isinstance(found, type) or not hasattr(found, "serialize") else found
        instance = self.instance
        if self.serializer is not None:
            instance._serializer = instance._sys_db.serializer = self.serializer
        self.state.drifts.serializer = instance._serializer
        instance._registry.pollers = []
        instance._launched = True
        self._hear_loop()
        return self._workflows()

    def _hear_loop(self) -> None:
        """A stop that nobody awaits is no error of the user's."""

        def handle(loop: Any, context: dict[str, Any]) -> None:
            if not isinstance(context.get("exception"), Stop):
                loop.default_exception_handler(context)

        loop = self.instance._background_event_loop.target_loop()
        loop.call_soon_threadsafe(loop.set_exception_handler, handle)

    def _workflows(self) -> dict[str, tuple[str, int]]:
        found = {}
        for name, wrapper in self.instance._registry.workflow_info_map.items():
            code = getattr(getattr(wrapper, "__orig_func", None), "__code__", None)
            if code is not None and not name.startswith("<temp>"):
                found[name] = (code.co_filename, code.co_firstlineno)
        return found

    def replay(self, item: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
        with open(item["input"], encoding="utf-8") as file:
            record = json.load(file)
        walk, values = self._once(record, recorder, Orders())
        if walk.orders.contended and recorder.debugger is None and _score(walk, values)[0] in SUSPECT:
            called = self._called(walk)
            return self._in_other_orders(record, recorder, item, _failure(record, values), called)
        return values

    def _called(self, walk: Walk) -> frozenset[str]:
        """Steps of the history that the code calls somewhere, as far as its text tells."""
        known = {**self.instance._registry.workflow_info_map, **self.state.steps}
        files = {file for stack in walk.stacks.values() for file, _ in stack}
        return called(files, walk.recorded.names, known)

    def _in_other_orders(
        self,
        record: dict[str, Any],
        recorder: Recorder,
        item: dict[str, Any],
        failed: str,
        called: frozenset[str],
    ) -> dict[str, Any]:
        """The same again in the order that fits the record best, of those that it leaves open."""
        recorded = Recorded(record)

        def attempt(before: Before) -> Tried:
            orders = Orders(before, keeps=True)
            with recorder.trial():
                walk, found = self._once(record, recorder, orders)
            return Tried(before, _score(walk, found), _sign(walk, found), orders, *_parted(walk, found))

        # Runs that all fail alike were edited: after some, others are not searched for long.
        tries = self._failed.get(failed, 0)
        search = Search(
            attempt,
            recorded.doubt,
            BUDGET_S / 4**tries,
            lambda: recorder.begin(item),
            called,
            whole=not recorded.again,
        )
        best = search.run()
        self._failed[failed] = min(tries + 1, HASTE) if best.score[0] in SUSPECT else 0
        recorder.begin(item)
        _, values = self._once(record, recorder, Orders(best.before))
        return values if search.decides else undecided(values)

    def _once(
        self, record: dict[str, Any], recorder: Recorder, orders: Orders
    ) -> tuple[Walk, dict[str, Any]]:
        """One replay, to its end."""
        self.state.walk = None
        self.scratch.fill(record)
        walk = Walk(Recorded(record), recorder, orders)
        walk.concurrent = asyncio.iscoroutinefunction(self._function(walk))
        self._name_process(walk)
        status = self.instance._sys_db.get_workflow_status(walk.id)
        self.state.begin(walk, recorder.detailed)
        try:
            self._begin(status)
        except Exception as error:  # noqa: BLE001 - the engine cannot begin: told with what it says
            return walk, self._not_begun(walk, error)
        self._await(walk)
        walk.finish()
        return walk, Ending(walk, self.state).values()

    def _begin(self, status: Any) -> None:
        """As a worker does that took the run from a queue; versions before 3.2 kept no token of ownership."""
        core: Any = sys.modules["dbos._core"]
        begin = core.execute_dequeued_workflow
        owner = (OWNED,) if len(inspect.signature(begin).parameters) > 2 else ()
        begin(self.instance, status, *owner)

    def _function(self, walk: Walk) -> Any:
        wrapper = self.instance._registry.workflow_info_map.get(walk.recorded.row.get("name"))
        return getattr(wrapper, "__orig_func", None)

    def _name_process(self, walk: Walk) -> None:
        """What the code asks about itself is what the recorded run was told."""
        params: Any = sys.modules["dbos._utils"].GlobalParams
        row = walk.recorded.row
        params.app_version = row.get("application_version") or ""
        params.executor_id = row.get("executor_id") or "local"
        params.app_name = row.get("application_name") or "replay"

    def _await(self, walk: Walk) -> None:
        """Until the code has ended, or stands where it was stopped and does not come back."""
        while not walk.done.wait(LOOK_EVERY_S):
            if self.state.turns is not None:
                self.state.turns.nudge()
            if walk.stop is not None and time.monotonic() - walk.stopped_at > PATIENCE_S:
                break
        if walk.concurrent:
            if self.state.turns is not None:
                self.state.turns.settle(PATIENCE_S)
            self._clear_loop()

    def _clear_loop(self) -> None:
        """No task of this run is left for the next one."""
        turns = self.state.turns
        loop = self.instance._background_event_loop.target_loop()

        async def clear() -> None:
            if turns is not None:
                turns.end()
            own = asyncio.current_task()
            tasks = [task for task in asyncio.all_tasks() if task is not own]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=PATIENCE_S / 2)

        with suppress(TimeoutError, asyncio.TimeoutError):
            asyncio.run_coroutine_threadsafe(clear(), loop).result(PATIENCE_S)

    def _not_begun(self, walk: Walk, error: Exception) -> dict[str, Any]:
        recorded, name = walk.recorded, walk.recorded.row.get("name")
        walk.error = error
        if walk.outcome is not None and recorded.status == "ERROR":
            # The arguments were refused then as they are now.
            return Ending(walk, self.state).values()
        text, hint = f"{type(error).__name__}: {error}"[:2000], ""
        if name not in self.instance._registry.workflow_info_map:
            known = ", ".join(sorted(self._workflows())[:20]) or "none"
            text, hint = f"The code has no workflow {name}.", f"It has: {known}."
        elif recorded.inputs is None:
            text = "The run's input is not in the database any more."
            hint = "What it recorded can be looked at, but not replayed."
        elif "is not available" in text and self.serializer is None:
            hint = "The application has a serialiser of its own: name it as the project's option serializer."
        elif walk.outcome is not None:
            hint = "The run's input does not load with this code: its classes may have been moved or renamed."
        elif recorded.row.get("class_name"):
            hint = "Instances of workflow classes must be made when the module is imported, or by the project's setup."
        stack = "".join(traceback.format_exception(error))[-8000:]
        return {"outcome": "failed", "error": text, "hint": hint, "stack": stack}


def _score(walk: Walk, values: dict[str, Any]) -> tuple[int, int]:
    come = walk.orders.parted or len(walk.visited & walk.recorded.steps.keys())
    return score(values, come, walk.apart)


def _sign(walk: Walk, values: dict[str, Any]) -> str:
    """What is wrong, as a text that is the same where the same is wrong; a result whole, as its picture is cut."""
    parted = values.get("divergence") or {}
    return json.dumps(
        [values["outcome"], parted.get("message"), values.get("drift"), walk.outcome], default=str
    )


def _parted(walk: Walk, values: dict[str, Any]) -> tuple[str, bool]:
    """Where code and history part: the step of the history, and whether what the code asks for comes later in it."""
    parted = values.get("divergence") or {}
    if not parted.get("step_id") or parted["kind"] in ("error", "early end"):
        return "", False
    later = {walk.recorded.name(fid) for fid in walk.unvisited() if fid > int(parted["step_id"])}
    return parted["expected"], parted["actual"] in later


def _failure(record: dict[str, Any], values: dict[str, Any]) -> str:
    """What is wrong, as a text that is the same for all runs that one edit breaks."""
    name = next(r["name"] for r in record["tables"]["workflow_status"] if r["workflow_uuid"] == record["run"])
    parted = values.get("divergence") or {}
    drift = sorted({entry["what"] for entry in values["drift"]})
    return json.dumps([name, parted.get("kind"), parted.get("actual"), parted.get("at"), drift], default=str)


def _idle(original: Any) -> Any:
    """What an application does about itself: nothing here, but for workflows, to which it is a step."""

    def call(*values: Any, **named: Any) -> Any:
        context = sys.modules["dbos._context"].get_local_dbos_context()
        return original(*values, **named) if context is not None and context.is_workflow() else None

    return staticmethod(call)


def named(path: str) -> Any:
    """The object of ``module:attribute``."""
    module, _, attribute = path.partition(":")
    found: Any = importlib.import_module(module)
    for name in attribute.split("."):
        found = getattr(found, name)
    return found


class Main(types.ModuleType):
    """Stands for the script that the run was executed by: any of the modules may have been it."""

    modules: tuple[types.ModuleType, ...] = ()

    def __getattr__(self, name: str) -> Any:
        for module in self.modules:
            if name in vars(module):
                return vars(module)[name]
        raise AttributeError(f"module '__main__' has no attribute {name!r}")


def load_module(name: str) -> None:
    """Imports a module by name, or a file; what it holds is also found as the script's own (``__main__``)."""
    if name.endswith(".py"):
        stem = os.path.splitext(os.path.basename(name))[0]
        spec = importlib.util.spec_from_file_location(stem, name)
        if spec is None or spec.loader is None:
            raise ImportError(f"{name} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[stem] = module
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(name)
    main = sys.modules["__main__"]
    if not isinstance(main, Main):
        main = sys.modules["__main__"] = Main("__main__")
        main.__file__ = module.__file__
    main.modules += (module,)


serve(DbosEngine())
