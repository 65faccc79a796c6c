"""Recorded errors as failures, DBOS's own exceptions in their own words.

DBOS pickles its exceptions as class and constructor arguments, so their messages are not stored: they are rebuilt from
the wording of dbos 3.4.0 (``dbos/_error.py``).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine_bridge.model import Failure
from engine_bridge.payloads import Opaque, decode, headline, short_type
from engine_bridge.payloads.failures import of_decoded

RETRIES: Final = "DBOSMaxStepRetriesExceeded"

_TOLD: Final = {
    RETRIES: (3, "Step {0} has exceeded its maximum of {1} retries"),
    "MaxRecoveryAttemptsExceededError": (
        2,
        "Workflow {0} has exceeded its maximum of {1} execution or recovery attempts",
    ),
    "DBOSAwaitedWorkflowCancelledError": (1, "Awaited workflow {0} was cancelled"),
    "DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded": (
        1,
        "Awaited workflow {0} exceeded its maximum recovery attempts",
    ),
    "DBOSNonExistentWorkflowError": (2, "Sent to non-existent {0} workflow ID: {1}"),
    "DBOSWorkflowFunctionNotFoundError": (2, "Workflow {0}: {1}"),
    "DBOSConflictingWorkflowError": (2, "Workflow {0}: {1}"),
    "DBOSQueueDeduplicatedError": (
        3,
        "Workflow {0} was deduplicated: queue {1} has one with deduplication id {2}",
    ),
}


def failure_of(error: Any, encoding: Any) -> Failure:
    """A stored error (text or bytes) as a failure; never raises, never executes anything."""
    data = error.encode(errors="surrogateescape") if isinstance(error, str) else bytes(error)
    decoded = decode(data, encoding if isinstance(encoding, str) else None)
    found = of_decoded(decoded)
    message = _own_words(decoded.tree)
    return found if message is None else msgspec.structs.replace(found, message=message)


def _own_words(tree: Any) -> str | None:
    if not isinstance(tree, Opaque):
        return None
    count, words = _TOLD.get(short_type(tree.type), (0, ""))
    if not words or len(tree.args) < min(count, 2):
        return None
    shown = [str(arg)[:400] if isinstance(arg, str | int) else "?" for arg in tree.args]
    return words.format(*shown, *["?"] * count)


def error_line(failure: Failure) -> str:
    """A failure in one line; for exhausted retries with the last attempt's own error."""
    own = headline(failure) or "failed"
    if short_type(failure.type) == RETRIES and failure.causes:
        return f"{own}: {headline(failure.causes[-1])}"
    return own
