"""A codec server on the loopback, as a user would write it, and all the ways in which one can go wrong."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag

from engine_bridge.engines.temporal.codec import message
from tests.engines.temporal.codec.crypt import ENCRYPTED, decrypted, hidden

LOGIN = b"<!doctype html><html><body>Sign in</body></html>"


class CodecPlace:
    """``way`` is how it answers: "good", or one of the wrong ways; ``asked`` keeps what it was asked."""

    def __init__(
        self, way: str = "good", *, token: str = "", certificate: tuple[Path, Path] | None = None
    ) -> None:
        self.way = way
        self.token = token
        self.asked: list[tuple[str, dict[str, str], int]] = []
        self.release = threading.Event()
        place = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                place.answer(self)

            def log_message(self, *args: Any) -> None:
                """Tests read no log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.scheme = "http" if certificate is None else "https"
        self._server.handle_error = lambda *args: None  # type: ignore[method-assign]  # a broken connection is the test
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Ends it, and waits for what it is answering."""
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> CodecPlace:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.asked.append((handler.path, dict(handler.headers), len(body["payloads"])))
        if self.token and handler.headers.get("Authorization") != f"Bearer {self.token}":
            return _send(handler, 401, "text/plain", b"unauthorized")
        way = getattr(self, f"_{self.way}", None)
        if way is not None:
            return way(handler)
        try:
            change = {"/decode": shown, "/encode": hidden}[handler.path]
            found = [change(one) for one in body["payloads"]]
        except KeyError:
            return _send(handler, 404, "text/plain", b"not found")
        except InvalidTag:
            return _send(handler, 400, "text/plain", b"cipher: message authentication failed")
        return _send(handler, 200, "application/json", json.dumps({"payloads": found}).encode())

    def _html(self, handler: BaseHTTPRequestHandler) -> None:
        _send(handler, 200, "text/html", LOGIN)

    def _error(self, handler: BaseHTTPRequestHandler) -> None:
        _send(handler, 500, "text/plain", b"the key store is away; password=hunter22hunter22")

    def _fewer(self, handler: BaseHTTPRequestHandler) -> None:
        _send(handler, 200, "application/json", b'{"payloads": []}')

    def _other(self, handler: BaseHTTPRequestHandler) -> None:
        _send(handler, 200, "application/json", b'{"payloads": "none"}')

    def _garbled(self, handler: BaseHTTPRequestHandler) -> None:
        _send(handler, 200, "application/json", b'{"payloads": [{"metadata": 3}]}')

    def _redirect(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(307)
        handler.send_header("Location", "https://login.example/here?token=abc")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def _huge(self, handler: BaseHTTPRequestHandler) -> None:
        _send(handler, 200, "application/json", b" " * 200_000)

    def _slow(self, handler: BaseHTTPRequestHandler) -> None:
        self.release.wait(30)
        _send(handler, 200, "application/json", b"{}")

    def _dripping(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not self.release.wait(0.02):
            handler.wfile.write(b" ")

    def _broken(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True


def shown(payload: dict[str, Any]) -> dict[str, Any]:
    """A payload decoded; what is not encrypted stays as it is. Raises InvalidTag."""
    if base64.b64decode(payload["metadata"]["encoding"]).decode() != ENCRYPTED:
        return payload
    found = message(decrypted(base64.b64decode(payload["data"])))
    assert found is not None
    return found


def _send(handler: BaseHTTPRequestHandler, status: int, kind: str, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
