"""The seam: what every engine's adapter offers, and how adapters are found.

A bridge is used only through a session (session.py), which calls it in a worker thread or a child
process. Every method may raise any PlayheadError. A capability that a source lacks is absent from
``SourceInfo.capabilities``; calling it raises UnsupportedError.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from engine_bridge.answers import Bucket as Bucket
from engine_bridge.answers import Capability as Capability
from engine_bridge.answers import Changes as Changes
from engine_bridge.answers import Cost as Cost
from engine_bridge.answers import Decoding as Decoding
from engine_bridge.answers import DurationPoint as DurationPoint
from engine_bridge.answers import Facets as Facets
from engine_bridge.answers import FailureRow as FailureRow
from engine_bridge.answers import Field as Field
from engine_bridge.answers import FieldType as FieldType
from engine_bridge.answers import Hit as Hit
from engine_bridge.answers import Page as Page
from engine_bridge.answers import Relation as Relation
from engine_bridge.answers import Relations as Relations
from engine_bridge.answers import Resource as Resource
from engine_bridge.answers import Sort as Sort
from engine_bridge.answers import SourceInfo as SourceInfo
from engine_bridge.answers import StepGraph as StepGraph
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import UnsupportedError, UsageError
from engine_bridge.forms import ConnectField as ConnectField
from engine_bridge.forms import ConnectForm as ConnectForm
from engine_bridge.model import Event, Run, RunRef, Step

if TYPE_CHECKING:  # neither numpy nor the query language is on the start-up path
    from engine_bridge.actions.model import ActionSpec, Actor, PlanItem, Staged, Target
    from engine_bridge.configs import ConfigTools, ImpactReport, LintReport, ReplayReport, Simulation
    from engine_bridge.history import Batch, Looker, Restart
    from engine_bridge.populations import Population, Resolution
    from engine_bridge.queries import Handlers, Reply
    from engine_bridge.query.ast import Node
    from engine_bridge.replay.model import Edit, EditKind, ReplayInput, RunnerSpec

Direction = Literal["forward", "backward"]


class Bridge(ABC):
    """One open source. Not thread-safe unless a method says so: the session serialises calls.

    ``host`` says where the session must run it: ``thread`` for SQL readers, ``process`` for anything
    that can abort, hang or hold the GIL. ``concurrent`` says that reads may overlap in several threads.
    """

    engine: str = ""
    host: Literal["thread", "process"] = "thread"
    concurrent: bool = False

    @abstractmethod
    def open(self, cancel: CancelToken) -> SourceInfo:
        """Connects, looks and answers what this source is. Writes nothing."""

    @abstractmethod
    def close(self) -> None:
        """Frees everything; may be called twice, and before open."""

    @abstractmethod
    def fields(self, cancel: CancelToken) -> list[Field]:
        """What runs can be filtered and sorted by."""

    @abstractmethod
    def runs(
        self,
        query: Node | None,
        sort: Sort,
        cursor: bytes | None,
        direction: Direction,
        limit: int,
        cancel: CancelToken,
    ) -> Page:
        """A keyset page of Run; never OFFSET, and no COUNT(*) on the way."""

    @abstractmethod
    def run(self, ref: RunRef, cancel: CancelToken) -> Run:
        """One run's header, in full. Raises NotFoundError."""

    @abstractmethod
    def find(self, text: str, limit: int, cancel: CancelToken) -> list[Run]:
        """Runs whose id is, or begins with, ``text``: for quick open and the command line."""

    @abstractmethod
    def history(self, ref: RunRef, cancel: CancelToken) -> Iterator[Batch]:
        """The whole history of a run, in batches."""

    def anchors(self, query: Node | None, sort: Sort, every: int, cancel: CancelToken) -> list[bytes]:
        """Cursors at every ``every``-th row, to jump anywhere in millions of rows."""
        raise self._unsupported(Capability.ANCHORS)

    def count(self, query: Node | None, cancel: CancelToken) -> int:
        """How many runs match; may be slow, and is never on the way to a page."""
        raise self._unsupported(Capability.FACETS)

    def facets(self, query: Node | None, buckets: int, cancel: CancelToken) -> Facets:
        """Counts by status, type and time bucket; durations of a sample. May arrive late.

        ``buckets`` 0: what can be told soonest, counts by status at least. Types are left out where they are dear.
        """
        raise self._unsupported(Capability.FACETS)

    def changes(self, mark: bytes | None, visible: tuple[RunRef, ...], cancel: CancelToken) -> Changes:
        """What changed in the list since ``mark`` (None: now); ``visible`` rows are re-read when the gate moved."""
        raise self._unsupported(Capability.CHANGES)

    def tail(self, ref: RunRef, after: int, cancel: CancelToken) -> Iterator[Batch | Restart]:
        """New batches after a position until cancelled; blocks between them. Restart ends the iteration."""
        raise self._unsupported(Capability.TAIL)

    def payload(self, key: str, offset: int, length: int, cancel: CancelToken) -> bytes:
        """Raw stored bytes of a PayloadRef.key. ``length`` -1: to the end."""
        raise self._unsupported(Capability.PAYLOADS)

    def decode_payloads(self, keys: tuple[str, ...], cancel: CancelToken) -> tuple[Decoding, ...]:
        """Payloads whose PayloadRef says ``encoded``, made readable, in the order of their keys; asks a codec server.

        What cannot be decoded says why in its Decoding; only a cancellation raises.
        """
        raise self._unsupported(Capability.DECODE)

    def failures(
        self, query: Node | None, text: str, cursor: bytes | None, limit: int, cancel: CancelToken
    ) -> Page:
        """The failure log (FailureRow), newest first."""
        raise self._unsupported(Capability.FAILURES)

    def search(self, text: str, scope: str, limit: int, cancel: CancelToken) -> Iterator[Hit]:
        """Text in decoded payloads; ``scope`` is "inputs", "outputs", "errors", "steps" or "all"."""
        raise self._unsupported(Capability.SEARCH)

    def related(self, ref: RunRef, cursor: bytes | None, limit: int, cancel: CancelToken) -> Relations:
        """Parents, children, forks … of a run, paged."""
        raise self._unsupported(Capability.RELATIONS)

    def definition(self, ref: RunRef, cancel: CancelToken) -> StepGraph | None:
        """The declared graph, if the engine has one."""
        return None

    def resources(self, kind: str, cancel: CancelToken) -> list[Resource]:
        """Resources of one of ``SourceInfo.resource_kinds``."""
        raise self._unsupported(Capability.RESOURCES)

    def actions(self, target: Target, cancel: CancelToken) -> list[ActionSpec]:
        """What an operator can do to a target in its present state; disabled ones say why. Reads only."""
        raise self._unsupported(Capability.ACTIONS)

    def plan(self, staged: tuple[Staged, ...], cancel: CancelToken) -> list[PlanItem]:
        """What staged actions will do, one item each, in order. Reads only."""
        raise self._unsupported(Capability.ACTIONS)

    def population(self, type: str, query: Node | None, cancel: CancelToken) -> Population:
        """How many entities of one type stand on each status, and how they got there."""
        raise self._unsupported(Capability.POPULATION)

    def next_steps(
        self, ref: RunRef, requester: str, data: dict[str, Any], cancel: CancelToken
    ) -> Resolution:
        """Which declared step applies to an entity now, with every step's reasons. "" asks for the first requester."""
        raise self._unsupported(Capability.CONFIG)

    def lint(self, places: tuple[str, ...], tenant: str | None, cancel: CancelToken) -> LintReport:
        """Findings about configs (none named: the source's own) and about the entities under them."""
        raise self._unsupported(Capability.CONFIG)

    def simulate(
        self, places: tuple[str, ...], settings: dict[str, Any], cancel: CancelToken
    ) -> tuple[Simulation, ...]:
        """Synthetic lives; ``settings`` are the keyword arguments of ``ConfigTools.simulate``."""
        raise self._unsupported(Capability.CONFIG)

    def impact(
        self, old: tuple[str, ...], new: tuple[str, ...], tenant: str | None, cancel: CancelToken
    ) -> ImpactReport:
        """Old configs (none named: the source's own) against new, with the entities that would be stranded."""
        raise self._unsupported(Capability.CONFIG)

    def replay_moves(
        self, places: tuple[str, ...], type: str, query: Node | None, cancel: CancelToken
    ) -> ReplayReport:
        """Recorded moves of all entities that match against configs (none named: the source's own)."""
        raise self._unsupported(Capability.CONFIG)

    def replayer(self, cancel: CancelToken) -> RunnerSpec:
        """What replays runs of this source with the user's code."""
        raise self._unsupported(Capability.REPLAY)

    def replay_input(self, ref: RunRef, cancel: CancelToken) -> ReplayInput:
        """All that the runner needs of one run. Nothing is decoded or executed here."""
        raise self._unsupported(Capability.REPLAY)

    def native(self, ref: RunRef, cancel: CancelToken) -> bytes:
        """A run as its engine exports it (``SourceInfo.native``), as stored: nothing is decoded or masked."""
        raise UnsupportedError("This source has no export of its own.", "Export a bundle.")

    def edits(self, ref: RunRef, position: int | None, cancel: CancelToken) -> tuple[EditKind, ...]:
        """What can be changed at an event or added behind it (None: added at the end of an open run)."""
        raise self._unsupported(Capability.WHAT_IF)

    def what_if(self, ref: RunRef, edits: tuple[Edit, ...], cancel: CancelToken) -> ReplayInput:
        """As ``replay_input``, of the edited history, cut where what follows cannot hold any more. Writes nothing.

        Edits of later turns (``Edit.turn``) are not made but handed on, in ``ReplayInput.then``.

        Raises UsageError for an event that is not there or cannot be edited, and for a run that takes nothing more.
        """
        raise self._unsupported(Capability.WHAT_IF)

    def edit_of(self, staged: Staged, cancel: CancelToken) -> Edit | None:
        """What a staged action would add to the history of its run: its dry run is a replay of that; None without one.

        ``ActionSpec.rehearses`` says which have one. Raises UsageError for arguments that are not valid.
        """
        return None

    def queries(self, ref: RunRef, cancel: CancelToken) -> Handlers:
        """What a run's code can be asked. Runs user code in a live worker: only when the user asks for it."""
        raise self._unsupported(Capability.QUERIES)

    def ask(self, ref: RunRef, name: str, args: str, cancel: CancelToken) -> Reply:
        """A query's answer; ``args`` as in ``queries.ARGUMENTS``. Runs user code in a live worker, and writes nothing.

        Raises ConnectError when no worker answers, RejectedError with what the code said, UsageError.
        """
        raise self._unsupported(Capability.QUERIES)

    def now_ns(self, cancel: CancelToken) -> int:
        """The engine's clock."""
        raise self._unsupported(Capability.RUNS)

    @staticmethod
    def decode_event(record: Any) -> Event:
        """Turns an event record of this bridge's batches into an Event; any thread, no connection."""
        from engine_bridge.history import decode_event

        return decode_event(record)

    @staticmethod
    def decode_step(record: Any) -> Step:
        """As decode_event, for steps."""
        from engine_bridge.history import decode_step

        return decode_step(record)

    def _unsupported(self, capability: Capability) -> UnsupportedError:
        return UnsupportedError(f"This source has no {capability.value}.")


@dataclass(frozen=True, slots=True)
class CodecPlace:
    """How an engine's URLs name a codec server: a server of the user's own that decodes and encodes payloads.

    ``of`` reads its address from a URL ("" for none); ``put`` answers the URL of the same source with another one, or
    with none. Both raise UsageError. ``doc`` tells what such a server is, in a sentence.
    """

    of: Callable[[str], str]
    put: Callable[[str, str], str]
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Engine:
    """What an engine's package registers under the entry point group ``playhead.engines``.

    ``schemes`` are the URL schemes it opens; ``sniff`` looks at the head (16 KiB at most) of a file and answers the
    URL to open it by when it is one of its own, else None, without opening connections; ``bridge`` imports lazily
    and makes an unopened bridge of a URL (and a password from the keyring, or None); ``host`` says where its
    sessions run, and ``hosts`` where those of single schemes do; ``actor`` makes an unopened actor, which writes,
    of the same URL (picklable as a partial); ``forms`` feed the connect dialog; ``absolute`` makes a URL mean the
    same from every working folder; ``configs`` makes the tools for config files, where the engine's workflows are
    declared in files. ``decode_event`` and ``decode_step`` turn records of this engine's batches into values, in any
    thread (msgpack of the value when None); ``prepare`` imports what they need, in the thread that opens a source whose
    bridge lives in a child process, lest the first look waits for it. ``looker`` looks for words in records, at a
    fraction of decoding them. ``greedy`` engines take files of a general kind (any SQLite database), so they are asked
    last; ``folders`` says that ``sniff`` is asked about folders too (with an empty head);
    ``together`` makes one URL of several that ``sniff`` gave, where many files open as one source (None: these do not).
    ``codec`` says how its URLs name a codec server, where it has such: then ``bridge`` and ``actor`` take that server's
    bearer token as the keyword ``token``.
    """

    name: str
    title: str
    schemes: tuple[str, ...]
    bridge: Callable[..., Bridge]
    sniff: Callable[[str, bytes], str | None] = lambda path, head: None
    forms: tuple[ConnectForm, ...] = ()
    file_patterns: tuple[str, ...] = ()
    host: Literal["thread", "process"] = "thread"
    hosts: dict[str, Literal["thread", "process"]] = field(default_factory=dict)
    actor: Callable[..., Actor] | None = None
    absolute: Callable[[str], str] = lambda url: url
    configs: Callable[[], ConfigTools] | None = None
    decode_event: Callable[[Any], Event] | None = None
    decode_step: Callable[[Any], Step] | None = None
    prepare: Callable[[], None] = lambda: None
    looker: Callable[[], Looker] | None = None
    greedy: bool = False
    folders: bool = False
    together: Callable[[tuple[str, ...]], str | None] | None = None
    codec: CodecPlace | None = None

    def host_of(self, url: str) -> Literal["thread", "process"]:
        """Where sessions of a URL run."""
        return self.hosts.get(url.partition("://")[0].lower(), self.host)


@cache
def engine_names() -> tuple[str, ...]:
    """Names of all registered engines; imports none of them."""
    from importlib.metadata import entry_points

    return tuple(sorted({point.name for point in entry_points(group="playhead.engines")}))


@cache
def load_engine(name: str) -> Engine:
    """Imports one engine's package. Raises UsageError for an unknown name."""
    from importlib.metadata import entry_points

    for point in entry_points(group="playhead.engines", name=name):
        engine: Engine = point.load()
        return engine
    raise UsageError(f"No engine is called {name!r}.", f"Known engines: {', '.join(engine_names())}.")


def engines() -> list[Engine]:
    """All engines (their packages are light: each imports its drivers on first use)."""
    return [load_engine(name) for name in engine_names()]


def engine_of_scheme(scheme: str) -> Engine:
    """The engine that opens URLs of a scheme. Raises UsageError."""
    for engine in engines():
        if scheme in engine.schemes:
            return engine
    known = sorted(scheme for engine in engines() for scheme in engine.schemes)
    raise UsageError(
        f"No engine opens {scheme}:// sources.", f"Known: {', '.join(f'{s}://' for s in known)}."
    )
