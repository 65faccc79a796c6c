"""A small JSON file of the user's state that several processes may change: lock, merge, atomic replace."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine_bridge import own_file
from engine_bridge.errors import PlayheadError

Table = dict[str, Any]


def read(path: Path) -> Table:
    """The file's object; empty when it is missing or is none of ours. Raises PlayheadError when it cannot be read."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    except OSError as error:
        raise PlayheadError(f"{path} cannot be read.", "Check its permissions.", str(error)) from None
    return content if isinstance(content, dict) else {}


def update(path: Path, change: Callable[[Table], None]) -> None:
    """Applies ``change`` to what the file holds now; only its owner may read it. Raises PlayheadError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with own_file.locked(path):
            content = read(path)
            change(content)
            text = json.dumps(content, indent=1, ensure_ascii=True, sort_keys=True)
            own_file.replace(path, text + "\n")
    except OSError as error:
        raise PlayheadError(
            f"{path} cannot be written.", "Check the folder's permissions and space.", str(error)
        ) from None
