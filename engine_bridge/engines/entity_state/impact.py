"""The impact of a config change: what differs, and which entities would stand on a status nobody knows any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from engine_bridge.cancel import CancelToken
from engine_bridge.configs import Impact, ImpactReport, StatusChange, Stranded
from engine_bridge.engines.entity_state.engine.document import Document
from engine_bridge.engines.entity_state.impact_rename import Renames, renamed_statuses
from engine_bridge.engines.entity_state.impact_steps import step_changes
from engine_bridge.engines.entity_state.impact_target import degrade, target_of, update
from engine_bridge.engines.entity_state.lint import Counts, Key, Loaded, listing, report, standing, statuses
from engine_bridge.engines.entity_state.lint_graph import declare, roles


def compare(old: Loaded, new: Loaded, counts: Counts | None, cancel: CancelToken) -> ImpactReport:
    """The impact for each workflow type and tenant that either side has a config for."""
    items = [_impact(key, old, new, counts) for key in _keys(old, new)]
    return ImpactReport(
        items=tuple(items), old=report(old, None, cancel), new=report(new, None, cancel)
    )  # fmt: skip


def _keys(old: Loaded, new: Loaded) -> list[Key]:
    both = dict.fromkeys((*old.keys, *new.keys))
    if old.tenant is not None:
        return list(dict.fromkeys((name, old.tenant) for name, _ in both))
    return list(both)


def _in_force(side: Loaded, key: Key) -> Document | None:
    name, tenant = key
    known = side.catalogue.documents
    return known.get((name, tenant)) or known.get((name, None))


def _impact(key: Key, old: Loaded, new: Loaded, counts: Counts | None) -> Impact:
    before, after = _in_force(old, key), _in_force(new, key)
    name, tenant = key
    missing = _unusable(key, "old", old) or _unusable(key, "new", new)
    if missing:
        return Impact(
            type=name, tenant=tenant or "", notices=(missing,), problem=missing,
            old=declare(before, old.found) if before else None, new=declare(after, new.found) if after else None,
        )  # fmt: skip
    renames = renamed_statuses(before, after) if before and after else {}
    gone = [s for s in statuses(before) if after is None or s not in statuses(after)] if before else []
    return Impact(
        type=name,
        tenant=tenant or "",
        changes=(*_status_changes(before, after, renames), *step_changes(before, after, renames)),
        stranded=_stranded(key, before, after, gone, renames, _counted(key, old, new, counts)),
        migration=bool(gone),
        old=declare(before, old.found) if before else None,
        new=declare(after, new.found) if after else None,
        notices=tuple(_notices(name, before, after)),
    )


def _unusable(key: Key, which: str, side: Loaded) -> str:
    """Why the document in force on one side is not known; "" where it is, or where there is none for sure."""
    known = side.catalogue.documents
    broken = key in side.keys and key not in known
    base = (key[0], None) in side.keys and (key[0], None) not in known
    if broken or (key not in known and (base or side.nameless)):
        return f"The {which} config of {key[0]} cannot be used, so nothing was compared: see its findings."
    return ""


def _notices(name: str, before: Document | None, after: Document | None) -> Iterable[str]:
    if after is None:
        yield f"The new configs have no workflow {name}."
    elif before is None:
        yield f"The workflow {name} is new."
    else:
        for field in ("owning_module", "entity"):
            old, new = (d.root.get(field) for d in (before, after))
            if old and new and old.plain() != new.plain():
                yield f"“{field}” differs: {old.plain()} became {new.plain()}."


def _status_changes(
    before: Document | None, after: Document | None, renames: Renames
) -> Iterable[StatusChange]:
    old, new = roles(before) if before else {}, roles(after) if after else {}
    fresh = {rename.to for rename in renames.values()}
    for status, role in old.items():
        if status in renames:
            rename = renames[status]
            yield StatusChange(
                what="status", kind="renamed", name=status, to=rename.to, detail=rename.evidence
            )
        elif status not in new:
            yield StatusChange(what="status", kind="removed", name=status, detail=f"it was {_role(role)}")
        elif new[status] != role:
            detail = f"it was {_role(role)} and becomes {_role(new[status])}"
            yield StatusChange(what="status", kind="changed", name=status, detail=detail)
    for status, role in new.items():
        if status not in old and status not in fresh:
            yield StatusChange(what="status", kind="added", name=status, detail=f"it is {_role(role)}")


def _role(role: str) -> str:
    words = {
        "good": "a good end",
        "bad": "a bad end",
        "cancelled": "a cancelled end",
        "claim": "a claim",
        "initial": "the initial status",
    }
    return words.get(role, "a status between")


class _Counted:
    """The entities under one (type, tenant), by status; ``known`` is False where no source was asked."""

    def __init__(self, by_status: Counter[str], left_out: tuple[str, ...], counts: Counts | None) -> None:
        self.by_status = by_status
        self.left_out = left_out
        self.counts = counts

    def count(self, status: str) -> int | None:
        return None if self.counts is None else self.by_status[status]

    def others(self, name: str, status: str) -> list[str]:
        """Tenants that are reported on their own and have entities on the status too."""
        return [t for t in self.left_out if self.counts and self.counts[name, t].get(status)]


def _counted(key: Key, old: Loaded, new: Loaded, counts: Counts | None) -> _Counted:
    if counts is None or not any(name == key[0] for name, _ in counts):
        return _Counted(Counter(), (), None)  # nobody was asked, or the source has no such entities
    return _Counted(*standing(counts, key, _keys(old, new)), counts)


def _stranded(
    key: Key, before: Document | None, after: Document | None, gone: list[str], renames: Renames, counted: _Counted
) -> tuple[Stranded, ...]:  # fmt: skip
    if before is None:
        return ()
    known = set(statuses(after)) if after else set()
    lost = [s for s, n in sorted(counted.by_status.items()) if n and s not in known and s not in gone]
    found = []
    for status in (*gone, *lost):
        if after is None:
            to, why = "", "the workflow is gone"
        elif status in lost:
            to, why = "", "neither config knows it, so nothing says where it belongs"
        else:
            to, why = target_of(before, after, status, renames)
        others = counted.others(key[0], status)
        count = counted.count(status)
        found.append(
            Stranded(
                status=status, count=count, target=to, why=why, filter=listing(key, status, others),
                action=degrade(key, status, to, count, after) if to and after and count != 0 else None,
                sql=update(before, key, status, to, others) if to else "",
            )
        )  # fmt: skip
    return tuple(found)
