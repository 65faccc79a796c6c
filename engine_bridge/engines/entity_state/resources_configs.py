"""Configs in force, and what the load-time checks found about the mapping and its tables."""

from __future__ import annotations

from engine_bridge.bridge import Resource
from engine_bridge.cancel import CancelToken
from engine_bridge.configs import Finding
from engine_bridge.engines.entity_state.engine.document import Document
from engine_bridge.engines.entity_state.store import Store
from engine_bridge.format import count
from engine_bridge.query.text import quote


def configs(store: Store, cancel: CancelToken) -> list[Resource]:
    """One for each workflow type and tenant."""
    cancel.raise_if_cancelled()
    documents = store.catalogue.documents if store.catalogue is not None else {}
    return [_config(store, type_, tenant, document) for (type_, tenant), document in documents.items()]


def _config(store: Store, type_: str, tenant: str | None, document: Document) -> Resource:
    flow = document.workflow
    about = [found for found in store.findings if found.file == document.file]
    errors = sum(found.severity == "error" for found in about)
    warnings = len(about) - errors
    return Resource(
        kind="configs",
        id=f"{type_}/{tenant or ''}",
        title=type_ if tenant is None else f"{type_} for {tenant}",
        cells={
            "statuses": len(flow.status_types),
            "steps": len(document.step_nodes),
            "initial": flow.initial,
            "module": flow.owning_module,
            "file": " + ".join(document.files),
        },
        warning=_counted(errors, warnings),
        filter=f"type == {quote(type_)}",
    )


def _counted(errors: int, warnings: int) -> str:
    named = ((errors, "error"), (warnings, "warning"))
    return ", ".join(f"{count(n)} {noun}{'' if n == 1 else 's'}" for n, noun in named if n)


def mapping(store: Store, cancel: CancelToken) -> list[Resource]:
    """The findings of loading; one that says so where there is none."""
    cancel.raise_if_cancelled()
    if not store.findings:
        return [
            Resource(
                kind="mapping", id="fine", title="Every check passed", cells={"file": store.mapping.path}
            )
        ]
    return [_finding(number, found) for number, found in enumerate(store.findings, 1)]


def _finding(number: int, found: Finding) -> Resource:
    place = f"{found.file}:{found.line}" if found.line else found.file
    return Resource(
        kind="mapping",
        id=str(number),
        title=found.reason,
        cells={
            "code": found.code,
            "severity": found.severity,
            "entities": found.count,
            "place": place,
            "pointer": found.pointer,
            "fix": found.fix,
        },
        warning=found.severity,
        filter=found.filter,
    )
