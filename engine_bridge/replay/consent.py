"""What the user agreed to run: a project's code, by an interpreter, against what a source recorded.

A replay imports and runs the project's code and unpickles the source's payloads. So the user is asked once for each
project, source and interpreter, and can take it back.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine_bridge.errors import PlayheadError
from engine_bridge.replay import store
from engine_bridge.replay.model import Project


class Consent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One agreement. ``code`` and ``python`` are real places; ``globals`` the names that the payloads had then."""

    code: str
    source: str
    python: str
    given_ns: int = 0
    globals: tuple[str, ...] = ()


class Consents:
    """The agreements in a file of the user's state. Any thread and process; reading never fails: it answers no.

    ``source`` is the source's URL without its secret; for a file of somebody else's (a bundle) append its content's
    hash, so that another file of the same name is asked for anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def given(self, project: Project, source: str) -> bool:
        """Whether the user agreed to run this code by this interpreter against this source."""
        return self._find(project, source) is not None

    def unseen(self, project: Project, source: str, globals_: Sequence[str]) -> tuple[str, ...]:
        """Names that payloads would import now and did not when the user agreed; all of them without an agreement."""
        found = self._find(project, source)
        known = set(found.globals) if found is not None else set()
        return tuple(name for name in globals_ if name not in known)

    def give(self, project: Project, source: str, globals_: Sequence[str] = ()) -> None:
        """Remembers that the user agreed, having seen ``globals_``. Raises PlayheadError when it cannot be written."""
        code, python = identity(project)
        before = self._find(project, source)
        names = tuple(sorted({*globals_, *(before.globals if before is not None else ())}))
        new = Consent(code, source, python, time.time_ns(), names)
        self._change(lambda all_: [*(c for c in all_ if _key(c) != _key(new)), new])

    def withdraw(self, project: Project, source: str) -> bool:
        """Forgets one agreement; whether there was one. Raises PlayheadError when it cannot be written."""
        found = self._find(project, source)
        if found is None:
            return False
        self.forget(found)
        return True

    def forget(self, consent: Consent) -> None:
        """Forgets an agreement of :meth:`all`. Raises PlayheadError when it cannot be written."""
        self._change(lambda all_: [c for c in all_ if _key(c) != _key(consent)])

    def all(self) -> list[Consent]:
        """Every agreement, newest first."""
        try:
            found = _consents(store.read(self._path))
        except PlayheadError:
            return []
        return sorted(found, key=lambda consent: -consent.given_ns)

    def _find(self, project: Project, source: str) -> Consent | None:
        code, python = identity(project)
        return next((c for c in self.all() if _key(c) == (code, source, python)), None)

    def _change(self, change: Any) -> None:
        def apply(content: store.Table) -> None:
            content["consents"] = [msgspec.to_builtins(c) for c in change(_consents(content))]

        store.update(self._path, apply)


def identity(project: Project) -> tuple[str, str]:
    """The code's real path, and the interpreter's real folder and own name: its last link makes an environment."""
    python = Path(shutil.which(project.python) or project.python).absolute()
    return str(Path(project.code).expanduser().resolve()), str(python.parent.resolve() / python.name)


def _key(consent: Consent) -> tuple[str, str, str]:
    return consent.code, consent.source, consent.python


def _consents(content: store.Table) -> list[Consent]:
    found = []
    for row in content.get("consents", ()) if isinstance(content.get("consents"), list) else ():
        try:
            found.append(msgspec.convert(row, Consent))
        except msgspec.ValidationError:
            continue
    return found
