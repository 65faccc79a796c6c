"""Lint of configs: every finding of the reference engine, the declared graphs, and the entities under them.

``counts`` map (workflow type, tenant or "") to the number of entities by status, as the seam has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property

from engine_bridge import configs
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.engine.catalogue import Catalogue, load_texts
from engine_bridge.engines.entity_state.engine.document import Document
from engine_bridge.engines.entity_state.engine.findings import Finding, Place, suggest
from engine_bridge.engines.entity_state.lint_graph import declare
from engine_bridge.engines.entity_state.revisions import Reading, read
from engine_bridge.query.text import compare, quote

Counts = Mapping[tuple[str, str], Mapping[str, int]]
Key = tuple[str, str | None]


class Loaded:
    """Configs as read and checked: ``documents`` are those in force (for one tenant, where one was asked for)."""

    def __init__(self, reading: Reading, tenant: str | None = None) -> None:
        asked = (None, "", tenant)
        self.files = tuple(file for file in reading.files if tenant is None or file.tenant in asked)
        self.catalogue: Catalogue = load_texts((file.name, file.text) for file in self.files)
        self.tenant = tenant
        self.found: tuple[Finding, ...] = (*reading.findings, *self.catalogue.findings)
        documents = self.catalogue.documents
        if tenant is not None:
            documents = {
                (name, t): d
                for (name, t), d in documents.items()
                if t == tenant or (name, tenant) not in documents
            }
        self.documents: dict[Key, Document] = documents

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """(type, tenant or None) of every file that tells its type, usable or not."""
        told_ = ((file.type, file.tenant or None) for file in self.files if file.type)
        return tuple(dict.fromkeys((*told_, *self.catalogue.documents)))

    @cached_property
    def nameless(self) -> bool:
        """Whether a file cannot be used and does not even tell its type: any document may be missing."""
        typed = {file.name for file in self.files if file.type}
        return any(found.severity == "error" and found.file not in typed for found in self.found)


def loaded(places: tuple[str, ...], cancel: CancelToken, tenant: str | None = None) -> Loaded:
    """The configs at the places. Raises only CancelledError."""
    return Loaded(read(places, cancel), tenant)


def report(configs_: Loaded, counts: Counts | None, cancel: CancelToken) -> configs.LintReport:
    """Findings in the order of files and lines, and one graph for each document in force."""
    cancel.raise_if_cancelled()
    found = [told(finding) for finding in configs_.found]
    if counts is not None:
        found += homeless(configs_, counts)
    declared = [declare(document, configs_.found) for document in configs_.documents.values()]
    return configs.LintReport(files=configs_.files, findings=ordered(found), declared=tuple(declared))


def ordered(found: Iterable[configs.Finding]) -> tuple[configs.Finding, ...]:
    """Findings by file, line and column; what touches most entities first."""
    return tuple(sorted(found, key=lambda f: (f.file, f.line, f.column, f.code, -(f.count or 0), f.reason)))


def told(finding: Finding) -> configs.Finding:
    """A finding of the reference engine in the words of the seam."""
    return configs.Finding(
        code=finding.code, severity=finding.severity, file=finding.file, pointer=finding.pointer,
        reason=finding.reason, line=finding.line, column=finding.column, fix=finding.fix,
    )  # fmt: skip


def statuses(document: Document) -> tuple[str, ...]:
    """The statuses that any requester's view of a document knows, in the order written."""
    return tuple(dict.fromkeys(s for view in document.views for s in view.workflow.status_types))


def standing(counts: Counts, key: Key, keys: Iterable[Key]) -> tuple[Counter[str], tuple[str, ...]]:
    """Entities by status that a document (type, tenant or None) is in force for, and tenants to leave out.

    A base is in force for every tenant that has no overlay among ``keys``.
    """
    name, tenant = key
    own = {t for other, t in keys if other == name and t is not None}
    total: Counter[str] = Counter()
    left_out: list[str] = []
    for (other, t), by_status in counts.items():
        if other == name and (t == tenant if tenant is not None else t not in own):
            total.update(by_status)
        elif other == name and tenant is None:
            left_out.append(t)
    return total, tuple(sorted(left_out))


def listing(key: Key, status: str, left_out: Iterable[str] = ()) -> str:
    """The filter that lists the entities of a document on one status."""
    return _listing(key[0], status, [key[1]], left_out)


def _listing(name: str, status: str, tenants: list[str | None], left_out: Iterable[str]) -> str:
    parts = [compare("type", name), compare("state", status)]
    if None in tenants:
        parts += [compare("tenant", other, "!=") for other in left_out]
    elif len(tenants) == 1:
        parts.append(compare("tenant", tenants[0]))
    else:
        parts.append(f"tenant in ({', '.join(map(quote, tenants))})")
    return " and ".join(parts)


def homeless(configs_: Loaded, counts: Counts) -> list[configs.Finding]:
    """A finding for each status that entities stand on and no config in force for them knows.

    Tenants whose configs have their list of statuses from one place are counted together.
    """
    lost: dict[tuple[Place, str, str], list[tuple[str | None, int]]] = {}
    for key, document in configs_.documents.items():
        known = statuses(document)
        whose = key if configs_.tenant is None else (key[0], configs_.tenant)
        place = document.place("status_types")
        for status, count in standing(counts, whose, configs_.catalogue.documents)[0].items():
            if count and status not in known:
                lost.setdefault((place, key[0], status), []).append((whose[1], count))
    return [_homeless(configs_, counts, *where, found) for where, found in lost.items()]


def _homeless(
    configs_: Loaded,
    counts: Counts,
    place: Place,
    name: str,
    status: str,
    found: list[tuple[str | None, int]],
) -> configs.Finding:
    tenants, total = [tenant for tenant, _ in found], sum(count for _, count in found)
    own = [t for other, t in configs_.catalogue.documents if other == name and t is not None]
    others = [t for t in own if t not in tenants and counts.get((name, t), {}).get(status)]
    known = statuses(configs_.catalogue.get(name, tenants[0]))
    return configs.Finding(
        code="entities_on_unknown_status", severity="error",
        file=place.file, pointer=place.pointer, line=place.line, column=place.column,
        reason=f"{total} {'entity stands' if total == 1 else 'entities stand'} on the status “{status}”, "
        "which the config does not know",
        fix=suggest(status, known, "Keep the status, or move the entities first."),
        count=total, filter=_listing(name, status, tenants, sorted(others)),
    )  # fmt: skip
