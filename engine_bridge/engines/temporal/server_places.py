"""Places in the order of creation, and requests for lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from engine_bridge.engines.temporal import server_values as values
from engine_bridge.engines.temporal.client import Client

MOST: Final = 1_000
"""Rows that one answer holds at most (the server's own limit)."""

Key = tuple[int, str]


@dataclass(frozen=True)
class Place:
    """A place between two runs: just below or above the run of a key."""

    key: Key
    above: bool

    def has(self, key: Key, newer: bool) -> bool:
        """Whether a run lies beyond this place, going to newer or older ones."""
        if newer:
            return key >= self.key if not self.above else key > self.key
        return key <= self.key if self.above else key < self.key


def key_of(info: Any) -> Key:
    return values.time_ns(info, "start_time") or 0, info.execution.run_id


def listing(client: Client, clause: str, size: int) -> Any:
    """A request for a list."""
    from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest

    return ListWorkflowExecutionsRequest(
        namespace=client.source.namespace, page_size=max(1, min(size, MOST)), query=clause
    )
