"""Endpoints of mappings that the user has approved: once for each content of a mapping file, kept in the user's state
folder."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine_bridge import own_file
from engine_bridge.errors import PlayheadError

_FILE = "approved-endpoints.json"


def folder() -> Path:
    """Where approvals are kept."""
    from platformdirs import user_state_path

    return user_state_path("playhead", appauthor=False)


def phrase(endpoint: str) -> str:
    """What must be typed to approve: the host that would be asked."""
    return urlsplit(endpoint).hostname or ""


def problem(endpoint: str) -> str:
    """Why an endpoint cannot be used, "" when it can."""
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "The mapping's endpoint is no URL."
    if parts.scheme not in ("http", "https") or not host:
        return "The mapping's endpoint must be an http:// or https:// URL."
    if parts.username is not None or parts.password is not None:
        return "The mapping's endpoint holds a user or password: take it out."
    if parts.scheme == "http" and host not in ("localhost", "127.0.0.1", "::1"):
        return "The mapping's endpoint must be https:// (http:// is taken for this machine only)."
    return ""


def approved(sha256: str, endpoint: str) -> bool:
    """Whether this very content of a mapping was approved, for this endpoint."""
    return bool(sha256) and (_read().get(sha256) or {}).get("endpoint") == endpoint


def approve(sha256: str, endpoint: str, who: str) -> None:
    """Remembers an approval. Raises PlayheadError where the folder cannot be written."""
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        with own_file.locked(place / _FILE):
            known = _read() | {sha256: {"endpoint": endpoint, "who": who, "at": int(time.time())}}
            own_file.replace(place / _FILE, json.dumps(known, indent=1))
    except OSError as error:
        raise PlayheadError(
            "The approval cannot be kept.", f"Make {place} writable.", type(error).__name__
        ) from None


def _read() -> dict[str, Any]:
    try:
        found = json.loads((folder() / _FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
