"""How steps differ between two configs, field by field; a status that was only renamed is no change of its steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from engine_bridge.configs import StatusChange
from engine_bridge.engines.entity_state.engine.document import Document
from engine_bridge.engines.entity_state.impact_rename import Renames

_STATUS_FIELDS: Final = ("status", "successful_state", "rejection_state", "claim")
_IDENTITY: Final = ("key", "description")

Steps = dict[str, dict[str, Any]]


def step_changes(before: Document | None, after: Document | None, renames: Renames) -> Iterator[StatusChange]:
    """Steps renamed, removed, changed, and added, in the order written."""
    old, new = _steps(before, renames), _steps(after, {})
    same = _renamed(old, new)
    for key, step in old.items():
        if key in same:
            detail = f"the same from {step.get('status')} by the same requesters"
            yield StatusChange(what="step", kind="renamed", name=key, to=same[key], detail=detail)
        elif key not in new:
            yield StatusChange(what="step", kind="removed", name=key, detail=_way(step))
        elif _different(step, new[key]):
            detail = "; ".join(_difference(step, new[key]))
            yield StatusChange(what="step", kind="changed", name=key, detail=detail)
    for key, step in new.items():
        if key not in old and key not in same.values():
            yield StatusChange(what="step", kind="added", name=key, detail=_way(step))


def _steps(document: Document | None, renames: Renames) -> Steps:
    if document is None:
        return {}
    plain = (node.plain() for node in document.step_nodes)
    return {str(step["key"]): _mapped(step, renames) for step in plain}


def _mapped(step: dict[str, Any], renames: Renames) -> dict[str, Any]:
    """The step with the new names of statuses."""

    def new_name(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: new_name(child) for name, child in value.items()}
        return renames[value].to if isinstance(value, str) and value in renames else value

    return {name: new_name(value) if name in _STATUS_FIELDS else value for name, value in step.items()}


def _renamed(old: Steps, new: Steps) -> dict[str, str]:
    """Old key -> new key of steps that are the same in everything else, where that is one pair alone."""
    gone = {key: _body(step) for key, step in old.items() if key not in new}
    come = {key: _body(step) for key, step in new.items() if key not in old}
    found = {}
    for key, body in gone.items():
        fits = [other for other, b in come.items() if b == body]
        if len(fits) == 1 and list(gone.values()).count(body) == 1:
            found[key] = fits[0]
    return found


def _body(step: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name not in _IDENTITY}


def _different(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return _body(old) != _body(new)


def _difference(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        if name not in _IDENTITY and old.get(name) != new.get(name):
            yield f"{name}: {_shown(old.get(name))} → {_shown(new.get(name))}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _way(step: dict[str, Any]) -> str:
    return f"{_shown(step.get('status'))} → {_shown(step.get('successful_state'))}"
