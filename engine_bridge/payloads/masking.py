"""Hides secrets in payloads: by the name a value stands under, and by what it looks like.

Masking is a courtesy against accidents, no guarantee: a secret that looks like an id under a harmless name stays.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from engine_bridge.payloads import json_view
from engine_bridge.payloads.decoder import Decoded
from engine_bridge.payloads.limits import Limits
from engine_bridge.payloads.render import pretty, render
from engine_bridge.payloads.secret_patterns import ABOUT, CARD, HARD, HARMLESS, ISSUERS, PAIRS, PATTERNS, SOFT
from engine_bridge.payloads.tree import UNSET, Opaque

MASK: Final = "••••••"
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+\d*|\d+")
# Linear, whatever the text: one start per word (look-behind), one search for a telling part in it (look-ahead),
# and no way back into it (possessive).
_NAMED: Final = re.compile(
    r"(?<![\w.-])"
    r"(?=[\w.-]*?(?:pass|pwd|secret|token|key|auth|cookie|credential|jwt|pin|otp|cvv|cvc|ssn|sess|csrf|sig|sas))"
    r"(?P<name>[\w.-]++)(?P<quote>\\?[\"']?)(?P<join>\s*(?:=>|[:=])\s*)"
    r"(?P<value>\\?\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s\"',;&)}\]<>]+)",
    re.IGNORECASE | re.ASCII,
)
_QUERY: Final = re.compile(
    r"([?&;](?:sig|signature|x-amz-signature|key|code|se?cret|sas)=)([^\s&\"'#]+)", re.IGNORECASE
)
_PLAIN_WORD: Final = re.compile(r"[A-Za-z]{1,20}[.!?]?")
_MAX_JSON: Final = 1 << 20
_WHOLE: Final = Limits(max_nodes=1_000_000, max_string=_MAX_JSON)
_KEY_NAMES: Final = ("name", "key", "Name", "Key", "header", "field")
_VALUE_NAMES: Final = ("value", "Value", "val")


def mask(tree: Any) -> Any:
    """A copy of a decoded tree with secrets replaced by MASK. Depth follows the tree's, which is bounded."""
    return _mask(tree, "")


def mask_text(text: str) -> str:
    """A text (JSON, a log line, a stack trace) with secrets replaced by MASK.

    JSON with a secret under a name is written anew, in one line or indented as it was.
    """
    if text[:1] in ("{", "[") and len(text) <= _MAX_JSON:
        seen = json_view.view(text, _WHOLE)
        if not seen.error and not seen.truncated:
            masked = mask(seen.tree)
            return text if masked == seen.tree else render(masked, indented="\n" in text)
    return _mask_flat(text)


def mask_decoded(decoded: Decoded) -> Decoded:
    """A decoded payload with secrets replaced in its tree and its text."""
    tree = mask(decoded.tree)
    if decoded.format == "pickle" or (decoded.format == "json" and decoded.truncated):
        return replace(decoded, tree=tree, text=pretty(tree))
    return replace(decoded, tree=tree, text=mask_text(decoded.text))


def _mask_flat(text: str) -> str:
    text = _NAMED.sub(_mask_named, text)
    for pattern in PATTERNS:
        if pattern.hint in text:
            text = pattern.regex.sub(_mask_group, text)
    text = _QUERY.sub(lambda match: match[1] + MASK, text)
    return CARD.sub(_mask_card, text)


@lru_cache(maxsize=4096)
def secrecy(name: str) -> str:
    """Whether a name says that its value is secret: "hard" (any type), "soft" (text only) or ""."""
    words = tuple(word.lower() for word in _WORDS.findall(name[-200:].rpartition(".")[2]))
    if not words or words[-1] in ABOUT:
        return ""
    if words[0] in HARMLESS and not HARD & set(words):
        return ""
    joined = "".join(words)
    if HARD & {*words, joined} or any(pair in PAIRS for pair in pairwise(words)):
        return "hard"
    if SOFT & {*words, joined} or joined.endswith(("token", "password", "passwd", "secret", "apikey")):
        return "soft"
    return ""


def _mask(value: Any, kind: str) -> Any:
    match value:
        case str():
            return (MASK if value else value) if kind else mask_text(value)
        case None | bool():
            return value
        case int() | float():
            return MASK if kind == "hard" else _number(value)
        case bytes():
            return _bytes(value, kind)
        case dict():
            return _mapping(value, kind)
        case list():
            return _sequence(value, kind)
        case tuple():
            return tuple(_sequence(list(value), kind))
        case Opaque():
            return _opaque(value, kind)
    return value


def _number(value: float) -> Any:
    return MASK if isinstance(value, int) and 10**12 <= value < 10**19 and _is_card(str(value)) else value


def _bytes(value: bytes, kind: str) -> Any:
    if kind:
        return MASK
    text = value.decode("latin-1")
    masked = mask_text(text)
    return value if masked == text else masked


def _mapping(value: dict[Any, Any], kind: str) -> dict[Any, Any]:
    named = _named_value(value)
    return {
        _key(key): _mask(item, kind or _kind(key) or (named if key in _VALUE_NAMES else ""))
        for key, item in value.items()
    }


def _key(key: Any) -> Any:
    return mask_text(key) if isinstance(key, str) else key


def _kind(key: Any) -> str:
    return (
        secrecy(key if isinstance(key, str) else key.decode("latin-1"))
        if isinstance(key, str | bytes)
        else ""
    )


def _named_value(value: dict[Any, Any]) -> str:
    """A header or parameter written as {"name": …, "value": …}."""
    if not any(name in value for name in _VALUE_NAMES):
        return ""
    return next((_kind(value[name]) for name in _KEY_NAMES if isinstance(value.get(name), str)), "")


def _sequence(items: list[Any], kind: str) -> list[Any]:
    if len(items) == 2 and not kind and isinstance(items[0], str | bytes) and _kind(items[0]):
        return [items[0], _mask(items[1], _kind(items[0]))]
    return [_mask(item, kind) for item in items]


def _opaque(node: Opaque, kind: str) -> Opaque:
    if node.cut:
        return node
    return Opaque(
        node.type,
        tuple(_sequence(list(node.args), kind)),
        _mapping(node.kwargs, kind),
        _mask(node.state, kind or _kind(node.short)),
        [_item(item, kind) for item in node.items],
        node.value if node.value is UNSET or node.type == "type" else _mask(node.value, kind),
    )


def _item(item: Any, kind: str) -> Any:
    if isinstance(item, tuple) and len(item) == 2:
        return _key(item[0]), _mask(item[1], kind or _kind(item[0]))
    return _mask(item, kind)


def _mask_group(match: re.Match[str]) -> str:
    if not match.re.groups:
        return MASK
    start, end = match.span(1)
    whole, at = match[0], match.start()
    return whole[: start - at] + MASK + whole[end - at :]


def _mask_card(match: re.Match[str]) -> str:
    digits = match[0].replace(" ", "").replace("-", "")
    return MASK if _is_card(digits) else match[0]


def _is_card(digits: str) -> bool:
    """Issuer range and check digit (ISO/IEC 7812-1, Luhn)."""
    if not ISSUERS.fullmatch(digits) or len(set(digits)) == 1:
        return False
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    total = sum(map(int, digits[-1::-2])) + sum(two - 9 if two > 9 else two for two in doubled)
    return total % 10 == 0


def _mask_named(match: re.Match[str]) -> str:
    kind, value = secrecy(match["name"]), match["value"]
    if not kind or value.startswith(MASK) or not _is_secret_value(match, kind):
        return match[0]
    quote = value[: 2 if value[0] == "\\" else 1] if value[0] in "\"'\\" else ""
    end = value[-len(quote) :] if quote else ""
    return match["name"] + match["quote"] + match["join"] + quote + MASK + end


def _is_secret_value(match: re.Match[str], kind: str) -> bool:
    """Whether "name: value" assigns a secret, and is not prose about one ("invalid token: expired")."""
    value = match["value"]
    bare = value.strip("\\\"'")
    if len(bare) < 3 or bare.lower() in ("null", "none", "true", "false", "undefined"):
        return False
    if kind == "soft" and re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return False
    quoted = value[0] in "\"'\\" or bool(match["quote"])
    return quoted or "=" in match["join"] or not _PLAIN_WORD.fullmatch(bare)
