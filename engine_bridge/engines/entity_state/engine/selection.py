"""Which step applies to (status, requester, data), why, and why the others do not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .config import Step
from .document import Document
from .errors import SelectionError


class Candidate(msgspec.Struct, frozen=True):
    """One step of the config: whether it applies, and the reasons either way."""

    step: str
    applies: bool
    reasons: tuple[str, ...]


class Selection(msgspec.Struct, frozen=True):
    """The result: ``step`` where exactly one applies, else ``problem`` says what is wrong."""

    status: str
    requester: str
    step: Step | None
    candidates: tuple[Candidate, ...]
    problem: str = ""


def pick(
    document: Document, status: str, requester: str, data: Mapping[str, Any], key: str | None = None
) -> Step:
    """The step that applies (``key`` narrows to one); raises SelectionError with every reason."""
    steps = document.view(requester).by_status.get(status, ())
    found = [s for s in steps if (key is None or s.key == key) and matches(s, data)]
    if len(found) != 1:
        raise SelectionError(select(document, status, requester, data, key))
    return found[0]


def matches(step: Step, data: Mapping[str, Any]) -> bool:
    """Whether the data satisfies the step's ``when``."""
    return all(_equal(data.get(name), wanted) for name, wanted in step.when.items())


def _equal(value: Any, wanted: Any) -> bool:
    options = wanted if isinstance(wanted, list) else [wanted]
    # True equals 1 in Python but not in JSON.
    return any(value == option and isinstance(value, bool) == isinstance(option, bool) for option in options)


def select(
    document: Document, status: str, requester: str, data: Mapping[str, Any], key: str | None = None
) -> Selection:
    """The same with every step's reasons, and without raising."""
    seen: dict[str, Candidate] = {}
    own = {s.key: s for s in document.view(requester).workflow.steps}
    for node in document.step_nodes:
        name = str((node.get("key") or node).value)
        step = own.get(name) or _as_seen_by_others(document, name)
        if step is not None:
            seen[name] = _candidate(step, status, requester, data, key)
    fitting = [own[c.step] for c in seen.values() if c.applies]
    chosen = fitting[0] if len(fitting) == 1 else None
    problem = "" if chosen else _problem(document, status, requester, fitting)
    return Selection(status, requester, chosen, tuple(seen.values()), problem)


def _as_seen_by_others(document: Document, key: str) -> Step | None:
    return next((s for view in document.views for s in view.workflow.steps if s.key == key), None)


def _candidate(
    step: Step, status: str, requester: str, data: Mapping[str, Any], key: str | None
) -> Candidate:
    reasons: list[str] = []
    against: list[str] = []
    (reasons if step.status == status else against).append(f"it is for the status {step.status}")
    who = ", ".join(step.requesters)
    (reasons if requester in step.requesters else against).append(f"it is for the requesters {who}")
    for name, wanted in step.when.items():
        text = f"it asks for {name} = {_shown(wanted)}"
        if _equal(data.get(name), wanted):
            reasons.append(text)
        else:
            # Only the presence of the value is told: data are payloads.
            against.append(
                text + (", which the data lack" if name not in data else ", which the data contradict")
            )
    if key is not None and step.key != key:
        against.append(f"the step {key} was asked for")
    return Candidate(step.key, not against, tuple(against or reasons))


def _shown(wanted: Any) -> str:
    return " or ".join(str(w) for w in wanted) if isinstance(wanted, list) else str(wanted)


def _problem(document: Document, status: str, requester: str, fitting: list[Step]) -> str:
    flow = document.workflow
    if fitting:
        return f"Several steps apply to {status} for {requester}: {', '.join(s.key for s in fitting)}."
    if requester not in document.requesters:
        return f"“{requester}” is no requester type of {flow.workflow_type}."
    if status not in flow.status_types:
        return f"{flow.workflow_type} does not know the status {status}."
    if status in flow.terminal.all:
        return f"{status} is terminal: no step leads on for {requester}."
    return f"No step applies to {status} for {requester} with these data."
