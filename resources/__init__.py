"""Bundled data: fonts, icons, themes, the key map, the demo. ``path`` finds a file of it."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path(__file__).parent


def path(*parts: str) -> Path:
    """The path of a bundled file or folder."""
    return _ROOT.joinpath(*parts)


def flat_toml(text: str) -> dict[str, dict[str, str | int | bool]] | None:
    """Tables of plain strings, integers and booleans ("" is the top one); None when the text needs ``tomllib``.

    Themes and settings are read before the first paint, and importing ``tomllib`` takes a twentieth of that time.
    """
    tables: dict[str, dict[str, str | int | bool]] = {"": {}}
    table = tables[""]
    for line in text.split("\n"):
        key, equals, value = line.partition(" = ")
        if not line or (line.startswith("#") and line.isprintable()):
            continue
        if line.startswith("[") and line.endswith("]") and line[1:-1].isidentifier():
            table = tables.setdefault(line[1:-1], {})
        elif equals and key.isidentifier() and key.isascii() and key not in table and _plain(value):
            table[key] = (
                value[1:-1] if value[0] == '"' else int(value) if value.isdigit() else value == "true"
            )
        else:
            return None
    return tables


def _plain(value: str) -> bool:
    if value in ("true", "false"):
        return True
    if value.isdigit() and value.isascii():
        return value == "0" or not value.startswith("0")
    inner = value[1:-1]
    return (
        len(value) >= 2
        and value[0] == value[-1] == '"'
        and inner.isprintable()
        and not set(inner) & set('"\\')
    )
