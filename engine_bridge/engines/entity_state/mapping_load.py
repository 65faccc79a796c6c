"""Reading a mapping file: TOML to ``Mapping``, with its configs, and precise errors.

What is wrong with the file as a whole raises UsageError; what is wrong with one workflow becomes a finding, and the
others stay usable.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from engine_bridge.configs import Finding
from engine_bridge.engines.entity_state import store_time
from engine_bridge.engines.entity_state.engine.catalogue import Catalogue, load
from engine_bridge.engines.entity_state.engine.findings import suggest
from engine_bridge.engines.entity_state.mapping import Mapping, TimeMap, WorkflowMap, Writes
from engine_bridge.engines.entity_state.mapping_lines import lines_of
from engine_bridge.engines.entity_state.mapping_workflow import WorkflowReader
from engine_bridge.errors import UsageError
from engine_bridge.postgres_url import mask

LARGEST: Final = 1 << 20
"""Bytes; a larger file is refused as no mapping."""
_KEYS: Final = ("version", "name", "url", "workflow", "writes", "time")
_HINT: Final = "See docs/engines/entity-state.md for what a mapping can say."


@dataclass(frozen=True)
class Loaded:
    """A mapping with the catalogue of its configs (None: it names none) and what is wrong with either.

    ``broken`` maps the types of workflows that cannot be used to the reason; ``text`` is the mapping as read,
    ``configs`` the type that it names each config file for, of broken workflows too.
    """

    mapping: Mapping
    catalogue: Catalogue | None
    findings: tuple[Finding, ...] = ()
    broken: dict[str, str] = field(default_factory=dict)
    text: str = ""
    configs: dict[str, str] = field(default_factory=dict)


def read(path: Path) -> Loaded:
    """Reads a mapping file. Raises UsageError with file and line."""
    return parse(_bytes(path), path)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UsageError(
            f"The mapping {path} cannot be read: {reason}.", "Check mapping=… in the URL."
        ) from None
    if len(data) > LARGEST:
        raise UsageError(f"The mapping {path} is larger than {LARGEST >> 20} MiB.", "This is no mapping.")
    return data


def parse(data: bytes, path: Path) -> Loaded:
    """A mapping from its bytes; ``path`` is where relative config paths start. Raises UsageError."""
    text, tree = _tree(data, path)
    lines = lines_of(text)
    _check_top(tree, lines, path)
    configs = _configs(tree["workflow"], path)
    catalogue = load(dict.fromkeys(p for paths in configs for p in paths)) if any(configs) else None
    maps: list[WorkflowMap] = []
    findings = [_of_config(found) for found in (catalogue.findings if catalogue is not None else ())]
    broken: dict[str, str] = {}
    named: dict[str, str] = {}
    for number, raw in enumerate(tree["workflow"]):
        reader = WorkflowReader(number, raw, configs[number], lines, str(path), catalogue)
        made = reader.read({one.type for one in maps} | set(broken))
        findings += reader.findings
        named |= dict.fromkeys(configs[number], reader.type)
        if made is not None:
            maps.append(made)
        else:
            broken[reader.type] = next(f.reason for f in reader.findings if f.severity == "error")
    if not maps:
        first = next(f for f in findings if f.severity == "error")
        where = f"{Path(first.file).name}:{first.line}" if first.line else Path(first.file).name
        raise UsageError(f"{where}: {first.reason}.", first.fix)
    mapping = Mapping(
        name=tree.get("name") or path.stem,
        workflows=tuple(maps),
        writes=_section(tree, "writes", Writes, lines, path),
        time=_time(tree, lines, path),
        path=str(path),
        sha256=hashlib.sha256(data).hexdigest(),
        url=tree.get("url"),
    )
    return Loaded(mapping, catalogue, tuple(findings), broken, text, named)


def _of_config(found: Any) -> Finding:
    return Finding(**{name: getattr(found, name) for name in found.__struct_fields__})


def _tree(data: bytes, path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = data.decode("utf-8-sig")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path.name}:{line}: not UTF-8.", "Save the mapping as UTF-8.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        hint = "Mend the TOML there; strings need quotes, tables […]."
        raise UsageError(f"{path.name} is no TOML: {error}.", hint) from None


def _fail(path: Path, lines: dict[str, int], key: str, reason: str, hint: str = _HINT) -> UsageError:
    line = lines.get(key)
    return UsageError(f"{path.name}:{line}: {reason}." if line else f"{path.name}: {reason}.", hint)


def _check_top(tree: dict[str, Any], lines: dict[str, int], path: Path) -> None:
    for key in tree:
        if key not in _KEYS:
            raise _fail(path, lines, key, f"a mapping has no field “{key}”", suggest(key, _KEYS))
    if "version" not in tree:
        raise _fail(path, lines, "", "the mapping lacks “version”", "Write version = 1 as its first line.")
    if tree["version"] != 1 or isinstance(tree["version"], bool):
        raise _fail(path, lines, "version", "this version of mappings is not known", "Write version = 1.")
    for key in ("name", "url"):
        if not isinstance(tree.get(key, ""), str):
            raise _fail(path, lines, key, f"“{key}” must be a text", "Put it in quotes.")
    flows = tree.get("workflow")
    if not isinstance(flows, list) or not flows or not all(isinstance(one, dict) for one in flows):
        raise _fail(path, lines, "workflow", "the mapping names no workflow", "Add a [[workflow]] table.")
    if mask(tree.get("url", "")) != tree.get("url", ""):
        hint = "Passwords come from the keyring, PGPASSFILE or the environment."
        raise _fail(path, lines, "url", "the url holds a password", hint)


def _configs(flows: list[dict[str, Any]], path: Path) -> list[tuple[str, ...]]:
    found = []
    for raw in flows:
        named = raw.get("config", [])
        listed = [named] if isinstance(named, str) else named if isinstance(named, list) else []
        found.append(tuple(str(path.parent / one) for one in listed if isinstance(one, str)))
    return found


def _section(tree: dict[str, Any], name: str, kind: type[Any], lines: dict[str, int], path: Path) -> Any:
    raw = tree.get(name, {})
    known = [found.encode_name for found in msgspec.structs.fields(kind)]
    for key in raw if isinstance(raw, dict) else ():
        if key not in known:
            raise _fail(path, lines, f"{name}.{key}", f"[{name}] has no field “{key}”", suggest(key, known))
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `$")
        key = name + where.rstrip("`")
        raise _fail(path, lines, key, f"[{name}] is wrong: {reason} ({key})") from None


def _time(tree: dict[str, Any], lines: dict[str, int], path: Path) -> TimeMap:
    found: TimeMap = _section(tree, "time", TimeMap, lines, path)
    try:
        store_time.zone_of(found.unit)
    except ValueError as error:
        raise _fail(path, lines, "time.unit", str(error), f"Known: {', '.join(store_time.UNITS)}.") from None
    return found
