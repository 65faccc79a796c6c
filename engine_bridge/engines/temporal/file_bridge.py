"""The bridge of exported histories: one file, some files, or a folder of them. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from engine_bridge import lists
from engine_bridge.bridge import (
    Capability,
    Changes,
    Decoding,
    Direction,
    Facets,
    Field,
    Hit,
    Page,
    Relations,
    Sort,
    SourceInfo,
)
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import codec, native, payloads, url
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.file_bridge_index import Index, Stamp
from engine_bridge.engines.temporal.file_bridge_related import related
from engine_bridge.engines.temporal.file_bridge_search import Search
from engine_bridge.engines.temporal.group_event import decode_event
from engine_bridge.engines.temporal.group_payloads import gone, inlined, parse_key, raw_at
from engine_bridge.engines.temporal.group_step import decode_step
from engine_bridge.engines.temporal.what_if_bridge import WhatIf
from engine_bridge.errors import ConnectError, CorruptError, NotFoundError, PlayheadError
from engine_bridge.file_names import quoted
from engine_bridge.format import plain
from engine_bridge.history import Batch, Restart
from engine_bridge.model import Run, RunRef, Step
from engine_bridge.query.ast import Node
from engine_bridge.replay.model import ReplayInput, RunnerSpec

_CAPABILITIES: Final = frozenset(
    {
        Capability.RUNS,
        Capability.SORT,
        Capability.ANCHORS,
        Capability.FACETS,
        Capability.CHANGES,
        Capability.TAIL,
        Capability.PAYLOADS,
        Capability.DECODE,
        Capability.FAILURES,
        Capability.SEARCH,
        Capability.RELATIONS,
        Capability.REPLAY,
        Capability.WHAT_IF,
    }
)
_MISSING: Final = {
    Capability.ACTIONS.value: "an exported history is only a record: act on the server it came from",
}
_NAMESPACE: Final = "default"
_LOOK_S: Final = 0.5
ORDER: Final = (
    "Positions are event ids: the server numbers a run's events from 1 without gaps. "
    "Times are the server's clock; those of local activities are the worker's."
)


class FileBridge(WhatIf):
    """Opens exported histories. Concurrent: files are read under a lock."""

    engine = "temporal"
    concurrent = True
    decode_event = staticmethod(decode_event)
    decode_step = staticmethod(decode_step)

    def __init__(self, location: str, token: str | None = None) -> None:
        self._source = url.parse(location)
        self._codec = codec.codec_at(self._source.codec, self._source.namespace or _NAMESPACE, token)
        self._opened = False
        self._index = Index(self._source)
        self._search = Search(self._index)
        self._told: dict[RunRef, Stamp | None] = {}  # as which file each history was told

    def open(self, cancel: CancelToken) -> SourceInfo:
        self._index.read(cancel)
        runs = self._index.runs
        if not runs:
            raise CorruptError(
                f"There is no Temporal history in {plain(str(self._source.path))}.",
                "Export one with `temporal workflow show --output json`, or download it in the web UI.",
            )
        self._opened = True
        dialects = {
            one.dialect for ref in list(runs)[:1] if not runs[ref].bad for one in [self._index.loaded(ref)]
        }
        return SourceInfo(
            engine=self.engine,
            engine_title="Temporal history" if len(runs) == 1 else "Temporal histories",
            title=self._title(),
            location=self._source.location,
            version=dialects.pop() if len(runs) == 1 and dialects else f"{len(runs):,} histories",
            order=ORDER,
            capabilities=_CAPABILITIES,
            native=native.TITLE,
            missing=_MISSING,
            notices=(*self._notices(), *codec.notices(self._codec)),
            only=next(iter(runs)) if len(runs) == 1 else None,
        )

    def _title(self) -> str:
        if len(self._source.only) > 1:
            return f"{len(self._source.only)} histories in {self._source.path.name}"
        return (
            (self._source.path / self._source.only[0]).name if self._source.only else self._source.path.name
        )

    def _notices(self) -> Iterator[str]:
        unreadable = self._index.unreadable
        if unreadable:
            names = ", ".join(plain(name, 60) for name in list(unreadable)[:5])
            more = " …" if len(unreadable) > 5 else ""
            yield f"{len(unreadable)} files hold no Temporal history and are not shown: {names}{more}"

    def close(self) -> None:
        self._opened = False
        self._index.clear()
        self._codec.forget()

    def fields(self, cancel: CancelToken) -> list[Field]:
        return lists.fields(list(self._index.runs.values()))

    def _matching(self, query: Node | None, cancel: CancelToken) -> list[Run]:
        cancel.raise_if_cancelled()
        runs = list(self._index.runs.values())
        if query is None:
            return runs
        from engine_bridge.query.predicate import predicate

        test = predicate(query, self.now_ns(cancel))
        return [run for run in runs if test(run)]

    def runs(
        self,
        query: Node | None,
        sort: Sort,
        cursor: bytes | None,
        direction: Direction,
        limit: int,
        cancel: CancelToken,
    ) -> Page:
        cancel.raise_if_cancelled()
        if cursor is None and self._opened:
            self._index.read(cancel)  # files may have come; pages of one list stay as they are
        rows = lists.ordered(self._matching(query, cancel), sort)
        forward = direction == "forward"
        place = None if cursor is None else str(_place(rows, cursor)).encode()
        found = lists.page(rows, place, forward, limit)
        before, after = (
            None if at_ is None else _cursor(rows, int(at_)) for at_ in (found.before, found.after)
        )
        return msgspec.structs.replace(found, before=before, after=after)

    def anchors(self, query: Node | None, sort: Sort, every: int, cancel: CancelToken) -> list[bytes]:
        rows = lists.ordered(self._matching(query, cancel), sort)
        return [_cursor(rows, at_) for at_ in range(0, len(rows), every)]

    def count(self, query: Node | None, cancel: CancelToken) -> int:
        return len(self._matching(query, cancel))

    def facets(self, query: Node | None, buckets: int, cancel: CancelToken) -> Facets:
        return lists.facets(self._matching(query, cancel), buckets)

    def changes(self, mark: bytes | None, visible: tuple[RunRef, ...], cancel: CancelToken) -> Changes:
        stamps = {quoted(str(path)): stamp for path, stamp in self._index.stamps().items()}
        now = msgspec.msgpack.encode(stamps, order="sorted")
        if mark is None or mark == now:
            gone = tuple(ref for ref in visible if ref not in self._index.runs)
            return Changes(mark=now, moved=bool(gone), removed=gone, reset=bool(gone))
        self._read(cancel)
        before: dict[str, tuple[int, int]] = msgspec.msgpack.decode(mark, type=dict[str, tuple[int, int]])
        touched = [
            (run, quoted(str(path)) not in before)
            for run, path in self._index.paths()
            if before.get(quoted(str(path))) != stamps.get(quoted(str(path)))
        ]
        runs = self._index.runs
        removed = tuple(ref for ref in visible if ref not in runs)
        return Changes(
            mark=now,
            moved=True,
            changed=tuple(run for run, _ in touched),
            new=sum(new for _, new in touched),
            removed=removed,
            reset=bool(removed and touched),  # other runs stand in the same files
        )

    def run(self, ref: RunRef, cancel: CancelToken) -> Run:
        return self._index.story(ref).run

    def find(self, text: str, limit: int, cancel: CancelToken) -> list[Run]:
        runs = list(self._index.runs.values())
        exact = [run for run in runs if text in (run.id, run.ref.run)]
        begin = [run for run in runs if run.id.startswith(text) or run.ref.run.startswith(text)]
        return [*exact, *(run for run in begin if run not in exact)][:limit]

    def history(self, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
        story = self._index.story(ref)
        if story.run.bad:
            raise CorruptError(f"{plain(story.path.name)} cannot be read: {story.run.bad}")
        self._told[ref] = self._index.stamp(ref)
        one, grouper = self._index.loaded(ref), self._index.grouper(ref)
        cancel.raise_if_cancelled()
        yield grouper.batch(story.run, total=len(one.heads), engine_now_ns=grouper.last_ns, notes=one.notes)

    def tail(self, ref: RunRef, after: int, cancel: CancelToken) -> Iterator[Batch | Restart]:
        """A file does not grow, but may be written anew. Raises NotFoundError when it holds another run then."""
        while self._index.stamp(ref) == self._told.get(ref):
            cancel.wait(_LOOK_S)
            cancel.raise_if_cancelled()
        self._read(cancel)
        self._index.story(ref)
        yield Restart("its file was written anew")

    def _read(self, cancel: CancelToken) -> None:
        """Reads what changed. Raises ConnectError while the only file of the source is not there."""
        try:
            self._index.read(cancel)
        except NotFoundError as error:
            raise ConnectError(error.message, "What is shown was read before.") from None

    def payload(self, key: str, offset: int, length: int, cancel: CancelToken) -> bytes:
        found = payloads.combined(payloads.payload(one) for one in self._raw(key))
        data = b"" if found is None else found.data
        return data[offset:] if length < 0 else data[offset : offset + length]

    def decode_payloads(self, keys: tuple[str, ...], cancel: CancelToken) -> tuple[Decoding, ...]:
        return codec.decoded(self._codec, keys, self._raw, cancel)

    def _raw(self, key: str) -> list[Any]:
        """The payloads of a key as they are written. Raises NotFoundError."""
        inside = inlined(key)
        if inside is not None:
            return [inside]
        ref, event_id, path = parse_key(key)
        record = self._record(ref, event_id)
        found = [] if record is None else raw_at(event_of(record), path)
        if not found:
            raise gone()
        return found

    def _record(self, ref: RunRef, event_id: int) -> Any:
        heads = self._index.loaded(ref).heads
        place = int(heads.id.searchsorted(event_id))
        return heads.record[place] if place < len(heads) and heads.id[place] == event_id else None

    def replayer(self, cancel: CancelToken) -> RunnerSpec:
        from engine_bridge.engines.temporal import replay_input

        return replay_input.SPEC

    def replay_input(self, ref: RunRef, cancel: CancelToken) -> ReplayInput:
        from engine_bridge.engines.temporal import replay_input

        one = self._index.loaded(ref)
        notices = (*one.notes, *replay_input.notices_of(one.dialect))
        return replay_input.made(
            ref, list(one.heads.record), cancel, missing=one.missing + one.lost, notices=notices
        )

    def native(self, ref: RunRef, cancel: CancelToken) -> bytes:
        one = self._index.loaded(ref)
        return native.history_json(list(one.heads.record), one.missing + one.lost, cancel)

    def failures(
        self, query: Node | None, text: str, cursor: bytes | None, limit: int, cancel: CancelToken
    ) -> Page:
        matching = self._matching(query, cancel)
        rows = []
        for number, run in enumerate(matching):
            cancel.progress(number, len(matching), "Reading failures")
            rows += lists.failure_rows(run, self._failed_steps(run))
        rows = [row for row in rows if lists.says(row, text.casefold())]
        rows.sort(key=lambda row: row.time_ns or 0, reverse=True)
        return lists.page(rows, cursor, True, limit)

    def _failed_steps(self, run: Run) -> list[Step]:
        try:
            grouper = self._index.grouper(run.ref)
        except PlayheadError:
            return []
        return [decode_step(grouper.record(row)) for row in grouper.failed_rows()]

    def search(self, text: str, scope: str, limit: int, cancel: CancelToken) -> Iterator[Hit]:
        return self._search.hits(text, scope, limit, cancel)

    def related(self, ref: RunRef, cursor: bytes | None, limit: int, cancel: CancelToken) -> Relations:
        found = lists.page(related(self._index, ref), cursor, True, limit)
        return Relations(items=found.items, after=found.after)

    def now_ns(self, cancel: CancelToken) -> int:
        return max((run.updated_ns or 0 for run in self._index.runs.values()), default=0)


def _cursor(rows: list[Run], place: int) -> bytes:
    """A place in a list, by the run that stands there: others may come and go before it."""
    return msgspec.msgpack.encode((place, rows[place].ref))


def _place(rows: list[Run], cursor: bytes) -> int:
    place, ref = msgspec.msgpack.decode(cursor, type=tuple[int, RunRef])
    return next((at_ for at_, run in enumerate(rows) if run.ref == ref), min(place, len(rows)))
