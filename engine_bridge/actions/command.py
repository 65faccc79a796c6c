"""An action as a command line that can be pasted, and the texts by which the command line names targets.

Control characters never appear raw: a terminal would act on them before the shell sees a quote.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from engine_bridge.actions.model import ActionSpec, Staged, Target
from engine_bridge.actions.params import show

_ESCAPES: Final = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def quote(text: str) -> str:
    """One shell word (POSIX ``'…'``; bash, zsh and POSIX 2024 ``$'…'`` where control characters must be escaped)."""
    if all(c.isprintable() for c in text):
        return shlex.quote(text)
    return "$'" + "".join(_escaped(c) for c in text) + "'"


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    return "".join(
        f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape" if _raw(char) else "replace")
    )


def _raw(char: str) -> bool:
    return "\udc80" <= char <= "\udcff"


def join(*words: str) -> str:
    """A command of quoted words."""
    return " ".join(quote(word) for word in words)


def act(source: str, staged: Staged, spec: ActionSpec | None = None, reason: str = "") -> str:
    """The ``playhead act`` command that stages and plans an action, and with ``--yes`` added executes it."""
    params = {param.name: param for param in spec.params} if spec else {}
    words = [
        f"{name}={show(value, params.get(name))}" for name, value in staged.args.items() if value is not None
    ]
    options = ("--reason", reason) if reason else ()
    return join("playhead", "act", *options, "--", source, target_text(staged.target), staged.action, *words)


def target_text(target: Target) -> str:
    """TARGET of the command line: a run's id, ``queue:NAME``, ``schedule:NAME``, ``step:RUN/STEP``."""
    if target.kind == "run":
        run = str(target.ref or target.id)
        return f"run:{run}" if ":" in run or run.startswith("-") else run
    if target.kind == "step":
        return f"step:{target.ref or target.id}/{target.step_id}"
    return f"{target.kind.removesuffix('s')}:{target.id}"


def read_target(text: str, resource_kinds: Sequence[str]) -> tuple[str, str, str | None]:
    """(kind, id, step id) of a TARGET. A word before the colon that names no kind belongs to a run's id."""
    head, colon, rest = text.partition(":")
    if colon and head == "run":
        return "run", rest, None
    if colon and head == "step" and "/" in rest:
        run, _, step = rest.rpartition("/")
        return "step", run, step
    for kind in resource_kinds:
        if colon and head in (kind, kind.removesuffix("s")):
            return kind, rest, None
    return "run", text, None
