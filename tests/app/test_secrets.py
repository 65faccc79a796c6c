"""Passwords leave URLs before anything sees them."""

from __future__ import annotations

import pickle
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from app import secrets
from app.opening import actor_of, target_of
from app.saved import Saved
from app.secrets import safe_url
from app.target import Secret, Target

#: Passwords as people type them: long enough that they cannot stand in the rest of the URL by chance.
PASSWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F), min_size=1, max_size=24).map(
    lambda text: f"{text}Zq9"
)
SCHEMES = st.sampled_from(["dbos+postgresql", "postgresql+psycopg", "temporal", "x"])
TAILS = st.sampled_from(
    ["", "/", "/orders", ":5432/orders", ":5432", "/a/b?x=1", "?sslmode=require", ":7/x#f"]
)


def leaks(password: str, text: str) -> bool:
    return password in text or quote(password, safe="") in text


@given(SCHEMES, PASSWORDS, TAILS)
@example("x", "p@ss:w/o?r#dZq9", ":5432/orders")
@example("x", "1/2@Zq9", "/orders")
@example("x", "5432/aZq9", "")
def test_no_byte_of_a_password_stays(scheme: str, password: str, tail: str) -> None:
    url, secret = safe_url(f"{scheme}://ann:{password}@host{tail}")
    assert not leaks(password, url)
    assert url == f"{scheme}://ann@host{tail}"
    assume("%" not in password)
    assert secret == password


@given(SCHEMES, PASSWORDS, TAILS)
def test_quoted_passwords_come_out_unquoted(scheme: str, password: str, tail: str) -> None:
    assert safe_url(f"{scheme}://ann:{quote(password, safe='')}@host{tail}") == (
        f"{scheme}://ann@host{tail}",
        password,
    )


@given(
    PASSWORDS.map(lambda text: quote(text, safe="")),
    st.sampled_from(
        ["password", "PASSWORD", "sslpassword", "token", "api_key", "pwd", "access_token", "client_secret"]
    ),
)
def test_secret_query_keys_are_taken_out(password: str, name: str) -> None:
    url, secret = safe_url(f"x://ann@host/db?a=1&{name}={password}&b=2")
    assert url == "x://ann@host/db?a=1&b=2"
    assert secret is not None


@given(st.text(max_size=60), PASSWORDS, st.text(max_size=20))
def test_malformed_text_never_raises(before: str, password: str, after: str) -> None:
    for text in (
        before,
        f"{before}://{after}:{password}@{after}",
        f"x://:{password}@",
        f"x://ann:{password}",
    ):
        url, _ = safe_url(text)
        assert isinstance(url, str)
    assert not leaks(password, safe_url(f"x://:{password}@h")[0])
    assert not leaks(password, safe_url(f"x://ann@corp:{password}@h")[0]) or password.split("/")[0].isdigit()


@pytest.mark.parametrize(
    "url",
    [
        "dbos+sqlite:///orders.db",
        "dbos+sqlite:////tmp/a:b@c/orders.db",
        "dbos+sqlite:///C:/Users/me@corp/orders.db",
        "dbos+postgresql://localhost/db",
        "dbos+postgresql://localhost:5432/db",
        "dbos+postgresql://ann@localhost:5432/db?application_name=a@b",
        "dbos+postgresql://ann@[::1]:5432/db",
        "dbos+postgresql://[::1]:5432/db",
        "temporal://localhost:7233/default",
        "/tmp/odd:name@here.db",
        "C:\\data\\orders.db",
        "",
    ],
)
def test_urls_without_a_secret_stay_as_they_are(url: str) -> None:
    assert safe_url(url) == (url, None)


def test_connection_strings_lose_their_password() -> None:
    assert safe_url("host=db user=ann password='it''s Zq9' dbname=x")[0].count("Zq9") == 0
    assert safe_url("host=db password=hunter2 user=ann") == ("host=db user=ann", "hunter2")


def test_a_secret_shows_nowhere() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    target = target_of("x://ann:hunter2@host/db", Saved())
    assert "hunter2" not in repr(target)
    assert target.secret is not None and target.secret.reveal() == "hunter2"


def test_the_environments_password_is_for_the_source_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(secrets.ENVIRONMENT_KEY, "hunter2")
    target = Target("temporal://db.example:7233/shop?tls=true", "shop")
    assert actor_of(target).secret == "hunter2"
    assert actor_of(target, named=False).secret is None
