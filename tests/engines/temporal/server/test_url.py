"""Source URLs of servers: what they mean, and that no secret stands in one or comes out of one."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path

import pytest

from engine_bridge.bridge import load_engine
from engine_bridge.engines.temporal.client_url import absolute, parse, server_url
from engine_bridge.errors import UsageError

SECRET = "eyJhbGciOiJIUzI1NiJ9.secret"


@pytest.mark.parametrize(
    ("url", "host", "port", "namespace", "tls"),
    [
        ("temporal://localhost:7233/default", "localhost", 7233, "default", False),
        ("temporal://localhost", "localhost", 7233, "default", False),
        ("temporal://10.0.0.1:7000/shop%20floor", "10.0.0.1", 7000, "shop floor", False),
        ("temporal://[::1]:7233/shop", "::1", 7233, "shop", False),
        (
            "temporal://shop.acct.tmprl.cloud:7233/shop.acct?tls=true",
            "shop.acct.tmprl.cloud",
            7233,
            "shop.acct",
            True,
        ),
        ("temporal://h/n?server_name=x", "h", 7233, "n", True),
    ],
)
def test_urls_name_server_and_namespace(url: str, host: str, port: int, namespace: str, tls: bool) -> None:
    source = parse(url)
    assert (source.host, source.port, source.namespace, source.tls) == (host, port, namespace, tls)
    assert parse(source.location) == source


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("temporal://h:port/n", "no valid port"),
        ("temporal://h/n?cert=/c.pem", "needs its key"),
        ("temporal://h/n?tls=maybe", "true or false"),
        ("temporal://h/n?tls=false&ca=/ca.pem", "turns TLS off"),
        (f"temporal://h/n?api_key={SECRET}", "not supported: api_key"),
        (f"temporal://user:{SECRET}@h/n", "no user and password"),
        ("http://h/n", "not the URL"),
        ("temporal://ho st/n", "no valid host"),
    ],
)
def test_urls_that_mean_nothing_say_why_and_repeat_no_secret(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse(url)
    assert SECRET not in str(caught.value)


def test_a_key_turns_tls_on_and_shows_nowhere() -> None:
    source = parse("temporal://cloud.example:7233/shop", SECRET)
    assert source.tls and source.api_key == SECRET
    assert SECRET not in repr(source) and SECRET not in source.location
    assert not parse("temporal://localhost/shop", SECRET).tls
    with pytest.raises(UsageError, match="only sent over TLS"):
        parse("temporal://cloud.example/shop?tls=false", SECRET)


def test_a_key_of_the_environment_goes_to_its_own_server_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", SECRET)
    assert parse("temporal://cloud.example/shop").api_key is None
    monkeypatch.setenv("TEMPORAL_ADDRESS", "cloud.example:7233")
    assert parse("temporal://cloud.example/shop").api_key == SECRET
    assert parse("temporal://other.example/shop").api_key is None


def test_a_filled_form_makes_a_url() -> None:
    fields = {"host": "h.example", "port": "", "namespace": "shop", "ca": "/etc/ca.pem", "tls": "false"}
    assert server_url(fields) == "temporal://h.example:7233/shop?tls=true&ca=/etc/ca.pem"
    form = next(form for form in load_engine("temporal").forms if form.scheme == "temporal")
    assert form.build({"host": "localhost", "namespace": "default"}) == "temporal://localhost:7233/default"
    for pasted in ("h.example:17233", "[::1]:17233", "::1"):
        port = parse(form.build({"host": pasted, "port": "7233", "namespace": "shop"})).port
        assert port == (7233 if pasted == "::1" else 17233)
    assert [field.name for field in form.fields if field.secret] == ["api_key"]


def test_certificates_are_found_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse(absolute("temporal://h/n?ca=ca.pem")).ca == str(tmp_path / "ca.pem")


def test_a_bridge_is_made_in_a_child_process_and_keeps_its_secret_to_itself() -> None:
    engine = load_engine("temporal")
    assert engine.host_of("temporal://h/n") == "process"
    made = pickle.loads(pickle.dumps(partial(engine.bridge, "temporal://h/n", SECRET)))()
    assert SECRET not in repr(vars(made))
