"""List Filters as SQL of the visibility table: what ``visibility`` makes of our filters, as the server's SQLite store
answers it. Values are always parameters; names always come from the table of fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine_bridge.engines.temporal.server_values import STATUSES
from engine_bridge.errors import UsageError

FIELDS: Final = {
    "WorkflowType": "workflow_type_name",
    "WorkflowId": "workflow_id",
    "RunId": "run_id",
    "TaskQueue": "task_queue",
    "StartTime": "start_time",
    "ExecutionTime": "execution_time",
    "CloseTime": "close_time",
    "ExecutionDuration": "execution_duration",
    "ExecutionStatus": "status",
    "HistoryLength": "history_length",
    "ParentWorkflowId": "parent_workflow_id",
    "ParentRunId": "parent_run_id",
    "RootWorkflowId": "root_workflow_id",
    "RootRunId": "root_run_id",
    "TemporalScheduledById": "TemporalScheduledById",
    "TemporalNamespaceDivision": "TemporalNamespaceDivision",
}
"""Columns of the search attributes that every namespace has."""
JOINT: Final = "♡"
"""Stands between the values of a keyword list."""

_TIMES: Final = frozenset({"start_time", "execution_time", "close_time"})
_STATUS: Final = {word: number for number, (_, word) in STATUSES.items()}
_TOKEN: Final = re.compile(
    r"\s*(?:'(?P<text>(?:[^'\\]|\\.)*)'|(?P<number>-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
    r"|(?P<word>[^\W\d][\w.:-]*)|(?P<sign><=|>=|!=|[=<>(),]))",
    re.DOTALL,
)
_COMPARED: Final = ("=", "!=", "<", "<=", ">", ">=")


def stored_time(text: str) -> str:
    """A time literal of a List Filter as columns hold times: as texts these sort like the times they name."""
    day, clock = text[:10], text[11:].removesuffix("Z")
    return f"{day} {clock.rstrip('0').rstrip('.') if '.' in clock else clock}+00:00"


def compile(query: str, custom: Mapping[str, str]) -> tuple[str, list[Any]]:
    """The condition ("" for none) with its parameters; ``custom`` are the columns of custom search attributes.

    Raises UsageError for what is no List Filter of ours.
    """
    reader = _Reader(query, {**FIELDS, **custom})
    parts = list(reader.parts())
    return " ".join(parts), reader.params


class _Reader:
    """Reads one filter, token by token."""

    def __init__(self, query: str, columns: Mapping[str, str]) -> None:
        self._tokens = list(_tokens(query))
        self._at = 0
        self._columns = columns
        self.params: list[Any] = []

    def parts(self) -> Iterator[str]:
        while self._at < len(self._tokens):
            kind, value = self._take()
            if (kind, value) in (("sign", "("), ("sign", ")")) or (kind == "word" and value in ("and", "or")):
                yield str(value)
            elif kind == "word":
                yield self._comparison(str(value))
            else:
                raise _foreign()

    def _take(self) -> tuple[str, Any]:
        if self._at >= len(self._tokens):
            raise _foreign()
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, *words: str) -> None:
        for word in words:
            if str(self._take()[1]).lower() != word:
                raise _foreign()

    def _comparison(self, name: str) -> str:
        column = self._columns.get(name)
        if column is None:
            raise UsageError(f"There is no search attribute {name!r} in this namespace.")
        quoted = f'"{column}"'
        sign = str(self._take()[1]).lower()
        if sign == "is":
            return self._null(quoted)
        if sign in ("in", "not"):
            return self._among(quoted, column, sign)
        kind, value = self._take()
        if sign == "starts_with" and kind == "text":
            self.params += [len(value), value]
            return f"substr({quoted}, 1, ?) = ?"
        if sign not in _COMPARED or kind not in ("text", "number", "flag"):
            raise _foreign()
        if is_list(column):
            self.params.append(f"{JOINT}{value}{JOINT}")
            return f"instr('{JOINT}' || {quoted} || '{JOINT}', ?) {'>' if sign == '=' else '='} 0"
        self.params.append(_stored(column, value))
        return f"{quoted} {sign} ?"

    def _null(self, quoted: str) -> str:
        word = str(self._take()[1]).lower()
        if word == "not":
            self._expect("null")
            return f"{quoted} IS NOT NULL"
        if word != "null":
            raise _foreign()
        return f"{quoted} IS NULL"

    def _among(self, quoted: str, column: str, sign: str) -> str:
        if sign == "not":
            self._expect("in")
        self._expect("(")
        values: list[Any] = []
        while not values or self._take()[1] == ",":
            values.append(_stored(column, self._take()[1]))
        self.params += values
        return f"{quoted} {'NOT IN' if sign == 'not' else 'IN'} ({', '.join('?' * len(values))})"


def is_list(column: str) -> bool:
    """Whether a column holds keyword lists."""
    return "KeywordList" in column


def _tokens(query: str) -> Iterator[tuple[str, Any]]:
    at, query = 0, query.rstrip()
    while at < len(query):
        found = _TOKEN.match(query, at)
        if found is None or found.lastgroup is None:
            raise _foreign()
        kind, value = found.lastgroup, found[found.lastgroup]
        at = found.end()
        if kind == "text":
            yield kind, re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
        elif kind == "number":
            yield kind, float(value) if re.search(r"[.e]", value) else int(value)
        elif value in ("true", "false"):
            yield "flag", int(value == "true")
        else:
            yield kind, value


def _stored(column: str, value: Any) -> Any:
    if column in _TIMES and isinstance(value, str):
        return stored_time(value)
    return _STATUS.get(value, -1) if column == "status" else value


def _foreign() -> UsageError:
    return UsageError("This filter cannot be asked of a database.")
