"""What only runs with statuses of their own have: which one it is at the playhead, and since when. Pure; no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from engine_bridge import format as fmt
from engine_bridge.codes import code
from engine_bridge.model import Blocked, Event, Provenance, Run, Step, StepKind
from widgets.run.moment import Moment

KIND: Final = "entity"
WHY: Final = "why"
_LONG_ID: Final = 16
_STAY: Final = code(StepKind.STATUS)


def is_entity(run: Run | None) -> bool:
    """Whether a run is an entity's life, so that its engine's own status says more than the neutral one."""
    return run is not None and run.ref.kind == KIND


def stay_at(moment: Moment) -> Step | None:
    """The stay in a status that lasts at the playhead; None before the first, or where there are none."""
    steps = moment.history.steps
    stays = steps["kind"] == _STAY
    if not moment.live:
        stays &= (steps["first"] > 0) & (steps["first"] <= moment.state.position)
    rows = np.flatnonzero(stays)
    if not len(rows):
        return None
    return moment.history.step(int(rows[np.argmax(steps["first"][rows])]))


def own_status(moment: Moment) -> str:
    """The entity's own status at the playhead, "" where it is not known or the run is no entity."""
    run = moment.run
    if run is None or not is_entity(run):
        return ""
    if moment.live:
        return run.engine_status
    stay = stay_at(moment)
    return "" if stay is None else stay.name


def why(moment: Moment, blocked: Blocked | None) -> Blocked | None:
    """What the line under the header says: of an entity that has more to tell than what it waits for, that."""
    run = moment.run
    if run is None or not is_entity(run) or not moment.live or not run.now:
        return blocked
    if blocked is not None and (blocked.what in run.now or run.now in blocked.what):
        return blocked
    since = run.extra.get("since_ns")
    return Blocked(
        kind=WHY,
        what=run.now,
        since_ns=since if isinstance(since, int) else None,
        provenance=run.provenance.get("now", Provenance.RECORDED),
        evidence=run.evidence,
        hint=f"waits for {blocked.what}" if blocked is not None else "",
    )


def entity_parts(run: Run, moment: Moment) -> list[str]:
    """ "here for 6 d 4 h", "tenant acme", "claimed by worker-3": what the header says of an entity."""
    parts = []
    stay, now = stay_at(moment), moment.time_ns
    if stay is not None and stay.start_ns is not None and now is not None and not run.status.closed:
        word = "here for" if moment.live else "there for"
        parts.append(f"{word} {fmt.duration(now - stay.start_ns)}")
    tenant = run.attributes.get("tenant") or run.extra.get("tenant")
    if tenant:
        parts.append(f"tenant {fmt.plain(str(tenant), 40)}")
    if run.worker and moment.live:
        parts.append(f"claimed by {fmt.plain(run.worker, 40)}")
    return parts


def move_words(event: Event, *, whole: bool = False) -> list[str]:
    """Why, by whom, and under which correlation id something happened, as far as it was recorded.

    Long correlation ids are cut unless they are wanted ``whole``.
    """
    facts: Mapping[str, Any] = event.attributes
    parts = [f"“{facts['reason']}”"] if facts.get("reason") else []
    who = [str(facts[name]) for name in ("actor", "requester") if facts.get(name)]
    if who:
        parts.append(who[0] if len(who) == 1 or who[0] == who[1] else f"{who[0]} ({who[1]})")
    if facts.get("correlation_id"):
        id_ = str(facts["correlation_id"])
        parts.append(id_ if whole or len(id_) <= _LONG_ID else f"{id_[: _LONG_ID - 8]}…")
    return parts


def came_from(event: Event) -> str:
    """ "from pending_email": what a change of status says beyond the status it leads to."""
    source, arrow, _ = event.detail.partition(" → ")
    return f"from {source}" if arrow and source else event.detail
