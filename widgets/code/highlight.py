"""Colours of source code by Pygments, line by line. Pure; no Qt; its first import is too slow for the GUI thread."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

Span = tuple[int, int, str]  # start and end column, theme token

_STYLE: Final = (
    ("Token.Comment", "muted"),
    ("Token.Literal.String.Doc", "muted"),
    ("Token.Literal.String", "completed"),
    ("Token.Literal.Number", "retrying"),
    ("Token.Keyword", "accent"),
    ("Token.Operator.Word", "accent"),
    ("Token.Name.Decorator", "signal"),
    ("Token.Name.Builtin.Pseudo", "signal"),
    ("Token.Name.Builtin", "waiting"),
    ("Token.Name.Exception", "failed"),
    ("Token.Name.Function", "waiting"),
    ("Token.Name.Class", "waiting"),
    ("Token.Generic.Error", "failed"),
)


def spans(text: str, file: str) -> Iterator[tuple[int, list[Span]]]:
    """Line number (from 0) and its spans, in order; lines without colours are left out."""
    line = column = 0
    found: list[Span] = []
    for kind, value in _lexer(file).get_tokens(text):
        token = _token(kind)
        for number, part in enumerate(value.split("\n")):
            if number:
                if found:
                    yield line, found
                    found = []
                line, column = line + 1, 0
            if part and token and not part.isspace():
                found.append((column, column + len(part), token))
            column += len(part)
    if found:
        yield line, found


def _lexer(file: str) -> Any:
    from pygments.lexers import get_lexer_for_filename
    from pygments.lexers.python import PythonLexer
    from pygments.util import ClassNotFound

    options = {"stripnl": False, "ensurenl": False}
    if file.endswith((".py", ".pyi", ".pyw")):
        return PythonLexer(**options)
    try:
        return get_lexer_for_filename(file, **options)
    except ClassNotFound:
        return PythonLexer(**options)


@cache
def _token(kind: Any) -> str:
    name = str(kind)
    return next((token for prefix, token in _STYLE if name.startswith(prefix)), "")
