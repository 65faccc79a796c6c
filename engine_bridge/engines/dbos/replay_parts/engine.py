"""Runner part: dbos itself. One instance on a scratch database, made before the user's code asks for its own."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import traceback
import types
from typing import Any

from engine_bridge.engines.dbos.replay_parts.hooks import Hooks, alike
from engine_bridge.engines.dbos.replay_parts.recorded import Recorded, Walk
from engine_bridge.engines.dbos.replay_parts.scratch import Scratch
from engine_bridge.replay.runners.channel import Stop
from engine_bridge.replay.runners.loop import Engine, Recorder, serve
from engine_bridge.replay.runners.pictures import picture


class DbosEngine(Engine):
    """Replays runs of dbos 3.x."""

    def warm(self) -> tuple[str, tuple[str, ...]]:
        for name in [name for name in os.environ if name.startswith("DBOS")]:
            del os.environ[name]
        from importlib.metadata import version

        import dbos
        import dbos._context
        import dbos._core
        import dbos._dbos
        import dbos._sys_db

        self.scratch = Scratch(sys.argv[1])
        self.hooks = Hooks(dbos._dbos, dbos._core, dbos._sys_db, dbos._context)
        self.hooks.quiet()
        self.serializer: Any = None
        self._claim(dbos.DBOS)
        return version("dbos"), (os.path.join(os.path.dirname(dbos.__file__), ""),)

    def _claim(self, kind: Any) -> None:
        """Makes the one instance now; the application's own ``DBOS(config=…)`` then gets it as it is."""
        original = kind.__init__

        def init(instance: Any, *args: Any, config: Any = None, **named: Any) -> None:
            if config is not None and config.get("serializer") is not None:
                self.serializer = config["serializer"]
            if not getattr(instance, "_initialized", False):
                original(instance, *args, config=config, **named)

        kind.__init__ = init
        self.instance = kind(
            config={
                "name": "replay",
                "system_database_url": self.scratch.url,
                "system_database_engine": self.scratch.engine,
                "application_version": "replay",
                "executor_id": "replay",
                "log_level": "CRITICAL",
            }
        )
        self.launch = kind.launch
        for name in ("launch", "destroy", "listen_queues", "register_queue"):
            if hasattr(kind, name):
                setattr(kind, name, classmethod(lambda *a, **k: None))

    def load(self, job: dict[str, Any], recorder: Recorder) -> dict[str, tuple[str, int]]:
        for name in job["modules"]:
            load_module(name)
        if self.serializer is not None:
            self.instance._serializer = self.serializer
        self.instance._registry.pollers = []
        self.launch()
        self.hooks.install(recorder)
        return self._workflows()

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
        self.hooks.walk = None
        self.scratch.fill(record)
        walk = self.hooks.walk = Walk(Recorded(record))
        status = self.instance._sys_db.get_workflow_status(walk.id)
        try:
            self.hooks.core.execute_dequeued_workflow(self.instance, status, "replay")
        except Exception as error:  # noqa: BLE001 - the engine cannot begin: told with what it says
            return {
                "outcome": "failed",
                "error": f"{type(error).__name__}: {error}"[:2000],
                "hint": self._hint(walk),
            }
        walk.done.wait()
        return Ending(walk, self.hooks).values()

    def _hint(self, walk: Walk) -> str:
        name = walk.recorded.row.get("name")
        if name in self.instance._registry.workflow_info_map:
            return ""
        return (
            f"The code has no workflow {name}. It has: {', '.join(sorted(self._workflows())[:20]) or 'none'}."
        )


class Ending:
    """What became of a walk, in the words of the protocol."""

    def __init__(self, walk: Walk, hooks: Hooks) -> None:
        self.walk = walk
        self.hooks = hooks

    def values(self) -> dict[str, Any]:
        """The fields of End."""
        walk = self.walk
        stop = walk.stop or (walk.error if isinstance(walk.error, Stop) else None)
        if stop is not None:
            return {"outcome": stop.kind, "drift": walk.drift, **_only(stop.values, "now", "divergence")}
        if walk.outcome is None:
            error = walk.error
            stack = "".join(traceback.format_exception(error)) if error else ""
            return {
                "outcome": "failed",
                "error": f"{type(error).__name__}: {error}"[:2000],
                "stack": stack[-8000:],
            }
        return self._finished(*walk.outcome)

    def _finished(self, status: str, output: Any, error: Any) -> dict[str, Any]:
        walk, recorded = self.walk, self.walk.recorded
        left = walk.unvisited()
        if left:
            held = recorded.steps[left[0]]["function_name"]
            return self._diverged("early end", held, self._ended_in_words(status, error), str(left[0]))
        if not recorded.closed:
            at = Hooks._last_place(walk)
            return {
                "outcome": "stopped",
                "drift": walk.drift,
                "now": {"kind": "nothing", "what": "the code runs to its end here", "at": at},
            }
        if status != recorded.status:
            return self._diverged("other outcome", recorded.status, self._ended_in_words(status, error), "")
        self._compare_result(output, error)
        return {"outcome": "same", "drift": walk.drift}

    def _ended_in_words(self, status: str, error: Any) -> str:
        failure = self.walk.error
        return f"{status}: {type(failure).__name__}: {failure}"[:500] if error and failure else status

    def _diverged(self, kind: str, expected: str, actual: str, step: str) -> dict[str, Any]:
        failure = self.walk.error
        at = self._raised_at(failure) or Hooks._last_place(self.walk)
        divergence = {"kind": kind, "expected": expected, "actual": actual, "step_id": step, "at": at}
        return {"outcome": "diverged", "drift": self.walk.drift, "divergence": divergence}

    def _raised_at(self, failure: BaseException | None) -> dict[str, Any]:
        """The innermost line of the user's code that an error came through."""
        found: dict[str, Any] = {}
        trace: types.TracebackType | None = failure.__traceback__ if failure is not None else None
        files = self.hooks._recorder.files
        while trace is not None:
            code = trace.tb_frame.f_code
            if files.kind(code.co_filename) == "user":
                found = {"file": code.co_filename, "line": trace.tb_lineno, "function": code.co_name}
            trace = trace.tb_next
        return found

    def _compare_result(self, output: Any, error: Any) -> None:
        recorded = self.walk.recorded
        encoding = recorded.row.get("serialization")
        if recorded.status == "SUCCESS" and output != recorded.result.get("output"):
            held, given = (
                self.hooks.loads(text, encoding) for text in (recorded.result.get("output"), output)
            )
            if not alike(held, given):
                self.walk.drift.append(
                    {"what": "result", "recorded": picture(held), "replayed": picture(given)}
                )
        elif recorded.status == "ERROR":
            self._compare_error(recorded.result.get("error"), encoding)

    def _compare_error(self, text: Any, encoding: Any) -> None:
        failure = self.walk.error
        serializer = self.hooks.dbos._dbos_global_instance._serializer
        try:
            held = self.hooks.stored.deserialize_exception(text, encoding, serializer)
        except Exception:  # noqa: BLE001 - an error that cannot be loaded cannot be compared
            return
        if type(held).__name__ != type(failure).__name__ or not alike(
            held.args, getattr(failure, "args", ())
        ):
            self.walk.drift.append({"what": "error", "recorded": picture(held), "replayed": picture(failure)})


def _only(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


def load_module(name: str) -> None:
    """Imports a module by name, or a file; a file's classes are also found as the script's own (``__main__``)."""
    if not name.endswith(".py"):
        importlib.import_module(name)
        return
    stem = os.path.splitext(os.path.basename(name))[0]
    spec = importlib.util.spec_from_file_location(stem, name)
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[stem] = module
    spec.loader.exec_module(module)
    sys.modules["__main__"] = module


serve(DbosEngine())
