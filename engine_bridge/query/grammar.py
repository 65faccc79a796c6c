"""The grammar of filters (LALR). Keywords ignore case; values are told apart when they are bound."""

from __future__ import annotations

from functools import cache
from typing import Final

from lark import Lark

from engine_bridge.query.build import Build

GRAMMAR: Final = r"""
?start: expression

?expression: conjunction
           | conjunction (_OR conjunction)+        -> or_
?conjunction: term
            | term (_AND term)+                    -> and_
?term: _NOT term                                   -> not_
     | "(" expression ")"
     | QUOTED                                      -> text
     | FIELD COMPARE value                         -> compare
     | FIELD _CONTAINS value                       -> contains
     | FIELD _NOT _CONTAINS value                  -> not_contains
     | FIELD _IN "(" value ("," value)* ")"        -> in_
     | FIELD _NOT _IN "(" value ("," value)* ")"   -> not_in
     | FIELD _EXISTS                               -> exists
     | FIELD _NOT _EXISTS                          -> not_exists
     | FIELD _IS _NULL                             -> not_exists
     | FIELD _IS _NOT _NULL                        -> exists
     | _EXISTS "(" FIELD ")"                       -> exists

value: QUOTED
     | WORD
     | WORD _AGO                                   -> ago
     | WORD CLOCK                                  -> date_time

_AND.9: /and\b|&&/i
_OR.9: /or\b|\|\|/i
_NOT.9: /not\b/i
_IN.9: /in\b/i
_IS.9: /is\b/i
_NULL.9: /null\b/i
_EXISTS.9: /exists\b/i
_CONTAINS.9: /contains\b/i
_AGO.9: /ago\b/i
CLOCK.8: /\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?/i
COMPARE: /==|!=|<=|>=|!~|<|>|~|=/
QUOTED: /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/s
FIELD: /(?!(and|or|not|in|is|exists|contains)(?![\w.-]))[^\W\d][\w-]*(\.([\w-]+|"(?:[^"\\]|\\.)*"))*/
WORD: /[^\s()"',=!<>~]+/

%ignore /\s+/
"""


@cache
def lalr() -> Lark:
    """The parser, which yields nodes with raw values (build.py); building it takes some 20 ms, once."""
    return Lark(GRAMMAR, parser="lalr", lexer="contextual", transformer=Build())
