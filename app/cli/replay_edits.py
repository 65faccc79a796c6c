"""``--what-if``, ``--then`` and ``--query`` of ``playhead replay``: how edits and questions are typed. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from engine_bridge.errors import UsageError
from engine_bridge.replay.model import Edit, Question

_EDIT: Final = re.compile(
    r"(?P<kind>[a-z]+)(?:@(?P<behind>\d+))?(?::(?P<rest>[^=]*))?(?:=(?P<value>.*))?", re.S
)
_QUESTION: Final = re.compile(r"(?P<name>[^=\s]+)(?:=(?P<args>.*))?", re.S)


def edit_of_text(text: str) -> Edit:
    """``KIND[@EVENT][:NAME][=VALUE]`` or ``KIND:EVENT[:NAME][=VALUE]``. Raises UsageError.

    A place that is a number is an event, unless one stands behind the kind; which kinds there are the source knows.
    """
    found = _EDIT.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"--what-if {text!r} cannot be read.",
            "Such as: signal:approve='\"ann\"', result:33=42, failure:33:CardError='no money', fired:12, cancel.",
        )
    behind, name = found["behind"], found["rest"] or ""
    position = int(behind) if behind else None
    if position is None and name.partition(":")[0].isdigit():
        number, _, name = name.partition(":")
        position = int(number)
    step_id = "" if behind or position is None else str(position)
    return Edit(kind=found["kind"], position=position, step_id=step_id, name=name, value=found["value"] or "")


def edits_of_texts(first: Sequence[str], then: Sequence[str]) -> tuple[Edit, ...]:
    """Edits of the record, then those of later turns: one each, but for those with a ``+``. Raises UsageError."""
    found = [edit_of_text(text) for text in first]
    if then and not found:
        raise UsageError("--then goes on from a --what-if.", "Give what comes first by --what-if.")
    turn = 0
    for text in then:
        joins = text.lstrip().startswith("+")
        turn += not joins or turn == 0
        edit = edit_of_text(text.lstrip().removeprefix("+"))
        found.append(msgspec.structs.replace(edit, turn=turn))
    return tuple(found)


def question_of_text(text: str) -> Question:
    """``NAME`` or ``NAME=JSON``: an array of all arguments, or the only one. Raises UsageError."""
    found = _QUESTION.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"--query {text!r} cannot be read.", "Such as: status, or total='[2024, \"EUR\"]'.")
    args = found["args"]
    if args is None or not args.strip():
        return Question(name=found["name"])
    try:
        value = json.loads(args)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"The arguments of --query {text!r} are not JSON: {error}.", 'A text needs quotes: "yes".'
        ) from None
    return Question(name=found["name"], args=json.dumps(value if isinstance(value, list) else [value]))


def told(edit: Edit) -> str:
    """An edit as it is typed."""
    place = f"@{edit.position}" if edit.position is not None and not edit.step_id else ""
    parts = [part for part in (edit.step_id, edit.name) if part]
    head = ":".join([f"{edit.kind}{place}", *parts])
    return f"{head}={edit.value}" if edit.value else head
