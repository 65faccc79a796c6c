"""Colours of the parts of a line: a regular expression for data, Pygments for stack traces. Pure; no Qt."""

from __future__ import annotations

import re
from typing import Final

Span = tuple[int, int, str]  # start and end column, theme token

PYGMENTS_LIMIT: Final = 100_000  # characters; more stays plain

_DATA: Final = re.compile(
    r"""(?P<key>"(?:[^"\\]|\\.)*"(?=\s*:))|(?P<string>"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<number>-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|(?P<word>\b(?:true|false|null|None|True|False)\b)"""
)
_TOKENS: Final = {"key": "signal", "string": "completed", "number": "retrying", "word": "running"}
_TRACE: Final = (
    ("Token.Keyword", "running"),
    ("Token.Generic.Error", "failed"),
    ("Token.Generic.Traceback", "muted"),
    ("Token.Name.Exception", "failed"),
    ("Token.Literal.String", "completed"),
    ("Token.Literal.Number", "retrying"),
    ("Token.Name.Builtin", "completed"),
    ("Token.Name.Function", "accent"),
    ("Token.Comment", "muted"),
)


def json_spans(text: str, until: int) -> list[Span]:
    """Spans of one line of JSON or of a Python literal, up to a column."""
    spans: list[Span] = []
    for match in _DATA.finditer(text):
        if match.start() > until:
            break
        spans.append((match.start(), match.end(), _TOKENS[match.lastgroup or "word"]))
    return spans


def traceback_spans(text: str) -> dict[int, list[Span]]:
    """Spans by line of a Python traceback. Imports Pygments (about 40 ms the first time): not on the GUI thread."""
    from pygments.lexers.python import PythonTracebackLexer

    spans: dict[int, list[Span]] = {}
    line = column = 0
    # The lexer knows a traceback's last line by the end of line behind it.
    tokens = PythonTracebackLexer(stripnl=False).get_tokens(text[:PYGMENTS_LIMIT] + "\n")
    for kind, value in tokens:
        token = _token(str(kind))
        for index, part in enumerate(value.split("\n")):
            if index:
                line, column = line + 1, 0
            if part and token:
                spans.setdefault(line, []).append((column, column + len(part), token))
            column += len(part)
    return spans


def _token(kind: str) -> str:
    for prefix, token in _TRACE:
        if kind.startswith(prefix):
            return token
    return ""
