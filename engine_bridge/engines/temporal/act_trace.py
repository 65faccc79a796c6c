"""A request to look for on the server, and the words for one that was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine_bridge.actions.model import Outcome, PlanItem, Verdict
from engine_bridge.engines.temporal.actions_facts import Facts, RunFacts, planned_events, ref_of
from engine_bridge.engines.temporal.actions_read import Reads
from engine_bridge.engines.temporal.events import RawEvent
from engine_bridge.engines.temporal.plan_base import Signer
from engine_bridge.model import RunRef


@dataclass(frozen=True, slots=True)
class Trace:
    """A request to look for. ``now`` None: its target is gone; ``answer`` None: the server's is not known.

    ``applied``: that the server took it was seen before.
    """

    reads: Reads
    item: PlanItem
    signer: Signer
    now: Facts | None
    answer: Any = None
    applied: bool = False

    @property
    def taken(self) -> bool:
        """Whether the server is known to have taken it."""
        return self.answer is not None or self.applied

    @property
    def ref(self) -> RunRef:
        return ref_of(self.item.staged)

    @property
    def run(self) -> RunFacts | None:
        return self.now if isinstance(self.now, RunFacts) else None

    def events(self) -> list[RawEvent]:
        """The events since the plan."""
        return self.reads.since(self.ref, planned_events(self.item.preconditions))


def applied(*evidence: str, pending: str = "", new_ref: RunRef | None = None) -> Outcome:
    return Outcome(verdict=Verdict.APPLIED, evidence=evidence, pending=pending, new_ref=new_ref)
