"""What a runner sees of our environment: enough to find its libraries, and no secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

_KEPT: Final = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "VIRTUAL_ENV", "CONDA_PREFIX", "SYSTEMROOT",
    "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
)  # fmt: skip


def scrubbed(scratch: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a runner: a short list of names, its own folder for temporary files, and what the user set."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    kept |= {name: value for name, value in os.environ.items() if name.startswith("LC_")}
    folder = {name: scratch for name in ("TMPDIR", "TEMP", "TMP") if scratch}
    return kept | folder | {"PLAYHEAD_REPLAY": "1"} | dict(more or {})
