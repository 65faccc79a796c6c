"""Errors of step rows as Failures, and the attempts that an exhausted retry lists."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine_bridge.engines.dbos.history_rows import RawStep, ns
from engine_bridge.model import Attempt, Failure, Provenance, StepStatus

EXHAUSTED: Final = "DBOSMaxStepRetriesExceeded"
_UNREAD: Final = Failure(type="", message="The recorded error is too large for the list; open it.")

Attempts = tuple[int | None, tuple[Attempt, ...], int | None, dict[str, Provenance]]


def failure_of(row: RawStep) -> Failure:
    """The decoded error of a failed row; never raises, never executes anything."""
    time_ns = ns(row.completed_ms)
    if row.error is None:
        return msgspec.structs.replace(_UNREAD, raw=row.error_ref, time_ns=time_ns)
    from engine_bridge.engines.dbos import errors

    found = errors.failure_of(row.error, row.encoding)
    return msgspec.structs.replace(found, raw=row.error_ref, time_ns=time_ns)


def attempts_of(row: RawStep, failure: Failure) -> Attempts:
    """Count, entries, limit and provenance of a step's attempts: known only when the final error lists them.

    The error is ``DBOSMaxStepRetriesExceeded(step, limit, [the exception of every attempt])`` (dbos._error).
    """
    if failure.type.rpartition(".")[2] != EXHAUSTED or row.error is None:
        return None, (), None, {}
    from engine_bridge.payloads import Opaque, decode

    tree: Any = decode(row.error.encode(errors="surrogateescape"), row.encoding).tree
    args = tree.args if isinstance(tree, Opaque) else ()
    if len(args) < 3 or not isinstance(args[2], list | tuple):
        return None, (), None, {}
    causes = {cause.attempt: cause for cause in failure.causes}
    tries = tuple(
        Attempt(
            number=number,
            status=StepStatus.FAILED,
            failure=causes.get(number),
            provenance=Provenance.REBUILT,
        )
        for number in range(1, len(args[2]) + 1)
    )
    limit = args[1] if type(args[1]) is int else None
    fields = {"attempts": Provenance.REBUILT}
    if limit is not None:
        fields["max_attempts"] = Provenance.REBUILT
    return len(tries), tries, limit, fields
