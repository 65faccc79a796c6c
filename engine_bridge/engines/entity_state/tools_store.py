"""The config tools on the data of one source: how many entities stand where, and what their histories recorded.

Without places the configs are the source's own, as its mapping names them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from msgspec.structs import replace

from engine_bridge.bridge import Bridge, Sort
from engine_bridge.cancel import CancelToken
from engine_bridge.configs import (
    ConfigFile,
    Finding,
    ImpactReport,
    LintReport,
    ReplayReport,
    Simulation,
)
from engine_bridge.engines.entity_state.conformance import replay
from engine_bridge.engines.entity_state.impact import compare
from engine_bridge.engines.entity_state.lint import Loaded, ordered, report
from engine_bridge.engines.entity_state.revisions import Reading, joined, key_of, keys, read
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.engines.entity_state.store_bound import Bound
from engine_bridge.engines.entity_state.store_tables import as_text
from engine_bridge.engines.entity_state.tools import EntityConfigs, usable
from engine_bridge.engines.entity_state.tools_moves import located, moves
from engine_bridge.errors import UnsupportedError, UsageError
from engine_bridge.query.ast import And, Compare, Node

Counted = dict[tuple[str, str], dict[str, int]]

HIDDEN: Final = "Row-level security hides its entities, and no tenant is set: nothing was counted."
_PAGE: Final = 1_000


def lint(store: Store, places: tuple[str, ...], tenant: str | None, cancel: CancelToken) -> LintReport:
    """Findings about configs, and about the entities under them; of the source's own also those of its mapping."""
    tenant = _tenant(store, tenant)
    configs = Loaded(_reading(store, places, cancel) if places else read(_own(store), cancel), tenant)
    types = {name for name, _ in configs.documents}
    counts, hidden = count(store, cancel, types, tenant)
    found = report(configs, counts, cancel)
    extra = [_hidden(store, name) for name in hidden]
    if not places:
        # The mapping's checks look at a sample where these count everything.
        known = {(f.code, f.file, f.pointer, f.reason) for f in found.findings}
        extra += [f for f in store.findings if (f.code, f.file, f.pointer, f.reason) not in known]
    findings = ordered((*found.findings, *extra))
    files = found.files if places else _files(store, found.files, findings)
    return LintReport(files=files, findings=findings, declared=found.declared)


def _files(
    store: Store, files: tuple[ConfigFile, ...], findings: tuple[Finding, ...]
) -> tuple[ConfigFile, ...]:
    """The source's own configs: one too broken to tell its type has the mapping's; and the mapping, where it errs."""
    typed = (file if file.type else replace(file, type=store.configs.get(file.name, "")) for file in files)
    path = store.mapping.path
    errs = any(found.file == path for found in findings)
    return (*typed, *((ConfigFile(name=path, text=store.mapping_text),) if errs else ()))


def simulate(
    store: Store, places: tuple[str, ...], settings: dict[str, Any], cancel: CancelToken
) -> tuple[Simulation, ...]:
    """Synthetic lives; as EntityConfigs.simulate."""
    given = settings | {"tenant": _tenant(store, settings.get("tenant"))}
    return EntityConfigs().simulate(places or _needed(store), cancel, **given)


def impact(
    store: Store, old: tuple[str, ...], new: tuple[str, ...], tenant: str | None, cancel: CancelToken
) -> ImpactReport:
    """What changes, with exact counts of those it strands.

    Without ``old``, ``new`` takes the place of the source's own configs of the same type and tenant; the others stay.
    """
    tenant = _tenant(store, tenant)
    before, after, own = _at(store, old, cancel), _at(store, new, cancel), read(_own(store), cancel)
    if old and new:
        named = {*keys(before), *keys(after)}
        types = {name for name, _ in named}
        rest = [f for f in own.files if key_of(f) not in named and f.type in types]
        before, after = joined(before, rest), joined(after, rest)
    else:
        _needed(store)
        before, after = (_over(own, side) if side.files or side.findings else own for side in (before, after))
    counts, hidden = count(store, cancel, {bound.type for bound in store.workflows}, tenant)
    found = compare(Loaded(before, tenant), Loaded(after, tenant), counts, cancel)
    items = (replace(i, notices=(*i.notices, HIDDEN)) if i.type in hidden else i for i in found.items)
    return replace(found, items=tuple(items))


def replay_moves(
    bridge: Bridge, store: Store, places: tuple[str, ...], type: str, query: Node | None, cancel: CancelToken
) -> ReplayReport:
    """Recorded moves of all entities of a type that match, against configs. Raises UnsupportedError."""
    bound = store.workflow(type)
    if bound.history is None:
        raise UnsupportedError(f"{type} has no history table.", "There are no recorded moves to replay.")
    if bound.hidden:
        raise UnsupportedError(
            f"Row-level security hides the entities of {type}, and no tenant is set.",
            "Open the source with a tenant.",
        )
    reading = _reading(store, places, cancel) if places else read(_needed(store), cancel)
    configs = usable(Loaded(reading, store.tenant or None), type)
    wanted = None if query is None else _matching(bridge, type, query, cancel)
    recorded = moves(store, bound, bound.history, wanted, cancel)
    return located(store, replay(configs.catalogue, type, recorded, cancel), cancel)


def _reading(store: Store, places: tuple[str, ...], cancel: CancelToken) -> Reading:
    """The configs at places, with the source's own of the same types for other tenants: as if they were deployed."""
    found = _at(store, places, cancel)
    types = {name for name, _ in keys(found)}
    own = read(_own(store), cancel)
    return _over(Reading(tuple(file for file in own.files if file.type in types), ()), found)


def _at(store: Store, places: tuple[str, ...], cancel: CancelToken) -> Reading:
    return read(places, cancel, Path(store.mapping.path).parent)


def _over(own: Reading, changed: Reading) -> Reading:
    """The changed configs, and the own ones of every other type and tenant.

    A changed file that does not tell its type might stand for any of them: then no own one is added.
    """
    if changed.findings or any(not file.type for file in changed.files):
        return changed
    named = keys(changed)
    return joined(changed, [file for file in own.files if key_of(file) not in named])


def count(
    store: Store, cancel: CancelToken, types: Iterable[str], tenant: str | None = None
) -> tuple[Counted, list[str]]:
    """Entities by (type, tenant) and status, exactly; and the types of which row-level security shows nothing."""
    counted: Counted = {}
    hidden = []
    for bound in store.workflows:
        if bound.type in types and bound.hidden:
            hidden.append(bound.type)
        elif bound.type in types:
            counted |= _count(store, bound, tenant or store.tenant, cancel)
    return counted, hidden


def _count(store: Store, bound: Bound, tenant: str, cancel: CancelToken) -> Counted:
    owner = sa.literal(tenant) if bound.tenant is None else as_text(bound.tenant)
    rows = sa.select(owner.label("tenant"), bound.status.label("status")).select_from(bound.table)
    found: dict[tuple[str, str], Counter[str]] = {(bound.type, tenant): Counter()}
    for span in store.spans(bound.place, cancel):
        inner = rows.where(*bound.scope, *span).subquery()
        by = (inner.c.tenant, inner.c.status)
        for name, status, n in store.all(sa.select(*by, sa.func.count()).group_by(*by), cancel):
            found.setdefault((bound.type, name or ""), Counter())[str(status)] += n
    return {key: dict(by_status) for key, by_status in found.items()}


def _own(store: Store) -> tuple[str, ...]:
    return tuple(store.configs)


def _needed(store: Store) -> tuple[str, ...]:
    found = _own(store)
    if not found:
        raise UsageError("The mapping of this source names no config.", "Name one, or add it to the mapping.")
    return found


def _tenant(store: Store, asked: str | None) -> str | None:
    """Whose config is in force; a source that shows one tenant's rows can only tell about that one."""
    if asked and store.tenant and asked != store.tenant:
        raise UsageError(
            f"This source shows the rows of tenant {store.tenant!r} alone.", f"Open it with tenant={asked}."
        )
    return asked or store.tenant or None


def _hidden(store: Store, name: str) -> Finding:
    return Finding(
        code="tenant_required", severity="warning", file=store.mapping.path, pointer="",
        reason=f"row-level security hides the entities of {name}, and no tenant is set: nothing was counted",
        fix="Open the source with a tenant.",
    )  # fmt: skip


def _matching(bridge: Bridge, type: str, query: Node, cancel: CancelToken) -> list[str]:
    """The ids of all entities of a type that match a filter."""
    asked = And((query, Compare("type", "==", type)))
    found: list[str] = []
    cursor: bytes | None = None
    while True:
        page = bridge.runs(asked, Sort(), cursor, "forward", _PAGE, cancel)
        found += [run.id for run in page.items]
        cancel.progress(len(found), None, "Finding entities")
        cursor = page.after
        if cursor is None:
            return found
