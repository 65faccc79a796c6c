"""Passwords: taken out of URLs before anything sees them, kept in the OS keyring only. Qt-free.

Nothing here logs. Keyring calls may block on the desktop's own prompt, so never on the GUI thread.
"""

from __future__ import annotations

import os
import re
from typing import Final
from urllib.parse import quote, unquote

from app.target import Secret as Secret

SERVICE: Final = "playhead"
#: Read before the keyring. A PostgreSQL driver reads PGPASSWORD and PGPASSFILE by itself.
ENVIRONMENT_KEY: Final = "PLAYHEAD_PASSWORD"
#: The bearer token of a source's codec server; the source's own password never goes there.
CODEC_KEY: Final = "PLAYHEAD_CODEC_TOKEN"

_NAME: Final = (
    r"(?:ssl|db|pg|client_|secret_|signing_|access_|auth_|api_)?"
    r"(?:password|passwd|pwd|passphrase|secret|token|api[-_]?key|access_key|secret_key|signing_key)"
)
_SECRET_NAME: Final = re.compile(_NAME, re.IGNORECASE)
_PAIR: Final = re.compile(rf"(\b{_NAME}\s*=\s*)('(?:[^'\\]|\\.|'')*'?|\S+)\s*", re.IGNORECASE)
_SCHEME: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.\-]*://)")
# An address in a query's value: what could be its user and password, and its own query, which could hold anything.
_INSIDE: Final = re.compile(r"(\w+://)(?:[^/]*@)?([^?#]*).*", re.DOTALL)
_PORT: Final = re.compile(r":\d{0,5}(?=[/?#]|\Z)")


def safe_url(text: str) -> tuple[str, str | None]:
    """A URL without its secret, and the secret (percent-decoded), None where it held none.

    Takes out the password of ``user:password@host`` and the values of secret query keys. Made for what
    people paste: a password may hold ``@ : / ? #`` unescaped, so it ends at the *last* ``@`` of the text;
    write ``%40`` for one that means something else. Text that is no URL is a path, of which only
    ``password=…`` pairs are taken.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _without_pairs(text)
    rest, password = _split_userinfo(text[scheme.end() :].rstrip())
    rest, from_query = _split_query(rest)
    return scheme.group(1) + rest, password or from_query


def _without_pairs(text: str) -> tuple[str, str | None]:
    found = _PAIR.search(text)
    if found is None:
        return text, None
    return _PAIR.sub("", text).strip(), found.group(2).strip("'")


def _split_userinfo(rest: str) -> tuple[str, str | None]:
    """The authority and path without a password. ``rest`` is what follows ``scheme://``."""
    if rest.startswith(("/", "[")):
        return rest, None  # a file, or a bare IPv6 host
    colon, at = rest.find(":"), rest.find("@")
    if colon < 0 or (at < 0 and _ends_before(rest, colon)):
        return rest, None
    port = _PORT.match(rest, colon)
    # An empty port before another "@" is the beginning of a password, which may hold any of "/?#".
    is_port = port is not None and (len(port.group()) > 1 or "@" not in rest[colon:])
    host_has_user = 0 <= at < colon
    if is_port and (host_has_user or at < 0):
        return rest, None
    if host_has_user and (rest.startswith("[", at + 1) or _ends_before(rest, colon)):
        return rest, None
    end = rest.rfind("@")
    if end < colon:
        # "user:word" with no host, or "user@host:word": the word is no port, so it may be a password.
        cut = re.search(r"[/?#]|\Z", rest[colon:])
        end = colon + (cut.start() if cut else 0)
    return _joined(rest[:colon], rest[end:]), unquote(rest[colon + 1 : end]) or None


def _ends_before(rest: str, colon: int) -> bool:
    """Whether the authority ended before the first colon, which then belongs to the path."""
    slash = re.search(r"[/?#]", rest)
    return slash is not None and slash.start() < colon


def _joined(user: str, tail: str) -> str:
    return tail[1:] if not user and tail.startswith("@") else user + tail


def _split_query(rest: str) -> tuple[str, str | None]:
    head, mark, query = rest.partition("?")
    query, hash_mark, fragment = query.partition("#")
    kept: list[str] = []
    secret: str | None = None
    for part in query.split("&") if query else []:
        name, equals, value = part.partition("=")
        if equals and _SECRET_NAME.fullmatch(unquote(name).strip()):
            secret = secret or unquote(value) or None
        elif "://" in unquote(value) and _INSIDE.fullmatch(unquote(value)):
            kept.append(f"{name}={_bare(value)}")
        else:
            kept.append(part)
    if not mark:
        return rest, None
    return head + ("?" if kept else "") + "&".join(kept) + hash_mark + fragment, secret


def _bare(value: str) -> str:
    """An address inside a query without what could be a secret; as it was written where it holds none."""
    found = _INSIDE.sub(r"\1\2", unquote(value))
    return value if found == unquote(value) else quote(found, safe="/:[]{}")


def keyring_available() -> bool:
    """Whether this machine has a keyring that keeps secrets (a bare server has none)."""
    try:
        import keyring
        from keyring.backends import fail, null

        backend = keyring.get_keyring()
    except Exception:  # noqa: BLE001  a keyring's backend may fail in any way; none is then there
        return False
    return not isinstance(backend, fail.Keyring | null.Keyring)


def find(url: str, *, named: bool = True) -> str | None:
    """The password for a URL (without secret): from the environment, else the keyring, else None.

    A URL that names no host needs none: then the keyring, which is slow to start, is left alone. The environment's is
    meant for what the user ``named``: no other source is given it.
    """
    scheme = _SCHEME.match(url)
    if scheme is None or url[scheme.end() : scheme.end() + 1] in ("", "/"):
        return None
    from_environment = os.environ.get(ENVIRONMENT_KEY) if named else None
    if from_environment:
        return from_environment
    try:
        import keyring

        value: str | None = keyring.get_password(SERVICE, safe_url(url)[0])
    except Exception:  # noqa: BLE001  absent, locked or broken: then the user is asked
        return None
    return value


def find_token(codec: str) -> str | None:
    """The bearer token for a codec server's address: from the environment, else the keyring, else None."""
    from_environment = os.environ.get(CODEC_KEY)
    if from_environment or not codec:
        return from_environment if codec else None
    try:
        import keyring

        value: str | None = keyring.get_password(SERVICE, _entry(codec))
    except Exception:  # noqa: BLE001  absent, locked or broken: then it is asked without one
        return None
    return value


def remember_token(codec: str, token: str) -> bool:
    """Keeps a codec server's bearer token in the keyring; false where that is not possible."""
    return _keep(_entry(codec), token)


def _entry(codec: str) -> str:
    return f"codec {codec}"


def remember(url: str, secret: str) -> bool:
    """Keeps a password in the keyring; false where that is not possible (nothing is kept then)."""
    return _keep(safe_url(url)[0], secret)


def _keep(entry: str, secret: str) -> bool:
    try:
        import keyring

        if not keyring_available():
            return False
        keyring.set_password(SERVICE, entry, secret)
    except Exception:  # noqa: BLE001
        return False
    return True


def forget(url: str) -> None:
    """Removes a password from the keyring, if it is there."""
    try:
        import keyring

        keyring.delete_password(SERVICE, safe_url(url)[0])
    except Exception:  # noqa: BLE001
        return
