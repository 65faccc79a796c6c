"""Runner part: the project's workflows and what it replays them with: found in its modules, named, or captured."""

from __future__ import annotations

import concurrent.futures
import importlib
import os
import runpy
import sys
from typing import Any

from engine_bridge.replay.runners.frames import Files
from engine_bridge.replay.runners.modules import import_user

NAMED = ("data_converter", "interceptors", "plugins", "workflow_failure_exception_types")
_TAKEN = (
    "workflows", "interceptors", "workflow_runner", "unsandboxed_workflow_runner", "workflow_failure_exception_types",
    "plugins",
)  # fmt: skip


def imported(name: str) -> Any:
    """A module of the project; a file's folder is a place to import from, as the sandbox does again."""
    if name.endswith(".py"):
        folder = os.path.dirname(os.path.abspath(name))
        if folder not in sys.path:
            sys.path.append(folder)
    return import_user(name)


def attribute(path: str) -> Any:
    """The object of ``module:attribute``; the module may be a file."""
    module, _, name = path.rpartition(":")
    found = imported(module) if module.endswith(".py") else importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def made(path: str, is_value: Any) -> Any:
    """The object, or what it makes when it is called."""
    found = attribute(path)
    return found() if callable(found) and not is_value(found) else found


def settings(options: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a Replayer as the project names them."""
    found: dict[str, Any] = {}
    if options.get("worker_script"):
        found.update(captured(options["worker_script"], options.get("argv", ())))
    if options.get("config"):
        found.update(made(options["config"], lambda value: isinstance(value, dict)))
    for key in NAMED:
        if options.get(key):
            found[key] = made(options[key], lambda value: hasattr(value, "payload_converter"))
    return found


def workflows_in(modules: list[Any], files: Files) -> list[type]:
    """Workflow classes of the project: those of its named modules first, then of all that they imported."""
    from temporalio import workflow

    definition = workflow._Definition.from_class
    everything = [*modules, *(m for m in list(sys.modules.values()) if _is_user(m, files))]
    found: dict[Any, type] = {}
    for module in everything:
        for value in list(vars(module).values()):
            known = definition(value) if isinstance(value, type) else None
            if known is not None and known.cls is value:
                found.setdefault(known.name, value)
    return list(found.values())


def _is_user(module: Any, files: Files) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file != __file__ and files.kind(file) == "user"


class Captured(BaseException):
    """Leaves the user's entry point when its worker is made: nothing is connected, nothing is run."""


class StandIn:
    """Stands for a client that was asked for."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options

    def config(self, **_: Any) -> dict[str, Any]:
        kept: dict[str, Any] = {
            "namespace": "default",
            "interceptors": [],
            "plugins": [],
            "data_converter": None,
        }
        return {key: self.options.get(key, value) for key, value in kept.items()}

    def __getattr__(self, name: str) -> Any:
        raise Captured(f"the client is used ({name}) before a worker is made")


def captured(script: str, argv: Any) -> dict[str, Any]:
    """What an entry point gives its Worker. Runs it, with Client.connect and Worker replaced. Raises RuntimeError."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        found = pool.submit(_captured, script, tuple(argv)).result()
    client = found.pop("client")
    kept: dict[str, Any] = {key: found[key] for key in _TAKEN if found.get(key)}
    kept["workflows"] = [_importable(script, kind) for kind in kept.get("workflows", ())]
    if client.get("data_converter") is not None:
        kept["data_converter"] = client["data_converter"]
    if client.get("plugins"):
        kept["plugins"] = [*client["plugins"], *kept.get("plugins", ())]
    return kept


def _captured(script: str, argv: tuple[str, ...]) -> dict[str, Any]:
    import temporalio.client
    import temporalio.worker

    found: dict[str, Any] = {}
    client, worker = temporalio.client.Client, temporalio.worker.Worker

    async def connect(*_: Any, **options: Any) -> Any:
        return StandIn(options)

    def init(_: Any, given: Any, **options: Any) -> None:
        found.update(options, client=getattr(given, "options", {}))
        raise Captured

    before = client.connect, worker.__init__, sys.argv
    changed: list[tuple[Any, str, Any]] = [(client, "connect", connect), (worker, "__init__", init)]
    for owner, name, value in changed:
        setattr(owner, name, value)
    sys.argv = [script, *argv]
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    why = "it makes no Worker"
    try:
        runpy.run_path(script, run_name="__main__")
    except Captured as stop:
        why = str(stop) or why
    finally:
        setattr(client, "connect", before[0])  # noqa: B010 - a class attribute, as it was
        setattr(worker, "__init__", before[1])  # noqa: B010
        sys.argv = before[2]
    if not found:
        raise RuntimeError(f"Nothing could be taken from {script}: {why}.")
    return found


def _importable(script: str, kind: Any) -> Any:
    """A class of the script's ``__main__`` as the module of that file has it: the sandbox imports it again."""
    if getattr(kind, "__module__", None) != "__main__":
        return kind
    found = imported(script)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part)
    return found
