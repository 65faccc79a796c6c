"""A small TOML file that several processes may change: lock, merge, atomic replace. Qt-free; any thread."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import resources
from engine_bridge import own_file
from engine_bridge.errors import PlayheadError

Table = dict[str, Any]


def config_path(name: str) -> Path:
    """A file of the user's configuration folder (``~/.config/playhead`` on Linux)."""
    if sys.platform == "linux":
        # What platformdirs answers too; importing it would take a tenth of the start-up budget.
        home = os.environ.get("XDG_CONFIG_HOME", "").strip() or str(Path("~/.config").expanduser())
        return Path(home) / "playhead" / name
    from platformdirs import user_config_path

    return user_config_path("playhead", appauthor=False) / name


def read(path: Path) -> Table:
    """The file's content; empty when it is missing. Raises PlayheadError when it cannot be read."""
    try:
        text = path.read_text("utf-8")
        flat = resources.flat_toml(text)
        if flat is not None and len(flat) == 1:
            return dict(flat[""])
        import tomllib

        return tomllib.loads(text)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise PlayheadError(
            f"{path} cannot be read.", "Mend or remove the file; defaults are used.", str(error)
        ) from None


def update(path: Path, change: Callable[[Table], None], *, durable: bool = True) -> Table:
    """Applies ``change`` to what the file holds *now*, so that two Playheads lose nothing of each other.

    ``durable`` waits for the disk; what the GUI thread writes often does not, lest the window stutters.
    A file that cannot be parsed is kept beside as ``.bad``. Raises PlayheadError when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with own_file.locked(path):
            try:
                content = read(path)
            except PlayheadError:
                path.replace(path.with_suffix(path.suffix + ".bad"))
                content = {}
            change(content)
            own_file.replace(path, dumps(content), durable=durable)
    except OSError as error:
        raise PlayheadError(
            f"{path} cannot be written.", "Check the folder's permissions and space.", str(error)
        ) from None
    return content


def dumps(content: Table) -> str:
    """TOML of scalars, arrays of scalars, tables and arrays of tables, two levels deep; else TypeError."""
    scalars = [f"{_key(k)} = {_value(v)}" for k, v in content.items() if not _is_table(v)]
    blocks = ["\n".join(scalars)] if scalars else []
    for name, value in content.items():
        if isinstance(value, dict):
            blocks.append("\n".join([f"[{_key(name)}]", *_lines(value)]))
        elif _is_table(value):
            blocks += ["\n".join([f"[[{_key(name)}]]", *_lines(row)]) for row in value]
    return "\n\n".join(blocks) + "\n"


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
    )


def _lines(table: Table) -> list[str]:
    return [f"{_key(k)} = {_value(v)}" for k, v in table.items()]


def _key(key: str) -> str:
    bare = key.replace("_", "").replace("-", "")
    return key if bare.isascii() and bare.isalnum() else _value(key)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    code = ord(char)
    if code < 0x20 or code == 0x7F:
        return f"\\u{code:04X}"
    # A lone surrogate cannot be written as UTF-8, nor named in TOML.
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else char
