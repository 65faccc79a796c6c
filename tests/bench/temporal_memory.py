"""Memory of a process and everything that it started, from /proc. Linux only."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ (\S+) \S+ \S+ \S+ *(.*)")


def tree_mb(pid: int) -> float:
    """What a process and its descendants hold, MB: private pages, and of each file the most that one of them has there.

    On a machine that runs nothing else it is their proportional set size, which falls with every other program that
    has the same libraries in memory.
    """
    private, files = 0, Counter[tuple[str, str]]()
    for one in (pid, *_below(pid)):
        try:
            text = Path(f"/proc/{one}/smaps").read_text()
        except OSError:  # it ended meanwhile
            continue
        anonymous, mapped = _held(text)
        private += anonymous
        files |= mapped
    return round((private + files.total()) / 1024, 1)


def _held(text: str) -> tuple[int, Counter[tuple[str, str]]]:
    """Private pages of one process, and what it has of files by their path and rights, kB."""
    private, mapped, place = 0, Counter[tuple[str, str]](), ("", "")
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in ("Rss", "Anonymous"):
            size = int(value.split()[0])
            private += size if name == "Anonymous" else 0
            mapped[place] += size if name == "Rss" else -size
        elif found := _MAPPING.fullmatch(line):
            place = (found[2], found[1])
    return private, mapped


def _below(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(") ")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(folder.name))
    found = list(parents.get(pid, ()))
    for child in found:
        found += parents.get(child, ())
    return found
