"""A terminator of TLS before a real server, as production has: HTTP/2 by ALPN, client certificates where asked for."""

from __future__ import annotations

import select
import socket
import ssl
from contextlib import suppress
from pathlib import Path

from tests.engines.temporal.listener import Listener

DATA = Path(__file__).parents[2] / "data" / "temporal" / "tls"
_TALKS_S = 60


class TlsProxy(Listener):
    """``known``: known clients only. ``backend`` None hangs up after the handshake."""

    def __init__(self, backend: tuple[str, int] | None, certificate: str = "server", *, known: bool) -> None:
        self._backend = backend
        self._context = context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(DATA / f"{certificate}.pem", DATA / f"{certificate}.key")
        context.set_alpn_protocols(["h2"])
        if known:
            context.load_verify_locations(DATA / "ca.pem")
            context.verify_mode = ssl.CERT_REQUIRED
        super().__init__()

    def talk(self, client: socket.socket) -> None:
        client.settimeout(_TALKS_S)
        with (
            suppress(OSError),
            self._context.wrap_socket(client, server_side=True, do_handshake_on_connect=False) as shaken,
        ):
            self.open.add(shaken)
            try:
                shaken.do_handshake()
            except OSError:
                _hang_up(shaken)
                return
            if self._backend is None:
                _hang_up(shaken)
                return
            with socket.create_connection(self._backend) as server:
                self.open.add(server)
                _pass_on(shaken, server)


def _pass_on(client: ssl.SSLSocket, server: socket.socket) -> None:
    """Both ways in one thread: OpenSSL's objects are not to be read and written by two at once."""
    with suppress(OSError):
        while True:
            ready = [client] if client.pending() else select.select([client, server], [], [], _TALKS_S)[0]
            for one, other in ((client, server), (server, client)):
                if one in ready:
                    data = one.recv(65536)
                    if not data:
                        return
                    other.sendall(data)


def _hang_up(shaken: ssl.SSLSocket) -> None:
    with suppress(OSError):
        shaken.recv(1)
    # What it was told must be read before the line is cut.
    with suppress(OSError):
        shaken.shutdown(socket.SHUT_WR)
        while shaken.recv(4096):
            pass
