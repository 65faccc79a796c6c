"""The parts of a URL that names a PostgreSQL database; no error quotes a password, as those of other parsers do."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from engine_bridge.errors import UsageError

# libpq parameters that a URL may set; everything else is refused, lest one of them runs or writes something.
PASSED: Final = frozenset(
    {"sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "connect_timeout", "target_session_attrs",
     "channel_binding", "gssencmode", "keepalives", "keepalives_idle", "hostaddr", "service"}
)  # fmt: skip
_SECRET_PARAMETER: Final = re.compile(r"([?&](?:password|sslpassword)=)[^&]*", re.IGNORECASE)


def mask(url: str) -> str:
    """A URL, well-formed or not, with whatever could be a password replaced by ***."""
    scheme, separator, rest = url.partition("://")
    if separator and "@" in rest:
        credentials, _, rest = rest.rpartition("@")
        user = credentials.partition(":")[0]
        rest = f"{user}:***@{rest}" if ":" in credentials else f"{user}@{rest}"
    return _SECRET_PARAMETER.sub(r"\1***", f"{scheme}{separator}{rest}")


def parameters_of(query: str) -> dict[str, str]:
    """The parameters after the question mark, decoded."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return {unquote(name): unquote(value) for name, _, value in pairs}


def address_of(text: str, url: str, hint: str) -> tuple[str, int | None]:
    """Host and port. Raises UsageError."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, port_of(port.removeprefix(":"), url, hint)
    host, _, port = text.partition(":")
    return unquote(host), port_of(port, url, hint)


def port_of(text: str, url: str, hint: str) -> int | None:
    """A port, None where none is given. Raises UsageError."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
        raise UsageError(f"The URL has no valid port: {mask(url)}", hint)
    return int(text)
