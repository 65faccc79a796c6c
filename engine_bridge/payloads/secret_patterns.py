"""What secrets look like: the formats their issuers document, and the names people give them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Pattern:
    """One format. ``hint`` is a text that every match holds, tested first because that is fast.

    Group 1, where there is one, is the part to mask.
    """

    name: str
    hint: str
    regex: re.Pattern[str]


def _pattern(name: str, hint: str, regex: str) -> Pattern:
    return Pattern(name, hint, re.compile(regex, re.ASCII))


_END: Final = r"(?![A-Za-z0-9])"
_START: Final = r"(?<![A-Za-z0-9])"

PATTERNS: Final = (
    _pattern(
        "private key",
        "PRIVATE KEY",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?!-----END)[\s\S])*(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)?",
    ),
    _pattern("web token", "eyJ", rf"{_START}eyJ[\w-]{{6,}}\.[\w-]{{6,}}(?:\.[\w-]*){{1,3}}"),
    *(
        _pattern("AWS access key", prefix, rf"{_START}{prefix}[A-Z0-9]{{16}}{_END}")
        for prefix in ("AKIA", "ASIA", "ABIA", "ACCA")
    ),
    *(
        _pattern("GitHub token", prefix, rf"{_START}{prefix}[A-Za-z0-9]{{30,255}}{_END}")
        for prefix in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")
    ),
    _pattern("GitHub token", "github_pat_", r"github_pat_\w{20,}"),
    _pattern("GitLab token", "glpat-", r"glpat-[\w-]{16,}"),
    _pattern("Slack token", "xox", rf"{_START}xox[a-z]-[\w-]{{10,}}"),
    _pattern("Slack token", "xapp-", rf"{_START}xapp-[\w-]{{10,}}"),
    _pattern("Slack webhook", "hooks.slack.com/", r"hooks\.slack\.com/\w+/([\w/]{20,})"),
    _pattern("Discord webhook", "/api/webhooks/", r"/api/webhooks/\d+/([\w-]{20,})"),
    _pattern("Stripe key", "k_live_", rf"{_START}[sr]k_live_[A-Za-z0-9]{{10,}}"),
    _pattern("Stripe key", "k_test_", rf"{_START}[sr]k_test_[A-Za-z0-9]{{10,}}"),
    _pattern("Stripe webhook secret", "whsec_", r"whsec_[A-Za-z0-9+/=]{16,}"),
    _pattern("Google key", "AIza", rf"{_START}AIza[\w-]{{35}}{_END}"),
    _pattern("Google token", "ya29.", rf"{_START}ya29\.[\w-]{{20,}}"),
    _pattern("Google client secret", "GOCSPX-", r"GOCSPX-[\w-]{20,}"),
    _pattern("model API key", "sk-", rf"{_START}sk-(?:[a-z]+\d*-)*[\w-]{{20,}}"),
    _pattern("SendGrid key", "SG.", rf"{_START}SG\.[\w-]{{16,}}\.[\w-]{{16,}}"),
    _pattern("Twilio key", "SK", rf"{_START}SK[0-9a-f]{{32}}{_END}"),
    _pattern("Mailgun key", "key-", rf"{_START}key-[0-9a-f]{{32}}{_END}"),
    _pattern("npm token", "npm_", rf"{_START}npm_[A-Za-z0-9]{{30,}}"),
    _pattern("PyPI token", "pypi-", rf"{_START}pypi-[\w-]{{40,}}"),
    _pattern("DigitalOcean token", "_v1_", rf"{_START}do[opr]_v1_[a-f0-9]{{40,}}"),
    _pattern("Hugging Face token", "hf_", rf"{_START}hf_[A-Za-z0-9]{{30,}}"),
    _pattern("Shopify token", "shp", rf"{_START}shp(?:at|ca|pa|ss)_[a-fA-F0-9]{{32}}"),
    _pattern("Square token", "sq0", rf"{_START}sq0[a-z]{{3}}-[\w-]{{20,}}"),
    _pattern("Databricks token", "dapi", rf"{_START}dapi[a-f0-9]{{32}}"),
    _pattern("Vault token", "hv", rf"{_START}hv[sbr]\.[\w-]{{20,}}"),
    _pattern("Linear key", "lin_api_", r"lin_api_[A-Za-z0-9]{30,}"),
    _pattern("age key", "AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    _pattern("Telegram token", ":AA", rf"{_START}\d{{8,10}}:AA[\w-]{{33}}{_END}"),
    _pattern("URL password", "://", r"[A-Za-z][\w+.-]{0,30}://[^\s/:@\"'<>]*:([^\s/@\"'<>]+)@"),
    _pattern("URL token", "://", r"https?://([A-Za-z0-9_-]{20,})@"),
    _pattern("Authorization", "earer ", rf"{_START}[Bb]earer ([\w.~+/-]{{12,}}=*)"),
    _pattern("Authorization", "EARER ", rf"{_START}BEARER ([\w.~+/-]{{12,}}=*)"),
    _pattern(
        "Authorization",
        "asic ",
        rf"{_START}[Bb]asic ((?=[A-Za-z+/]*[0-9=])[A-Za-z0-9+/]{{8,}}={{0,2}}){_END}",
    ),
)

# A card number: 13 to 19 digits, perhaps in groups; masking.py checks issuer ranges and the Luhn digit.
CARD: Final = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])(?!\.\d)", re.ASCII)
ISSUERS: Final = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Names whose values are secret whatever their type.
HARD: Final = _words("""
    password passwd passwort passphrase passcode pwd pass secret secrets pin otp cvv cvc cvv2 ssn mnemonic
    credential credentials apikey privatekey secretkey accesskey pan cardnumber
""")
# Names whose values are secret when they are text.
SOFT: Final = _words("""
    token jwt bearer authorization auth cookie cookies sessionid phpsessid jsessionid csrf xsrf csrftoken
    xsrftoken sas connectionstring
""")
# Words that make the word "key" after them a secret.
KEYS: Final = _words("""
    api access private secret signing signature encryption ssh master shared account storage license deploy
    webhook service server hmac session client consumer auth app subscription functions host decryption rsa
    aes pgp gpg tls ssl cert
""")
# Word pairs that name a secret where the single words do not.
PAIRS: Final = frozenset(
    {(word, "key") for word in KEYS}
    | {("card", "number"), ("cc", "number"), ("seed", "phrase"), ("connection", "string")}
    | {("recovery", "code"), ("recovery", "codes"), ("backup", "codes"), ("security", "code")}
)
# Last words that turn a secret's name into one about it ("token_count", "password_reset_at").
ABOUT: Final = _words("""
    count counts length len size type types name names at on expires expiry expiration expired ttl id ids
    policy policies enabled disabled required used usage limit limits max min total hint age strength
    changed updated created rotated valid invalid status state provider method mode url uri endpoint version
    algorithm alg format scope scopes field fields label source consent banner domain path reset attempts
    retries per budget window rate price cost
""")
# First words that make a token a mere place in a list, or a unit of text.
HARMLESS: Final = _words("""
    page next prev previous continuation cursor sync pagination max min total input output prompt completion
    num n public idempotency first last stop special start end eos bos pad cancel concurrency partition
""")
