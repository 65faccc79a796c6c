"""One ``[[workflow]]`` of a mapping: the profile's assumptions under what the file says, checked field by field."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from engine_bridge.configs import Finding
from engine_bridge.engines.entity_state import profiles
from engine_bridge.engines.entity_state.engine.catalogue import Catalogue
from engine_bridge.engines.entity_state.engine.findings import suggest
from engine_bridge.engines.entity_state.mapping import (
    DelayedMap,
    EntityMap,
    FailuresMap,
    HistoryMap,
    OutboxMap,
    States,
    Transition,
    WorkflowMap,
)

_KINDS: Final[dict[str, type[Any]]] = {
    "entity": EntityMap,
    "history": HistoryMap,
    "failures": FailuresMap,
    "delayed": DelayedMap,
    "outbox": OutboxMap,
}
_KEYS: Final = ("type", "profile", "config", "states", "transitions", *_KINDS)
_REQUIRED: Final = {"table", "id", "entity_id", "to", "order"}


_WORDS: Final = {
    "str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false", "array": "a list",
    "object": "a table of names",
}  # fmt: skip
"""msgspec's names of types (https://jcristharif.com/msgspec/) as the reader of a mapping calls them."""
_EXAMPLES: Final = {"a text": '"…"', "a whole number": "10", "a list": '["…"]', "a table of names": "{ … }"}


class _WrongError(Exception):
    """A fault that makes the workflow unusable."""

    def __init__(self, code: str, name: str, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.code, self.name, self.reason, self.fix = code, name, reason, fix


class WorkflowReader:
    """Reads one workflow. ``findings`` say what is wrong; ``type`` is what it is called even when it is broken."""

    def __init__(
        self,
        number: int,
        raw: dict[str, Any],
        configs: tuple[str, ...],
        lines: dict[str, int],
        file: str,
        catalogue: Catalogue | None,
    ) -> None:
        named = raw.get("type")
        self.type: str = named if isinstance(named, str) and named else f"workflow {number + 1}"
        self.findings: list[Finding] = []
        self._number, self._raw, self._configs, self._file = number, raw, configs, file
        self._catalogue = catalogue
        prefix = f"workflow.{number}"
        self._lines = {
            path.removeprefix(prefix).lstrip("."): line
            for path, line in lines.items()
            if path == prefix or path.startswith(f"{prefix}.")
        }

    def read(self, taken: set[str]) -> WorkflowMap | None:
        """The workflow, None when it cannot be used. ``taken`` are the types of those before it."""
        try:
            return self._read(taken)
        except _WrongError as wrong:
            self._add(wrong.code, wrong.name, wrong.reason, wrong.fix)
            return None

    def _add(self, code: str, name: str, reason: str, fix: str) -> None:
        parts = name.split(".")
        near = (self._lines.get(".".join(parts[:n])) for n in range(len(parts), -1, -1))
        line = next((found for found in near if found), self._lines.get("", 0))
        pointer = f"/workflow/{self._number}/{name.replace('.', '/')}".rstrip("/")
        self.findings.append(
            Finding(
                code=code,
                severity="error",
                file=self._file,
                pointer=pointer,
                reason=reason,
                line=line,
                fix=fix,
            )
        )

    def _read(self, taken: set[str]) -> WorkflowMap:
        raw = self._raw
        for key in raw:
            if key not in _KEYS:
                raise _WrongError(
                    "unknown_field", key, f"a workflow has no field “{key}”", suggest(key, _KEYS)
                )
        if not isinstance(raw.get("type"), str) or not raw["type"]:
            raise _WrongError("missing_field", "type", "the workflow has no type", 'Write type = "invoice".')
        if self.type in taken:
            raise _WrongError(
                "duplicate_type", "type", f"a second workflow “{self.type}”", "Give it another type."
            )
        profile = raw.get("profile", "own")
        if profile not in profiles.PROFILES:
            raise _WrongError(
                "unknown_profile",
                "profile",
                f"there is no profile “{profile}”",
                suggest(str(profile), profiles.PROFILES),
            )
        said = {name: self._section(name) for name in _KINDS}
        base = self._of_config((said["entity"] or {}).get("table"))
        entity = {**base, **(said["entity"] or {})}
        assumed = profiles.PROFILES[profile](self.type, entity)
        assumed["entity"] = {**assumed["entity"], **base}
        sections = {name: self._made(name, assumed.get(name), said[name]) for name in _KINDS}
        return WorkflowMap(
            type=self.type,
            profile=profile,
            configs=self._configs,
            states=self._states(),
            transitions=self._transitions(),
            written=frozenset(self._written(said, base)),
            lines=self._lines,
            **sections,
        )

    def _section(self, name: str) -> dict[str, Any] | None:
        """What the file says; None for nothing, ``{"table": ""}`` for "there is no such table"."""
        found = self._raw.get(name)
        if found is False and name != "entity":
            return {"table": ""}
        if found is not None and not isinstance(found, dict):
            raise _WrongError("wrong_type", name, f"“{name}” must be a table", f"Write [workflow.{name}].")
        known = [field.encode_name for field in msgspec.structs.fields(_KINDS[name])]
        for key in found or ():
            if key not in known:
                raise _WrongError(
                    "unknown_field", f"{name}.{key}", f"[{name}] has no field “{key}”", suggest(key, known)
                )
        return found

    def _of_config(self, table: str | None) -> dict[str, Any]:
        """What the config says of the entity; one with errors elsewhere may still name its table."""
        if not self._configs or self._catalogue is None:
            return {}
        if self.type in self._catalogue.types:
            return profiles.of_config(self._catalogue.get(self.type).workflow.entity)
        reason, fix = self._unusable(self._catalogue)
        entity = self._catalogue.entities.get(self.type)
        if entity is None and not table:
            raise _WrongError("unusable_config", "config", f"{reason}, and no table is named", fix)
        self._add("unusable_config", "config", reason, fix)
        return {} if entity is None else profiles.of_config(entity)

    def _unusable(self, catalogue: Catalogue) -> tuple[str, str]:
        mine = [f for f in catalogue.findings if f.file in self._configs and f.severity == "error"]
        reason = f"its config declares no usable workflow “{self.type}”"
        if not mine:
            return reason, f"The configs declare: {', '.join(catalogue.types) or 'none'}."
        first = mine[0]
        place = f"{Path(first.file).name}:{first.line}" if first.line else Path(first.file).name
        return reason, f"Mend {place}: {first.reason}. {first.fix}"

    def _made(self, name: str, assumed: dict[str, Any] | None, said: dict[str, Any] | None) -> Any:
        merged = {**(assumed or {}), **(said or {})}
        if name != "entity" and not merged.get("table"):
            if said is not None and said.get("table") != "":
                fix = f'Write table = "…" in [workflow.{name}].'
                raise _WrongError("missing_field", f"{name}.table", f"[{name}] names no table", fix)
            return None
        given = {
            key: None if value == "" and key not in _REQUIRED else value for key, value in merged.items()
        }
        for key in _REQUIRED & set(given):
            if given[key] == "":
                raise _WrongError(
                    "missing_field", f"{name}.{key}", f"“{key}” cannot be empty", "Name a column."
                )
        if "table" not in given:
            fix = 'Write [workflow.entity] table = "…".'
            raise _WrongError("missing_field", "entity", "the entity has no table", fix)
        try:
            return msgspec.convert(given, _KINDS[name])
        except msgspec.ValidationError as error:
            found, _, where = str(error).partition(" - at `$")
            key = where.rstrip("`").lstrip(".")
            wanted = next((words for mark, words in _WORDS.items() if f"`{mark}" in found), "")
            reason = f"{key} must be {wanted}" if key and wanted else found
            fix = f"Write {key} = {_EXAMPLES.get(wanted, '…')}." if key else "Mend the value."
            raise _WrongError("wrong_type", f"{name}.{key}".rstrip("."), f"[{name}]: {reason}", fix) from None

    def _states(self) -> States | None:
        found = self._raw.get("states")
        if found is None:
            return None
        known = [field.encode_name for field in msgspec.structs.fields(States)]
        for key in found if isinstance(found, dict) else ():
            if key not in known:
                raise _WrongError(
                    "unknown_field", f"states.{key}", f"states have no field “{key}”", suggest(key, known)
                )
        try:
            return msgspec.convert(found, States)
        except msgspec.ValidationError as error:
            raise _WrongError("wrong_type", "states", f"states: {error}", "Write lists of texts.") from None

    def _transitions(self) -> tuple[Transition, ...] | None:
        found = self._raw.get("transitions")
        if found is None:
            return None
        try:
            return msgspec.convert(found, tuple[Transition, ...])
        except msgspec.ValidationError as error:
            fix = 'Write [["draft", "sent", "send"], …].'
            raise _WrongError("wrong_type", "transitions", f"transitions: {error}", fix) from None

    @staticmethod
    def _written(said: dict[str, dict[str, Any] | None], base: dict[str, Any]) -> list[str]:
        names = [f"{name}.{key}" for name, found in said.items() for key in found or ()]
        return names + [f"entity.{key}" for key in base]
