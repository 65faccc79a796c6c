"""Arguments of actions as text: for the command line, for "copy as", for fields of dialogs. Pure functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from engine_bridge.actions.model import ActionSpec, Param, ParamType
from engine_bridge.errors import UsageError
from engine_bridge.format import plain
from engine_bridge.query.literals import duration

_TRUE: Final = ("true", "yes", "1")
_FALSE: Final = ("false", "no", "0")
_FORMS: Final = {
    ParamType.TEXT: "text",
    ParamType.JSON: "JSON, or @file",
    ParamType.INTEGER: "a whole number",
    ParamType.NUMBER: "a number",
    ParamType.DURATION: "a duration like 90s or 1h30m",
    ParamType.BOOLEAN: "true or false",
    ParamType.STEP: "a step id",
    ParamType.RUN: "a run id",
}


def form(param: Param) -> str:
    """What a parameter's value looks like ("a whole number"; "one of: a, b")."""
    return f"one of: {', '.join(param.choices)}" if param.type is ParamType.CHOICE else _FORMS[param.type]


def parse(param: Param, text: str) -> Any:
    """The typed value of a text. Raises UsageError naming the parameter and what it takes."""
    value = _BAD
    match param.type:
        case ParamType.TEXT | ParamType.STEP | ParamType.RUN:
            value = text
        case ParamType.JSON:
            value = _json(param, text)
        case ParamType.INTEGER:
            value = _number(text, int)
        case ParamType.NUMBER:
            value = _number(text, float)
        case ParamType.DURATION:
            found = duration(text.replace(" ", ""))
            value = _BAD if found is None else found
        case ParamType.BOOLEAN:
            word = text.strip().lower()
            value = True if word in _TRUE else False if word in _FALSE else _BAD
        case ParamType.CHOICE:
            value = text if text in param.choices else _BAD
    if value is _BAD:
        raise UsageError(f"{param.name} takes {form(param)}, not {plain(text, 60)!r}.")
    return value


def parse_all(spec: ActionSpec, pairs: tuple[str, ...]) -> dict[str, Any]:
    """Arguments of ``name=value`` texts, defaults filled in.

    Raises UsageError for unknown, repeated, missing and badly typed ones, naming the parameters there are.
    """
    known = {param.name: param for param in spec.params}
    given: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name not in known:
            what = (
                f"{plain(name, 60)!r} is no parameter of {spec.id}"
                if equals
                else f"{plain(pair, 60)!r} has no ="
            )
            raise UsageError(f"{what}.", _usage(spec))
        if name in given:
            raise UsageError(f"{name} is given twice.", _usage(spec))
        given[name] = parse(known[name], text)
    return complete(spec, given)


def complete(spec: ActionSpec, given: dict[str, Any]) -> dict[str, Any]:
    """Arguments with defaults filled in. Raises UsageError naming the missing parameters."""
    found = {}
    missing = []
    for param in spec.params:
        if param.name in given:
            found[param.name] = given[param.name]
        elif param.default is not None:
            found[param.name] = param.default
        elif param.required:
            missing.append(param.name)
    if missing:
        raise UsageError(f"{spec.id} needs {', '.join(missing)}.", _usage(spec))
    return found


def show(value: Any, param: Param | None = None) -> str:
    """A value as ``parse`` reads it back: text (JSON text too) as it is, the rest as JSON."""
    if isinstance(value, str):
        return value
    if param is not None and param.type is ParamType.DURATION and isinstance(value, int):
        return f"{value}ns"
    return json.dumps(value, ensure_ascii=True, sort_keys=True)


def _usage(spec: ActionSpec) -> str:
    if not spec.params:
        return f"{spec.id} takes no parameters."
    words = [f"{p.name}={form(p)}" + ("" if p.required else " (optional)") for p in spec.params]
    return f"{spec.id} takes {'; '.join(words)}."


def _number(text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError:
        return _BAD


def _json(param: Param, text: str) -> Any:
    if text.startswith("@"):
        try:
            text = Path(text[1:]).expanduser().read_text("utf-8")
        except (OSError, ValueError) as error:
            raise UsageError(f"{param.name}: that file cannot be read.", type(error).__name__) from None
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        # Arguments hold secrets: what was given is not repeated.
        told = str(error) if isinstance(error, json.JSONDecodeError) else "it is no JSON"
        raise UsageError(
            f"{param.name} takes {form(param)}: {told}.", 'A text needs quotes: "yes".'
        ) from None
    # A text stays JSON text, quotes and all: "123" is not 123.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else value


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_BAD: Final = object()
