"""Where a config's values come from: the base file or a tenant's overlay, told for any place of a text. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from engine_bridge.configs import ConfigFile, Declared
from widgets.configs.places import Places

MERGED: Final = ""


@dataclass(frozen=True)
class Document:
    """A text to read: one config file, or (``name`` is MERGED) what a tenant sees of all of them."""

    name: str
    title: str
    text: str

    @cached_property
    def places(self) -> Places:
        return Places(self.text)

    @cached_property
    def steps(self) -> list[Any]:
        """The steps as written, none where the text is broken."""
        return steps_in(self.text)


def steps_in(text: str) -> list[Any]:
    """The steps of a JSON text, none where it is broken or has none."""
    try:
        steps = json.loads(text)["steps"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return steps if isinstance(steps, list) else []


def documents(
    files: Sequence[ConfigFile], declared: Declared | None, sides: Mapping[str, str] = MappingProxyType({})
) -> tuple[Document, ...]:
    """The files of a workflow type, and what the tenant sees of them when it is more than one file.

    ``sides`` tell of a file's name on which side of a comparison it is.
    """
    titles = (f"{sides.get(file.name, '')} {short(file.name)}".strip() for file in files)
    found = [Document(file.name, title, file.text) for file, title in zip(files, titles, strict=True)]
    if declared is not None and declared.merged and len(files) > 1:
        seen = f"merged, as {declared.tenant} sees it" if declared.tenant else "merged, without a tenant"
        found.append(Document(MERGED, seen, declared.merged))
    return tuple(found)


def short(name: str) -> str:
    """The last part of a place: a file's name without its folders, but with the revision before it."""
    revision, colon, path = name.partition(":")
    if colon and "/" not in revision and "\\" not in revision and len(revision) > 1:
        return f"{revision}:{short(path)}"
    return name.replace("\\", "/").rsplit("/", 1)[-1]


class Origins:
    """Tells of a place which file says its value. ``origins`` map pointers of the merged tree to "file:line"."""

    def __init__(self, declared: Declared | None) -> None:
        self._origins: Mapping[str, str] = declared.origins if declared is not None else {}
        self._tenant = declared.tenant if declared is not None else ""
        self._steps = {
            step["key"]: number
            for number, step in enumerate(steps_in(declared.merged if declared is not None else ""))
            if isinstance(step, dict) and isinstance(step.get("key"), str)
        }
        self._said: dict[str, list[str]] = {}
        for pointer, place in self._origins.items():
            self._said.setdefault(place, []).append(pointer)

    def tell(self, document: Document, line: int, column: int) -> str:
        """ "from registration.acme.json:14", or what overrides the value there; "" where nothing is known."""
        pointer = document.places.at(line, column)
        if document.name == MERGED:
            place = self._nearest(pointer)
            return f"from {_brief(place)} · {pointer or '/'}" if place else pointer
        return self._in_file(document, pointer, document.places.line_of(pointer) or line)

    def place(self, document: Document, line: int, column: int) -> tuple[str, int] | None:
        """The file and line that say the value of the merged text; None elsewhere."""
        if document.name != MERGED:
            return None
        file, _, number = self._nearest(document.places.at(line, column)).rpartition(":")
        return (file, int(number)) if file and number.isdigit() else None

    def _nearest(self, pointer: str) -> str:
        while pointer and pointer not in self._origins:
            pointer = pointer.rpartition("/")[0]
        return self._origins.get(pointer, "")

    def _in_file(self, document: Document, pointer: str, line: int) -> str:
        who = f"for {self._tenant}" if self._tenant else "without a tenant"
        here = [p for p in self._said.get(f"{document.name}:{line}", ()) if p]
        if here:
            return f"in force {who} · {min(here, key=len)}"
        merged = self._merged_pointer(document, pointer)
        if not pointer or not self._origins or document.places.holds_others(pointer) or not merged:
            return pointer
        other = self._origins.get(merged, "")
        told = f"{who} it is said by {_brief(other)}" if other else f"not in force {who}"
        return f"{told} · {pointer}"

    def _merged_pointer(self, document: Document, pointer: str) -> str:
        """The same value in the merged tree: steps go by their key, not by their number."""
        head, number, rest = _step(pointer)
        if not number:
            return pointer
        keys = [step.get("key") if isinstance(step, dict) else None for step in document.steps]
        key = keys[int(number)] if int(number) < len(keys) else None
        return f"{head}{self._steps[key]}{rest}" if isinstance(key, str) and key in self._steps else ""


def _step(pointer: str) -> tuple[str, str, str]:
    """ "/steps/", the number, and the rest; empty where a pointer leads to no step."""
    parts = pointer.split("/")
    if len(parts) > 2 and parts[1] == "steps" and parts[2].isdigit():
        return "/steps/", parts[2], "".join(f"/{part}" for part in parts[3:])
    return "", "", ""


def _brief(place: str) -> str:
    file, _, line = place.rpartition(":")
    return f"{short(file)}:{line}" if file else short(place)
