"""A codec server in a source's URL: ``?codec=https://codec.example:8081``, with every form of source.

Its bearer token never stands in a URL: it comes beside the source's password, or from the environment.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from engine_bridge.errors import UsageError

PARAMETER: Final = "codec"
_HINT: Final = "Write codec=https://host:port/path; its bearer token is asked for, and never stands in a URL."
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_PATH: Final = re.compile(r"[A-Za-z0-9._~!$'()*+,;=:@%/{}-]*")


def checked(text: str) -> str:
    """A codec server's address in one form, "" for none. Raises UsageError, which repeats nothing of it."""
    text = text.strip()
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError("The address of the codec server cannot be read.", _HINT) from None
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise UsageError("The address of a codec server holds no credentials, query or fragment.", _HINT)
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or not _PATH.fullmatch(parts.path):
        raise UsageError("The address of the codec server is no http:// or https:// URL.", _HINT)
    place = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/").removesuffix("/decode").removesuffix("/encode")
    return f"{parts.scheme}://{place}" + (f":{port}" if port is not None else "") + path


def of(url: str) -> str:
    """The codec server that a source's URL names, "" when it names none. Raises UsageError."""
    found = [value for name, value in _pairs(url) if name == PARAMETER]
    if len(found) > 1:
        raise UsageError("The URL names more than one codec server.", _HINT)
    return checked(unquote(found[0])) if found else ""


def put(url: str, codec: str) -> str:
    """The URL of the same source with another codec server, or with none (""). Raises UsageError."""
    kept = [f"{name}={value}" for name, value in _pairs(url) if name != PARAMETER]
    wanted = checked(codec)
    query = "&".join([*kept, parameter(wanted)] if wanted else kept)
    return url.partition("?")[0] + (f"?{query}" if query else "")


def parameter(codec: str) -> str:
    """The pair of a URL's query that names a codec server."""
    return f"{PARAMETER}={quote(codec, safe='/:[]{}')}"


def _pairs(url: str) -> list[tuple[str, str]]:
    _, _, query = url.partition("?")
    split = (pair.partition("=") for pair in query.split("&") if pair)
    return [(name, value) for name, _, value in split]


def place(codec: str) -> str:
    """Host and port of a codec server, for people."""
    return urlsplit(codec).netloc


def private(codec: str) -> bool:
    """Whether nobody listens on the way: TLS, or this very machine."""
    parts = urlsplit(codec)
    host = parts.hostname or ""
    if parts.scheme == "https" or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
