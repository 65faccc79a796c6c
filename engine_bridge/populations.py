"""Entities by status: how many stand where, how they got there, and what applies to one of them next.

For engines whose runs are entities with a status (``Capability.POPULATION``). Values only; any thread.
"""

from __future__ import annotations

from typing import Any

import msgspec

from engine_bridge.model import RunRef


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class StatusNode(_Value, frozen=True):
    """A status with what stands on it.

    ``role`` is initial, waiting, claim, good, bad, cancelled or unknown (in the data, not in the config). ``stuck``
    counts claims older than their time to live; ``drift`` entities whose last history row says another status;
    ``failures`` open permanent failures; ``oldest_ns`` since when the longest standing one is here; ``dwell_ns``
    the median stay of those that left (None: none left, or no history). ``filter`` lists its entities;
    ``findings`` say what is wrong with the status itself (a dead end, unreachable, unknown).
    """

    status: str
    role: str = "waiting"
    count: int = 0
    stuck: int = 0
    drift: int = 0
    failures: int = 0
    oldest_ns: int | None = None
    dwell_ns: int | None = None
    declared: bool = True
    filter: str = ""
    findings: tuple[str, ...] = ()


class Flow(_Value, frozen=True):
    """A way from one status to another: declared by steps, observed in the history, or both.

    ``count`` are observed moves; ``share`` of all moves that left ``source`` (0..1, None where nothing left);
    ``requesters`` who may (declared) or did (observed only).
    """

    source: str
    target: str
    declared: bool = True
    steps: tuple[str, ...] = ()
    requesters: tuple[str, ...] = ()
    count: int = 0
    share: float | None = None
    rejection: bool = False


class Population(_Value, frozen=True):
    """One workflow type's status graph. ``total`` None: not known (no tenant set; ``problem`` says so).

    ``checked`` entities were compared with their history for ``drift`` and ``broken`` links; ``exact`` is False
    when that was a sample. ``filters`` name lists worth opening ("drift", "stuck", "unknown", "failures") by their
    filter text. ``as_of_ns`` is the engine's clock.
    """

    type: str
    table: str = ""
    nodes: tuple[StatusNode, ...] = ()
    flows: tuple[Flow, ...] = ()
    total: int | None = 0
    stuck: int = 0
    drift: int = 0
    broken: int = 0
    unknown: int = 0
    failures: int = 0
    checked: int = 0
    exact: bool = True
    tenant: str = ""
    config: str = ""
    errors: int = 0
    warnings: int = 0
    filters: dict[str, str] = {}
    notices: tuple[str, ...] = ()
    problem: str = ""
    as_of_ns: int = 0


class Candidate(_Value, frozen=True):
    """One declared step: whether it applies, and why or why not. ``targets``: success first, then rejection."""

    step: str
    applies: bool
    reasons: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    claim: str = ""


class Resolution(_Value, frozen=True):
    """What applies to an entity now. ``step`` is the one that applies, "" with ``problem`` saying why none does.

    ``requesters`` can be asked for; ``fields`` are the data that steps ask for, with the values they know.
    """

    ref: RunRef
    status: str
    requester: str
    step: str = ""
    problem: str = ""
    candidates: tuple[Candidate, ...] = ()
    requesters: tuple[str, ...] = ()
    fields: dict[str, tuple[Any, ...]] = {}
    config: str = ""
