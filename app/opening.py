"""From what the user typed to an open session: URL, file path or saved name. Qt-free; never on the GUI thread."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from app import secrets
from app.saved import Saved
from app.target import Target as Target
from engine_bridge import bridge
from engine_bridge.bridge import Engine, Field, SourceInfo
from engine_bridge.cancel import Progress
from engine_bridge.errors import (
    ConnectError,
    NotFoundError,
    PermissionDeniedError,
    PlayheadError,
    UnsupportedError,
    UsageError,
)
from engine_bridge.file_names import head_of
from engine_bridge.format import plain
from engine_bridge.session import Call, Session

if TYPE_CHECKING:
    from engine_bridge.actions.model import Actor

_HEAD: Final = 16_384


@dataclass(frozen=True, slots=True)
class Opened:
    """An open session with what ``open`` and ``fields`` found. ``target`` is what it was opened by."""

    session: Session
    info: SourceInfo
    fields: list[Field]
    target: Target


@dataclass(frozen=True, slots=True)
class ActorFactory:
    """Makes the unopened actor of a source, in a child process too. It shows no secret."""

    engine: str
    url: str
    secret: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def __call__(self) -> Actor:
        make = bridge.load_engine(self.engine).actor
        if make is None:
            raise UnsupportedError("This source has no actions.")
        return make(self.url, self.secret, **_with_token(self.token))


def target_of(text: str, saved: Saved, secret: str | None = None) -> Target:
    """Reads ``@name``, a URL or a path. Raises NotFoundError for an unknown name."""
    if text.startswith("@"):
        source = saved.source(text)
        return Target(source.url, source.name, source.environment, _secret(secret))
    url, inside = secrets.safe_url(text.strip())
    return Target(url, title_of(url), None, _secret(secret or inside))


def _secret(value: str | None) -> secrets.Secret | None:
    return secrets.Secret(value) if value else None


def title_of(url: str) -> str:
    """A short name for a URL or path: the file's or the database's name, and whose rows are meant."""
    if "://" not in url:
        return plain(Path(url).name or url, 80)
    parts = urlsplit(url)
    stem = Path(parts.path).name
    name = stem.removesuffix(".sqlite").removesuffix(".db") or parts.netloc or url
    tenant = next(iter(parse_qs(parts.query).get("tenant", [])), "")
    return plain(f"{name} · {tenant}" if tenant else name, 80)


def engine_of(target: str) -> tuple[Engine, str]:
    """The engine that opens a URL or a file, and the URL to give it. Raises PlayheadError saying what can be opened."""
    scheme, mark, _ = target.partition("://")
    if mark:
        return bridge.engine_of_scheme(scheme.lower()), target
    path = Path(target).expanduser()
    folder = path.is_dir()
    head = b"" if folder else _head(path)
    for engine in sorted(bridge.engines(), key=lambda engine: engine.greedy):
        url = engine.sniff(str(path), head) if engine.folders or not folder else None
        if url is not None:
            return engine, url if "://" in url else str(path)
    if folder:
        hint = "Nothing in it is a file that Playhead opens by folders. Choose a file. "
        raise UsageError(f"{plain(str(path))} is a folder.", hint + what_opens())
    if not head:
        raise UsageError(
            f"{plain(path.name)} is empty: there is not a byte in it.", "Export or copy it again."
        )
    named = any(path.match(pattern) for engine in bridge.engines() for pattern in engine.file_patterns)
    inside = "Its name would do, but what it holds is of no kind that is known. " if named else ""
    raise UsageError(f"{plain(path.name)} is no file that Playhead can open.", inside + what_opens())


def together(texts: list[str]) -> list[str]:
    """What to open when several files are chosen at once: files of one engine become one source where it can."""
    urls: dict[tuple[str, str], list[str]] = {}
    found: list[str] = []
    for text in texts:
        try:
            engine, url = engine_of(text)
        except PlayheadError:
            found.append(text)  # it is opened, and says what is wrong with it
            continue
        if engine.together is None or "://" in text:
            found.append(text)
        else:
            urls.setdefault((engine.name, url.partition("://")[0]), []).append(url)
    for (name, _), several in urls.items():
        join = bridge.load_engine(name).together
        one = join(tuple(several)) if join is not None and len(several) > 1 else None
        found += [one] if one is not None else several
    return found


def source_id(text: str) -> str:
    """The URL by which the journal names a source: without secret, the same from every working folder.

    A codec server is no part of its name: it is the same source with another.
    """
    engine, url = engine_of(text)
    return engine.absolute(url if engine.codec is None else engine.codec.put(url, ""))


def password_url(url: str) -> str:
    """The URL under which a source's password is kept: the same with every codec server."""
    try:
        codec = bridge.engine_of_scheme(url.partition("://")[0].lower()).codec if "://" in url else None
        return url if codec is None else codec.put(url, "")
    except UsageError:
        return url


def _token_of(engine: Engine, url: str, target: Target) -> str | None:
    """The bearer token of the codec server that a URL names. Raises UsageError for an address that is none."""
    codec = engine.codec.of(url) if engine.codec is not None else ""
    if not codec:
        return None
    return target.token.reveal() if target.token else secrets.find_token(codec)


def _with_token(token: str | None) -> dict[str, str]:
    return {"token": token} if token else {}


def actor_of(target: Target, *, named: bool = True) -> ActorFactory:
    """What an Execution needs to write to a source; may ask the keyring, and the environment where the user ``named``
    the source. Raises UnsupportedError without actions."""
    engine, url = engine_of(target.url)
    if engine.actor is None:
        raise UnsupportedError("This source has no actions.", "It is only looked at.")
    kept = password_url(target.url)
    secret = target.secret.reveal() if target.secret else secrets.find(kept, named=named)
    return ActorFactory(engine.name, engine.absolute(url), secret, _token_of(engine, url, target))


def what_opens() -> str:
    """One line on what can be opened, from the engines' own words."""
    schemes = ", ".join(f"{scheme}://…" for engine in bridge.engines() for scheme in engine.schemes)
    files = ", ".join(p for engine in bridge.engines() for p in engine.file_patterns)
    return f"Playhead opens {schemes}" + (f" and files: {files}." if files else ".")


def _head(path: Path) -> bytes:
    shown = plain(str(path))
    try:
        if path.exists() and not path.is_file():
            raise ConnectError(f"{shown} is no regular file.", "Save it to a file first.")
        return head_of(path, _HEAD)
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {shown}.", "Check the path. " + what_opens()) from None
    except PermissionError:
        raise PermissionDeniedError(
            f"{shown} cannot be read.", "Your user lacks the right to read this file."
        ) from None
    except (OSError, ValueError) as error:
        raise ConnectError(f"{shown} cannot be read.", "Check the path.", type(error).__name__) from None


def open_session(
    target: Target, on_progress: Progress, on_call: Callable[[Call], None], *, to_look: bool = False
) -> Opened:
    """Opens a target and reads its fields; ``on_call`` gets each call, so that another thread can cancel it.

    With ``to_look`` what decodes its records is imported meanwhile. Raises what the bridge raised; the session is
    then closed.
    """
    engine, url = engine_of(target.url)
    secret = target.secret.reveal() if target.secret else secrets.find(password_url(target.url))
    more = _with_token(_token_of(engine, url, target))
    session = Session(functools.partial(engine.bridge, url, secret, **more), host=engine.host_of(url))
    try:
        call = session.open(on_progress)
        on_call(call)
        if to_look and engine.host_of(url) == "process":
            engine.prepare()
        info = call.result()
        call = session.call("fields")
        on_call(call)
        fields = call.result()
    except BaseException:
        session.close()
        raise
    if target.environment is not None:
        info = msgspec.structs.replace(info, environment=target.environment)
    return Opened(session, info, fields, target)
