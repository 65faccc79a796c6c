"""Secrets are hidden, and what merely looks like one stays readable."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from engine_bridge.payloads import Opaque
from engine_bridge.payloads.masking import MASK, mask, mask_text, secrecy
from engine_bridge.payloads.render import pretty

from .corpus import benign, secrets


def shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize("how", ["tree", "text"])
def test_at_least_99_of_100_secrets_are_hidden(how: str) -> None:
    corpus = secrets()
    assert len(corpus) == 300
    hidden = [(kind, masked(value, how), secret) for kind, value, secret in corpus]
    leaked = [(kind, secret, text) for kind, text, secret in hidden if secret in text]
    assert len(leaked) <= len(hidden) * 0.01, leaked


def masked(value: Any, how: str) -> str:
    """As a tree, or as the raw text that a viewer or a log shows."""
    return (
        shown(mask(value)) if how == "tree" else mask_text(value if isinstance(value, str) else shown(value))
    )


@pytest.mark.parametrize("how", ["tree", "text"])
def test_at_most_2_of_100_harmless_values_are_hidden(how: str) -> None:
    corpus = benign()
    assert len(corpus) == 3_000
    wrong = [value for value in corpus if MASK in masked(value, how)]
    assert len(wrong) <= len(corpus) * 0.02, wrong[:40]


def test_structure_and_harmless_neighbours_stay() -> None:
    tree = {"user": "bob", "password": "hunter2", "retry": {"max": 3, "token": None}, "on": True, "pin": 1234}
    assert mask(tree) == {
        "user": "bob",
        "password": MASK,
        "retry": {"max": 3, "token": None},
        "on": True,
        "pin": MASK,
    }
    assert tree["password"] == "hunter2"


def test_opaque_values_are_masked_inside() -> None:
    node = Opaque(
        "shop.Login",
        ("bob", "Bearer abcdef0123456789"),
        {"password": "x1"},
        {"api_key": "k", "n": 1},
        [("secret", b"s")],
    )
    hidden = mask(node)
    assert pretty(hidden).count(MASK) == 4 and '"bob"' in pretty(hidden) and "n=1" in pretty(hidden)


def test_text_keeps_its_form() -> None:
    assert mask_text('{"password": "a\\"b", "x": 1}') == f'{{"password": "{MASK}", "x": 1}}'
    assert mask_text("postgresql://app:pw@db/x") == f"postgresql://app:{MASK}@db/x"
    assert mask_text("card 4111 1111 1111 1111.") == f"card {MASK}."
    assert mask_text("card 4111 1111 1111 1112.") == "card 4111 1111 1111 1112."
    assert mask_text("-----BEGIN PRIVATE KEY-----\nAAAA") == MASK


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("password", "hard"), ("userPassword", "hard"), ("APIKey", "hard"), ("X-API-Key", "hard"), ("token", "soft"),
        ("accessToken", "soft"), ("Set-Cookie", "soft"), ("AWS_SECRET_ACCESS_KEY", "hard"), ("tokenCount", ""),
        ("max_tokens", ""), ("password_changed_at", ""), ("key", ""), ("public_key", ""), ("author", ""), ("", ""),
    ],
)  # fmt: skip
def test_names(name: str, kind: str) -> None:
    assert secrecy(name) == kind


def test_long_text_is_masked_in_time() -> None:
    text = json.dumps([{"id": f"order-{i}", "note": "nothing to hide here", "qty": i} for i in range(4_000)])
    assert len(text) > 256 << 10
    for hostile in (
        text,
        "password" * 30_000,
        "a" * 300_000,
        "://" * 80_000,
        "1 " * 150_000,
        "eyJ" * 80_000,
        "-----BEGIN PRIVATE KEY-----" * 9_000,
    ):
        began = time.process_time()
        mask_text(hostile)
        assert time.process_time() - began < 5, hostile[:20]
