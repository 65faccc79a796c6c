"""Quoting: any id, topic or message as SQL and Python text that can be pasted without doing anything else.

Control characters never appear raw: a terminal would act on them before the database sees a quote.
"""

from __future__ import annotations

from typing import Any


def sql(value: Any, dialect: str) -> str:
    """A literal of SQLite or PostgreSQL (with ``standard_conforming_strings``, the default since 9.1)."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    if text.isprintable():
        return _plain(text)
    return _sqlite(text) if dialect == "sqlite" else _postgresql(text)


def _plain(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _sqlite(text: str) -> str:
    # char() of https://www.sqlite.org/lang_corefunc.html; SQLite has no escapes in literals.
    parts: list[str] = []
    run = ""
    for character in text:
        if character.isprintable():
            run += character
            continue
        parts += [_plain(run)] if run else []
        parts.append(f"char({ord(character)})")
        run = ""
    parts += [_plain(run)] if run else []
    return "(" + " || ".join(["''", *parts]) + ")"


def _postgresql(text: str) -> str:
    return "E'" + "".join(_escaped(c) for c in text) + "'"


def _escaped(character: str) -> str:
    if character in "'\\":
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def python(value: Any) -> str:
    """A Python literal of plain values (``repr`` escapes what is not printable)."""
    return repr(value)
