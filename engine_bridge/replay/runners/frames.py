"""Runner part: stacks of threads and tasks, told apart into the user's code and everybody else's."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

STACK = 32
LOCALS = 64
AWAITED = 200
_SUSPENDED: dict[type, tuple[str, str]] = {
    types.CoroutineType: ("cr_frame", "cr_await"),
    types.GeneratorType: ("gi_frame", "gi_yieldfrom"),
    types.AsyncGeneratorType: ("ag_frame", "ag_await"),
}
_OURS = __file__
_DEFINED = (types.ModuleType, types.FunctionType, type)
_PROXY = (lambda: type(sys._getframe().f_locals))()
_STANDARD = os.path.dirname(os.__file__) + os.sep


class Files:
    """Says whose a source file is: user, engine, library or std.

    ``engine`` are folders of the engine's library, ``user`` those that the user named, wherever they are.
    """

    def __init__(self, engine: tuple[str, ...] = (), user: tuple[str, ...] = ()) -> None:
        self._engine = engine
        self._user = user
        self.kinds = _Kinds(self._look)
        """The kind of each file, remembered."""

    def kind(self, file: str) -> str:
        """The kind of one file."""
        return self.kinds[file]

    def _look(self, file: str) -> str:
        if any(file.startswith(folder) for folder in self._engine):
            return "engine"
        # A project's environment often lies in the project.
        inside = next((file[len(folder) :] for folder in self._user if file.startswith(folder)), None)
        if inside is not None and not _is_library(inside):
            return "user"
        if _is_library(file):
            return "library"
        if file == _OURS or file.startswith((_STANDARD, "<")):
            return "std"
        return "user"


class _Kinds(dict[str, str]):
    def __init__(self, look: Callable[[str], str]) -> None:
        super().__init__()
        self._look = look

    def __missing__(self, file: str) -> str:
        found = self[file] = self._look(file)
        return found


def _is_library(path: str) -> bool:
    return "site-packages" in path or "dist-packages" in path


def frame_record(frame: types.FrameType, kind: str, locals_: bool, paint: Any) -> dict[str, Any]:
    """One frame as the protocol has it."""
    code = frame.f_code
    record = {
        "file": code.co_filename,
        "line": frame.f_lineno or code.co_firstlineno,
        "function": getattr(code, "co_qualname", code.co_name),
        "kind": kind,
    }
    if locals_ and kind == "user":
        record["locals"] = user_locals(frame, paint)
    return record


def user_locals(frame: types.FrameType, paint: Any) -> list[list[Any]]:
    """The locals of a frame as pictures; at module level only the user's own values."""
    values = local_values(frame)
    if frame.f_code.co_name == "<module>":
        values = [(n, v) for n, v in values if not issubclass(type(v), _DEFINED)]
    return [[name, paint(value)] for name, value in values[:LOCALS]]


def local_values(frame: types.FrameType) -> list[tuple[str, Any]]:
    """Names and values of a frame; of the body of a class with a mapping of its own, none."""
    mapping: Any = frame.f_locals
    items: Any = dict.items(mapping) if type(mapping) is dict or issubclass(type(mapping), dict) else ()
    if type(mapping) is _PROXY:
        items = mapping.items()
    return [(name, value) for name, value in list(items) if type(name) is str and name[:2] != "__"]


def stack_from(
    frame: types.FrameType | None, files: Files, locals_: bool, paint: Any
) -> list[dict[str, Any]]:
    """The frames outwards from one, innermost first, without those of the standard library and of the runner."""
    found: list[dict[str, Any]] = []
    while frame is not None and len(found) < STACK:
        kind = files.kind(frame.f_code.co_filename)
        if kind != "std":
            found.append(frame_record(frame, kind, locals_, paint))
        frame = frame.f_back
    return found


def user_frame(frame: types.FrameType | None, files: Files) -> types.FrameType | None:
    """The innermost frame of the user's at or outside one."""
    kinds = files.kinds
    while frame is not None and kinds[frame.f_code.co_filename] != "user":
        frame = frame.f_back
    return frame


def awaited_chain(awaitable: Any) -> list[Any]:
    """A suspended coroutine and what it awaits, outermost first, as far as these are code."""
    found: list[Any] = []
    while awaitable is not None and len(found) < AWAITED:
        names = _SUSPENDED.get(type(awaitable))
        if names is None:
            break
        found.append(awaitable)
        awaitable = getattr(awaitable, names[1])
    return found


def awaited_frames(awaitable: Any) -> list[types.FrameType]:
    """Frames of a suspended coroutine along its await chain, outermost first."""
    return list(frames_outwards(awaited_chain(awaitable)))[::-1]


def frames_outwards(chain: list[Any]) -> Iterator[types.FrameType]:
    """The frames of a chain, innermost first, each only when it is asked for: every look at one is an audit event."""
    for awaitable in reversed(chain):
        frame = getattr(awaitable, _SUSPENDED[type(awaitable)][0])
        if frame is not None:
            yield frame


def thread_frame(ident: int) -> types.FrameType | None:
    """Where a thread is at this moment."""
    return sys._current_frames().get(ident)
