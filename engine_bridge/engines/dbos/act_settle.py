"""What became of an intent whose owner died: decided from derived ids where the engine keeps them, else from what the
plan had observed and what is there now. Where somebody else may have done the same, it cannot be known."""

from __future__ import annotations

from typing import Final

import msgspec
import sqlalchemy as sa

from engine_bridge.actions.model import Intent, Outcome, Staged, Verdict
from engine_bridge.engines.dbos import act_calls, act_outcome, actions_facts
from engine_bridge.engines.dbos.act_outcome import session_name
from engine_bridge.engines.dbos.actions_facts import Facts, Reads, RunFacts
from engine_bridge.engines.dbos.tables import Tables

_BY_WHOM: Final = "DBOS does not record who did that."


def settle(tables: Tables, reads: Reads, intent: Intent) -> Outcome | None:
    """The outcome; None while the dead owner's transaction is still under way on the server."""
    staged, request_id = intent.item.staged, intent.request_id
    if tables.dialect == "postgresql" and _is_under_way(reads, request_id):
        return None
    done = act_calls.made(tables, reads, staged, request_id)
    if done:
        found = act_outcome.look(tables, reads, staged, request_id, None).outcome
        return msgspec.structs.replace(found, evidence=(*found.evidence, "its id is this request's"))
    now = actions_facts.read(tables, reads, staged)
    if staged.action in ("fork", "enqueue_like"):
        return _not_made(staged, request_id)
    if staged.action == "signal":
        return _not_sent(intent, now)
    return _compared(intent, now)


def under_way() -> Outcome:
    """When the server would not end the dead owner's transaction."""
    return _unknown("Its transaction is still open on the server; settle it again later.")


def _is_under_way(reads: Reads, request_id: str) -> bool:
    sessions = sa.text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :name")
    return int(reads.value(sessions.bindparams(name=session_name(request_id))) or 0) > 0


def _not_made(staged: Staged, request_id: str) -> Outcome:
    return _not_applied(
        f"there is no run {act_calls.new_id(staged, request_id)}, the id that this request gives"
    )


def _not_sent(intent: Intent, now: Facts | None) -> Outcome:
    key = act_calls.message_key(intent.item.staged, intent.request_id)
    missing = f"there is no message {key}, the key that this request gives"
    if now is None:
        return _unknown(missing, "the run was deleted, and its messages with it")
    was = next((p.value for p in intent.item.preconditions if p.what == "status"), None)
    over = was not in ("PENDING", "ENQUEUED", "DELAYED", None)
    if over and isinstance(now, RunFacts) and now.status != was:
        return _unknown(missing, f"the run was {was} and is {now.status}: a rewind would have deleted it")
    return _not_applied(missing)


def _compared(intent: Intent, now: Facts | None) -> Outcome:
    staged = intent.item.staged
    if now is None:
        if staged.action == "delete":
            return _unknown("It is not there any more, as asked.", _BY_WHOM)
        return _unknown("It is not there any more: somebody deleted it.")
    if intent.applied and isinstance(now, RunFacts):
        waits = act_outcome.NO_WORKER if now.status == "ENQUEUED" else ""
        return Outcome(verdict=Verdict.APPLIED, evidence=(f"the run is {now.status}",), pending=waits)
    changed = actions_facts.stale(intent.item.preconditions, now)
    if not changed:
        seen = ", ".join(f"{p.what} {p.value}" for p in intent.item.preconditions)
        return _not_applied(f"all is as it was when it was planned: {seen}")
    if staged.action == "delete":
        return _not_applied("the run is still there", *changed)
    if _exactly_asked(staged, now):
        return Outcome(verdict=Verdict.APPLIED, evidence=(*changed, "it is exactly as asked"))
    return _unknown(*changed, _BY_WHOM)


def _exactly_asked(staged: Staged, now: Facts) -> bool:
    """A time to the millisecond is nobody else's."""
    until = staged.args.get("until_ms")
    asked = staged.action == "set_delay" and until not in (None, "")
    return asked and isinstance(now, RunFacts) and str(now.delay_until) == str(until)


def _unknown(*evidence: str) -> Outcome:
    return Outcome(verdict=Verdict.UNKNOWN, evidence=evidence)


def _not_applied(*evidence: str) -> Outcome:
    return Outcome(verdict=Verdict.NOT_APPLIED, evidence=evidence)
