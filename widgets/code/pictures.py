"""Words, children and differences of pictures (engine_bridge/replay/model.py). Pure; no Qt."""

from __future__ import annotations

import json
from typing import Any, Final

from engine_bridge.format import count, plain
from engine_bridge.payloads.masking import MASK, mask, secrecy
from engine_bridge.replay.model import Picture

MISSING: Final = object()
_SHOWN: Final = 300  # characters of a value in its row
_CUT: Final = "…"


def words(picture: Picture, name: str = "", *, reveal: bool = False) -> tuple[str, str]:
    """What a row says of a value, and the theme token of its colour; what looks like a secret is masked."""
    if picture is MISSING:
        return "not set", "muted"
    if not isinstance(picture, dict):
        return _atom(picture, name, reveal=reveal)
    kind, text, size = str(picture.get("t", "?")), picture.get("r"), picture.get("n")
    if isinstance(text, str):
        return _text(kind, text, size, name, reveal=reveal)
    number = f"[{count(size)}]" if isinstance(size, int) else ""
    return plain(f"{kind}{number}", _SHOWN), "text"


def _atom(value: Any, name: str, *, reveal: bool) -> tuple[str, str]:
    if not reveal:
        value = mask({name: value})[name]
    if isinstance(value, str):
        shown = value if value == MASK else json.dumps(value, ensure_ascii=False)
        return plain(shown, _SHOWN), "completed"
    return (str(value), "running") if value is None or isinstance(value, bool) else (str(value), "retrying")


def _text(kind: str, text: str, size: Any, name: str, *, reveal: bool) -> tuple[str, str]:
    if text == _CUT:
        return plain(f"{kind} {_CUT}", _SHOWN), "muted"
    shown = text if reveal else str(mask({name: text})[name])
    if kind == "str":
        more = f" ({count(size)} characters)" if isinstance(size, int) else ""
        return plain(json.dumps(shown, ensure_ascii=False)[:_SHOWN], _SHOWN) + more, "completed"
    if kind in ("int", "float"):
        return plain(shown, _SHOWN), "retrying"
    if kind in ("bytes", "bytearray"):
        return plain(shown, _SHOWN) + (
            f" ({count(size)} bytes)" if isinstance(size, int) else ""
        ), "completed"
    return plain(f"{kind} {shown}", _SHOWN), "waiting"


def children(picture: Picture) -> list[tuple[str, Picture]]:
    """Key and picture of each part of a value, in its order; empty for a leaf."""
    if not isinstance(picture, dict):
        return []
    if "i" in picture:
        return [(str(number), part) for number, part in enumerate(picture["i"])]
    if "m" in picture:
        return [(_key(key), part) for key, part in picture["m"]]
    return [(str(name), part) for name, part in picture.get("o", ())]


def unrecorded(picture: Picture) -> int:
    """How many parts a value had beyond those that were recorded."""
    if not isinstance(picture, dict) or not ("i" in picture or "m" in picture):
        return 0
    size = picture.get("n", 0)
    return max(0, size - len(children(picture))) if isinstance(size, int) else 0


def _key(key: Picture) -> str:
    return plain(key, 120) if isinstance(key, str) else words(key, reveal=True)[0]


def secret_name(name: str, inherited: str) -> str:
    """The name under which a part is masked: that of what holds it, where that is secret."""
    return inherited if inherited and secrecy(inherited) else name


def changed(now: Picture, before: Picture) -> str:
    """ "", "new", "changed", "inside" (a part of it changed) or "gone", against the value of the step before."""
    if before is MISSING:
        return "" if now is MISSING else "new"
    if now is MISSING:
        return "gone"
    if now == before and type(now) is type(before):
        return ""
    same_kind = isinstance(now, dict) and isinstance(before, dict) and now.get("t") == before.get("t")
    return "inside" if same_kind and children(now) and children(before) else "changed"
