"""SQL expressions that SQLAlchemy has no exact portable form of, compiled for SQLite and PostgreSQL."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Integer, String, Text, cast, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine


class Glob(FunctionElement[Any]):
    """``column ~ pattern``: ``*`` and ``?`` only, with case, over the whole text."""

    # A Boolean would be compared with 1 on SQLite, which hides a prefix from its index.
    type: TypeEngine[Any] = NullType()
    inherit_cache = True
    name = "playhead_glob"

    def __init__(self, column: ColumnElement[Any], pattern: str) -> None:
        super().__init__(column, literal(sqlite_glob(pattern), String()), literal(like(pattern), String()))


class AsciiLower(FunctionElement[str]):
    """Lower case of A to Z alone, whatever the database's locale."""

    type = Text()
    inherit_cache = True
    name = "playhead_ascii_lower"


class Find(FunctionElement[int]):
    """Position of a text in a text from 1, 0 when it is not in it, byte by byte."""

    type = Integer()
    inherit_cache = True
    name = "playhead_find"


class BeyondAscii(FunctionElement[Any]):
    """Whether a text holds anything but ASCII (on SQLite also: a NUL)."""

    type: TypeEngine[Any] = NullType()
    inherit_cache = True
    name = "playhead_beyond_ascii"


class Ordered(FunctionElement[str]):
    """A text that compares by code points (SQLite does so by itself)."""

    type = Text()
    inherit_cache = True
    name = "playhead_ordered"


class Grouped(FunctionElement[Any]):
    """A condition in parentheses of its own, which SQLAlchemy does not take away."""

    type: TypeEngine[Any] = NullType()
    inherit_cache = True
    name = "playhead_grouped"


def sqlite_glob(pattern: str) -> str:
    """The GLOB pattern: SQLite knows character classes too, so brackets are escaped."""
    return pattern.replace("[", "[[]")


def like(pattern: str) -> str:
    r"""The LIKE pattern, escaped with ``\``."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def _parts(element: FunctionElement[Any], compiler: SQLCompiler, options: dict[str, Any]) -> list[str]:
    return [compiler.process(clause, **options) for clause in element.clauses]


def _only(element: FunctionElement[Any], at: int, compiler: SQLCompiler, options: dict[str, Any]) -> str:
    return compiler.process(list(element.clauses)[at], **options)


@compiles(Grouped)
def _grouped(element: Grouped, compiler: SQLCompiler, **options: Any) -> str:
    return f"({_only(element, 0, compiler, options)})"


@compiles(Glob)
def _glob(element: Glob, compiler: SQLCompiler, **options: Any) -> str:
    column, pattern = _only(element, 0, compiler, options), _only(element, 2, compiler, options)
    return f"({column} LIKE {pattern} ESCAPE E'\\\\')"


@compiles(Glob, "sqlite")
def _glob_sqlite(element: Glob, compiler: SQLCompiler, **options: Any) -> str:
    return f"({_only(element, 0, compiler, options)} GLOB {_only(element, 1, compiler, options)})"


@compiles(AsciiLower)
def _lower(element: AsciiLower, compiler: SQLCompiler, **options: Any) -> str:
    return f'lower({_only(element, 0, compiler, options)} COLLATE "C")'


@compiles(AsciiLower, "sqlite")
def _lower_sqlite(element: AsciiLower, compiler: SQLCompiler, **options: Any) -> str:
    return f"lower({_only(element, 0, compiler, options)})"


@compiles(Find)
def _find(element: Find, compiler: SQLCompiler, **options: Any) -> str:
    text, wanted = _parts(element, compiler, options)
    return f"strpos({text}, {wanted})"


@compiles(Find, "sqlite")
def _find_sqlite(element: Find, compiler: SQLCompiler, **options: Any) -> str:
    text, wanted = _parts(element, compiler, options)
    return f"instr({text}, {wanted})"


@compiles(BeyondAscii)
def _beyond(element: BeyondAscii, compiler: SQLCompiler, **options: Any) -> str:
    text = _only(element, 0, compiler, options)
    return f"(octet_length({text}) <> char_length({text}))"


@compiles(BeyondAscii, "sqlite")
def _beyond_sqlite(element: BeyondAscii, compiler: SQLCompiler, **options: Any) -> str:
    # length() of a text counts characters up to the first NUL, that of a blob counts bytes.
    text = _only(element, 0, compiler, options)
    return f"(length(CAST({text} AS BLOB)) <> length({text}))"


@compiles(Ordered)
def _ordered(element: Ordered, compiler: SQLCompiler, **options: Any) -> str:
    return f'({_only(element, 0, compiler, options)} COLLATE "C")'


@compiles(Ordered, "sqlite")
def _ordered_sqlite(element: Ordered, compiler: SQLCompiler, **options: Any) -> str:
    return _only(element, 0, compiler, options)


class JsonType(FunctionElement[str]):
    """Type of the value under a path: text, number, true, false, array, object; NULL for none and null."""

    type = Text()
    inherit_cache = True
    name = "playhead_json_type"


class JsonText(FunctionElement[str]):
    """The scalar under a path as text."""

    type = Text()
    inherit_cache = True
    name = "playhead_json_text"


class JsonNumber(FunctionElement[Any]):
    """The number under a path; NULL for anything else."""

    type: TypeEngine[Any] = NullType()
    inherit_cache = True
    name = "playhead_json_number"


def json_paths(parts: tuple[str, ...]) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """A path as SQLite (``$."a"."b"``) and PostgreSQL (``{a,b}``) take it."""
    quoted = [f'"{part}"' for part in parts]
    return literal("$." + ".".join(quoted), String()), literal("{" + ",".join(quoted) + "}", String())


def json_contains(column: ColumnElement[Any], parts: tuple[str, ...], value: object) -> ColumnElement[bool]:
    """PostgreSQL's ``@>`` with the value nested under its path, which a GIN index answers."""
    nested: object = value
    for part in reversed(parts):
        nested = {part: nested}
    from sqlalchemy.dialects.postgresql import JSONB

    return column.op("@>", is_comparison=True)(cast(literal(json.dumps(nested), String()), JSONB))


def _sqlite_guarded(column: str, expression: str) -> str:
    # json functions raise on malformed text; CASE keeps them from being asked.
    return f"(CASE WHEN json_valid({column}) THEN {expression} END)"


@compiles(JsonType, "sqlite")
def _type_sqlite(element: JsonType, compiler: SQLCompiler, **options: Any) -> str:
    column, path = _only(element, 0, compiler, options), _only(element, 1, compiler, options)
    names = "WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' WHEN 'null' THEN NULL"
    kind = f"json_type({column}, {path})"
    return _sqlite_guarded(column, f"CASE {kind} {names} ELSE {kind} END")


@compiles(JsonType)
def _type(element: JsonType, compiler: SQLCompiler, **options: Any) -> str:
    column, path = _only(element, 0, compiler, options), _only(element, 2, compiler, options)
    value = f"({column} #> CAST({path} AS text[]))"
    names = "WHEN 'string' THEN 'text' WHEN 'boolean' THEN"
    return f"(CASE jsonb_typeof({value}) {names} {value}::text WHEN 'null' THEN NULL ELSE jsonb_typeof({value}) END)"


@compiles(JsonText, "sqlite")
def _text_sqlite(element: JsonText, compiler: SQLCompiler, **options: Any) -> str:
    column, path = _only(element, 0, compiler, options), _only(element, 1, compiler, options)
    return _sqlite_guarded(column, f"json_extract({column}, {path})")


@compiles(JsonText)
def _text(element: JsonText, compiler: SQLCompiler, **options: Any) -> str:
    column, path = _only(element, 0, compiler, options), _only(element, 2, compiler, options)
    return f"({column} #>> CAST({path} AS text[]))"


@compiles(JsonNumber, "sqlite")
def _number_sqlite(element: JsonNumber, compiler: SQLCompiler, **options: Any) -> str:
    column, path = _only(element, 0, compiler, options), _only(element, 1, compiler, options)
    kind, value = f"json_type({column}, {path})", f"json_extract({column}, {path})"
    return _sqlite_guarded(column, f"CASE WHEN {kind} IN ('integer', 'real') THEN {value} END")


@compiles(JsonNumber)
def _number(element: JsonNumber, compiler: SQLCompiler, **options: Any) -> str:
    column, path = _only(element, 0, compiler, options), _only(element, 2, compiler, options)
    value = f"({column} #> CAST({path} AS text[]))"
    return f"(CASE WHEN jsonb_typeof({value}) = 'number' THEN {value}::text::numeric END)"
