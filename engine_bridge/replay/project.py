"""The user's code as the user set it up: found, remembered per source and code, and made ready to replay."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import msgspec

from engine_bridge.errors import PlayheadError
from engine_bridge.replay import store
from engine_bridge.replay.interpreter import Interpreter, candidates, find_python
from engine_bridge.replay.interpreter_check import Checked, check_python
from engine_bridge.replay.model import Project
from engine_bridge.replay.modules import Modules, chosen, modules_of

__all__ = (
    "Checked", "Interpreter", "Modules", "candidates", "check_python", "chosen", "find_python", "last_project",
    "load_project", "modules_of", "new_project", "save_project",
)  # fmt: skip

_KEPT: Final = 200
_SECRET: Final = re.compile(r"secret|passw|token|key|credential|dsn|auth|_url$|_uri$|://[^/\s]*@", re.I)


def new_project(
    code: Path, library: str = "", python: str = ""
) -> tuple[Project, Interpreter | None, Modules]:
    """A project as it would be guessed, with what the guesses rest on; no interpreter when ``python`` is given.

    Its modules are empty when the user must choose. Raises UsageError as :func:`modules_of` does.
    """
    modules = modules_of(code, library)
    found = None if python else find_python(code)
    project = Project(
        code=str(code.expanduser().resolve()),
        python=python or str(found.python if found else ""),
        modules=modules.modules,
        paths=modules.paths,
        cwd=modules.cwd,
    )
    return project, found, modules


def save_project(path: Path, source: str, project: Project) -> None:
    """Remembers a project in a file of the user's state, per source (URL without secret) and code.

    Variables of its environment that look like secrets are not kept. Raises PlayheadError.
    """
    row = {"source": source, "project": msgspec.to_builtins(_without_secrets(project))}

    def change(content: store.Table) -> None:
        rows = [r for r in _rows(content) if _key(r) != (source, _real(project.code))]
        content["projects"] = [row, *rows][:_KEPT]

    store.update(path, change)


def load_project(path: Path, source: str, code: Path) -> Project | None:
    """What was saved for a source and code; None without it."""
    wanted = source, _real(str(code))
    return next((_project(row) for row in _read(path) if _key(row) == wanted), None)


def last_project(path: Path, source: str) -> Project | None:
    """The project that was saved last for a source, None without one."""
    return next((_project(row) for row in _read(path) if row["source"] == source), None)


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        return _rows(store.read(path))
    except PlayheadError:
        return []


def _rows(content: store.Table) -> list[dict[str, Any]]:
    rows = content.get("projects")
    return [row for row in rows if _whole(row)] if isinstance(rows, list) else []


def _whole(row: Any) -> bool:
    try:
        msgspec.convert(row["project"], Project)
        return isinstance(row["source"], str)
    except (msgspec.ValidationError, LookupError, TypeError):
        return False


def _project(row: dict[str, Any]) -> Project:
    return msgspec.convert(row["project"], Project)


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return row["source"], _real(row["project"]["code"])


def _real(code: str) -> str:
    return str(Path(code).expanduser().resolve())


def _without_secrets(project: Project) -> Project:
    environment = project.options.get("environment")
    if not isinstance(environment, dict):
        return project
    kept = {k: v for k, v in environment.items() if not _SECRET.search(k) and not _SECRET.search(str(v))}
    return msgspec.structs.replace(project, options={**project.options, "environment": kept})
