"""Reading back: whether what was sent has moved the engine's state, and what is still awaited."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from engine_bridge.actions.model import Change, Outcome, Staged, Verdict
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos import act_calls, actions_facts, plan_read
from engine_bridge.engines.dbos.actions_facts import Facts, Reads, RunFacts
from engine_bridge.engines.dbos.rows import ref
from engine_bridge.engines.dbos.tables import Tables

MOVE_S: Final = 5.0
TAKE_S: Final = 4.0
"""How long a message to a run that waits is watched: workers look for messages every second or so."""
_POLL_S: Final = 0.05
_NOT_TAKEN: Final = "nothing has taken the signal yet"
NO_WORKER: Final = "no worker has taken it yet"
_SHOWN: Final = (
    "status", "queue", "recovery_attempts", "deadline", "delay_until", "steps", "global_concurrency",
)  # fmt: skip


class Found(msgspec.Struct, frozen=True):
    """What was read back. ``expected`` seconds are worth waiting for what is pending."""

    outcome: Outcome
    changes: tuple[Change, ...] = ()
    expected: float = 0.0


def session_name(request_id: str) -> str:
    """The name under which PostgreSQL lists a request's transaction while it is under way (at most 63 bytes)."""
    return f"playhead {request_id}"


def done_before(staged: Staged, request_id: str, what: str) -> Outcome:
    """The outcome of a request that the engine has already."""
    evidence = (f"It was done before: {what}. Nothing was sent again.",)
    return Outcome(verdict=Verdict.APPLIED, evidence=evidence, new_ref=_new_ref(staged, request_id))


def _new_ref(staged: Staged, request_id: str) -> Any:
    makes = staged.action in ("fork", "enqueue_like")
    return ref(act_calls.new_id(staged, request_id)) if makes else None


def until_moved(look: Callable[[], Found], cancel: CancelToken) -> Found:
    """Reads until the state moved, and for as long as it is worth until nothing is pending."""
    began = time.monotonic()
    while True:
        found = look()
        waited = time.monotonic() - began
        unmoved = found.outcome.verdict is Verdict.UNKNOWN and waited < MOVE_S
        awaited = bool(found.outcome.pending) and waited < found.expected
        if cancel.cancelled or not (unmoved or awaited):
            return found
        cancel.progress_through(0, None, "reading back" if unmoved else found.outcome.pending)
        cancel.wait(_POLL_S)


def settled(found: Found) -> bool:
    """Whether there is nothing more to wait for."""
    return found.outcome.verdict is not Verdict.UNKNOWN and not (found.outcome.pending and found.expected)


def look(tables: Tables, reads: Reads, staged: Staged, request_id: str, before: Facts | None) -> Found:
    """What is there now, compared with what the gate saw right before sending."""
    if staged.action == "signal":
        return _message(tables, reads, staged, request_id)
    if staged.action in ("fork", "enqueue_like"):
        return _new_run(tables, reads, staged, request_id)
    now = actions_facts.read(tables, reads, staged)
    if before is None:
        return Found(_unknown("Nothing was read before."))
    if staged.action == "delete":
        return _gone(now, before)
    return _moved(tables, reads, staged, now, before)


def _message(tables: Tables, reads: Reads, staged: Staged, request_id: str) -> Found:
    table, key = tables["notifications"], act_calls.message_key(staged, request_id)
    step = tables.col("notifications", "consumed_by_function_id")
    row = reads.one(sa.select(table.c.consumed, step).where(table.c.message_uuid == key))
    if row is None:
        # Only a rewind or a deletion of the run removes a message.
        return Found(_unknown(f"DBOS accepted the message {key}, but it is not there (any more)."))
    sent = f"message {key} is stored"
    if row[0]:
        by = "" if row[1] is None else f" by step {row[1]}"
        change = Change(what="message", before="none", after=f"taken{by}")
        return Found(Outcome(verdict=Verdict.APPLIED, evidence=(sent, f"the run took it{by}")), (change,))
    change = Change(what="message", before="none", after="stored")
    waiting = plan_read.waiting_step(tables, reads, actions_facts.run_id(staged)) is not None
    outcome = Outcome(verdict=Verdict.APPLIED, evidence=(sent,), pending=_NOT_TAKEN)
    return Found(outcome, (change,), TAKE_S if waiting else 0.0)


def _new_run(tables: Tables, reads: Reads, staged: Staged, request_id: str) -> Found:
    id_, table = act_calls.new_id(staged, request_id), tables["workflow_status"]
    status = reads.value(sa.select(table.c.status).where(table.c.workflow_uuid == id_))
    if status is None:
        return Found(_unknown(f"DBOS made the run {id_}, but it is not there (any more)."))
    outcome = Outcome(
        verdict=Verdict.APPLIED,
        evidence=(f"run {id_} is there, {status}",),
        new_ref=ref(id_),
        pending=NO_WORKER if status == "ENQUEUED" else "",
    )
    return Found(outcome, (Change(what="new run", before="none", after=status),))


def _gone(now: Facts | None, before: Facts) -> Found:
    if now is not None:
        return Found(_unknown("DBOS deleted it, but a run of that id is there."))
    was = before.status if isinstance(before, RunFacts) else ""
    outcome = Outcome(verdict=Verdict.APPLIED, evidence=("it is not there any more",))
    return Found(outcome, (Change(what="run", before=was, after="deleted"),))


def _moved(tables: Tables, reads: Reads, staged: Staged, now: Facts | None, before: Facts) -> Found:
    if now is None:
        return Found(_applied("DBOS did it; since then somebody deleted it."))
    changed = [n for n in now.__struct_fields__ if getattr(now, n) != getattr(before, n)]
    if not changed and not _same_is_done(staged, now):
        return Found(_unknown("DBOS reported no error, and nothing changed."))
    pairs = [(name, getattr(before, name), getattr(now, name)) for name in changed if name in _SHOWN]
    changes = tuple(_change(name, was, is_) for name, was, is_ in pairs)
    evidence = tuple(actions_facts.told(*pair) for pair in pairs)
    evidence += _children(tables, reads, staged)
    queued = isinstance(now, RunFacts) and now.status == "ENQUEUED" and staged.action in ("resume", "rewind")
    outcome = _applied(*(evidence or ("it is as asked",)))
    return Found(msgspec.structs.replace(outcome, pending=NO_WORKER if queued else ""), changes)


def _same_is_done(staged: Staged, now: Facts) -> bool:
    """Whether nothing needed to change: the same delay once more."""
    return staged.action == "set_delay" and isinstance(now, RunFacts)


def _children(tables: Tables, reads: Reads, staged: Staged) -> tuple[str, ...]:
    if staged.action != "cancel" or not staged.args.get("children"):
        return ()
    found = plan_read.descendants(tables, reads, actions_facts.run_id(staged))
    still = plan_read.open_ones(found)
    return (
        f"of {len(found)} descendants {len(still)} are open"
        + (f": {', '.join(still[:10])}" if still else ""),
    )


def _change(name: str, was: Any, is_: Any) -> Change:
    words, shown = actions_facts.WORDS.get(name, name), actions_facts.shown
    return Change(what=words, before=shown(name, was), after=shown(name, is_))


def _applied(*evidence: str) -> Outcome:
    return Outcome(verdict=Verdict.APPLIED, evidence=evidence)


def _unknown(*evidence: str) -> Outcome:
    return Outcome(verdict=Verdict.UNKNOWN, evidence=evidence)
