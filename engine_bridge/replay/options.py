"""Options of a project as people type them, one a line: ``data_converter=app.converter:converter``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from engine_bridge.errors import UsageError
from engine_bridge.format import plain
from engine_bridge.replay.model import RunnerSpec

COMMON: Final[dict[str, type]] = {"environment": dict, "argv": list}
"""Options that every engine knows, and what their values are."""


def parse(lines: Iterable[str], spec: RunnerSpec, code: Path) -> dict[str, Any]:
    """The options that lines name; files are looked for beside the code. Raises UsageError for what is none.

    A value is JSON where it reads as a list, an object, a number, true, false or null, else the text itself.
    """
    found: dict[str, Any] = {}
    for line in filter(None, (line.strip() for line in lines)):
        name, mark, value = (part.strip() for part in line.partition("="))
        if name not in (*COMMON, *spec.options) or not mark:
            known = ", ".join((*spec.options, *COMMON))
            raise UsageError(
                f"{plain(name, 60)} is no option of a project.", f"Write NAME=VALUE. Known: {known}."
            )
        found[name] = _value(value, code.parent if code.suffix == ".py" else code)
        if not isinstance(found[name], COMMON.get(name, object)):
            raise UsageError(
                f"The option {name} is JSON.", 'Such as argv=["--queue", "shop"], environment={"A": "b"}.'
            )
    return found


def text(options: dict[str, Any]) -> str:
    """Options as they are typed."""
    return "\n".join(f"{name}={_written(value)}" for name, value in options.items())


def _written(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _value(value: str, folder: Path) -> Any:
    if value[:1] in ("{", "[") or value in ("true", "false", "null") or value.isdigit():
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            raise UsageError("The value of an option is no JSON.", plain(value, 120)) from None
    file, mark, attribute = value.partition(":") if ".py:" in value else (value, "", "")
    return f"{(folder / file).absolute()}{mark}{attribute}" if file.endswith(".py") else value
