"""Exports runs as one file that opens offline: headers, histories, payloads, relations, checksums.

Secrets are masked on the decoded form; what cannot be masked in place is left out and counted. Worker thread.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec

from engine_bridge.bridge import Capability, Relation, Relations, SourceInfo
from engine_bridge.bundle_columns import pack_events, pack_steps
from engine_bridge.bundle_file import Manifest, Writer
from engine_bridge.bundle_mask import Masking, masked_payload
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import CancelledError, PlayheadError
from engine_bridge.model import PayloadRef, Run, RunRef
from engine_bridge.session import Session

SUFFIX: Final = ".playhead"
RUNS: Final = "runs.msgpack"
PAYLOADS: Final = "payloads.msgpack"
_MOST_PAYLOAD: Final = 64 << 20
_CHUNK: Final = 1 << 20
_MOST_RELATIONS: Final = 1_000
_HEAD: Final = 4_096


class BundledRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a bundle; its steps and events are the parts ``{folder}/steps.msgpack`` and ``…/events.msgpack``."""

    run: Run
    folder: str
    notes: tuple[str, ...] = ()
    engine_now_ns: int | None = None
    relations: tuple[Relation, ...] = ()


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a payload stands: ``size`` bytes at ``start`` of a part; or why it was ``left_out``."""

    part: str = ""
    start: int = 0
    size: int = 0
    left_out: str = ""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What an export holds. ``left_out`` counts payloads by reason."""

    runs: int
    payloads: int
    left_out: dict[str, int]
    size: int


def export(
    session: Session, info: SourceInfo, refs: list[RunRef], path: Path, *, raw: bool, cancel: CancelToken
) -> Exported:
    """Writes runs of an open source to ``path``. ``raw`` keeps secrets and everything else as it is."""
    job = _Export(session, info, raw, cancel)
    try:
        for number, ref in enumerate(refs):
            cancel.progress(number, len(refs), "Exporting")
            job.add(ref)
        job.write(path)
    finally:
        job.writer.close()
    return Exported(runs=len(refs), payloads=job.kept, left_out=dict(job.left_out), size=path.stat().st_size)


class _Export:
    def __init__(self, session: Session, info: SourceInfo, raw: bool, cancel: CancelToken) -> None:
        self.writer = Writer()
        self.left_out: Counter[str] = Counter()
        self._session = session
        self._info = info
        self._raw = raw
        self._cancel = cancel
        self._masking = Masking(raw, self._payload)
        self._places: dict[str, Place] = {}
        self._heads: dict[str, bytes] = {}
        self._chunk = bytearray()
        self._chunks = 0
        self._runs: list[BundledRun] = []

    @property
    def kept(self) -> int:
        return sum(not place.left_out for place in self._places.values())

    def add(self, ref: RunRef) -> None:
        """Adds one run with all that belongs to it."""
        history = self._session.empty_history()
        self._wait(self._session.stream("history", ref, on_item=history.append))
        header: Run = history.run or self._call("run", ref)
        folder = f"r{len(self._runs)}"
        run = self._masking.run(header)
        steps = [msgspec.msgpack.encode(self._masking.step(step)) for step in history.all_steps()]
        events = [msgspec.msgpack.encode(self._masking.event(event)) for event in history.all_events()]
        self.writer.add(f"{folder}/steps.msgpack", pack_steps(history, steps))
        self.writer.add(f"{folder}/events.msgpack", pack_events(history, events))
        self._runs.append(
            BundledRun(
                run=run,
                folder=folder,
                notes=history.notes,
                engine_now_ns=history.engine_now_ns,
                relations=self._relations(ref),
            )
        )

    def _relations(self, ref: RunRef) -> tuple[Relation, ...]:
        if Capability.RELATIONS not in self._info.capabilities:
            return ()
        found: list[Relation] = []
        cursor: bytes | None = None
        while len(found) < _MOST_RELATIONS:
            page: Relations = self._call("related", ref, cursor, 200)
            found += map(self._masking.relation, page.items)
            cursor = page.after
            if cursor is None:
                break
        return tuple(found)

    def _payload(self, ref: PayloadRef) -> PayloadRef:
        """Takes a payload along on its first sight; the reference tells its size in the bundle."""
        place = self._places.get(ref.key)
        if place is None:
            place = self._places[ref.key] = self._take(ref)
            self.left_out.update([place.left_out] if place.left_out else [])
        head = self._heads.get(ref.key) if ref.head is not None else None
        size = ref.size if place.left_out else place.size
        return msgspec.structs.replace(ref, size=size, head=head)

    def _take(self, ref: PayloadRef) -> Place:
        if Capability.PAYLOADS not in self._info.capabilities:
            return Place(left_out="the source gave no payloads")
        try:
            data: bytes = self._call("payload", ref.key, 0, _MOST_PAYLOAD + 1)
        except CancelledError:
            raise
        except PlayheadError:
            return Place(left_out="the source could not read it")
        if len(data) > _MOST_PAYLOAD:
            return Place(left_out=f"larger than {_MOST_PAYLOAD >> 20} MiB")
        kept, why = (data, "") if self._raw else masked_payload(data, ref.encoding)
        if kept is None:
            return Place(left_out=why)
        if len(kept) <= _HEAD:
            self._heads[ref.key] = kept
        return self._store(kept)

    def _store(self, data: bytes) -> Place:
        if self._chunk and len(self._chunk) + len(data) > _CHUNK:
            self._flush()
        start = len(self._chunk)
        self._chunk += data
        return Place(part=f"payloads/{self._chunks}", start=start, size=len(data))

    def _flush(self) -> None:
        self.writer.add(f"payloads/{self._chunks}", bytes(self._chunk))
        self._chunks += 1
        self._chunk.clear()

    def write(self, path: Path) -> None:
        """Writes the file."""
        if self._chunk:
            self._flush()
        self.writer.add(RUNS, msgspec.msgpack.encode(self._runs))
        self.writer.add(PAYLOADS, msgspec.msgpack.encode(self._places))
        self.writer.first(RUNS, PAYLOADS)
        nows = [run.engine_now_ns for run in self._runs if run.engine_now_ns is not None]
        manifest = Manifest(
            created_ns=time.time_ns(),
            engine=self._info.engine,
            engine_title=self._info.engine_title,
            title=self._info.title,
            order=self._info.order,
            schema_version=self._info.schema_version,
            raw=self._raw,
            engine_now_ns=max(nows, default=None),
            left_out=dict(self.left_out),
        )
        self.writer.write(path, manifest)

    def _call(self, method: str, *args: Any) -> Any:
        return self._wait(self._session.call(method, *args))

    def _wait(self, call: Any) -> Any:
        remove = self._cancel.add_hook(call.cancel)
        try:
            return call.result()
        finally:
            remove()
