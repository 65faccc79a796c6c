"""The actor of Temporal: the only thing that writes to a server. Lives in a killable child process.

It reads the preconditions again, sends one request that carries its own id, its author and the reason, and reads back
what became of it (act_outcome.py). Nothing is ever sent twice.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine_bridge.actions.model import Actor, Intent, Outcome, PlanItem, Receipt, Verdict
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import act_outcome, act_settle, actions_facts, client_url, codec
from engine_bridge.engines.temporal.act_client import ActingClient, NoAnswerError, RefusedError
from engine_bridge.engines.temporal.act_outcome import Case, Found
from engine_bridge.engines.temporal.actions import kind_of
from engine_bridge.engines.temporal.actions_facts import ACTIVITY, Facts, RunFacts, ScheduleFacts
from engine_bridge.engines.temporal.actions_read import Reads
from engine_bridge.engines.temporal.codec_http import CodecError
from engine_bridge.engines.temporal.plan_base import Kind, Look, Signer
from engine_bridge.engines.temporal.plan_message import WAIT_S
from engine_bridge.engines.temporal.server_bridge import OLDEST
from engine_bridge.errors import (
    CancelledError,
    NotFoundError,
    PlayheadError,
    RejectedError,
    StaleError,
    UnsupportedError,
)
from engine_bridge.format import plain

_LEFT: Final = "It was cancelled before anything was sent."
_SEND_S: Final = 15.0
_NOBODY_S: Final = 1.5
"""Where no worker polls: it may have begun just now."""
_ASK: Final = ("update", "query")


class TemporalActor(Actor):
    """Acts on one namespace; several calls may be under way at once."""

    concurrent = True

    def __init__(self, url: str, secret: str | None = None, token: str | None = None) -> None:
        self._source = client_url.parse(url, secret)
        self._codec = codec.codec_at(self._source.codec, self._source.namespace, token)
        self._client: ActingClient | None = None

    def open(self, cancel: CancelToken) -> None:
        self.close()
        self._client = client = ActingClient(self._source)
        client.codec = self._codec
        try:
            client.connect(cancel)
            _checked_version(client, cancel)
        except BaseException:
            self.close()
            raise

    @property
    def _opened(self) -> ActingClient:
        if self._client is None:
            raise RejectedError("The actor is not open.")
        return self._client

    def execute(self, item: PlanItem, request_id: str, cancel: CancelToken) -> Receipt:
        kind = kind_of(item.staged)
        if kind is None:
            raise UnsupportedError(f"Nothing is sent: there is no action {plain(item.staged.action, 60)}.")
        signer = Signer(request_id, self.signature.who, self.signature.reason)
        reads = Reads(self._opened, cancel, sending=True)
        try:
            look = _gate(item, kind, reads)
            cancel.raise_if_cancelled()
        except StaleError as error:
            return _nothing(request_id, (error.message, *error.detail.splitlines()), stale=True)
        except CancelledError:
            return _nothing(request_id, (_LEFT,))
        return self._sent(item, kind, look, signer, cancel)

    def _sent(self, item: PlanItem, kind: Kind, look: Look, signer: Signer, cancel: CancelToken) -> Receipt:
        try:
            rpc, request = kind.send(look, signer)
        except CodecError as error:
            return _nothing(signer.id, (f"Nothing was sent: it could not be encoded. {error}",))
        except CancelledError:
            return _nothing(signer.id, (_LEFT,))
        answer: Any = None
        try:
            answer = self._opened.send(rpc, request, cancel, _patience_s(look))
        except RefusedError as error:
            return _refused(item, look, signer, error)
        except NoAnswerError:
            if item.staged.action not in _ASK:
                raise
        # It was sent: a cancellation from here on ends the waiting, not the reading.
        reading = Reads(self._opened, CancelToken(cancel.progress_through))
        case = Case(reading, _based(item, look), signer, look.facts, answer)
        found = act_outcome.until_moved(lambda: act_outcome.look(case), cancel)
        return Receipt(
            request_id=signer.id, outcome=found.outcome, changes=found.changes, inverse=_inverse(item, found)
        )

    def settle(self, intent: Intent, cancel: CancelToken) -> Outcome:
        return act_settle.settle(Reads(self._opened, cancel), intent)

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _patience_s(look: Look) -> float:
    if look.staged.action not in _ASK:
        return _SEND_S
    return WAIT_S if look.run.pollers != 0 else _NOBODY_S


def _based(item: PlanItem, look: Look) -> PlanItem:
    """An item whose counts, which go on without anybody's doing, are those right before it was sent."""
    if not isinstance(look.facts, ScheduleFacts):
        return item
    names = (one.what for one in item.preconditions)
    return msgspec.structs.replace(item, preconditions=actions_facts.observed(look.facts, *names))


def _inverse(item: PlanItem, found: Found) -> Any:
    return item.inverse if found.outcome.verdict is Verdict.APPLIED else None


def _checked_version(client: ActingClient, cancel: CancelToken) -> None:
    from temporalio.api.workflowservice.v1 import GetSystemInfoRequest

    version = plain(client.call("get_system_info", GetSystemInfoRequest(), cancel).server_version, 60)
    parts = version.split(".")
    if len(parts) < 2 or not (parts[0].isdigit() and parts[1].isdigit()):
        # Hosted servers name no number; they are newer than what is refused.
        return
    if (int(parts[0]), int(parts[1])) < OLDEST:
        raise UnsupportedError(
            f"Nothing is sent: Temporal {version} is older than what actions were tested on."
        )


def _gate(item: PlanItem, kind: Kind, reads: Reads) -> Look:
    """The target as it is now. Raises StaleError when that is not as planned."""
    try:
        now = actions_facts.read(reads, item.staged)
    except NotFoundError as error:
        raise StaleError("It is not there any more; nothing was sent.", "", error.message) from None
    changed = actions_facts.stale(item.preconditions, now)
    if changed:
        lines = (*changed, *_since(reads, item, now))
        raise StaleError("It changed since the plan was made; nothing was sent.", "", "\n".join(lines))
    look = Look(item.staged, now, reads)
    disabled = kind.effect(look)[1]
    if disabled:
        raise StaleError("It can no longer be done; nothing was sent.", "", disabled)
    return look


def _since(reads: Reads, item: PlanItem, now: Facts) -> list[str]:
    """Who did what since the plan, from the history, or from a schedule's notes."""
    planned = actions_facts.planned_events(item.preconditions)
    if isinstance(now, ScheduleFacts):
        return [f"its notes: {plain(now.notes, 300)}"] if now.notes else []
    if not isinstance(now, RunFacts) or not planned:
        return []
    paused = [
        f"activity {one.activity_id} is paused {plain(one.note, 300)}"
        for one in now.activities
        if "pause" in one.state and any(p.what == f"{ACTIVITY} {one.activity_id}" for p in item.preconditions)
    ]
    reset = [f"it was reset: run {now.reset_to} goes on"] if now.reset_to else []
    try:
        return [*actions_facts.told(reads.since(now.ref, planned)), *paused, *reset]
    except PlayheadError:
        reads.cancel.raise_if_cancelled()
        return []


def _refused(item: PlanItem, look: Look, signer: Signer, error: RefusedError) -> Receipt:
    """The server did nothing: because the target moved in that very moment, or for the reason that it gives."""
    try:
        now = actions_facts.read(look.reads, item.staged)
        changed = actions_facts.stale(item.preconditions, now)
        lines = (*changed, *_since(look.reads, item, now)) if changed else ()
    except NotFoundError as gone:
        lines = (gone.message,)
    except PlayheadError:
        lines = ()
    return _nothing(signer.id, (f"The server refused: {error.detail}", *lines), stale=bool(lines))


def _nothing(request_id: str, evidence: tuple[str, ...], *, stale: bool = False) -> Receipt:
    return Receipt(
        request_id=request_id, outcome=Outcome(verdict=Verdict.NOT_APPLIED, evidence=evidence, stale=stale)
    )
