"""The bridge of a bundle: everything it answers stands in one file, which it only reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from engine_bridge import format as fmt
from engine_bridge import lists
from engine_bridge.bridge import (
    Bridge,
    Capability,
    Changes,
    Direction,
    Facets,
    Field,
    Page,
    Relations,
    Sort,
    SourceInfo,
)
from engine_bridge.bundle import PAYLOADS, RUNS, BundledRun, Place
from engine_bridge.bundle_columns import unpack
from engine_bridge.bundle_file import Reader
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import ConnectError, CorruptError, NotFoundError, UnsupportedError
from engine_bridge.history import Batch, History
from engine_bridge.model import Run, RunRef
from engine_bridge.query.ast import Node

_CAPABILITIES = frozenset(
    {
        Capability.RUNS,
        Capability.SORT,
        Capability.ANCHORS,
        Capability.FACETS,
        Capability.CHANGES,
        Capability.PAYLOADS,
        Capability.FAILURES,
        Capability.RELATIONS,
    }
)
_MISSING = {
    Capability.ACTIONS.value: "an exported run is only a record: act on the source it came from",
    Capability.TAIL.value: "an exported run does not grow",
}


class BundleBridge(Bridge):
    """Opens one bundle. Concurrent: the file is read under a lock."""

    engine = "bundle"
    concurrent = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._reader: Reader | None = None
        self._runs: dict[RunRef, BundledRun] = {}
        self._places: dict[str, Place] = {}
        self._part: tuple[str, bytes] = ("", b"")
        self._now_ns = 0

    def open(self, cancel: CancelToken) -> SourceInfo:
        reader = self._reader = Reader(self._path)
        manifest = reader.manifest
        notices = list(self._notices(reader))
        runs = _decoded(self._read(RUNS), list[BundledRun])
        self._runs = {one.run.ref: one for one in runs}
        try:
            self._places = _decoded(self._read(PAYLOADS), dict[str, Place])
        except CorruptError:
            notices.append("The list of payloads is damaged: no payload can be shown.")
        self._now_ns = manifest.engine_now_ns or manifest.created_ns
        return SourceInfo(
            engine=self.engine,
            engine_title=f"Export of {manifest.engine_title}",
            title=self._path.stem,
            location=str(self._path),
            version=manifest.engine_title,
            schema_version=manifest.schema_version,
            order=manifest.order or "as in the source it came from",
            capabilities=_CAPABILITIES,
            missing=_MISSING,
            notices=tuple(notices),
        )

    def _notices(self, reader: Reader) -> Iterator[str]:
        manifest = reader.manifest
        if not reader.whole:
            yield "This bundle lost its end: what is still whole is shown."
        when = fmt.timestamp(manifest.created_ns)[:19]
        masked = "nothing is masked: it may hold secrets" if manifest.raw else "secrets are masked"
        source = f"{fmt.plain(manifest.title, 80)} ({fmt.plain(manifest.engine_title, 40)})"
        yield f"Exported from {source} {when}; {masked}."
        if manifest.left_out:
            reasons = ", ".join(
                f"{count} {fmt.plain(why, 60)}" for why, count in sorted(manifest.left_out.items())
            )
            yield f"Payloads that were left out: {reasons}."

    def close(self) -> None:
        with self._lock:
            reader, self._reader = self._reader, None
            self._runs, self._places = {}, {}
        if reader is not None:
            reader.close()

    def _read(self, name: str) -> bytes:
        with self._lock:
            if self._reader is None:
                raise ConnectError("This bundle is closed.")
            return self._reader.read(name)

    def fields(self, cancel: CancelToken) -> list[Field]:
        return lists.fields([one.run for one in self._runs.values()])

    def _matching(self, query: Node | None, cancel: CancelToken) -> list[Run]:
        cancel.raise_if_cancelled()
        found = [one.run for one in self._runs.values()]
        if query is None:
            return found
        from engine_bridge.query.predicate import predicate

        test = predicate(query, self._now_ns)
        return [run for run in found if test(run)]

    def runs(
        self,
        query: Node | None,
        sort: Sort,
        cursor: bytes | None,
        direction: Direction,
        limit: int,
        cancel: CancelToken,
    ) -> Page:
        rows = lists.ordered(self._matching(query, cancel), sort)
        return lists.page(rows, cursor, direction == "forward", limit)

    def anchors(self, query: Node | None, sort: Sort, every: int, cancel: CancelToken) -> list[bytes]:
        return [str(at).encode() for at in range(0, len(self._matching(query, cancel)), every)]

    def count(self, query: Node | None, cancel: CancelToken) -> int:
        return len(self._matching(query, cancel))

    def facets(self, query: Node | None, buckets: int, cancel: CancelToken) -> Facets:
        return lists.facets(self._matching(query, cancel), buckets)

    def changes(self, mark: bytes | None, visible: tuple[RunRef, ...], cancel: CancelToken) -> Changes:
        gone = tuple(ref for ref in visible if ref not in self._runs)
        return Changes(mark=b"0", moved=False, removed=gone)

    def _of(self, ref: RunRef) -> BundledRun:
        found = self._runs.get(ref)
        if found is None:
            raise NotFoundError(f"Run {ref} is not in this bundle.", "It holds what was exported with it.")
        return found

    def run(self, ref: RunRef, cancel: CancelToken) -> Run:
        return self._of(ref).run

    def find(self, text: str, limit: int, cancel: CancelToken) -> list[Run]:
        runs = [one.run for one in self._runs.values()]
        exact = [run for run in runs if run.id == text]
        return [*exact, *(run for run in runs if run.id != text and run.id.startswith(text))][:limit]

    def history(self, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
        found = self._of(ref)
        notes = list(found.notes)
        parts: dict[str, bytes | None] = {}
        for name in ("steps", "events"):
            try:
                parts[name] = self._read(f"{found.folder}/{name}.msgpack")
            except CorruptError as error:
                parts[name] = None
                notes.append(f"The {name} of this run are not shown: {error.message}")
        cancel.raise_if_cancelled()
        batch = unpack(parts["steps"], parts["events"])
        batch.run, batch.notes, batch.engine_now_ns = found.run, tuple(notes), found.engine_now_ns
        yield batch

    def payload(self, key: str, offset: int, length: int, cancel: CancelToken) -> bytes:
        place = self._places.get(key)
        if place is None:
            raise NotFoundError("This payload is not in the bundle.")
        if place.left_out:
            raise UnsupportedError(f"This payload was left out of the export: {place.left_out}.")
        data = self._chunk(place.part)[place.start : place.start + place.size]
        return data[offset:] if length < 0 else data[offset : offset + length]

    def _chunk(self, name: str) -> bytes:
        kept, data = self._part
        if kept != name:
            data = self._read(name)
            self._part = (name, data)
        return data

    def failures(
        self, query: Node | None, text: str, cursor: bytes | None, limit: int, cancel: CancelToken
    ) -> Page:
        rows = [
            row
            for run in self._matching(query, cancel)
            for row in lists.failure_rows(run, self._steps(run, cancel))
        ]
        rows = [row for row in rows if lists.says(row, text.casefold())]
        rows.sort(key=lambda row: row.time_ns or 0, reverse=True)
        return lists.page(rows, cursor, True, limit)

    def _steps(self, run: Run, cancel: CancelToken) -> list[Any]:
        history = History()
        try:
            for batch in self.history(run.ref, cancel):
                history.append(batch)
        except CorruptError:
            return []
        return history.all_steps()

    def related(self, ref: RunRef, cursor: bytes | None, limit: int, cancel: CancelToken) -> Relations:
        found = lists.page(self._of(ref).relations, cursor, True, limit)
        return Relations(items=found.items, after=found.after)

    def now_ns(self, cancel: CancelToken) -> int:
        return self._now_ns


def _decoded(data: bytes, kind: Any) -> Any:
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise CorruptError("This bundle cannot be read.", "Export it again.", type(error).__name__) from None
