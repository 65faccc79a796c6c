"""Asks a mapping's endpoint to take a step: one POST, no redirects, short time-outs, no credentials."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any, Final

import msgspec

TIMEOUT_S: Final = 15.0
_MOST: Final = 4096


class Answer(msgspec.Struct, frozen=True):
    """What came back. ``code`` None: no answer; ``sent`` False: nothing can have arrived."""

    code: int | None
    told: str
    sent: bool = True


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A redirect would carry the request to a place that nobody approved."""
        return


def post(endpoint: str, body: dict[str, Any], request_id: str) -> Answer:
    """Sends one request. Never raises for what the other side does."""
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Idempotency-Key": request_id,
        "User-Agent": "playhead",
    }
    data = json.dumps(body, ensure_ascii=False).encode()
    request = urllib.request.Request(endpoint, data, headers, method="POST")  # noqa: S310  http and https alone
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=TIMEOUT_S) as response:
            return Answer(response.status, _told(response.read(_MOST)))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _told(error.read(_MOST)) or str(error.reason))
    except urllib.error.URLError as error:
        refused = (
            isinstance(error.reason, ConnectionRefusedError) or "getaddrinfo" in type(error.reason).__name__
        )
        return Answer(None, f"{type(error.reason).__name__}", sent=not (refused or _unresolved(error.reason)))
    except (OSError, http.client.HTTPException) as error:
        return Answer(None, type(error).__name__)


def _unresolved(reason: Any) -> bool:
    import socket
    import ssl

    return isinstance(reason, socket.gaierror | ssl.SSLCertVerificationError)


def _told(data: bytes) -> str:
    """What the application says in its answer's ``outcome``, ``error`` or ``message``; nothing else is shown."""
    try:
        found = json.loads(data)
    except ValueError:
        return ""
    if not isinstance(found, dict):
        return ""
    return "; ".join(str(found[name])[:200] for name in ("outcome", "error", "message") if found.get(name))
