"""The shape of a config: missing and unknown fields, wrong types, malformed per-requester objects, by the structs."""

from __future__ import annotations

import re
import typing
from functools import cache
from typing import Any

import msgspec

from .cascade import per_requester
from .config import IDENTITY, Claim, Entity, Step, Terminal, Workflow
from .findings import Place, Report, suggest
from .json_nodes import Node

_NESTED: dict[tuple[type, str], type] = {
    (Workflow, "entity"): Entity,
    (Workflow, "terminal"): Terminal,
    (Step, "claim"): Claim,
}
_KINDS: dict[type, str] = {
    Workflow: "the config",
    Entity: "the entity",
    Terminal: "terminal",
    Step: "the step",
    Claim: "the claim",
}
_PATH = re.compile(r" - at `\$(.*)`$")
_WORDS = {
    "str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false", "array": "a list",
    "object": "an object",
}  # fmt: skip
"""msgspec's names of types (https://jcristharif.com/msgspec/) as the reader of a config calls them."""


@cache
def _fields(struct: type) -> dict[str, tuple[Any, bool]]:
    hints = typing.get_type_hints(struct, include_extras=True)
    return {f.encode_name: (hints[f.name], f.required) for f in msgspec.structs.fields(struct)}


class ShapeCheck:
    """Checks a tree against the structs. ``overlay`` accepts what an overlay may leave out or take away."""

    def __init__(self, report: Report, requesters: tuple[str, ...], overlay: bool = False) -> None:
        self.report = report
        self.requesters = requesters
        self.overlay = overlay

    def check(self, root: Node) -> None:
        """Adds every finding about the tree of a whole config."""
        self._object(root, Workflow)
        reserved = sorted(set(self.requesters) & (set().union(*map(_fields, _KINDS)) | {"default"}))
        if reserved:
            node = root.get("requester_types") or root
            reason = f"requester types are named like fields: {', '.join(reserved)}"
            self.report.add("wrong_type", node.place, reason, "Rename them.")

    def _object(self, node: Node, struct: type) -> None:
        if not isinstance(node.value, dict):
            self._wrong(node.place, f"{_KINDS[struct]} must be an object", "Write { … }.")
            return
        known = _fields(struct)
        for name, child in node.value.items():
            if name not in known:
                self._unknown(name, child, struct)
            elif not (self.overlay and child.value is None):
                self._field(name, child, struct)
        if not self.overlay or (struct is Step and "key" not in node.value):
            self._missing(node, struct)

    def _unknown(self, name: str, child: Node, struct: type) -> None:
        if self.overlay and struct is Step and name == "remove":
            if not isinstance(child.value, bool):
                self._wrong(child.place, "remove must be true or false", "Write true, or leave it out.")
            return
        fix = suggest(name, _fields(struct), "Remove it.")
        self.report.add("unknown_field", child.place, f"{_KINDS[struct]} has no field “{name}”", fix)

    def _missing(self, node: Node, struct: type) -> None:
        for name, (_, required) in _fields(struct).items():
            if required and name not in node.value and not (self.overlay and name != "key"):
                reason = f"{_KINDS[struct]} lacks the field “{name}”"
                self.report.add("missing_field", node.place, reason, f"Add “{name}”.")

    def _field(self, name: str, node: Node, struct: type) -> None:
        if per_requester(node.value, self.requesters):
            self._per_requester(name, node, struct)
        elif struct is Workflow and name == "steps":
            self._steps(node)
        elif (struct, name) in _NESTED and not (node.value is None and not _fields(struct)[name][1]):
            self._object(node, _NESTED[struct, name])
        else:
            self._plain(name, node, struct)

    def _steps(self, node: Node) -> None:
        if not isinstance(node.value, list):
            self._wrong(node.place, "steps must be a list", "Write [ … ].")
            return
        for step in node.value:
            self._object(step, Step)

    def _plain(self, name: str, node: Node, struct: type) -> None:
        try:
            msgspec.convert(node.plain(), _fields(struct)[name][0])
        except msgspec.ValidationError as error:
            path = _PATH.search(str(error))
            below = _below(node, path.group(1) if path else "")
            if per_requester(node.value, ()) or (isinstance(node.value, dict) and name != "when"):
                names = ", ".join((*self.requesters, "default"))
                fix = f"For a value by requester use the names {names}."
                self.report.add("per_requester", node.place, f"“{name}” is no per-requester object", fix)
            else:
                self._wrong(below.place, f"“{name}”: {in_words(error)}", "Write a value of that type.")

    def _per_requester(self, name: str, node: Node, struct: type) -> None:
        if name in IDENTITY or (struct is Workflow and name == "steps"):
            reason = f"“{name}” must be the same for every requester"
            self.report.add("per_requester", node.place, reason, "Write one value.")
            return
        for key, child in node.value.items():
            if key != "default" and key not in self.requesters:
                fix = suggest(key, (*self.requesters, "default"))
                self.report.add("per_requester", child.place, f"“{key}” is no requester", fix)
            elif per_requester(child.value, self.requesters):
                reason = f"“{name}” is by requester within a value by requester"
                self.report.add("per_requester", child.place, reason, "Keep one level.")
            elif not (child.value is None and not _fields(struct)[name][1]):
                self._field(name, child, struct)

    def _wrong(self, place: Place, reason: str, fix: str) -> None:
        self.report.add("wrong_type", place, reason, fix)


def in_words(error: msgspec.ValidationError) -> str:
    """What msgspec expected and got, "expected a list, got a text", without the place."""
    told = re.sub(
        r"`([^`]*)`",
        lambda named: " or ".join(_WORDS.get(word, word) for word in named[1].split(" | ")),
        _PATH.sub("", str(error)),
    )
    return told[:1].lower() + told[1:]


def _below(node: Node, path: str) -> Node:
    """The node that a msgspec path such as ``[0].name`` names, or the nearest one above it."""
    for index, key in re.findall(r"\[(\d+)\]|\.([^.\[]+)", path):
        child = node.get(key) if key else _item(node, int(index))
        if child is None:
            return node
        node = child
    return node


def _item(node: Node, index: int) -> Node | None:
    return node.value[index] if isinstance(node.value, list) and index < len(node.value) else None


def required_for(step: Node, requesters: tuple[str, ...], report: Report) -> None:
    """Adds a finding for each required step field that one of the step's requesters finds no value in."""
    listed = step.get("requesters")
    own = [n.value for n in listed.value] if listed is not None and isinstance(listed.value, list) else []
    for name, (_, required) in _fields(Step).items():
        node = step.get(name)
        if node is None or not required or not per_requester(node.value, requesters):
            continue
        without = [r for r in own if r in requesters and r not in node.value and "default" not in node.value]
        if without:
            reason = f"“{name}” has no value for {', '.join(without)}"
            report.add("per_requester", node.place, reason, "Add it, or a default.")
