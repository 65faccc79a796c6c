"""Workflow configs as files: findings, paths, simulation, the impact of a change, and replay of recorded moves.

An engine whose workflows are declared in files offers :class:`ConfigTools` (``Engine.configs``); its sources offer the
same with their own data through ``Capability.CONFIG``. A *place* is a path, a folder, or ``REV:path`` in git.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from engine_bridge.actions.model import Staged
from engine_bridge.cancel import CancelToken
from engine_bridge.model import RunRef
from engine_bridge.populations import Flow, StatusNode


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class ConfigFile(_Value, frozen=True):
    """A config file as read. ``name`` is the place as the user would write it; ``revision`` the git commit, if any."""

    name: str
    text: str
    revision: str = ""
    type: str = ""
    tenant: str = ""


class Finding(_Value, frozen=True):
    """A fault of a config or of data under it. ``line``, ``column`` from 1, 0 unknown; ``severity`` error or warning.

    ``count`` is how many entities it touches, None where it is not about entities; ``filter`` lists them.
    """

    code: str
    severity: str
    file: str
    pointer: str
    reason: str
    line: int = 0
    column: int = 0
    fix: str = ""
    count: int | None = None
    filter: str = ""


class Path(_Value, frozen=True):
    """A way from the initial status to an end: statuses, and the steps between them (one fewer)."""

    statuses: tuple[str, ...]
    steps: tuple[str, ...] = ()
    good: bool = True


class Paths(_Value, frozen=True):
    """Path analysis. ``truncated``: there are more ways than were listed."""

    paths: tuple[Path, ...] = ()
    shortest: Path | None = None
    longest: Path | None = None
    loops: tuple[tuple[str, ...], ...] = ()
    overrides: tuple[str, ...] = ()
    truncated: bool = False


class Declared(_Value, frozen=True):
    """One workflow type as one tenant sees it ("" is the base): its graph, paths, and the origin of every value.

    ``origins`` map a JSON pointer in the merged config to "file:line".
    """

    type: str
    tenant: str = ""
    nodes: tuple[StatusNode, ...] = ()
    flows: tuple[Flow, ...] = ()
    paths: Paths = Paths()
    requesters: tuple[str, ...] = ()
    origins: dict[str, str] = {}
    merged: str = ""


class LintReport(_Value, frozen=True):
    """Everything about a set of configs. ``usable`` is False when any finding is an error."""

    files: tuple[ConfigFile, ...] = ()
    findings: tuple[Finding, ...] = ()
    declared: tuple[Declared, ...] = ()

    @property
    def usable(self) -> bool:
        return all(found.severity != "error" for found in self.findings)


class Simulation(_Value, frozen=True):
    """``n`` synthetic lives: by last status, by kind of end (good, bad, stuck, bound), by (from, to, step).

    ``hops`` are the least, median and greatest number of steps; ``samples`` some lives as statuses.
    """

    type: str
    n: int
    seed: int = 0
    statuses: dict[str, int] = {}
    ends: dict[str, int] = {}
    edges: tuple[tuple[str, str, str, int], ...] = ()
    hops: tuple[int, int, int] = (0, 0, 0)
    samples: tuple[tuple[str, ...], ...] = ()


class StatusChange(_Value, frozen=True):
    """A status or step that differs: ``kind`` added, removed, renamed or changed; ``to`` its new name when renamed."""

    what: str  # status | step
    kind: str
    name: str
    to: str = ""
    detail: str = ""


class Stranded(_Value, frozen=True):
    """Entities on a status that the new config does not know. ``count`` None: no source was given.

    ``target`` is where they should go, with the reason; ``filter`` lists them; ``action`` is what does it in bulk.
    """

    status: str
    count: int | None = None
    target: str = ""
    why: str = ""
    filter: str = ""
    action: Staged | None = None
    sql: str = ""


class Impact(_Value, frozen=True):
    """Old configs against new. ``migration`` is True where the set of valid statuses shrinks.

    ``problem`` is why nothing could be compared (a broken file); it is among the ``notices`` too.
    """

    type: str
    tenant: str = ""
    changes: tuple[StatusChange, ...] = ()
    stranded: tuple[Stranded, ...] = ()
    migration: bool = False
    old: Declared | None = None
    new: Declared | None = None
    notices: tuple[str, ...] = ()
    problem: str = ""


class ImpactReport(_Value, frozen=True):
    """The impact for each workflow type and tenant, with the findings of both sets of files."""

    items: tuple[Impact, ...] = ()
    old: LintReport = LintReport()
    new: LintReport = LintReport()


class Move(_Value, frozen=True):
    """One recorded move of an entity, as replay needs it. ``position`` in its history.

    ``kind`` says how it was made, where that is recorded: "moved" by an operator's hand, "observed" elsewhere …
    """

    ref: RunRef
    position: int
    source: str
    target: str
    step: str = ""
    requester: str = ""
    tenant: str = ""
    kind: str = ""
    time_ns: int | None = None


class Divergence(_Value, frozen=True):
    """The first recorded move of an entity that a config would not make. ``expected`` is what it allows there."""

    ref: RunRef
    position: int
    kind: str  # unknown status | no such step | other target | other requester | initial
    recorded: str
    expected: str
    step: str = ""


class DivergenceGroup(_Value, frozen=True):
    """Divergences alike. ``entities`` holds at most a hundred of ``count``."""

    kind: str
    recorded: str
    expected: str
    count: int
    entities: tuple[Divergence, ...] = ()


class ReplayReport(_Value, frozen=True):
    """Recorded moves of entities against configs; ``complete`` is False when it was cancelled."""

    type: str
    entities: int = 0
    moves: int = 0
    groups: tuple[DivergenceGroup, ...] = ()
    complete: bool = True


class ConfigTools(ABC):
    """What an engine can do with config files alone. Any thread; reads files and git, writes nothing.

    ``counts`` and ``stands`` map (type, tenant) to the number of entities by status. Unreadable places become findings.
    """

    @abstractmethod
    def recognises(self, places: tuple[str, ...]) -> bool:
        """Whether these places look like this engine's configs."""

    @abstractmethod
    def lint(
        self,
        places: tuple[str, ...],
        cancel: CancelToken,
        *,
        tenant: str | None = None,
        counts: Mapping[tuple[str, str], Mapping[str, int]] | None = None,
    ) -> LintReport:
        """Findings, graphs and paths. With ``counts``, also entities on statuses that no config knows."""

    @abstractmethod
    def html(self, report: LintReport) -> str:
        """The report as one self-contained HTML file."""

    @abstractmethod
    def simulate(
        self,
        places: tuple[str, ...],
        cancel: CancelToken,
        *,
        type: str | None = None,
        tenant: str | None = None,
        count: int = 10_000,
        seed: int = 0,
        chances: Mapping[str, Mapping[str, float]] | None = None,
    ) -> tuple[Simulation, ...]:
        """Random lives; ``chances`` maps a step ("*": the others) to weights of success, rejection, failure, death."""

    @abstractmethod
    def impact(
        self,
        old: tuple[str, ...],
        new: tuple[str, ...],
        cancel: CancelToken,
        *,
        tenant: str | None = None,
        counts: Mapping[tuple[str, str], Mapping[str, int]] | None = None,
    ) -> ImpactReport:
        """What changes, and whom it strands."""

    @abstractmethod
    def replay(
        self, places: tuple[str, ...], type: str, moves: Iterable[Move], cancel: CancelToken
    ) -> ReplayReport:
        """Recorded moves (each entity's together, in order) against the configs; each entity's first divergence."""


def options(**values: Any) -> dict[str, Any]:
    """Keyword arguments without those that are None: for callers that pass through what a user gave."""
    return {name: value for name, value in values.items() if value is not None}
