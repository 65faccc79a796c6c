"""TLS that fails says what is wrong with it: real handshakes with a server that speaks TLS and nothing else.

The certificates of tests/data/temporal/tls are made for this test alone and hold for a hundred years.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from engine_bridge.errors import ConnectError
from tests.conftest import ROOT
from tests.engines.temporal.server.conftest import NEVER
from tests.engines.temporal.shop import Shop

DATA = ROOT / "tests" / "data" / "temporal" / "tls"


@pytest.fixture(params=[False, True], ids=["any client", "known clients"])
def address(request: pytest.FixtureRequest) -> Iterator[tuple[str, bool]]:
    """A server that shakes hands and hangs up; whether it asks for a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(DATA / "server.pem", DATA / "server.key")
    context.set_alpn_protocols(["h2"])
    if request.param:
        context.load_verify_locations(DATA / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), client:
                client.settimeout(5)
                with context.wrap_socket(client, server_side=True, do_handshake_on_connect=False) as shaken:
                    with suppress(OSError):
                        shaken.do_handshake()
                        shaken.recv(1)
                    # What it was told must be read before the line is cut.
                    shaken.shutdown(socket.SHUT_WR)
                    while shaken.recv(4096):
                        pass

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"temporal://127.0.0.1:{listener.getsockname()[1]}/shop", request.param
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def refusal(shop: Shop, url: str) -> ConnectError:
    bridge = shop.child.bridge(url)
    with pytest.raises(ConnectError) as caught:
        bridge.open(NEVER)
    bridge.close()
    return caught.value


def test_each_way_to_fail_says_what_to_do(shop: Shop, address: tuple[str, bool]) -> None:
    url, asks = address
    unknown = refusal(shop, f"{url}?tls=true")
    assert "authority that is not known" in unknown.message and "ca=" in unknown.hint
    other = refusal(shop, f"{url}?ca={DATA}/ca.pem")
    assert "for another name" in other.message and "server_name=" in other.hint
    named = f"{url}?ca={DATA}/ca.pem&server_name=server.test"
    without = refusal(shop, named)
    if asks:
        assert "asks for a client certificate" in without.message
        assert "cert=" in without.hint
    known = refusal(shop, f"{named}&cert={DATA}/client.pem&key={DATA}/client.key")
    assert "no Temporal server" in known.message or "No Temporal server" in known.message
    missing = refusal(shop, f"{url}?ca={DATA}/missing.pem")
    assert "ca= cannot be read" in missing.message
