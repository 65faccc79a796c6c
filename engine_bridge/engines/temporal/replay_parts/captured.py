"""Runner part: an entry point of the project is run until its workers are made; what they were given is taken.

Nothing is connected: the SDK's own Client is made on a service that swallows everything.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import logging
import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine_bridge.replay.runners.modules import import_user

QUIET_S = 0.05  # several workers are made one after the other; then nothing comes any more
_TAKEN = (
    "interceptors", "workflow_runner", "unsandboxed_workflow_runner", "workflow_failure_exception_types", "plugins",
)  # fmt: skip
_OF_CLIENT = ("data_converter", "header_codec_behavior")
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Captured(SystemExit):
    """Leaves the entry point: of all exceptions event loops, threads and command lines let this one through."""


class Swallow:
    """Stands for what is far away: takes every call, can be awaited, and never answers."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Swallow()

    def __call__(self, *_: Any, **__: Any) -> Any:
        return Swallow()

    def __await__(self) -> Any:
        return self
        yield

    def __iter__(self) -> Any:
        return iter(())

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: Any) -> None:
        return None


class Workers:
    """The workers that were made so far, each as what it was given."""

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []

    def take(self, worker: Any, client: Any = None, **options: Any) -> None:
        """In the place of ``Worker.__init__``."""
        worker._config = worker._initial_config = {**options, "client": client}
        worker._plugins = []
        self.made.append(dict(worker._config))

    async def run(self, _: Any) -> None:
        await self._left()

    async def enter(self, worker: Any) -> Any:
        self._left()
        return worker

    def _left(self) -> Any:
        """Leaves the event loop when no more workers are made; done from then on, for code that waits for it again."""
        loop = asyncio.get_running_loop()
        left = loop.create_future()

        def look(count: int) -> None:
            if len(self.made) > count:
                loop.call_later(QUIET_S, look, len(self.made))
                return
            if not left.done():
                left.set_result(None)
            raise Captured

        loop.call_later(QUIET_S, look, len(self.made))
        return left


def captured(entry: str, argv: Any) -> list[dict[str, Any]]:
    """What an entry point gives each worker that has workflows: arguments of a Replayer, ``workflows`` and
    ``task_queue``. ``entry`` is a file, a module, or ``…:function``. Raises RuntimeError when it makes none.
    """
    workers = Workers()
    with _in_its_place(workers, entry, tuple(argv)):
        try:
            _run_entry(entry)
        except Captured:
            pass
        except BaseException:  # whatever ends it, once its workers are made
            if not any(made.get("workflows") for made in workers.made):
                raise
    found = [_taken_of(made, entry) for made in workers.made]
    if not found:
        hint = "Where a function makes it, name that: worker_script=worker.py:main."
        raise RuntimeError(f"Nothing could be taken from {entry}: it makes no Worker. {hint}")
    return [given for given in found if given["workflows"]] or found[:1]


@contextmanager
def _in_its_place(workers: Workers, entry: str, argv: tuple[str, ...]) -> Iterator[None]:
    changes = [*_sdk_changes(workers), *_outside_changes()]
    before = [(owner, name, vars(owner)[name]) for owner, name, _ in changes if name in vars(owner)]
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    arguments = sys.argv
    for owner, name, value in changes:
        if name in vars(owner):
            setattr(owner, name, value)
    sys.argv = [entry, *argv]
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        sys.argv = arguments


def _sdk_changes(workers: Workers) -> list[tuple[Any, str, Any]]:
    """What of the SDK would reach out."""
    from temporalio.client import Client
    from temporalio.runtime import Runtime
    from temporalio.service import ServiceClient
    from temporalio.testing import WorkflowEnvironment
    from temporalio.worker import Worker

    default = Runtime.default()

    async def connect(*_: Any, **__: Any) -> Any:
        return Swallow()

    async def nothing(*_: Any) -> None:
        return None

    async def started(*_: Any, **given: Any) -> Any:
        kept = {key: given[key] for key in ("data_converter", "interceptors", "plugins") if key in given}
        return WorkflowEnvironment.from_client(await Client.connect("nowhere:7233", **kept))

    return [
        (ServiceClient, "connect", staticmethod(connect)),
        (Worker, "__init__", lambda worker, *given, **options: workers.take(worker, *given, **options)),
        (Worker, "run", lambda worker: workers.run(worker)),
        (Worker, "__aenter__", lambda worker: workers.enter(worker)),
        (Worker, "__aexit__", nothing),
        (Worker, "shutdown", nothing),
        (Worker, "is_running", property(lambda _: True)),
        (Worker, "is_shutdown", property(lambda _: False)),
        (WorkflowEnvironment, "start_local", staticmethod(started)),
        (WorkflowEnvironment, "start_time_skipping", staticmethod(started)),
        # A second one may open a port for its metrics.
        (Runtime, "__init__", lambda runtime, *_, **__: runtime.__dict__.update(default.__dict__)),
        (Runtime, "set_default", staticmethod(lambda *_, **__: None)),
    ]


def _outside_changes() -> list[tuple[Any, str, Any]]:
    """What many workers do first and the guards deny: a log file, a process that shares state."""
    return [
        (logging.FileHandler, "_open", lambda _: open(os.devnull, "w", encoding="utf-8")),
        (multiprocessing, "Manager", Swallow),
    ]


def _run_entry(entry: str) -> None:
    """As ``python entry``, ``python -m entry``, or a console script of the project would."""
    module, _, function = entry.rpartition(":")
    if module and not entry.endswith(".py"):
        _call_entry(
            function, importlib.import_module(_dotted(module)) if _dotted(module) else import_user(module)
        )
        return
    name = _dotted(entry)
    if name:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, os.path.dirname(os.path.abspath(entry)))
        runpy.run_path(entry, run_name="__main__")


def _call_entry(name: str, module: Any) -> None:
    """A function of it, with a client where it wants one."""
    from temporalio.client import Client

    function = module
    for part in name.split("."):
        function = getattr(function, part)
    parameters = inspect.signature(function).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind < p.VAR_POSITIONAL]
    clients = [asyncio.run(Client.connect("nowhere:7233")) for _ in needed]
    found = function(*clients)
    if inspect.iscoroutine(found):
        asyncio.run(found)


def _dotted(entry: str) -> str:
    """The dotted name of a module, or of a file in a package, which is made importable; "" for a file of its own."""
    if not entry.endswith(".py"):
        return entry
    folder, name = os.path.split(os.path.abspath(entry))
    parts = [name[:-3]]
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, last = os.path.split(folder)
        parts.insert(0, last)
    if len(parts) == 1:
        return ""
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return ".".join(parts)


def _taken_of(made: dict[str, Any], entry: str) -> dict[str, Any]:
    """Arguments of a Replayer that does as this worker would, as the SDK's Worker makes them of its own."""
    from temporalio import worker

    config = getattr(made.get("client"), "config", None)
    client = config() if callable(config) else {}
    client = client if isinstance(client, dict) else {}
    kept = {key: made[key] for key in _TAKEN if made.get(key)}
    kept |= {key: client[key] for key in _OF_CLIENT if client.get(key) is not None}
    for key, kind in (("interceptors", worker.Interceptor), ("plugins", getattr(worker, "Plugin", ()))):
        kept[key] = [*(one for one in client.get(key) or () if isinstance(one, kind)), *kept.get(key, ())]
    workflows = _with_plugins(made, kept["plugins"])
    return {
        **kept,
        "workflows": [_importable(entry, kind) for kind in workflows],
        "brought": [kind for kind in workflows if kind not in (made.get("workflows") or ())],
        "task_queue": made.get("task_queue"),
    }


def _with_plugins(made: dict[str, Any], plugins: list[Any]) -> list[Any]:
    """A worker's workflows, with those that its plugins bring."""
    config = {key: value for key, value in made.items() if key != "plugins"}
    try:
        for plugin in plugins:
            config = plugin.configure_worker(config)
        return list(config.get("workflows") or ())
    except Exception:  # noqa: BLE001 - it wants more than it is given here: what the worker names is enough
        return list(made.get("workflows") or ())


def _importable(entry: str, kind: Any) -> Any:
    """A class of the entry point's ``__main__`` as its module has it: the sandbox imports it again."""
    if getattr(kind, "__module__", None) != "__main__":
        return kind
    name = _dotted(entry)
    found = importlib.import_module(name) if name else import_user(entry)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part)
    return found
