"""Nexus operations under way, which a server keeps in one of two places.

State machines in the run's own record are the older one and Temporal 1.32's default; where
``nexusoperation.enableChasmWorkflowOperations`` is on they are nodes of the run's CHASM tree, in a table of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import dev_messages as messages
from engine_bridge.engines.temporal.dev_store import Store

_MACHINE: Final = "nexusoperations.Operation"
_COMPONENT: Final = 131_748_067
"""The type of a node that is an operation, as Temporal 1.32 writes it; cancellations are nodes of another type."""
_PARENT: Final = "NexusOperationParentData"
_OPEN: Final = (1, 2, 3)
"""Scheduled, backing off, started: numbers of ``PendingNexusOperationState`` and of both records' own state alike."""
_TIMES: Final = (
    "schedule_to_close_timeout", "scheduled_time", "last_attempt_complete_time", "last_attempt_failure",
    "next_attempt_schedule_time",
)  # fmt: skip


def operations(store: Store, key: tuple[Any, ...], execution: Any, cancel: CancelToken) -> list[Any]:
    """``PendingNexusOperationInfo`` of an open run, in the order of its history; ``key`` is that of the run's rows.

    Records that cannot be read are left out.
    """
    found = [*_machines(execution), *_components(store, key, cancel)]
    return sorted(found, key=lambda one: one.scheduled_event_id)


def _machines(execution: Any) -> Iterator[Any]:
    from google.protobuf.message import DecodeError

    kinds = [kind.value for kind in execution.machines if kind.key == _MACHINE]
    for machine in [entry.value for kind in kinds for entry in kind.machines]:
        with contextlib.suppress(DecodeError):
            record = messages.parse("Nexus", machine.data)
            if record.state in _OPEN:
                yield _operation(record, record.token.event_id)


def _components(store: Store, key: tuple[Any, ...], cancel: CancelToken) -> Iterator[Any]:
    from google.protobuf.message import DecodeError

    if not store.rows("SELECT 1 FROM sqlite_master WHERE name = 'chasm_node_maps'", cancel=cancel):
        return
    statement = (
        "SELECT metadata, data FROM chasm_node_maps WHERE shard_id = ? AND namespace_id = ? AND workflow_id = ? "
        "AND run_id = ? AND CAST(chasm_path AS TEXT) LIKE 'Operations#%'"
    )
    for metadata, data in store.rows(statement, key, cancel=cancel):
        with contextlib.suppress(DecodeError):
            if messages.parse("ChasmNode", metadata).component.type_id != _COMPONENT:
                continue
            record = messages.parse("ChasmNexus", data)
            # Its fields were numbered otherwise before 1.32, where nothing used them yet.
            if record.state in _OPEN and record.parent.type_url.endswith(_PARENT):
                yield _operation(record, messages.parse("Token", record.parent.value).event_id)


def _operation(record: Any, event_id: int) -> Any:
    from temporalio.api.workflow.v1 import PendingNexusOperationInfo

    made = PendingNexusOperationInfo(
        endpoint=record.endpoint,
        service=record.service,
        operation=record.operation,
        operation_token=record.operation_token,
        scheduled_event_id=event_id,
        attempt=record.attempt,
    )
    made.state = record.state
    for name in _TIMES:
        messages.read_into(made, name, getattr(record, name))
    return made
