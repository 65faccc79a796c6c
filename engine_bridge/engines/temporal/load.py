"""A file's bytes to the histories in it: which form it has is told by its content, never by its name.

Nothing is dropped silently: events that cannot be shown are counted in ``lost`` and named in ``notes``.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from engine_bridge.codes import NO_TIME
from engine_bridge.engines.temporal import load_json, load_salvage, protobuf
from engine_bridge.engines.temporal.events import UNKNOWN, Heads
from engine_bridge.engines.temporal.load_binary import binary
from engine_bridge.engines.temporal.load_json import Found
from engine_bridge.engines.temporal.load_text import EVENT, in_utf8
from engine_bridge.engines.temporal.payloads import bytes_of
from engine_bridge.engines.temporal.url import NESTED
from engine_bridge.errors import CorruptError

MOST: Final = 2 << 30
"""Bytes a compressed file may unpack to."""

_GZIP: Final = b"\x1f\x8b"
_CHUNK: Final = 1 << 20


@dataclass(slots=True)
class Loaded:
    """One history. ``heads`` rise by id, each once; ``lost`` counts entries that were there and are not shown;
    ``missing`` counts ids that are not in the file, between or before those that are; ``whole`` is False when the
    file breaks off; ``dialect`` says in words how it was written."""

    heads: Heads
    dialect: str
    notes: tuple[str, ...] = ()
    lost: int = 0
    missing: int = 0
    whole: bool = True


def load(data: bytes) -> list[Loaded]:
    """All histories in a file. Raises CorruptError when there is none."""
    data, notes, whole = _unpacked(data)
    found = _histories(data)
    if not found:
        raise CorruptError(
            _why_not(data),
            "Playhead reads what `temporal workflow show --output json` and the web UI write, and binary histories.",
        )
    for one in found:
        one.notes = [*notes, *one.notes]
        one.whole = one.whole and whole
    return [tidy(one) for one in found]


def _why_not(data: bytes) -> str:
    if not data.strip():
        return "This file is empty."
    begun = EVENT.search(data[:_CHUNK].decode("utf-8", "replace")) is not None
    return "This history breaks off inside its first event." if begun else "This is no Temporal history."


def _unpacked(data: bytes) -> tuple[bytes, list[str], bool]:
    """Without gzip and without what Windows shells make of text; what was wrong with it, and whether all is there."""
    notes: list[str] = []
    whole = True
    for _ in range(NESTED):
        if data.startswith(_GZIP):
            data, problem, behind = _gunzipped(data)
            notes += [problem] if problem else []
            notes += [f"{behind:,} bytes behind the compressed history are none of it."] if behind else []
            whole = whole and not problem
    return in_utf8(data), notes, whole


def _gunzipped(data: bytes) -> tuple[bytes, str, int]:
    """What is packed, why not all of it comes out, and how many bytes stand behind it."""
    parts, size, left = [], 0, data
    while left.startswith(_GZIP):
        stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        at = 0
        try:
            while at < len(left) and not stream.eof:
                parts.append(stream.decompress(left[at : at + _CHUNK], MOST - size))
                size, at = size + len(parts[-1]), at + _CHUNK
                if size >= MOST or stream.unconsumed_tail:
                    return (
                        b"".join(parts),
                        f"Only the first {MOST >> 30} GiB of the unpacked file are read.",
                        0,
                    )
        except zlib.error:
            return (
                b"".join(parts),
                "The compressed file is damaged: what comes before the damage is shown.",
                0,
            )
        if not stream.eof:
            return b"".join(parts), "The compressed file breaks off before its end.", 0
        left = stream.unused_data + left[at:]
    return b"".join(parts), "", len(left.strip(b"\0"))


def _histories(data: bytes) -> list[Found]:
    like_json = data.lstrip()[:1] in (b"{", b"[")
    if like_json and not _is_text(data):
        return _noted(_histories(data.decode("utf-8", "replace").encode()))
    if like_json:
        try:
            return load_json.histories(data, _from_blobs)
        except (msgspec.DecodeError, RecursionError):
            pass
    return binary(data) or load_salvage.histories(data)


def _is_text(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _noted(found: list[Found]) -> list[Found]:
    for one in found:
        one.notes.insert(0, "Some bytes of this file are no text: they are shown as �.")
    return found


def _from_blobs(blobs: list[Any]) -> Found:
    """The history of a server's ``rawHistory``: serialized pages in base64."""
    records: list[bytes] = []
    notes = []
    for blob in blobs:
        page = bytes_of(blob.get("data") if isinstance(blob, dict) else blob) or b""
        try:
            records += [page[start:end] for start, end in protobuf.slices(page)]
        except protobuf.WireError:
            notes.append("A page of this history is no protobuf and is not shown.")
    return Found(protobuf.heads_of_messages(records), "raw pages of a server", notes)


def tidy(found: Found) -> Loaded:
    """Puts events in order, and says what is missing, double or unknown."""
    heads, notes, lost = found.heads, list(found.notes), found.lost
    if len(heads) and not heads.id.any():
        heads.id[:] = np.arange(1, len(heads) + 1)
        notes.append("No event has an id: they are numbered as they stand.")
    if (heads.id <= 0).any():
        nameless = int((heads.id <= 0).sum())
        lost += nameless
        notes.append(f"{_events(nameless)} without an id cannot be shown.")
        heads = heads.pick(np.flatnonzero(heads.id > 0))
    if len(heads) > 1 and (np.diff(heads.id) < 0).all():
        heads = heads.pick(np.arange(len(heads))[::-1])  # newest first, as the web UI may export
    if (np.diff(heads.id) <= 0).any():
        heads, double = _in_order(heads)
        lost += double
        notes.append(
            f"The events were not in order; {_events(double)} stood twice and are shown once."
            if double
            else "The events were not in order: they are sorted by their ids."
        )
    timeless = int((heads.time == NO_TIME).sum())
    if timeless:
        notes.append(f"{_events(timeless)} without a time that can be read.")
    missing, words = _gaps(heads)
    unknown = sorted({heads.name.get(i, "?") for i in np.flatnonzero(heads.type == UNKNOWN).tolist()})
    if unknown:
        many = int((heads.type == UNKNOWN).sum())
        notes.append(f"{_events(many)} of a type that is not known here: {', '.join(unknown[:6])}.")
    return Loaded(heads, found.dialect, (*notes, *words), lost, missing, found.whole)


def _events(count: int) -> str:
    return f"{count:,} event" + ("" if count == 1 else "s")


def _in_order(heads: Heads) -> tuple[Heads, int]:
    order = np.argsort(heads.id, kind="stable")
    ids = heads.id[order]
    once = np.ones(len(ids), bool)
    once[1:] = ids[1:] != ids[:-1]
    return heads.pick(order[once]), int((~once).sum())


def _gaps(heads: Heads) -> tuple[int, list[str]]:
    if not len(heads):
        return 0, []
    edges = np.concatenate(([0], heads.id))
    holes = np.flatnonzero(np.diff(edges) > 1).tolist()
    if not holes:
        return 0, []
    missing = int(heads.id[-1]) - len(heads)
    spans = [(int(edges[i]) + 1, int(edges[i + 1]) - 1) for i in holes[:4]]
    named = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in spans) + (
        " …" if len(holes) > 4 else ""
    )
    return missing, [f"{_events(missing)} not in this file: {named}."]
