"""What each action does to a run in its present state, or why it would do nothing (reference: DBOSClient 3.4.0).

DBOS itself says nothing when an action has no effect; here it is said before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine_bridge.engines.dbos.actions_facts import EXHAUSTED, INTERNAL_QUEUE, RunFacts

_OVER: Final = "The run is over ({status})"
_AGAIN: Final = (
    "To run it again use rewind (same id, its history is deleted from there on) or fork (a new run)."
)


def _signal(run: RunFacts) -> tuple[str, str]:
    if run.status in ("SUCCESS", "ERROR"):
        return (
            "",
            f"{_over(run)}: DBOS would store the message, and nothing would ever take it. Fork or rewind it first.",
        )
    if run.status in ("CANCELLED", EXHAUSTED):
        return (
            "Stored now; taken when the run is resumed and waits for this topic. A rewind would delete it.",
            "",
        )
    if run.status in ("ENQUEUED", "DELAYED"):
        return "Stored now; taken when the run has begun and waits for this topic.", ""
    return "The run takes it when it waits for this topic, at once if it does so now.", ""


def _cancel(run: RunFacts) -> tuple[str, str]:
    if run.status in ("SUCCESS", "ERROR"):
        return "", f"{_over(run)}: cancelling does nothing."
    if run.status == "CANCELLED":
        return "", "It is cancelled already. Open children of it are cancelled one by one."
    if run.status == EXHAUSTED:
        return "DBOS gave up on it and nothing runs; it only becomes CANCELLED.", ""
    if run.status in ("ENQUEUED", "DELAYED"):
        return "It leaves its queue and never begins. Its queue and deduplication id are forgotten.", ""
    return (
        "It becomes CANCELLED at once; the step that runs now runs to its end, the next one does not begin.",
        "",
    )


def _resume(run: RunFacts) -> tuple[str, str]:
    if run.status in ("SUCCESS", "ERROR"):
        return "", f"{_over(run)}: resuming does nothing. {_AGAIN}"
    if run.status == "ENQUEUED" and run.queue == INTERNAL_QUEUE:
        return (
            "",
            "It waits in the recovery queue already: resuming changes nothing. It needs a worker of its version.",
        )
    if run.status == "PENDING":
        return (
            "It is dispatched again from its last recorded step. If a worker still executes it, the step under way "
            "runs a second time, and the first execution stops at its next step.",
            "",
        )
    if run.status == "ENQUEUED":
        return f"It leaves the queue {run.queue} and its limits, and starts as soon as a worker is free.", ""
    if run.status == "DELAYED":
        return "It does not wait for its delay: it starts as soon as a worker is free.", ""
    done = "begins" if not run.steps else f"goes on after its {run.steps} recorded steps"
    return f"It {done}, on the recovery queue. Dispatches count from 0 again; its deadline is gone.", ""


def _rewind(run: RunFacts) -> tuple[str, str]:
    if run.status in ("PENDING", "ENQUEUED", "DELAYED"):
        return (
            "",
            f"DBOS rewinds only runs that are over, this one is {run.status}. Cancel it first, or fork it.",
        )
    return (
        "The recorded steps from the start step on are deleted, and the same run executes again from there.",
        "",
    )


def _fork(run: RunFacts) -> tuple[str, str]:
    also = (
        " This run goes on as it is: both may act on the same things."
        if run.status in ("PENDING", "ENQUEUED", "DELAYED")
        else ""
    )
    return f"A new run starts with the steps before the start step copied, and executes from there.{also}", ""


def _delete(run: RunFacts) -> tuple[str, str]:
    if run.status == "PENDING":
        return (
            "Everything recorded of it is deleted; a worker that still executes it fails at its next step.",
            "",
        )
    if run.status in ("ENQUEUED", "DELAYED"):
        return "It is deleted before it began; nothing will tell that it ever was.", ""
    return "Everything recorded of it is deleted: steps, messages, events, streams, input and output.", ""


def _set_delay(run: RunFacts) -> tuple[str, str]:
    if run.status != "DELAYED":
        return (
            "",
            f"DBOS changes the delay of DELAYED runs only, this one is {run.status}: it would do nothing.",
        )
    return "It is put on its queue at the new time.", ""


def _enqueue_like(run: RunFacts) -> tuple[str, str]:
    if not run.name:
        return "", "The run's workflow name is not recorded."
    return f"A new run of {run.name} is put on a queue, with the stored input unless you edit it.", ""


_RULES: Final = {
    "signal": _signal,
    "cancel": _cancel,
    "resume": _resume,
    "rewind": _rewind,
    "fork": _fork,
    "delete": _delete,
    "set_delay": _set_delay,
    "enqueue_like": _enqueue_like,
}


def effect(action: str, run: RunFacts) -> tuple[str, str]:
    """What an action does to this run now, and why it is disabled; one of the two is empty."""
    return _RULES[action](run)


def _over(run: RunFacts) -> str:
    return _OVER.format(status=run.status)


NEEDS: Final[Mapping[str, int]] = {"rewind": 121, "enqueue_like": 123}
"""The first schema version on which DBOS 3.4.0's client can do it (``notifications.consumed_by_function_id``,
``workflow_status.creator_xid``); all other actions work from 114 on."""
