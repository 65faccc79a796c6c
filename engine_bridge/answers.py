"""What bridges answer with: values that any thread or process may hold. Everything here is also named by bridge.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from engine_bridge.model import Environment, Failure, Run, RunRef


class Capability(StrEnum):
    """What a source can do *now*: its version, grants and form are taken into account."""

    RUNS = "runs"
    SORT = "sort"
    ANCHORS = "anchors"
    FACETS = "facets"
    CHANGES = "changes"
    TAIL = "tail"
    PAYLOADS = "payloads"
    DECODE = "decode"  # some of its payloads need a step before they can be read: decompressed, decrypted
    FAILURES = "failures"
    SEARCH = "search"
    RELATIONS = "relations"
    DEFINITION = "definition"
    RESOURCES = "resources"
    ACTIONS = "actions"
    REPLAY = "replay"
    WHAT_IF = "what if"  # a recorded history can be edited before it is replayed
    POPULATION = "population"  # runs are entities that stand on statuses
    CONFIG = "config"  # its workflows are declared in config files
    QUERIES = "queries"  # a run's own code answers questions, in a live worker


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class SourceInfo(_Value, frozen=True):
    """What ``open`` found.

    ``title`` is short and holds no secret; ``version`` names what answers ("PostgreSQL 18.1"); ``order``
    documents where the order of a history comes from; ``notices`` are shown as a bar (an unknown schema, a copy
    opened instead of the file);
    ``missing`` maps a capability to why it is absent ("no SELECT on notifications").
    """

    engine: str
    engine_title: str
    title: str
    location: str
    version: str | None = None
    schema_version: str | None = None
    schema_known: bool = True
    environment: Environment = Environment.DEV
    read_only: bool = True
    order: str = ""
    capabilities: frozenset[Capability] = frozenset()
    missing: dict[str, str] = {}
    notices: tuple[str, ...] = ()
    resource_kinds: tuple[str, ...] = ()
    entity_types: tuple[str, ...] = ()  # workflow types with a population
    tenant: str = ""  # whose rows are seen, where the source has tenants
    stack_query: str = ""  # the query by which every run tells where its code stands
    native: str = ""  # the engine's own export of a run, as a file dialog names it: "History (*.json)"
    whole: tuple[str, str] = ("", "")  # the resource that the source itself is: its kind, its id
    only: RunRef | None = None  # the run that is all there is, when it was opened for that


class Cost(StrEnum):
    """What filtering by a field costs: an index, a scan of rows, or decoding of payloads."""

    INDEXED = "indexed"
    SCAN = "scan"
    DECODED = "decoded"


class FieldType(StrEnum):
    TEXT = "text"
    STATUS = "status"
    INTEGER = "integer"
    TIME = "time"
    DURATION = "duration"
    BOOLEAN = "boolean"
    JSON = "json"  # attributes.*: any scalar under a path


class Field(_Value, frozen=True):
    """Something that can be filtered by, and perhaps sorted. ``values`` are some it has; of JSON its known paths."""

    name: str
    type: FieldType
    title: str = ""
    values: tuple[str, ...] = ()
    cost: Cost = Cost.SCAN
    sortable: bool = False
    doc: str = ""


class Sort(_Value, frozen=True):
    field: str = "created"
    descending: bool = True


class Page(_Value, frozen=True):
    """A page of rows in the order asked for (backward pages too: always top to bottom).

    ``before`` and ``after`` are opaque cursors, None where there is nothing more. For filters that had to
    be scanned, ``searched`` of ``of`` rows were looked at, and ``complete`` is False when more may match.
    """

    items: tuple[Any, ...] = ()
    before: bytes | None = None
    after: bytes | None = None
    searched: int | None = None
    of: int | None = None
    complete: bool = True


class Bucket(_Value, frozen=True):
    """Starts in one time bucket: counts per status value, in the order of ``Facets.bucket_statuses``."""

    start_ns: int
    counts: dict[str, int]


class DurationPoint(_Value, frozen=True):
    ref: RunRef
    start_ns: int
    duration_ns: int
    status: str


class Facets(_Value, frozen=True):
    """Counts for the chips and charts. ``exact`` is False when they cover only ``of`` rows.

    ``failures``: without a filter, how many rows of the source's own failure log nobody has settled; None where
    the failure log is that of failed runs.
    """

    by_status: dict[str, int] = {}
    by_type: dict[str, int] = {}
    buckets: tuple[Bucket, ...] = ()
    bucket_ns: int = 0
    durations: tuple[DurationPoint, ...] = ()
    total: int = 0
    exact: bool = True
    note: str = ""
    failures: int | None = None


class Changes(_Value, frozen=True):
    """What happened in a list since a mark. ``mark`` goes into the next call.

    ``changed`` are runs that exist and were touched (new ones too); ``new`` counts runs created since;
    ``moved`` is False when the cheap gate says that nothing happened.
    """

    mark: bytes
    moved: bool
    changed: tuple[Run, ...] = ()
    new: int = 0
    removed: tuple[RunRef, ...] = ()
    reset: bool = False


class FailureRow(_Value, frozen=True):
    """One row of a source's failure log: a failed run, or a failed step.

    ``id`` names the row where the log has rows of its own. ``attributes`` are what the log says beyond the failure
    (correlation_id, tenant, attempts, status, resolved_ns: when it was settled), plain values; ``resolved`` is None
    where the log does not know, so that only a log that keeps it speaks of open and resolved.
    """

    ref: RunRef
    run_type: str
    time_ns: int | None
    failure: Failure
    step_id: str | None = None
    step_name: str | None = None
    run_status: str = ""
    id: str = ""
    resolved: bool | None = None
    attributes: dict[str, Any] = {}


class Hit(_Value, frozen=True):
    """One finding of a payload or text search."""

    ref: RunRef
    run_type: str
    where: str
    excerpt: str
    step_id: str | None = None


class Relation(_Value, frozen=True):
    """One related run: ``role`` is parent, child, forked_from, fork, continued, retry, schedule …"""

    role: str
    run: Run | None
    ref: RunRef
    step_id: str | None = None
    note: str = ""


class Relations(_Value, frozen=True):
    items: tuple[Relation, ...] = ()
    after: bytes | None = None


class Resource(_Value, frozen=True):
    """A queue, schedule, version, worker … ``cells`` holds what the page shows, by column, in order.

    Values are plain (str, int, float, bool, None); keys ending in ``_ns`` are times, in ``_dur_ns`` durations.
    ``children`` are rows below it (partitions of a queue). ``warning`` is what an operator must see.
    """

    kind: str
    id: str
    title: str
    cells: dict[str, Any] = {}
    warning: str = ""
    children: tuple[Resource, ...] = ()
    filter: str = ""
    provenance: dict[str, str] = {}


class Decoding(_Value, frozen=True):
    """A payload made readable: ``data`` in ``encoding``; or, where that is None, why not: ``error`` and ``hint``.

    ``by`` names the codec server that decoded it, "" when none was needed. ``needs_codec``: one would be, and the
    source has none. ``type`` is the message type that was recorded. It is kept in memory only, never in a file.
    """

    data: bytes | None = None
    encoding: str | None = None
    type: str = ""
    by: str = ""
    error: str = ""
    hint: str = ""
    detail: str = ""
    needs_codec: bool = False

    def __repr__(self) -> str:
        return f"<Decoding {self.encoding or self.error}>"  # the content may hold secrets


@dataclass(slots=True)
class StepGraph:
    """A declared graph, where the engine has one. ``nodes`` map id to title; ``edges`` are (from, to, label)."""

    nodes: dict[str, str] = field(default_factory=dict)
    edges: list[tuple[str, str, str]] = field(default_factory=list)
