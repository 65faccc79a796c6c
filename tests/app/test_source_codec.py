"""The codec server of a source: its token apart from the source's password, and neither in anything that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app import secrets
from app.opening import actor_of, password_url, source_id, target_of
from app.saved import Saved
from app.secrets import safe_url
from app.target import Secret
from tests.app.rings import memory_keyring

URL = "temporal://h.example:7233/shop?tls=true&codec=https://codec.example:8081"
BARE = "temporal://h.example:7233/shop?tls=true"


@pytest.fixture
def ring() -> Iterator[None]:
    with memory_keyring():
        yield


def test_token_and_password_are_kept_apart(ring: None) -> None:
    assert secrets.remember(password_url(URL), "api-key") and secrets.remember_token(
        "https://codec.example:8081", "t0ken"
    )
    actor = actor_of(target_of(URL, Saved()))
    assert (actor.secret, actor.token) == ("api-key", "t0ken")
    assert "api-key" not in repr(actor) and "t0ken" not in repr(actor)
    # Another codec server: the same password, and no token.
    other = actor_of(target_of(URL.replace("codec.example", "other.example"), Saved()))
    assert (other.secret, other.token) == ("api-key", None)
    assert actor_of(target_of(BARE, Saved())).token is None


def test_the_environment_gives_each_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(secrets.ENVIRONMENT_KEY, "api-key")
    assert actor_of(target_of(URL, Saved())).token is None
    monkeypatch.setenv(secrets.CODEC_KEY, "t0ken")
    assert actor_of(target_of(URL, Saved())).token == "t0ken"
    assert actor_of(target_of(BARE, Saved())).token is None
    given = actor_of(replace(target_of(URL, Saved()), token=Secret("typed")))
    assert given.token == "typed"


def test_a_source_is_the_same_with_any_codec_server() -> None:
    assert source_id(URL) == source_id(BARE) == BARE
    assert password_url("dbos+sqlite:///x.db?codec=1") == "dbos+sqlite:///x.db?codec=1"


@pytest.mark.parametrize(
    ("pasted", "kept"),
    [
        ("https://ann:sesame@codec.example/x", "https://codec.example/x"),
        ("https://codec.example/x?key=sesame", "https://codec.example/x"),
        ("https%3A%2F%2Fann:sesame%40codec.example", "https://codec.example"),
        ("https://codec.example:8081/{namespace}", "https://codec.example:8081/{namespace}"),
    ],
)
def test_credentials_in_its_address_are_not_kept(pasted: str, kept: str) -> None:
    assert (
        safe_url(f"temporal+file:///srv/a.json?codec={pasted}")[0]
        == f"temporal+file:///srv/a.json?codec={kept}"
    )
