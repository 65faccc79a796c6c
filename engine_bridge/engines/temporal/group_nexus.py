"""Nexus across runs: which run an operation started, and whose operation started a run. Pure.

The server writes links into events (temporal.api.common.v1.Link): that of the started run into the operation's start or
end, that of the operation into the run's first event, beside the callback that answers it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from engine_bridge.engines.temporal.events import NUMBERS, Heads, RawEvent
from engine_bridge.engines.temporal.events_read import event_of
from engine_bridge.engines.temporal.events_values import integer, mapping, text
from engine_bridge.engines.temporal.group_types import KIND
from engine_bridge.model import RunRef

_ATTACHED: Final = NUMBERS["WorkflowExecutionOptionsUpdated"]
_TYPES: Final = (
    *(NUMBERS[name] for name in ("NexusOperationStarted", "NexusOperationCompleted", "NexusOperationFailed")),
    _ATTACHED,
)


@dataclass(frozen=True, slots=True)
class Link:
    """A run in a namespace, and the event of it that is meant, 0 where none is. An unknown run id is ""."""

    namespace: str
    ref: RunRef
    event: int = 0

    @property
    def asked(self) -> str:
        """What of a caller's run it is."""
        return f"its step {self.event}, a Nexus operation" if self.event else "a Nexus operation"

    def place(self, namespace: str) -> str:
        """Where it is, "" for in ``namespace``, and where either is not known."""
        return self.namespace if namespace and self.namespace != namespace else ""


def started(events: Iterable[RawEvent]) -> Link | None:
    """The run that an operation started, from the operation's events; None for one that started none, or elsewhere."""
    told = [event for event in events if event.type.startswith("NexusOperation")]
    for event in told:
        for link in _links(event.more.get("links")):
            return link
    return next(filter(None, map(_of_token, told)), None)


def _of_token(event: RawEvent) -> Link | None:
    """Servers before 1.27 write no link; the token of an operation that is a workflow names namespace and workflow."""
    token = text(event.attributes.get("operationToken") or event.attributes.get("operationId"))
    try:
        found = mapping(json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))))
    except ValueError:
        return None
    workflow = text(found.get("wid"))
    return Link(text(found.get("ns")), RunRef(KIND, workflow, "")) if workflow else None


def linked(heads: Heads) -> Iterator[tuple[str | None, Link]]:
    """(step, link) of operations that name the run that they started; (None, link) of callers that came later."""
    for at in np.flatnonzero(np.isin(heads.type, _TYPES)).tolist():
        event = event_of(heads.record[at])
        if heads.type[at] == _ATTACHED:
            yield from ((None, link) for link in callers((event,)))
        elif (link := started((event,))) is not None:
            yield str(int(heads.link[at])), link


def callers(events: Iterable[RawEvent]) -> list[Link]:
    """The operations that a run answers: of its first event, and of those that were attached to it later."""
    found: dict[Link, None] = {}
    for event in events:
        for name in ("completionCallbacks", "attachedCompletionCallbacks"):
            for callback in _listed(event.attributes.get(name)):
                found |= dict.fromkeys(_links(mapping(callback).get("links")))
        found |= dict.fromkeys(_links(event.more.get("links")))
    return list(found)


def _links(value: Any) -> Iterator[Link]:
    for one in _listed(value):
        link = mapping(mapping(one).get("workflowEvent"))
        workflow = text(link.get("workflowId"))
        if workflow:
            ref = RunRef(KIND, workflow, text(link.get("runId")))
            event = integer(mapping(link.get("eventRef")).get("eventId"))
            yield Link(text(link.get("namespace")), ref, event or 0)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
