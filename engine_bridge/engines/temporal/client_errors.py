"""What a server's refusal means, and what to do. Nothing of a request, a header or a key is repeated."""

from __future__ import annotations

import re
from typing import Final

from engine_bridge.engines.temporal.client_url import ServerSource
from engine_bridge.errors import (
    AuthError,
    BusyError,
    ConnectError,
    NotFoundError,
    PermissionDeniedError,
    PlayheadError,
    QueryError,
    UnsupportedError,
)
from engine_bridge.format import plain

# Status codes of gRPC.
CANCELLED, INVALID, DEADLINE, NOT_FOUND, DENIED, EXHAUSTED = 1, 3, 4, 5, 7, 8
PRECONDITION, UNIMPLEMENTED, UNAVAILABLE, UNAUTHENTICATED = 9, 12, 14, 16

_SECRETS: Final = re.compile(r"(?i)(bearer\s+\S+|api[-_ ]?key\S*\s*[:=]\s*\S+|eyJ[\w.-]{20,})")
_TLS: Final = re.compile(
    r"(?i)certificate|tls|handshake|UnknownIssuer|NotValidForName|InvalidContentType|corrupt message"
)
_PLAIN: Final = re.compile(
    r"(?i)InvalidContentType|corrupt message|frame with invalid size|http2 error|broken pipe|h2 protocol"
)
_BAD_ID: Final = re.compile(r"(?i)invalid (runid|workflowid)|(runid|workflowid) is not")
_CODE: Final = re.compile(r"call error after connection: Status \{ code: (\w+)")
_STATUSES: Final = {
    "Unauthenticated": UNAUTHENTICATED,
    "PermissionDenied": DENIED,
    "DeadlineExceeded": DEADLINE,
    "ResourceExhausted": EXHAUSTED,
}
_NAMES: Final = re.compile(r"(?i)dns error|failed to lookup|name or service not known|nodename")


def connecting(source: ServerSource, text: str) -> PlayheadError:
    """Why no connection was made; ``text`` is what the client said."""
    said = masked(text)
    where = plain(source.address, 120)
    if _NAMES.search(text):
        return ConnectError(
            f"There is no host {plain(source.host, 120)}.", "Check the name, and your network.", said
        )
    refused = _CODE.search(text)
    if refused is not None and refused[1] in _STATUSES:
        return calling(source, _STATUSES[refused[1]], text)
    # With TLS 1.3 a server's alert comes after the handshake, with the first answer.
    if refused is not None and "fatal alert" not in text:
        return ConnectError(
            f"What answers at {where} is no Temporal server.",
            f"Name its own port (7233 by default), not that of the web page (8233). {_perhaps(source)}",
            said,
        )
    if source.tls and _PLAIN.search(text):
        return ConnectError(
            f"{where} does not speak TLS.",
            "Leave TLS (tls=true) and certificates out, or name the port that speaks it.",
            said,
        )
    failed = _tls(text) if source.tls else None
    if failed is not None:
        return ConnectError(f"The TLS connection to {where} failed: {failed[0]}.", failed[1], said)
    if _PLAIN.search(text) or (not source.tls and _TLS.search(text)):
        return ConnectError(
            f"{where} does not speak gRPC in clear text.",
            "If it wants TLS, add ?tls=true. The port of the web page (8233) is not the server's (7233).",
            said,
        )
    return ConnectError(
        f"No Temporal server answers at {where}.",
        "Start it (for development: temporal server start-dev), or check host, port and firewall.",
        said,
    )


def _perhaps(source: ServerSource) -> str:
    if not source.tls:
        return "If it wants TLS, add ?tls=true."
    return "" if source.cert else "If it wants a client certificate, add cert= and key=."


_YOURS: Final = "cert=/path/client.pem&key=/path/client.key"
_FAILURES: Final = (
    ("UnknownIssuer", "its certificate is signed by an authority that is not known here",
     "Name the authority's file: ca=/path/ca.pem."),
    ("NotValidForName", "its certificate is for another name",
     "Name the server as its certificate does: server_name=…."),
    ("InvalidCertificate(Expired", "the server's certificate has expired",
     "Its owner must renew it. If it is valid, check this machine's clock."),
    ("InvalidCertificate(NotValidYet", "the server's certificate is not valid yet", "Check this machine's clock."),
    ("alert: CertificateExpired", "your client certificate has expired", f"Name a valid one: {_YOURS}."),
    ("alert: CertificateRequired", "it asks for a client certificate", f"Name yours and its key: {_YOURS}."),
    ("KeyMismatch", "the key does not belong to the certificate", "Check cert= and key=: they come as a pair."),
    ("PrivateKeyParseError", "the file of key= holds no private key", "Name the certificate's key as a PEM file."),
    ("alert: ProtocolVersion", "it speaks another version of TLS", "Version 1.2 or 1.3 is needed."),
    ("alert: NoApplicationProtocol", "it speaks no HTTP/2", "Name the port of the server itself, not a web page's."),
)  # fmt: skip
"""Signs in what the client says (rustls' names), what they mean, and what to do."""
_NOT_MINE: Final = re.compile(
    r"alert: (UnknownCA|BadCertificate|Certificate(Unknown|Revoked)|UnsupportedCertificate|AccessDenied|DecryptError)"
)
_CUT: Final = re.compile(r"connection closed|broken pipe|connection reset|BrokenPipe|ConnectionReset")


def cut(text: str) -> bool:
    """Whether the line was cut, and nothing says why."""
    return bool(_CUT.search(text)) and "fatal alert" not in text


def _tls(text: str) -> tuple[str, str] | None:
    """Why TLS failed, and what to do; None where something else did."""
    for sign, reason, hint in _FAILURES:
        if sign in text:
            return reason, hint
    if _NOT_MINE.search(text):
        return (
            "it does not accept your client certificate",
            f"Name one of an authority that it knows: {_YOURS}.",
        )
    if _TLS.search(text):
        return "the certificates do not fit", "Check ca, cert, key and server_name of the URL."
    return None


_KEPT: Final = ": closed runs are kept for the namespace's retention only."


def calling(source: ServerSource, status: int, text: str, what: str = "") -> PlayheadError:
    """What the status of a call means. ``what`` names the thing asked for ("the run order-7")."""
    said = masked(text)
    where = plain(source.address, 120)
    if status == NOT_FOUND and "namespace" in text.lower():
        return NotFoundError(f"{where} has no namespace {plain(source.namespace, 120)}.", "", said)
    if status == NOT_FOUND or (status == INVALID and _BAD_ID.search(text)):
        return NotFoundError(
            f"The server does not know {plain(what, 200) or 'it'}.",
            "It may have been deleted" + (_KEPT if what.startswith("the run") or not what else "."),
            said,
        )
    if status == UNAUTHENTICATED:
        return AuthError(
            f"{where} does not accept these credentials.", "Give a valid API key or certificate.", said
        )
    if status == DENIED:
        return PermissionDeniedError(
            f"These credentials may not read {plain(what, 200) or f'namespace {plain(source.namespace, 120)}'}.",
            "Ask for the right to read it, or use another API key or certificate.",
            said,
        )
    if status == INVALID:
        return QueryError(f"The server does not take this question: {said[:300]}", "Change the filter.")
    if status == UNIMPLEMENTED and "unknown service" in text:
        return ConnectError(
            f"What answers at {where} is no Temporal server.", "It is another one: check the port.", said
        )
    if status == UNIMPLEMENTED:
        return UnsupportedError(
            "This server cannot do that.", "It needs a newer version, or its configuration.", said
        )
    if status == EXHAUSTED and "larger than max" in text:
        return ConnectError(
            "An answer or a question is larger than the server, or something before it, lets through.",
            "Raise the limit of message sizes there (4 MB by default), or look at an exported history.",
            said,
        )
    if status == EXHAUSTED:
        return BusyError("The server limits how much is asked of it.", "Try again in a moment.", said)
    # The client and the server both end a call whose time is over as if it had been cancelled.
    if status in (DEADLINE, CANCELLED):
        return ConnectError(f"{where} did not answer in time.", "Try again; it may be overloaded.", said)
    if status == UNAVAILABLE:
        return connecting(source, text)
    if text.startswith("transport error"):
        return ConnectError(
            f"The connection to {where} was cut.", "The server may have been restarted: try again.", said
        )
    return ConnectError(f"{where} answered with an error.", "Try again; the details say more.", said)


def masked(text: str) -> str:
    return plain(_SECRETS.sub("***", text), 2_000)
