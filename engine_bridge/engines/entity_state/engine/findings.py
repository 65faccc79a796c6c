"""Findings about configs: what is wrong, where exactly, and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal

import msgspec

Severity = Literal["error", "warning"]


class Place(msgspec.Struct, frozen=True):
    """Where a value was written: file, JSON pointer (RFC 6901) in it, line and column from 1; 0 is unknown."""

    file: str
    pointer: str
    line: int = 0
    column: int = 0
    tenant: str | None = None


class Finding(msgspec.Struct, frozen=True):
    """One fault of a config. Errors keep the engine from starting, warnings do not."""

    code: str
    severity: Severity
    file: str
    pointer: str
    line: int
    column: int
    reason: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return (
            f"{place}: {self.severity} {self.code} at {self.pointer or '/'}: {self.reason} {self.fix}".strip()
        )


class Report:
    """Gathers findings, each once, in the order of files and lines."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str, str], Finding] = {}

    def add(self, code: str, place: Place, reason: str, fix: str, severity: Severity = "error") -> None:
        """Adds a finding; the same code, place and reason is kept once (a base is checked with every overlay)."""
        finding = Finding(code, severity, place.file, place.pointer, place.line, place.column, reason, fix)
        self._found.setdefault((code, place.file, place.pointer, reason), finding)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything found so far, sorted by file, line and column."""
        return tuple(sorted(self._found.values(), key=lambda f: (f.file, f.line, f.column, f.code, f.reason)))

    @property
    def broken(self) -> bool:
        """Whether any finding is an error."""
        return any(found.severity == "error" for found in self._found.values())


def suggest(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """The fix for a misspelt name: the closest known one, else ``otherwise``, else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, 1, 0.6)
    if close:
        return f"Did you mean “{close[0]}”?"
    return otherwise or f"Known: {', '.join(names) or 'none'}."
