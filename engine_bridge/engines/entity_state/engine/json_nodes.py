"""JSON with places: every value keeps its file, pointer, line and column. Strict: no NaN, no duplicate keys."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, Final

from .findings import Place, Report

DEEPEST: Final = 40
"""Nesting beyond this is refused: no config needs it, and a hostile file would exhaust the stack."""

_SPACE = re.compile(r"[ \t\n\r]*")
_TOKEN = re.compile(
    r'[{}\[\],:]|"(?:[^"\\\x00-\x1f]|\\.)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)\b'
)


class Node:
    """A JSON value and where it stands: ``value`` is a dict or list of nodes, or a scalar."""

    __slots__ = ("place", "value")

    def __init__(self, value: Any, place: Place) -> None:
        self.value = value
        self.place = place

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def get(self, key: str) -> Node | None:
        """A member of an object; None where there is none or this is no object."""
        return self.value.get(key) if isinstance(self.value, dict) else None


class BrokenJsonError(Exception):
    """The text stops being JSON at ``place``."""

    def __init__(self, place: Place, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.place = place
        self.reason = reason
        self.fix = fix


def escape(key: str) -> str:
    """A key as a part of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def parse(text: str, file: str, report: Report, tenant: str | None = None) -> Node | None:
    """The tree of a JSON text; what is broken goes to the report. None where it cannot be read at all."""
    parser = _Parser(text, file, report, tenant)
    try:
        return parser.document()
    except BrokenJsonError as broken:
        report.add("broken_json", broken.place, broken.reason, broken.fix)
        return None


class _Parser:
    def __init__(self, text: str, file: str, report: Report, tenant: str | None) -> None:
        self.text = text
        self.file = file
        self.report = report
        self.tenant = tenant
        self.at = 0
        self.lines = [0] + [m.end() for m in re.finditer("\n", text)]

    def place(self, pointer: str, at: int) -> Place:
        line = bisect_right(self.lines, at)
        return Place(self.file, pointer, line, at - self.lines[line - 1] + 1, self.tenant)

    def document(self) -> Node:
        node = self.value("", 0)
        self.skip()
        if self.at < len(self.text):
            raise self.broken("", "something follows the end of the document", "Remove what follows.")
        return node

    def skip(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def broken(self, pointer: str, reason: str, fix: str) -> BrokenJsonError:
        return BrokenJsonError(self.place(pointer, self.at), reason, fix)

    def token(self, pointer: str, expected: str) -> str:
        self.skip()
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            seen = (
                repr(self.text[self.at : self.at + 12]) if self.at < len(self.text) else "the end of the file"
            )
            raise self.broken(pointer, f"expected {expected}, found {seen}", f"Write {expected} here.")
        return found.group()

    def take(self, pointer: str, allowed: str, expected: str) -> str:
        word = self.token(pointer, expected)
        if word not in allowed:
            raise self.broken(pointer, f"expected {expected}, found {word[:24]}", f"Write {expected} here.")
        self.at += len(word)
        return word

    def value(self, pointer: str, depth: int) -> Node:
        word = self.token(pointer, "a value")
        place = self.place(pointer, self.at)
        if depth > DEEPEST:
            raise self.broken(pointer, f"nested deeper than {DEEPEST}", "Flatten the value.")
        if word in "{[":
            self.at += 1
            return Node((self.members if word == "{" else self.items)(pointer, depth), place)
        if word in "}],:":
            raise self.broken(
                pointer, f"expected a value, found {word}", "Write a value, or remove the comma before."
            )
        scalar = self.scalar(word, pointer)
        self.at += len(word)
        return Node(scalar, place)

    def scalar(self, word: str, pointer: str) -> Any:
        try:
            found = json.loads(word)
            json.dumps(found, allow_nan=False, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise self.broken(
                pointer, "half of a surrogate pair is no character", "Write the character."
            ) from None
        except ValueError as error:
            raise self.broken(pointer, f"not a JSON value: {error}", "Write a plain value.") from None
        return found

    def ends(self, closing: str) -> bool:
        self.skip()
        if self.text.startswith(closing, self.at):
            self.at += 1
            return True
        return False

    def items(self, pointer: str, depth: int) -> list[Node]:
        found: list[Node] = []
        if self.ends("]"):
            return found
        while True:
            found.append(self.value(f"{pointer}/{len(found)}", depth + 1))
            if self.take(pointer, ",]", "a comma or ]") == "]":
                return found

    def members(self, pointer: str, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        if self.ends("}"):
            return found
        while True:
            word = self.token(pointer, "a name in double quotes")
            if not word.startswith('"'):
                raise self.broken(
                    pointer, f"expected a name in double quotes, found {word[:24]}", "Quote the name."
                )
            key = self.scalar(word, pointer)
            below = f"{pointer}/{escape(key)}"
            if key in found:
                place = self.place(below, self.at)
                self.report.add("duplicate_key", place, f"“{key}” is written twice", "Remove one of the two.")
            self.at += len(word)
            self.take(below, ":", "a colon")
            found[key] = self.value(below, depth + 1)
            if self.take(pointer, ",}", "a comma or }") == "}":
                return found


def walk(node: Node, pointer: str, visit: Callable[[str, Node], None]) -> None:
    """Calls ``visit`` with the pointer (in this tree, not in the file) of every value, parents first."""
    visit(pointer, node)
    if isinstance(node.value, dict):
        for key, child in node.value.items():
            walk(child, f"{pointer}/{escape(key)}", visit)
    elif isinstance(node.value, list):
        for index, child in enumerate(node.value):
            walk(child, f"{pointer}/{index}", visit)
