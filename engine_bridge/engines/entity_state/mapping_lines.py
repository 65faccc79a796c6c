"""Where a TOML file says what: the line of every table and key, for errors (tomllib keeps none)."""

from __future__ import annotations

import re
from typing import Final

_HEADER: Final = re.compile(r"\s*\[(\[?)\s*([^\[\]]+?)\s*\]?\]\s*(?:#.*)?$")
_KEY: Final = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_INLINE: Final = re.compile(r"""[{,]\s*([\w-]+)\s*=""")


def lines_of(text: str) -> dict[str, int]:
    """Lines from 1 by dotted path; entries of ``[[workflow]]`` are numbered: ``workflow.0.entity.version``."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    place = ""
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header is not None:
            place = _place(_clean(header[2]), bool(header[1]), counts)
            found.setdefault(place, number)
        elif key is not None:
            path = f"{place}.{_clean(key[1])}".lstrip(".")
            found.setdefault(path, number)
            for inner in _INLINE.findall(line[key.end() :]):
                found.setdefault(f"{path}.{inner}", number)
    return found


def _clean(path: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in path.split("."))


def _place(path: str, repeated: bool, counts: dict[str, int]) -> str:
    if repeated:
        counts[path] = counts.get(path, -1) + 1
        return f"{path}.{counts[path]}"
    first, dot, rest = path.partition(".")
    return f"{first}.{counts[first]}.{rest}" if dot and first in counts else path
