"""Runner part: errors of user code in words: what happened, at which of the user's lines, and what helps."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

from engine_bridge.replay.runners.frames import Files

WORDS = 2000
TRACE = 8000
USAGE = 2  # the exit code of command lines that miss an argument


def failure(error: BaseException, files: Files) -> dict[str, str]:
    """``error`` (one line and where), ``hint`` and ``stack`` of what user code raised."""
    at = _line_of(error, files)
    text, hint = _words(error)
    where = f" ({at})" if at and at not in text else ""
    return {"error": text + where, "hint": hint, "stack": stack_text(error)}


def _words(error: BaseException) -> tuple[str, str]:
    said = f"{type(error).__name__}: {_said(error)}"[:WORDS]
    if isinstance(error, SystemExit):
        wanted = 'What it wants as arguments is the option argv, such as argv=["--queue", "shop"].'
        hint = wanted if error.code == USAGE else "A worker would end here, too."
        return f"The code ended its own process: sys.exit({error.code!r:.100}).", hint
    if isinstance(error, KeyError) and _of_environment(error):
        return said, f'Variables are an option of the project: environment={{"{error.args[0]}": "…"}}.'
    if isinstance(error, MemoryError):
        return (
            "The code needs more memory than a replay may have.",
            "Raise the memory limit, if it is right to.",
        )
    if isinstance(error, ModuleNotFoundError):
        hint = f"Install it in the environment of {sys.executable}, or add its folder to the project's paths."
        return said, hint
    if isinstance(error, PermissionError) and "replay process may not" in said:
        hint = "Code that is imported can leave that out when the variable PLAYHEAD_REPLAY is set."
        return said, hint
    return said, ""


def _of_environment(error: BaseException) -> bool:
    """Whether a variable was looked for that is not set."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code is type(os.environ).__getitem__.__code__


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as inner:  # noqa: BLE001 - an error whose own text fails
        return f"<no text: {type(inner).__name__}>"


def _line_of(error: BaseException, files: Files) -> str:
    """The innermost line of the user's that an error came through."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    found, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if files.kind(file) == "user":
            found = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def stack_text(error: BaseException) -> str:
    """A traceback as Python prints it, without the runner's own frames and the import system's."""
    told = traceback.TracebackException.from_exception(error)
    chain: list[Any] = [told]
    for one in chain:
        kept = [f for f in one.stack if f.filename != __file__ and not f.filename.startswith("<frozen")]
        one.stack[:] = kept
        chain += [
            other for other in (one.__cause__, one.__context__) if other is not None and other not in chain
        ]
    return "".join(told.format())[-TRACE:]
