"""Trying a step again: the application's own worker takes it, from its table of delayed steps or at its endpoint."""

from __future__ import annotations

import json
from typing import Any, Final

from engine_bridge.actions.model import Change, Param, ParamType
from engine_bridge.engines.entity_state import act_approvals, actions_facts
from engine_bridge.engines.entity_state.act_sql import NOW, Write, insert
from engine_bridge.engines.entity_state.actions_facts import column
from engine_bridge.engines.entity_state.plan_base import Deed, Look, Request
from engine_bridge.engines.entity_state.plan_transition import as_json, envelope
from engine_bridge.errors import RejectedError
from engine_bridge.format import plain

_NEEDED: Final = ("request_id", "step", "due_at")


def by_table(look: Look) -> bool:
    """Whether the step can be entered into the application's table of delayed steps."""
    delayed = look.bound.delayed
    return look.place.mapping.writes.mode == "sql" and all(
        column(delayed, name) is not None for name in _NEEDED
    )


def endpoint(look: Look) -> str:
    """The mapping's endpoint, "" where it is not to be used."""
    writes = look.place.mapping.writes
    return "" if by_table(look) or writes.mode == "none" else writes.endpoint or ""


def effect(look: Look) -> tuple[str, str]:
    """The step runs in the application, or nothing here can make it run."""
    url = endpoint(look)
    if not by_table(look) and not url:
        return "", (
            "The mapping names neither a table of delayed steps (to write to) nor an HTTP endpoint: "
            "nothing here could make the application take a step."
        )
    if url and act_approvals.problem(url):
        return "", act_approvals.problem(url)
    if not look.declared.steps_from(look.facts.status):
        return "", f"No declared step applies to {plain(look.facts.status, 80)}."
    how = (
        "the application's endpoint is asked" if url else "it enters the table of delayed steps, due at once"
    )
    return f"The application takes the step with all its checks: {how}.", ""


def _default(look: Look) -> tuple[str, str]:
    keys = [step.key for step in look.declared.steps_from(look.facts.status)]
    for failed in actions_facts.failures(look.bound, look.reads, look.entity_id, look.failure_id):
        if failed.step in keys:
            return str(failed.step), f"it failed: {failed}"
    return (keys[0], "the only step" if len(keys) == 1 else "") if keys else ("", "")


def params(look: Look) -> tuple[Param, ...]:
    """The step, for whom, with which data; and the approval of an endpoint, once."""
    key, source = _default(look)
    keys = tuple(step.key for step in look.declared.steps_from(look.facts.status))
    who = look.declared.requesters_of(key)
    found = [
        Param(name="step", title="Step", type=ParamType.CHOICE, default=key, choices=keys, source=source),
        Param(
            name="requester",
            title="As requester",
            type=ParamType.CHOICE,
            default=who[0] if who else None,
            choices=look.declared.requesters,
            doc="A step has requesters that may take it.",
        ),
        Param(
            name="data", title="Data", type=ParamType.JSON, required=False, doc="A JSON object for the step."
        ),
    ]
    url = endpoint(look)
    if url and not act_approvals.approved(look.place.mapping.sha256, url):
        found.append(
            Param(
                name="approve",
                title="Approve the endpoint",
                required=False,
                doc=f"The mapping asks {url}. Type {act_approvals.phrase(url)} to approve that for this very file.",
            )
        )
    return tuple(found)


def deed(look: Look, request: Request) -> Deed:
    """Raises RejectedError for a step, requester or data that do not fit, and for an endpoint not approved."""
    key, requester = look.text("step") or _default(look)[0], look.text("requester")
    step = next((s for s in look.declared.steps_from(look.facts.status) if s.key == key), None)
    if step is None:
        raise RejectedError(f"No step {plain(key, 80)} applies to {plain(look.facts.status, 80)}.")
    requester = requester or step.requesters[0]
    if requester not in step.requesters:
        raise RejectedError(
            f"Step {key} is for {', '.join(step.requesters)}, not for {plain(requester, 80)}."
        )
    _approval(look)
    url, open_ = endpoint(look), actions_facts.open_delays(look.bound, look.reads, look.entity_id)
    waiting = (f"{open_} delayed steps wait for this entity already.",) if open_ else ()
    action = step.action or "no action"
    return Deed(
        writes=() if url else (_enter(look, key, requester, request),),
        title=f"Retry step {key} of {look.name}",
        changes=(Change(what=f"step {key}", before="not asked for", after=f"due now, as {requester}"),),
        args={"step": key, "requester": requester},
        irreversible="Once a worker has taken it, what it does is done.",
        side_effects=(
            f"The application's worker validates, acts ({action}) and moves it to {step.successful_state}.",
        ),
        warnings=waiting,
        calls=(f"POST {url} {json.dumps(body(look, request), ensure_ascii=True)}",) if url else (),
        race="It is taken only if the entity still stands on that status when its turn comes; the application's own "
        "compare-and-swap protects the move.",
        dedupes=not url,
    )


def _approval(look: Look) -> None:
    url = endpoint(look)
    if not url or act_approvals.approved(look.place.mapping.sha256, url):
        return
    if look.text("approve").strip() != act_approvals.phrase(url):
        hint = f"Type {act_approvals.phrase(url)} (approve=…): it is asked once for each content of the mapping file."
        raise RejectedError(f"This mapping's endpoint {url} was not approved yet.", hint)


def data_of(look: Look) -> dict[str, Any]:
    """The step's data. Raises RejectedError for what is no object."""
    given = look.args.get("data")
    if isinstance(given, str):
        try:
            given = json.loads(given) if given.strip() else {}
        except ValueError:
            raise RejectedError("The data are no JSON object.") from None
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise RejectedError("The data are no JSON object.")
    return given


def _enter(look: Look, key: str, requester: str, request: Request) -> Write:
    table = look.bound.delayed
    if table is None:
        raise RejectedError("The mapping names no table of delayed steps.")
    rows = [(table.table.c[name], value) for name, value in table.discriminator.items()]
    cells = {
        "request_id": request.id,
        "requester": requester,
        "step": key,
        "expected_status": look.facts.status,
        "tenant": look.tenant,
        "due_at": NOW,
        "created_at": NOW,
    }
    return insert(
        table.table,
        [
            *rows,
            (table.entity_id, table.key(look.entity_id)),
            *((column(table, name), value) for name, value in cells.items()),
            as_json(column(table, "data"), data_of(look)),
            as_json(column(table, "envelope"), envelope(look, request, requester)),
        ],
    )


def body(look: Look, request: Request) -> dict[str, Any]:
    """What the endpoint is sent; the application's own reader of it decides everything else."""
    requester = look.text("requester")
    return {
        "workflow_type": look.bound.type,
        "entity_id": look.entity_id,
        "step": look.text("step"),
        "requester_type": requester,
        "expected_status": look.facts.status,
        "expected_version": look.facts.version,
        "data": data_of(look),
        "reason": request.reason,
        "request_id": request.id,
        "envelope": envelope(look, request, requester),
    }
