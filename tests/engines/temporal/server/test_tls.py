"""TLS, client certificates and API keys as production has them: what is met, and what each way to fail says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine_bridge.bridge import Sort
from engine_bridge.errors import AuthError, ConnectError, PermissionDeniedError, PlayheadError, UsageError
from tests.engines.temporal.local import NAMESPACE
from tests.engines.temporal.refusing import Refusing
from tests.engines.temporal.server.conftest import NEVER, history, newest
from tests.engines.temporal.shop import Shop
from tests.engines.temporal.tls_proxy import DATA, TlsProxy

KEY = "eyJhbGciOi.secret-of-ours"
PLAYHEAD = str(Path(sys.executable).with_name("playhead"))


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def before(shop: Shop, ends: ExitStack, certificate: str = "server", *, known: bool = False) -> str:
    """A terminator of TLS before the shop's server: where it is, with its authority and name."""
    proxy = TlsProxy(("127.0.0.1", shop.server.port), certificate, known=known)
    ends.callback(proxy.close)
    return f"temporal://127.0.0.1:{proxy.port}/{NAMESPACE}?ca={DATA}/ca.pem&server_name=server.test"


def me(name: str = "client", key: str = "") -> str:
    return f"&cert={DATA}/{name}.pem&key={DATA}/{key or name}.key"


def refusal(shop: Shop, url: str, secret: str | None = None) -> PlayheadError:
    """How opening fails: a sentence and what to do, without the key."""
    bridge = shop.child.bridge(url, secret)
    with pytest.raises(PlayheadError) as caught:
        bridge.open(NEVER)
    bridge.close()
    error = caught.value
    told = f"{error.message} {error.hint} {error.detail} {error!r}"
    assert error.message.endswith(".") and error.hint and KEY not in told and "PRIVATE KEY" not in told
    return error


def test_a_server_behind_client_certificates_is_read_and_commanded(shop: Shop, ends: ExitStack) -> None:
    url = before(shop, ends, known=True) + me()
    bridge = shop.child.bridge(url, KEY)
    bridge.open(NEVER)
    assert len(bridge.runs(None, Sort(), None, "forward", 50, NEVER).items) > 20
    assert len(history(bridge, newest(bridge, "order-0003"))) > 10
    bridge.close()
    command = [PLAYHEAD, "act", url, "order-0009", "query", "name=approval", "--yes", "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, "PLAYHEAD_PASSWORD": KEY}
    )
    assert done.returncode == 0 and '"applied"' in done.stdout, done.stderr
    assert KEY not in done.stdout + done.stderr


def test_each_way_that_certificates_fail_says_what_to_do(shop: Shop, ends: ExitStack) -> None:
    url = before(shop, ends, known=True)
    place = url.partition("?")[0]
    unknown = refusal(shop, f"{place}?tls=true")
    assert "authority that is not known" in unknown.message and "ca=" in unknown.hint
    assert refusal(shop, url.replace("ca.pem", "other_ca.pem") + me()).message == unknown.message
    other = refusal(shop, url.replace("server.test", "elsewhere.test") + me())
    assert "for another name" in other.message and "server_name=" in other.hint
    without = refusal(shop, url)
    assert "asks for a client certificate" in without.message and "cert=" in without.hint
    stranger = refusal(shop, url + me("stranger"))
    assert "does not accept your client certificate" in stranger.message and "cert=" in stranger.hint
    mixed = refusal(shop, url + me("client", "server"))
    assert "key does not belong to the certificate" in mixed.message and "key=" in mixed.hint
    broken = refusal(shop, url.replace("ca.pem", "client.key"))
    assert "holds no certificate" in broken.message and "ca=" in broken.hint
    missing = refusal(shop, url.replace("ca.pem", "missing.pem"))
    assert "ca= cannot be read" in missing.message
    late = refusal(shop, before(shop, ends, "expired"))
    assert "server's certificate has expired" in late.message and "renew" in late.hint.lower()
    plain = refusal(shop, place)
    assert "tls=true" in plain.hint
    for one in (unknown, other, without, stranger, mixed, broken, late, plain):
        assert isinstance(one, ConnectError)


def test_a_port_that_speaks_tls_and_nothing_else_is_no_server(shop: Shop, ends: ExitStack) -> None:
    proxy = TlsProxy(None, known=False)
    ends.callback(proxy.close)
    place = f"temporal://127.0.0.1:{proxy.port}/shop?ca={DATA}/ca.pem&server_name=server.test"
    assert "emporal server" in refusal(shop, place).message


def test_a_key_goes_over_tls_or_stays(shop: Shop) -> None:
    with pytest.raises(UsageError, match="only sent over TLS"):
        shop.child.bridge("temporal://temporal.example:7233/shop?tls=false", KEY)


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (12, "unknown service temporal.api.workflowservice.v1.WorkflowService", "is no Temporal server"),
        (8, "grpc: received message larger than max (5 vs. 4)", "larger than the server"),
    ],
)
def test_other_servers_and_limits_say_what_they_are(
    shop: Shop, ends: ExitStack, status: int, message: str, said: str
) -> None:
    server = Refusing(status, message)
    ends.callback(server.close)
    assert said in refusal(shop, f"temporal://127.0.0.1:{server.port}/shop").message


@pytest.mark.parametrize(
    ("status", "message", "kind", "said"),
    [
        (16, "Request unauthorized.", AuthError, "does not accept these credentials"),
        (16, f"Jwt {KEY} is expired", AuthError, "does not accept these credentials"),
        (7, "Request unauthorized.", PermissionDeniedError, "may not read"),
    ],
)
def test_a_key_that_is_not_taken_says_so_and_is_not_repeated(
    shop: Shop, ends: ExitStack, status: int, message: str, kind: type[PlayheadError], said: str
) -> None:
    server = Refusing(status, message)
    ends.callback(server.close)
    error = refusal(shop, f"temporal://127.0.0.1:{server.port}/shop", KEY)
    assert isinstance(error, kind) and said in error.message and "key" in error.hint.lower()
