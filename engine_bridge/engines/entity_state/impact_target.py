"""Where stranded entities should go, and how: the target with its reason, the UPDATE, the staged bulk action."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from engine_bridge.actions.model import Staged, Target
from engine_bridge.engines.entity_state.engine.document import Document
from engine_bridge.engines.entity_state.engine.edges import Edge, edges
from engine_bridge.engines.entity_state.impact_rename import Renames
from engine_bridge.engines.entity_state.lint_graph import roles

ACTION: Final = "degrade"


def target_of(before: Document, after: Document, status: str, renames: Renames) -> tuple[str, str]:
    """The status of the new config that entities of a lost one should go to, and why."""
    if status in renames:
        return renames[status].to, f"renamed: {renames[status].evidence}"
    old, new = roles(before), roles(after)
    if old.get(status) in ("good", "bad", "cancelled"):
        return _other_end(old[status], status, old, new)
    declared = edges(before)
    for claim in declared:
        if claim.kind == "release" and claim.source == status and _stands(new, claim.target):
            return claim.target, f"the release of the claim that step {claim.step} held"
    back = _nearest(status, declared, new, forward=False)
    if back:
        return back, "the nearest status before it that remains: from there the steps lead on again"
    onward = _nearest(status, declared, new, forward=True)
    if onward:
        return onward, "the nearest status after it that remains: none before it does"
    initial = next(s for s, role in new.items() if role == "initial")
    return initial, "the initial status: none of its neighbours remains"


def _stands(new: dict[str, str], status: str) -> bool:
    """Whether an entity may be put there: known, neither an end nor a claim."""
    return new.get(status) in ("initial", "waiting")


def _other_end(role: str, status: str, old: dict[str, str], new: dict[str, str]) -> tuple[str, str]:
    ends = [s for s, r in new.items() if r == role]
    kept = [s for s in ends if old.get(s) == role] or ends
    if kept:
        return kept[0], f"{status} was a {role} end, and so is {kept[0]}"
    initial = next(s for s, r in new.items() if r == "initial")
    return initial, f"the initial status: the new config has no {role} end"


def _nearest(status: str, declared: Iterable[Edge], new: dict[str, str], *, forward: bool) -> str:
    """The nearest status by declared ways where an entity may stand, "" for none; success ways go first."""
    ways: dict[str, list[str]] = {}
    for edge in sorted(declared, key=lambda e: e.kind != "success"):
        if edge.kind != "release":
            here, there = (edge.source, edge.target) if forward else (edge.target, edge.source)
            ways.setdefault(here, []).append(there)
    seen, queue = {status}, [status]
    while queue:
        for there in ways.get(queue.pop(0), ()):
            if _stands(new, there):
                return there
            if there not in seen:
                seen.add(there)
                queue.append(there)
    return ""


def degrade(key: tuple[str, str | None], status: str, to: str, count: int | None, after: Document) -> Staged:
    """The bulk action that moves all entities on one status; its targets are those of the filter beside it.

    It names the config that does not know the status: only that makes them stranded.
    """
    many = "entities" if count is None else "1 entity" if count == 1 else f"{count} entities"
    target = Target(kind="run", id="", title=f"{many} of {key[0]} on {status}")
    return Staged(target=target, action=ACTION, args={"to": to, "config": "\n".join(after.files)})


def update(
    document: Document, key: tuple[str, str | None], status: str, to: str, left_out: Iterable[str] = ()
) -> str:
    """The UPDATE that degrades them, as one would type it: names and values quoted by the SQL standard."""
    entity = document.workflow.entity
    table = ".".join(_name(part) for part in (entity.schema, entity.table) if part)
    version = _name(entity.version)
    changes = f"{_name(entity.status)} = {_text(to)}, {version} = {version} + 1"
    tenants = _tenants(entity.tenant, key[1], left_out)
    where = " AND ".join([f"{_name(entity.status)} = {_text(status)}", *tenants])
    return f"UPDATE {table} SET {changes} WHERE {where};"


def _tenants(column: str | None, tenant: str | None, left_out: Iterable[str]) -> Iterator[str]:
    if column is None:
        return
    if tenant is not None:
        yield f"{_name(column)} = {_text(tenant)}"
    for other in left_out:
        yield f"{_name(column)} IS DISTINCT FROM {_text(other)}"


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
