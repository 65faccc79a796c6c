"""Recorded errors as failures: exception pickles, portable JSON errors and plain text. Never executes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from engine_bridge.model import Failure
from engine_bridge.payloads.decoder import Decoded, decode
from engine_bridge.payloads.limits import DEFAULT, Limits
from engine_bridge.payloads.render import compact
from engine_bridge.payloads.tree import UNSET, Opaque

MAX_CAUSES: Final = 50
_MAX_MESSAGE: Final = 8_000
_MAX_DEPTH: Final = 8
_LINE: Final = re.compile(
    r"(?P<type>[A-Za-z_][\w.]*(?:Error|Exception|Exceeded|Warning|Interrupt|Timeout|Exit))(?:: ?(?P<message>.*))?",
    re.DOTALL,
)
_LOOKS_LIKE: Final = re.compile(
    r"(Error|Exception|Exceeded|Warning|Failure|Timeout|Timedout|Interrupt|Exit|Group)$"
)
_TRACEBACK: Final = "Traceback (most recent call last):"


def failure(data: bytes, encoding: str | None = None, limits: Limits = DEFAULT) -> Failure:
    """A recorded error: qualified type ("builtins." left out), message, causes (outermost first). Never raises."""
    return of_decoded(decode(data, encoding, limits))


def of_decoded(decoded: Decoded) -> Failure:
    """As ``failure``, for a payload that is decoded already."""
    tree = decoded.tree
    if decoded.format in ("text", "binary") or tree is None:
        return _of_text(decoded.text)
    return _of(tree, 0) or Failure(type="", message=compact(tree, _MAX_MESSAGE))


def short_type(name: str) -> str:
    """The last part of a qualified type name."""
    return name.rpartition(".")[2]


def headline(failure: Failure) -> str:
    """One line: short type and message."""
    kind = short_type(failure.type)
    return f"{kind}: {failure.message}" if kind and failure.message else kind or failure.message


def root(failure: Failure) -> tuple[Failure, int | None]:
    """What went wrong in the end, and after how many attempts.

    A failure that only passes another one on stands for that one. Exhausted retries list every attempt's own failure:
    then it is the last one's. Else the failure itself, None.
    """
    while failure.wraps and failure.causes:
        failure = failure.causes[0]
    attempts = [cause for cause in failure.causes if cause.attempt is not None]
    return (attempts[-1], len(attempts)) if attempts else (failure, None)


def reason(failure: Failure) -> str:
    """One line, the reason first: "CarrierDown: 503 · after 3 attempts"."""
    last, attempts = root(failure)
    line = headline(last)
    return line if attempts is None else f"{line} · after {attempts} attempt{'s' if attempts > 1 else ''}"


def _of(tree: Any, depth: int) -> Failure | None:
    if isinstance(tree, Opaque) and tree.value is UNSET:
        return _of_exception(tree, depth)
    if isinstance(tree, dict):
        return _of_mapping(tree, depth)
    return _of_text(tree) if isinstance(tree, str) else None


def _of_exception(node: Opaque, depth: int) -> Failure:
    if node.type.endswith("unpickle_exception") and node.args:
        return _of_reduced(node, depth)
    state = node.state if isinstance(node.state, dict) else {}
    return Failure(
        type=node.type,
        message=_message(node, state)[:_MAX_MESSAGE],
        stack=_text_of(_first(state, ("__traceback__", "stack"))),
        code=_code(state),
        causes=_causes(node, state, depth),
    )


def _of_reduced(node: Opaque, depth: int) -> Failure:
    # tblib: unpickle_exception(class, args, cause, traceback, context, …)
    cls, args = node.args[0], node.args[1] if len(node.args) > 1 else ()
    name = str(cls.value) if isinstance(cls, Opaque) and cls.value is not UNSET else "Exception"
    inner = Opaque(name, args if isinstance(args, tuple) else (args,), {}, node.state)
    links = [part for part in (*node.args[2:3], *node.args[4:5]) if isinstance(part, Opaque)]
    inner.kwargs = {"__cause__": links[0]} if links else {}
    return _of_exception(inner, depth)


def _message(node: Opaque, state: dict[Any, Any]) -> str:
    args = node.args
    if len(args) == 1:
        return _argument(args[0])
    if not args:
        return _text_of(_first(state, ("message", "msg", "detail"))) or ""
    if isinstance(args[0], int) and isinstance(args[1], str):
        return f"[Errno {args[0]}] {args[1]}" + (
            f": {args[2]!r}" if isinstance(args[-1], str) and args[2:] else ""
        )
    said = max((arg for arg in args if isinstance(arg, str)), key=len, default="")
    return said if " " in said else ", ".join(_argument(arg) for arg in args if not _holds_exceptions(arg))


def _holds_exceptions(value: Any) -> bool:
    return any(True for _ in _nested(value))


def _argument(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Opaque) and value.value is not UNSET:
        return str(value.value)
    return compact(value, 400)


def _text_of(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _code(state: dict[Any, Any]) -> str | None:
    for key in ("code", "status_code", "sqlstate", "dbos_error_code"):
        value = state.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
    return None


def _causes(node: Opaque, state: dict[Any, Any], depth: int) -> tuple[Failure, ...]:
    if depth >= _MAX_DEPTH:
        return ()
    causes: list[Failure] = []
    seen: list[int] = []
    grouped = node.short.endswith("Group")
    for value in (*node.args, *node.kwargs.values(), *state.values()):
        for number, inner in _nested(value):
            if id(inner) in seen or len(causes) >= MAX_CAUSES:
                continue
            seen.append(id(inner))
            cause = _of_exception(inner, depth + 1)
            causes.append(_numbered(cause, None if grouped else number))
    return _unrepeated(causes)


def _nested(value: Any) -> Iterator[tuple[int | None, Opaque]]:
    """Exceptions in an argument: alone, or in a list, where their place is the number of the attempt."""
    if _is_exception(value):
        yield None, value
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value, 1):
            if _is_exception(item) or _is_called(item):
                yield number, item


def _is_exception(value: Any) -> bool:
    return (
        isinstance(value, Opaque)
        and value.value is UNSET
        and bool(_LOOKS_LIKE.search(value.short) or value.type.endswith("unpickle_exception"))
    )


def _is_called(value: Any) -> bool:
    """In a list of attempts any made object will do: not every exception is named one."""
    return isinstance(value, Opaque) and value.value is UNSET and bool(value.args) and not value.items


def _numbered(cause: Failure, number: int | None) -> Failure:
    return Failure(
        type=cause.type,
        message=cause.message,
        stack=cause.stack,
        code=cause.code,
        attempt=number,
        causes=cause.causes,
    )


def _unrepeated(causes: list[Failure]) -> tuple[Failure, ...]:
    # The same list often stands in the arguments and in the state.
    unique: list[Failure] = []
    for cause in causes:
        if cause not in unique:
            unique.append(cause)
    return tuple(unique)


def _of_mapping(tree: dict[Any, Any], depth: int) -> Failure | None:
    """Portable errors ``{"name", "message", "code", "data"}`` and their relatives."""
    if isinstance(tree.get("json"), dict):  # superjson's envelope
        return _of_mapping(tree["json"], depth)
    kind = _text_of(_first(tree, ("name", "type", "error", "py/object", "@class"))) or ""
    message = _text_of(_first(tree, ("message", "msg", "detail", "cause"))) or ""
    if not kind and not message:
        return None
    code = tree.get("code")
    inner = tree.get("cause")
    cause = _of(inner, depth + 1) if isinstance(inner, dict) and depth < _MAX_DEPTH else None
    return Failure(
        type=kind,
        message=message[:_MAX_MESSAGE],
        stack=_text_of(_first(tree, ("stack", "stackTrace", "stack_trace", "traceback"))),
        code=None if code is None else str(code),
        causes=(cause,) if cause else (),
    )


def _first(mapping: dict[Any, Any], keys: tuple[str, ...]) -> Any:
    return next((mapping[key] for key in keys if isinstance(mapping.get(key), str)), None)


def _of_text(text: str) -> Failure:
    lines = text.strip().splitlines()
    last = lines[-1] if lines else ""
    stack = text.strip()[: _MAX_MESSAGE * 4] if text.lstrip().startswith(_TRACEBACK) else None
    match = _LINE.fullmatch(last if stack else text.strip()[:_MAX_MESSAGE])
    if match is None:
        return Failure(type="", message=text.strip()[:_MAX_MESSAGE], stack=stack)
    return Failure(type=match["type"], message=(match["message"] or ""), stack=stack)
