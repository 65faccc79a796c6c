"""One question to a codec server: ``POST {endpoint}/decode`` with payloads in protobuf JSON, as the web UI asks it.

Protocol: https://docs.temporal.io/codec-server. Nothing is followed, kept on disk or logged; the bearer token goes over
TLS or to this machine only.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote, urlsplit

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import codec_url
from engine_bridge.errors import DecodeError
from engine_bridge.format import duration, plain, size
from engine_bridge.payloads.masking import mask_text

CONNECT_S: Final = 5.0
WHOLE_S: Final = 20.0
MOST: Final = 64 << 20
"""Bytes of an answer that are read."""

_CHUNK: Final = 1 << 16
_SAID: Final = 300
_AUTH: Final = (401, 403, 407)


class CodecError(DecodeError):
    """The codec server did not decode or encode. ``status`` is HTTP's, 0 where it gave no answer that can be read."""

    status = 0


def failed(message: str, hint: str = "", detail: str = "", status: int = 0) -> CodecError:
    error = CodecError(message, hint, detail)
    error.status = status
    return error


class CodecServer:
    """One codec server, for one namespace. Any thread; each question has a connection of its own."""

    def __init__(
        self,
        endpoint: str,
        namespace: str,
        token: str | None = None,
        *,
        connect_s: float = CONNECT_S,
        whole_s: float = WHOLE_S,
        most: int = MOST,
    ) -> None:
        self.endpoint = endpoint.replace("{namespace}", quote(namespace, safe=""))
        self.name = plain(codec_url.place(self.endpoint), 120)
        self._namespace = namespace
        self._token = (token or "").strip()
        self._connect_s, self._whole_s, self._most = connect_s, whole_s, most

    def ask(self, action: str, payloads: list[dict[str, Any]], cancel: CancelToken) -> list[dict[str, Any]]:
        """The payloads, decoded or encoded ("decode", "encode"), in their order. Raises CodecError, CancelledError."""
        headers = self._headers()
        body = json.dumps({"payloads": payloads}).encode()
        status, kind, where, data = self._post(f"/{action}", headers, body, cancel)
        if status != 200:
            raise self._refused(status, kind, where, data, action)
        return self._payloads(kind, data, len(payloads))

    def _headers(self) -> dict[str, str | bytes]:
        namespace = self._namespace.encode()
        if any(byte < 32 for byte in namespace):
            raise failed("The namespace's name cannot be sent to a codec server.")
        found: dict[str, str | bytes] = {"Content-Type": "application/json", "X-Namespace": namespace}
        if self._token:
            if not codec_url.private(self.endpoint):
                raise failed(
                    f"The bearer token is not sent to {self.name}: the address is plain HTTP.",
                    "A token goes over TLS or to this machine only: use https://, or take the token away.",
                )
            if not (self._token.isascii() and self._token.isprintable()):
                raise failed("The bearer token holds characters that cannot be sent.", "Set it again.")
            found["Authorization"] = f"Bearer {self._token}"
        return found

    def _post(
        self, action: str, headers: dict[str, str | bytes], body: bytes, cancel: CancelToken
    ) -> tuple[int, str, str, bytes]:
        """(status, content type, redirected to, body) of the answer."""
        parts = urlsplit(self.endpoint)
        late = threading.Event()
        try:
            connection = self._connection(parts.scheme, parts.hostname or "", parts.port)
        except (OSError, ssl.SSLError) as error:
            raise self._unreachable(error) from None

        # The connection forgets its socket when the answer lasts until its end: it must be cut off all the same.
        sockets: list[socket.socket] = []

        def stop() -> None:
            late.set()
            _shut(sockets)

        watch = threading.Timer(self._whole_s, stop)
        watch.daemon = True
        watch.start()
        forget = cancel.add_hook(lambda: _shut(sockets))
        try:
            connection.connect()
            sockets.append(connection.sock)
            cancel.raise_if_cancelled()
            if late.is_set():  # before there was a socket to cut off
                raise TimeoutError
            connection.sock.settimeout(self._whole_s)
            connection.request("POST", parts.path + action, body, headers)
            with connection.getresponse() as answer:
                data = self._body(answer)
                kind, where = answer.headers.get_content_type(), answer.getheader("Location", "")
            found = answer.status, kind, where, data
        except (OSError, http.client.HTTPException) as error:
            cancel.raise_if_cancelled()
            raise self._unreachable(TimeoutError() if late.is_set() else error) from None
        finally:
            forget()
            watch.cancel()
            watch.join()
            connection.close()
        cancel.raise_if_cancelled()
        if late.is_set():
            raise self._unreachable(TimeoutError())
        return found

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._connect_s)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=self._connect_s, context=context)

    def _body(self, answer: http.client.HTTPResponse) -> bytes:
        pieces, length = [], 0
        while piece := answer.read(_CHUNK):
            pieces.append(piece)
            length += len(piece)
            if length > self._most:
                raise failed(f"The codec server {self.name} answered with more than {size(self._most)}.")
        return b"".join(pieces)

    def _unreachable(self, error: Exception) -> CodecError:
        """What a connection's failure means; the error's own words may repeat what was sent, so they stay away."""
        check = "Check its address in the source's codec server."
        if isinstance(error, ssl.SSLCertVerificationError):
            why = plain(str(error.verify_message), 160)
            hint = "SSL_CERT_FILE names a file of authorities of your own."
            return failed(f"The TLS certificate of the codec server {self.name} is not trusted: {why}.", hint)
        if isinstance(error, TimeoutError):
            limit = duration(round(self._whole_s * 1e9))
            return failed(f"The codec server {self.name} did not answer in time ({limit} at most).", check)
        if isinstance(error, ssl.SSLError):
            hint = "Write http:// if it has no TLS."
            return failed(f"The TLS connection to the codec server {self.name} failed.", hint)
        if isinstance(error, socket.gaierror):
            return failed(f"The host of the codec server {self.name} is not known.", check)
        if isinstance(error, ConnectionRefusedError):
            return failed(f"No codec server answers at {self.name}: the connection is refused.", "Start it.")
        hint = "Its port may want TLS: write https://." if self.endpoint.startswith("http:") else check
        return failed(f"The codec server {self.name} broke the connection off.", hint, type(error).__name__)

    def _refused(self, status: int, kind: str, where: str, data: bytes, action: str) -> CodecError:
        words = f"{status} {http.client.responses.get(status, '')}".strip()
        if 300 <= status < 400:
            target = plain(urlsplit(where).netloc or "another address", 120)
            hint = "Redirects are not followed: name the server itself."
            return failed(f"The codec server {self.name} redirects to {target}.", hint, words, status)
        if status in _AUTH:
            hint = "Set its bearer token with the source's codec server."
            what = "another bearer token" if self._token else "a bearer token"
            return failed(f"The codec server {self.name} wants {what} ({words}).", hint, "", status)
        if status in (404, 405):
            hint = "Its address is what comes before /decode and /encode."
            return failed(f"{self.name} has no /{action} at this address ({words}).", hint, "", status)
        said = self._said(kind, data)
        return failed(
            f"The codec server {self.name} answered {words}" + (f": {said}" if said else "."),
            "",
            words,
            status,
        )

    def _said(self, kind: str, data: bytes) -> str:
        """A short text of the server's own, masked; pages and long ones are left out."""
        if kind not in ("text/plain", "application/json") or len(data) > _CHUNK:
            return ""
        text = data.decode(errors="replace")
        text = text.replace(self._token, "***") if self._token else text
        return mask_text(plain(" ".join(text.split()), _SAID))

    def _payloads(self, kind: str, data: bytes, count: int) -> list[dict[str, Any]]:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            page = kind == "text/html" or data.lstrip()[:1] == b"<"
            what = "a web page" if page else "something that is no JSON"
            hint = "A login page or a proxy may stand before it." if page else ""
            raise failed(
                f"The codec server {self.name} answered with {what}, not with payloads.", hint
            ) from None
        payloads = found.get("payloads") if isinstance(found, dict) else None
        if not isinstance(payloads, list) or not all(isinstance(one, dict) for one in payloads):
            raise failed(f"The codec server {self.name} answered with JSON that holds no payloads.")
        if len(payloads) != count:
            raise failed(
                f"The codec server {self.name} answered with {len(payloads)} payloads to {count}: "
                "nobody can tell which is which."
            )
        return payloads


def _shut(sockets: list[socket.socket]) -> None:
    """Ends what a connection waits for, from another thread."""
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
