"""Secrets as they occur in payloads, and look-alikes that are none. Seeded: every run sees the same."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import uuid
from collections.abc import Callable
from typing import Any

ALNUM = string.ascii_letters + string.digits


def _split(text: str) -> list[str]:
    return text.split()


WORDS = _split("""
    order payment customer invoice shipment token password secret key session retry queue worker step basic
    bearer cookie
""")
SECRET_NAMES = _split("""
    password passwd dbPassword db_password DB_PASSWORD pwd secret client_secret clientSecret api_key apiKey
    X-Api-Key access_token accessToken refresh_token auth_token authorization Authorization cookie Set-Cookie
    private_key secret_key aws_secret_access_key encryption_key signing_key sessionid csrf_token passphrase
    credentials pin otp webhook_secret ssh_key master_key account_key cvv
""")
COUNTS = _split("token_count max_tokens tokens total_tokens prompt_tokens")
KINDS = _split("token_type password_policy auth_method secret_name key_type")
PLACES = _split("next_page_token page_token continuation_token sync_token")
KEYS = _split("""
    primary_key partition_key sort_key idempotency_key cache_key routing_key key foreign_key
""")
ABOUT = _split("""
    password_reset_at token_expires_at secret_rotated api_key_id cookie_consent auth_enabled
""")
LOOKALIKES = _split("""
    author authority passenger compass tokenizer keyboard pinned spinner panel company
""")


class Maker:
    """Makes one kind of text after the other from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def chars(self, alphabet: str, count: int) -> str:
        return "".join(self.chance.choice(alphabet) for _ in range(count))

    def alnum(self, count: int) -> str:
        return self.chars(ALNUM, count)

    def hexes(self, count: int) -> str:
        return self.chars("0123456789abcdef", count)

    def password(self) -> str:
        return self.chars(ALNUM + "!#%+-_$", self.chance.randint(8, 16))

    def jwt(self) -> str:
        def part(value: dict[str, Any]) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': self.alnum(6), 'iat': 1})}.{self.alnum(43)}"

    def card(self) -> str:
        prefix = self.chance.choice(["4", "51", "55", "2221", "37", "6011"])
        length = 15 if prefix == "37" else 16
        body = prefix + self.chars(string.digits, length - len(prefix) - 1)
        total = sum(int(d) if i % 2 else sum(divmod(int(d) * 2, 10)) for i, d in enumerate(reversed(body)))
        digits = body + str(-total % 10)
        joint = self.chance.choice(["", " ", "-"])
        return joint.join(digits[i : i + 4] for i in range(0, length, 4)) if length == 16 else digits

    def pem(self) -> str:
        kind = self.chance.choice(["RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "])
        lines = "\n".join(self.alnum(64) for _ in range(4))
        return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


def secrets(seed: int = 1, count: int = 300) -> list[tuple[str, Any, str]]:
    """(kind, payload value, the text that must not survive)."""
    make = Maker(seed)
    formats: list[tuple[str, Callable[[], str]]] = [
        (
            "AWS id",
            lambda: make.chance.choice(["AKIA", "ASIA"]) + make.chars(string.ascii_uppercase + "234567", 16),
        ),
        ("GitHub", lambda: make.chance.choice(["ghp_", "gho_", "ghs_", "ghu_"]) + make.alnum(36)),
        ("GitHub fine", lambda: "github_pat_" + make.alnum(22) + "_" + make.alnum(59)),
        ("GitLab", lambda: "glpat-" + make.alnum(20)),
        (
            "Slack",
            lambda: f"xoxb-{make.chars(string.digits, 12)}-{make.chars(string.digits, 12)}-{make.alnum(24)}",
        ),
        (
            "Slack hook",
            lambda: f"https://hooks.slack.com/services/T{make.alnum(8)}/B{make.alnum(8)}/{make.alnum(24)}",
        ),
        ("Stripe", lambda: make.chance.choice(["sk_live_", "sk_test_", "rk_live_"]) + make.alnum(24)),
        ("Stripe hook", lambda: "whsec_" + make.alnum(32)),
        ("Google", lambda: "AIza" + make.alnum(35)),
        ("Google OAuth", lambda: "ya29." + make.alnum(60)),
        ("OpenAI", lambda: "sk-proj-" + make.alnum(48)),
        ("SendGrid", lambda: f"SG.{make.alnum(22)}.{make.alnum(43)}"),
        ("npm", lambda: "npm_" + make.alnum(36)),
        ("PyPI", lambda: "pypi-AgEIcHlwaS5vcmc" + make.alnum(60)),
        ("JWT", make.jwt),
        ("card", make.card),
        ("PEM", make.pem),
        ("bearer", lambda: "Bearer " + make.alnum(32)),
        (
            "basic",
            lambda: "Basic " + base64.b64encode(f"{make.alnum(6)}:{make.password()}".encode()).decode(),
        ),
    ]
    places: list[Callable[[str], Any]] = [
        lambda text: text,
        lambda text: {"result": text},
        lambda text: [1, text],
        lambda text: {"log": f"calling with {text} now"},
        lambda text: f'{{"value": {json.dumps(text)}}}',
    ]
    made: list[tuple[str, Any, str]] = []
    while len(made) < count:
        turn = len(made) % 3
        if turn == 0:
            kind, make_one = formats[(len(made) // 3) % len(formats)]
            text = make_one()
            made.append((kind, make.chance.choice(places)(text), _core(kind, text)))
        elif turn == 1:
            made.append(_keyed(make, make.chance.choice(SECRET_NAMES)))
        else:
            made.append(_embedded(make))
    return made


def _core(kind: str, text: str) -> str:
    """What of a secret must be gone: its distinguishing part."""
    if kind == "PEM":
        return text.split("\n")[2]
    return (
        text.rpartition(" ")[2]
        if kind in ("bearer", "basic")
        else text.rpartition("/")[2]
        if "hook" in kind
        else text
    )


def _keyed(make: Maker, key: str) -> tuple[str, Any, str]:
    value = make.password()
    shapes: list[Any] = [
        {key: value},
        {"config": {"deep": [{key: value}]}},
        {"headers": [{"name": key, "value": value}]},
        {"headers": [[key, value]]},
        {key: {"current": value}},
        {key: [value, "x"]},
        json.dumps({"a": 1, key: value}),
        json.dumps(json.dumps({key: value})),
    ]
    return f"key {key}", make.chance.choice(shapes), value


def _embedded(make: Maker) -> tuple[str, Any, str]:
    secret = (
        make.password()
        .replace("#", "x")
        .replace("%", "y")
        .replace("!", "z")
        .replace("$", "w")
        .replace("+", "v")
    )
    shapes = [
        ("URL password", f"postgresql://app:{secret}@db.internal:5432/orders"),
        ("URL password", f"connect to amqp://guest:{secret}@mq/ failed"),
        ("URL query", f"https://api.example.com/v1?user=7&access_token={secret}&x=1"),
        ("URL query", f"https://api.example.com/v1?api_key={secret}"),
        ("URL query", f"https://bucket.s3.amazonaws.com/k?X-Amz-Expires=5&X-Amz-Signature={secret}"),
        ("assignment", f"export DB_PASSWORD={secret}"),
        ("assignment", f"login failed: password='{secret}' user=bob"),
        ("assignment", f"Server=db;User Id=sa;Password={secret};Encrypt=yes"),
        ("assignment", f'{{"level": "info", "clientSecret": "{secret}"}}'),
        ("assignment", f"aws_secret_access_key = {secret}"),
        ("assignment", f"AccountName=x;AccountKey={secret};EndpointSuffix=y"),
        ("header", f"curl -H 'X-Api-Key: {secret}9' https://x"),
        ("header", f"Authorization: Bearer {secret}{secret}"),
        ("header", f"Cookie: sessionid={secret}"),
    ]
    kind, text = make.chance.choice(shapes)
    value: Any = make.chance.choice([text, {"message": text}, [text]])
    return kind, value, secret


def benign(seed: int = 2, count: int = 3_000) -> list[Any]:
    """What payloads are full of, the nearest look-alikes of secrets among it."""
    make = Maker(seed)
    pick = make.chance.choice
    number = make.chance.randint
    makers: list[Callable[[], Any]] = [
        lambda: str(uuid.UUID(int=make.chance.getrandbits(128))),
        lambda: hashlib.sha256(make.alnum(5).encode()).hexdigest(),
        lambda: {"commit": make.hexes(40)},
        lambda: f"order-{number(1, 10**6):06d}",
        lambda: {"order_id": make.chars(string.digits, 16)},
        lambda: {"id": number(10**12, 10**13)},
        lambda: {"created_ns": number(1_700_000_000, 1_900_000_000) * 10**9 + number(0, 10**9)},
        lambda: f"{make.alnum(8).lower()}@example.com",
        lambda: f"https://example.com/{make.alnum(6)}?page={number(1, 50)}&sort=created",
        lambda: f"s3://bucket/{make.hexes(32)}/part-{number(0, 99):05d}.parquet",
        lambda: f"2026-{number(1, 12):02d}-{number(1, 28):02d}T{number(0, 23):02d}:00:00.000Z",
        lambda: {pick(COUNTS): number(1, 10**5)},
        lambda: {pick(KINDS): pick(["bearer", "strict", "sso", "main", "rsa"])},
        lambda: {pick(PLACES): make.alnum(20)},
        lambda: {pick(KEYS): make.alnum(16)},
        lambda: {pick(ABOUT): pick(["2026-11-20", True, 5, None])},
        lambda: {pick(LOOKALIKES): make.alnum(10)},
        lambda: {"public_key": make.alnum(44)},
        lambda: " ".join(pick(WORDS) for _ in range(number(4, 12))),
        lambda: f"invalid {pick(['token', 'api key', 'secret'])}: {pick(['expired', 'missing', 'unknown'])}",
        lambda: f"{pick(['password', 'token'])} must not be empty",
        lambda: (
            f"basic {pick(['functionality', 'plan', 'authentication'])} for bearer {pick(['bonds', 'news'])}"
        ),
        lambda: {"phone": "+49 " + make.chars(string.digits, 10)},
        lambda: {"iban": "DE" + make.chars(string.digits, 20)},
        lambda: {"ean": make.chars(string.digits, 13), "price": number(1, 99999) / 100},
        lambda: {"thumbnail": base64.b64encode(make.chance.randbytes(number(20, 60))).decode()},
        lambda: {
            "version": f"v{number(1, 9)}.{number(0, 20)}.{number(0, 99)}",
            "image": f"registry/app:{make.hexes(12)}",
        },
        lambda: f'  File "/app/{pick(WORDS)}.py", line {number(1, 999)}, in {pick(WORDS)}_{pick(WORDS)}',
        lambda: {"trace_id": make.hexes(32), "span_id": make.hexes(16), "session_id": make.alnum(12)},
        lambda: json.dumps({"sku": f"SKU-{number(1, 999)}", "qty": number(1, 9), "tags": [pick(WORDS)]}),
        lambda: f"10.0.{number(0, 255)}.{number(0, 255)}:{number(1000, 9999)}",
        lambda: f"{pick(['http', 'redis', 'postgresql'])}://{pick(WORDS)}.internal:{number(1000, 9999)}/db",
        lambda: number(-(10**9), 10**9) / 7,
        lambda: f"arn:aws:iam::{make.chars(string.digits, 12)}:role/{pick(WORDS)}",
    ]
    return [makers[i % len(makers)]() for i in range(count)]
