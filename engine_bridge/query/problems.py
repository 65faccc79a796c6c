"""What the parser stumbled over, in words an operator can act on."""

from __future__ import annotations

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from engine_bridge.errors import QueryError

_OPERATOR_WORDS = frozenset({"COMPARE", "_CONTAINS", "_IN"})


def explain(text: str, fault: UnexpectedInput) -> QueryError:
    """A QueryError that says what was expected, after what, at which column."""
    column, length = _place(text, fault)
    quote = _open_quote(text, column)
    if quote is not None:
        return QueryError(
            "This quote is not closed.", f"Add {text[quote]} at its end.", quote, len(text) - quote
        )
    expected = _expected(fault)
    if expected == {"RPAR"}:
        return _unclosed(text, column, length)
    return QueryError(_message(text, column, expected), _hint(text, column, expected), column, length)


def _place(text: str, fault: UnexpectedInput) -> tuple[int, int]:
    if isinstance(fault, UnexpectedToken) and fault.token.type != "$END":
        token: Token = fault.token
        return token.start_pos or 0, max(1, len(token))
    if isinstance(fault, UnexpectedCharacters):
        return fault.pos_in_stream or 0, 1
    return len(text.rstrip()), 1


def _expected(fault: UnexpectedInput) -> set[str]:
    if isinstance(fault, UnexpectedToken):
        return set(fault.accepts or fault.expected)
    return set(getattr(fault, "allowed", None) or ())


def _open_quote(text: str, column: int) -> int | None:
    return column if text[column : column + 1] in ('"', "'") and _unclosed_at(text, column) else None


def _unclosed_at(text: str, start: int) -> bool:
    at, quote = start + 1, text[start]
    while at < len(text):
        if text[at] == quote:
            return False
        at += 2 if text[at] == "\\" else 1
    return True


def _unclosed(text: str, column: int, length: int) -> QueryError:
    if column >= len(text.rstrip()):
        return QueryError("A parenthesis is not closed: expected ')'.", "", column, length)
    return QueryError(f"Expected ')' after {_before(text, column)}.", "", column, length)


def _message(text: str, column: int, expected: set[str]) -> str:
    after = _before(text, column)
    where = f" after {after}" if after else ""
    if "COMPARE" in expected:
        return f"Expected an operator such as == or contains{where}."
    if expected >= {"FIELD", "QUOTED"}:
        return f"Expected a field such as status, or a quoted text{where}."
    if expected >= {"WORD", "QUOTED"}:
        return f"Expected a value{where}."
    if text[column : column + 1] == ")" and "RPAR" not in expected and "$END" in expected:
        return "This parenthesis closes nothing."
    if expected == {"LPAR"}:
        return f"Expected '('{where}."
    if "COMMA" in expected:
        return f"Expected ',' or ')'{where}."
    if "_CONTAINS" in expected:
        return f"Expected 'in', 'contains' or 'exists'{where}."
    if "_NULL" in expected:
        return f"Expected 'null' or 'not null'{where}."
    return f"Expected 'and', 'or' or the end{where}."


def _hint(text: str, column: int, expected: set[str]) -> str:
    if "_CONTAINS" in expected and "COMPARE" not in expected:
        return "To exclude a value write != or put not before the field."
    if "_AND" in expected and column < len(text) and text[column] not in "()":
        return "Put a value with spaces in quotes."
    return ""


def _before(text: str, column: int) -> str:
    words = text[:column].split()
    return f"'{words[-1][-40:]}'" if words else ""
