"""Runs in the form in which their own engine exports them: one file for one run, unmasked."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from engine_bridge.answers import SourceInfo
from engine_bridge.cancel import CancelToken
from engine_bridge.errors import PermissionDeniedError
from engine_bridge.format import plain
from engine_bridge.model import RunRef
from engine_bridge.session import Session


def suffix(info: SourceInfo) -> str:
    """What such files of a source end with, "" where its engine has none."""
    found = re.search(r"\(\*(\.\w+)\)$", info.native)
    return found.group(1) if found else ""


def write(session: Session, ref: RunRef, path: Path, cancel: CancelToken) -> int:
    """Writes a run to a file that only its owner may read, whole or not at all; its size in bytes.

    Blocks. Raises what the bridge raises, and PermissionDeniedError.
    """
    call = session.call("native", ref)
    forget = cancel.add_hook(call.cancel)
    try:
        data: bytes = call.result()
    finally:
        forget()
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError as error:
        raise PermissionDeniedError(
            f"{plain(str(path))} cannot be written.", "Choose another place.", type(error).__name__
        ) from None
    return len(data)
