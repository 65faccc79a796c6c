"""Source URLs of Temporal servers: ``temporal://host:7233/namespace?tls=true&cert=client.pem&key=client.key``.

Parsed here, because a URL that was pasted may hold a secret that no error may repeat. An API key never stands in a
URL: it comes as the source's password, or from ``TEMPORAL_API_KEY``.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from engine_bridge.engines.temporal import codec_url
from engine_bridge.errors import UsageError

SCHEME: Final = "temporal"
PORT: Final = 7233
API_KEY: Final = "TEMPORAL_API_KEY"
ADDRESS: Final = "TEMPORAL_ADDRESS"

_HINT: Final = "Write temporal://host:7233/namespace, with ?tls=true for TLS."
_FILES: Final = ("ca", "cert", "key")
_KNOWN: Final = frozenset({"tls", "server_name", codec_url.PARAMETER, *_FILES})
_TOGETHER: Final = re.compile(r"([^:]+|\[.+\]):([0-9]+)")  # a host and its port, as they are copied
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]")


@dataclass(frozen=True)
class ServerSource:
    """One namespace of a server. ``ca``, ``cert`` and ``key`` are PEM files; ``codec`` is the codec server's address.

    ``api_key`` never shows in ``repr``.
    """

    host: str
    port: int
    namespace: str
    tls: bool = False
    server_name: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    codec: str = ""
    api_key: str | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def location(self) -> str:
        """Where it is: a URL without any secret."""
        named = {"server_name": self.server_name, "ca": self.ca, "cert": self.cert, "key": self.key}
        pairs = [("tls", "true")] if self.tls else []
        pairs += [(name, value) for name, value in named.items() if value]
        written = [f"{name}={quote(value, safe='/:~')}" for name, value in pairs]
        query = "&".join([*written, codec_url.parameter(self.codec)] if self.codec else written)
        return f"{SCHEME}://{self.address}/{quote(self.namespace, safe='')}" + (f"?{query}" if query else "")

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse(url: str, secret: str | None = None) -> ServerSource:
    """Reads a URL; ``secret`` is the API key. Raises UsageError, which repeats nothing that could be a secret."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() != SCHEME:
        raise UsageError("This is not the URL of a Temporal server.", _HINT)
    place, _, query = rest.partition("?")
    credentials, _, place = place.rpartition("@")
    if credentials:
        raise UsageError(
            "A Temporal server knows no user and password.", "Give an API key as the source's password."
        )
    address, _, namespace = place.partition("/")
    host, port = _address(address)
    more = _parameters(query)
    tls = _truth(more.get("tls"))
    if tls is False and any(more.get(name) for name in ("server_name", *_FILES)):
        raise UsageError(
            "The URL turns TLS off and names a certificate.", "Leave out tls=false, or the files."
        )
    source = ServerSource(
        host=host,
        port=port,
        namespace=unquote(namespace.strip("/")) or "default",
        tls=bool(tls) or any(more.get(name) for name in ("server_name", *_FILES)),
        server_name=more.get("server_name", ""),
        codec=codec_url.of(url),
        **{name: more.get(name, "") for name in _FILES},
    )
    if bool(source.cert) != bool(source.key):
        raise UsageError(
            "A client certificate needs its key, and a key its certificate.", "Give both cert= and key=."
        )
    return _with_key(source, secret, tls)


def _with_key(source: ServerSource, secret: str | None, tls: bool | None) -> ServerSource:
    """The source with its API key, which turns TLS on unless the URL turns it off."""
    api_key = (secret or _from_environment(source) or "").strip()
    if not api_key:
        return source
    if not source.tls and tls is False and not source.loopback:
        raise UsageError(
            "An API key is only sent over TLS, or to this machine.", "Leave out tls=false, or the API key."
        )
    return ServerSource(
        **{**source.__dict__, "api_key": api_key, "tls": source.tls or (tls is None and not source.loopback)}
    )


def _from_environment(source: ServerSource) -> str | None:
    """``TEMPORAL_API_KEY``, when ``TEMPORAL_ADDRESS`` says that it belongs to this server."""
    address = os.environ.get(ADDRESS, "").strip()
    known = address in (source.address, source.host if source.port == PORT else source.address)
    return os.environ.get(API_KEY) if known else None


def absolute(url: str) -> str:
    """The URL with the paths of its files made absolute."""
    source = parse(url)
    paths = {
        name: str(Path(getattr(source, name)).expanduser().absolute())
        for name in _FILES
        if getattr(source, name)
    }
    return ServerSource(**{**source.__dict__, **paths}).location


def server_url(fields: dict[str, str]) -> str:
    """The URL of a filled form."""
    host, port = fields.get("host", "").strip(), fields.get("port", "")
    together = _TOGETHER.fullmatch(host)
    if together is not None:
        host, port = together.groups()
    source = ServerSource(
        host=host.strip("[]") or "localhost",
        port=_port(port),
        namespace=fields.get("namespace") or "default",
        tls=_given(fields.get("tls", "")),
        codec=codec_url.checked(fields.get("codec", "")),
        **{name: fields.get(name, "") for name in ("server_name", *_FILES)},
    )
    return parse(source.location).location


def _given(text: str) -> bool:
    # A certificate says that TLS is meant, whatever the form's field still says.
    return bool(text) and bool(_truth(text))


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon and not host:
        host, port = port, ""
    if not host:
        host = "localhost"
    if not _HOST.fullmatch(host):
        raise UsageError("This is no valid host.", f"Name it alone in the form, or as a URL. {_HINT}")
    return host.strip("[]"), _port(port)


def _port(text: str) -> int:
    if not text:
        return PORT
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
        raise UsageError("This is no valid port.", "A port is a number from 1 to 65535: 7233 by default.")
    return int(text)


def _parameters(query: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    found = {unquote(name): unquote(value) for name, _, value in pairs}
    for name in found:
        if name not in _KNOWN:
            shown = name if re.fullmatch(r"[a-z_]{1,30}", name) else "one"
            raise UsageError(
                f"The URL has a parameter that is not supported: {shown}.",
                f"Known: {', '.join(sorted(_KNOWN))}. An API key is asked for, or taken from {API_KEY}.",
            )
    return found


def _truth(text: str | None) -> bool | None:
    if text is None:
        return None
    if text.lower() in ("true", "1", "yes", "on", ""):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise UsageError("tls is true or false.", _HINT)
