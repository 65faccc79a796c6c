"""Loading: JSON files to merged documents, one for each (workflow type, tenant), with every finding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from .cascade import merge
from .checks import Known, check_document
from .config import Entity
from .document import Document, requester_types, steps_of
from .errors import ConfigError, UnknownWorkflowError
from .findings import Finding, Place, Report, suggest
from .json_nodes import Node, parse
from .shape import ShapeCheck, required_for

LARGEST = 4 << 20
"""Bytes; a larger file is refused as no config."""


class Catalogue:
    """The documents of an application and the findings about them.

    ``documents`` is keyed by (workflow type, tenant or None). ``entities`` holds, by workflow type, the table of
    every config that says one, also of those that have errors elsewhere and are no documents.
    """

    def __init__(
        self,
        documents: Mapping[tuple[str, str | None], Document],
        findings: tuple[Finding, ...],
        entities: Mapping[str, Entity] | None = None,
    ) -> None:
        self.documents = dict(documents)
        self.findings = findings
        self.entities = dict(entities or {})

    def require(self) -> Catalogue:
        """Itself; raises ConfigError where any finding is an error."""
        if any(found.severity == "error" for found in self.findings):
            raise ConfigError(self.findings)
        return self

    def get(self, workflow_type: str, tenant: str | None = None) -> Document:
        """The document in force for a tenant: its overlay on the base, else the base."""
        found = self.documents.get((workflow_type, tenant)) or self.documents.get((workflow_type, None))
        if found is None:
            known = suggest(workflow_type, {name for name, _ in self.documents})
            raise UnknownWorkflowError(f"No config for the workflow “{workflow_type}”. {known}")
        return found

    @property
    def types(self) -> tuple[str, ...]:
        """The workflow types, in the order of loading."""
        return tuple(dict.fromkeys(name for name, _ in self.documents))


def load(paths: Iterable[Path | str], known: Known | None = None) -> Catalogue:
    """Reads and checks config files. Unreadable ones become findings; nothing is raised."""
    report = Report()
    texts: list[tuple[str, str]] = []
    for path in paths:
        text = _read(Path(path), report)
        if text is not None:
            texts.append((str(path), text))
    return _catalogue(texts, known or Known(), report)


def load_texts(texts: Iterable[tuple[str, str]], known: Known | None = None) -> Catalogue:
    """The same for (name, text) pairs, such as files of a git revision."""
    return _catalogue(texts, known or Known(), Report())


def _read(path: Path, report: Report) -> str | None:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        report.add("unreadable", Place(str(path), ""), reason, "Check the path and its permissions.")
        return None
    return decoded(str(path), data, report)


def decoded(name: str, data: bytes, report: Report) -> str | None:
    """The text of a config file's bytes; None, and a finding, where they are too many or no UTF-8."""
    if len(data) > LARGEST:
        report.add("unreadable", Place(name, ""), f"larger than {LARGEST >> 20} MiB", "This is no config.")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        place = Place(name, "", line, error.start - data.rfind(b"\n", 0, error.start))
        report.add("broken_json", place, f"byte {error.start} is not UTF-8", "Save the file as UTF-8.")
        return None


class _Source(msgspec.Struct, frozen=True):
    file: str
    root: Node
    type: str
    tenant: str | None


def _catalogue(texts: Iterable[tuple[str, str]], known: Known, report: Report) -> Catalogue:
    sources = [s for file, text in texts if (s := _source(file, text, report)) is not None]
    first: dict[tuple[str, str | None], _Source] = {}
    for source in sources:
        _enter(source, first, report)
    documents = {}
    for (name, tenant), source in sorted(first.items(), key=lambda item: item[0][1] is not None):
        documents[name, tenant] = _document(source, first.get((name, None)), known, report)
    entities = {
        name: entity for (name, _), source in first.items() if (entity := _entity(source)) is not None
    }
    return Catalogue({key: d for key, d in documents.items() if d is not None}, report.findings, entities)


def _entity(source: _Source) -> Entity | None:
    node = source.root.get("entity")
    try:
        return None if node is None or source.tenant is not None else msgspec.convert(node.plain(), Entity)
    except msgspec.ValidationError:
        return None


def _source(file: str, text: str, report: Report) -> _Source | None:
    root = parse(text, file, report)
    if root is None:
        return None
    if not isinstance(root.value, dict):
        report.add("wrong_type", root.place, "a config must be an object", "Write { … }.")
        return None
    named, tenant = (_text(root, key) for key in ("workflow_type", "tenant"))
    if tenant is not None:
        root = parse(text, file, Report(), tenant) or root
    if named is None:
        ShapeCheck(report, requester_types(root), overlay=tenant is not None).check(root)
        if tenant is not None:
            report.add("missing_field", root.place, "the overlay lacks the field “workflow_type”", "Add it.")
        return None
    return _Source(file, root, named, tenant)


def _text(root: Node, key: str) -> str | None:
    node = root.get(key)
    return node.value if node is not None and isinstance(node.value, str) else None


def _enter(source: _Source, first: dict[tuple[str, str | None], _Source], report: Report) -> None:
    other = first.setdefault((source.type, source.tenant), source)
    if other is not source:
        whom = f"tenant “{source.tenant}”" if source.tenant else "the base"
        node = source.root.get("tenant") or source.root.get("workflow_type") or source.root
        reason = f"a second config of “{source.type}” for {whom}; the first is {other.file}"
        report.add("duplicate_config", node.place, reason, "Keep one, or name another tenant.")


def _document(source: _Source, base: _Source | None, known: Known, report: Report) -> Document | None:
    over = base is not None and base is not source
    requesters = requester_types(base.root if base is not None else source.root)
    if source.root.get("requester_types") is not None:
        requesters = requester_types(source.root)
    if source.tenant is not None:
        ShapeCheck(report, requesters, overlay=True).check(source.root)
    merged = merge(base.root, source.root, requesters) if over and base is not None else source.root
    own = Report()
    ShapeCheck(own, requesters).check(merged)
    if base is None and any(found.code == "missing_field" for found in own.findings):
        reason = f"an overlay of “{source.type}” without its base"
        report.add("missing_base", source.root.place, reason, "Load the base too, or write every field.")
        return None
    for step in steps_of(merged):
        required_for(step, requesters, own)
    document = _checked(merged, source, base, known, own)
    for found in own.findings:
        place = Place(found.file, found.pointer, found.line, found.column)
        report.add(found.code, place, found.reason, found.fix, found.severity)
    return document


def _checked(
    merged: Node, source: _Source, base: _Source | None, known: Known, own: Report
) -> Document | None:
    if own.broken:
        return None
    files = (base.file, source.file) if base is not None and base is not source else (source.file,)
    document = Document(merged, source.file, source.tenant, files)
    try:
        _ = document.views
    except msgspec.ValidationError as error:
        own.add("wrong_type", merged.place, str(error), "Mend the value.")
        return None
    check_document(document, known, own)
    return document
