"""Rows of the journal, their canonical text and the hash chain. Pure functions; any thread."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from enum import StrEnum
from typing import Any, Final

import msgspec

GENESIS: Final = "0" * 64


class Kind(StrEnum):
    INTENT = "intent"
    OUTCOME = "outcome"
    DENIED = "denied"  # not confirmed, read-only, refused by the plan
    SETTLING = "settling"  # another Playhead takes over a dead owner's intent
    EXPORT = "export"  # unmasked data left the source


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row. All text is masked; ``args_sha256`` is over the unmasked arguments.

    ``job`` is the bulk job it belongs to; ``intent_sha256`` is over what ``settle`` would get; ``changes`` are lines
    "what: before -> after"; ``took_ns`` is None where it was not measured (settled after a crash).
    """

    seq: int
    time_ns: int
    kind: Kind
    who: str
    machine: str
    owner: str
    source: str
    environment: str = ""
    target: str = ""
    target_kind: str = ""
    action: str = ""
    args: Any = None
    args_sha256: str = ""
    intent_sha256: str = ""
    plan: tuple[str, ...] = ()
    reason: str = ""
    request_id: str = ""
    plan_id: str = ""
    job: str = ""
    verdict: str = ""
    stale: bool = False
    pending: str = ""
    evidence: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    new_ref: str = ""
    took_ns: int | None = None
    target_name: str = ""
    hash: str = ""


class Tampered(msgspec.Struct, frozen=True):
    """The first row that does not fit, and why. ``seq`` 0: the anchor."""

    seq: int
    why: str


def canonical(row: Row) -> str:
    """The text that is stored and hashed."""
    return json.dumps(msgspec.to_builtins(row), sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def parse(body: str, digest: str) -> Row:
    """A stored row. Raises msgspec.DecodeError for what is none."""
    return msgspec.structs.replace(_decoder.decode(body), hash=digest)


def chained(head: str, body: str) -> str:
    """The hash of a row that follows the one with hash ``head``."""
    return hashlib.sha256(f"{head}\n{body}".encode()).hexdigest()


def problem(seq: int, count: int, body: str, digest: str, head: str) -> str:
    """Why the ``count``-th stored row does not fit its predecessor's hash; "" when it does."""
    if seq != count:
        return f"row {count} is missing"
    if chained(head, body) != digest:
        return "its content or its predecessor was changed"
    try:
        inner = _decoder.decode(body).seq
    except msgspec.DecodeError:
        return "it is not a row of this journal"
    return "" if inner == seq else "it stands in another row's place"


def searchable(row: Row) -> str:
    """What a search in the journal looks at, case folded."""
    words = (
        row.who,
        row.source,
        row.target,
        row.target_name,
        row.action,
        row.reason,
        row.verdict,
        row.request_id,
        row.kind,
    )
    return "\n".join((*words, row.job, row.new_ref, *row.plan, *row.evidence, str(row.args or ""))).casefold()


def who() -> str:
    """The user of this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


_decoder = msgspec.json.Decoder(Row)
