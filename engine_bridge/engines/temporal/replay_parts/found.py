"""Runner part: the project's workflows and what it replays them with: found in its modules, named, or captured."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, NamedTuple

from engine_bridge.engines.temporal.replay_parts.captured import captured
from engine_bridge.replay.runners.frames import Files
from engine_bridge.replay.runners.modules import import_user

NAMED = ("data_converter", "interceptors", "plugins", "workflow_failure_exception_types")


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


class Code(NamedTuple):
    """Workflows of the project by type, and what a Replayer is given for them; ``queue``: that of their worker.

    Those that plugins bring to any worker, they bring to a Replayer, too (``brought``).
    """

    settings: dict[str, Any]
    kinds: dict[str, type]
    dynamic: type | None
    queue: str = ""
    brought: tuple[type, ...] = ()


def codes(job: dict[str, Any], files: Files) -> list[Code]:
    """The code that a job names: of its modules, or of each worker that its entry point makes."""
    options = job.get("options") or {}
    if options.get("worker_script"):
        found = captured(options["worker_script"], options.get("argv", ()))
    else:
        found = [{"modules": [imported(name) for name in job.get("modules", ())]}]
    named = _named_settings(options)
    return [_code_given({**given, **named}, files) for given in found]


def _named_settings(options: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a Replayer as the project names them."""
    found: dict[str, Any] = {}
    if options.get("config"):
        found.update(made(options["config"], lambda value: isinstance(value, dict)))
    for key in NAMED:
        if options.get(key):
            found[key] = made(options[key], lambda value: hasattr(value, "payload_converter"))
    return found


def _code_given(given: dict[str, Any], files: Files) -> Code:
    from temporalio import workflow

    queue, modules, brought = given.pop("task_queue", ""), given.pop("modules", []), given.pop("brought", ())
    kinds = given.pop("workflows", None) or workflows_in(modules, files)
    known = [(workflow._Definition.must_from_class(kind).name, kind) for kind in kinds]
    dynamic = next((kind for name, kind in known if not name), None)
    return Code(given, {name: kind for name, kind in known if name}, dynamic, queue, tuple(brought))


def code_of(codes: list[Code], type_: str, queue: str) -> tuple[Code, type] | None:
    """The code that would run a workflow from a task queue, and its class."""
    for one in sorted(codes, key=lambda code: code.queue != queue):
        kind = one.kinds.get(type_)
        if kind is not None:
            return one, kind
    found = next((c for c in sorted(codes, key=lambda code: code.queue != queue) if c.dynamic), None)
    return (found, found.dynamic) if found is not None and found.dynamic is not None else None


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
