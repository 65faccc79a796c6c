"""The codec server of a source: asked for in a dialog, kept in the source's URL, its bearer token in the keyring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import secrets
from app.context import Source
from engine_bridge import bridge
from engine_bridge.bridge import CodecPlace
from engine_bridge.errors import PlayheadError, UsageError
from widgets.shell.ask_codec import AskCodec, CodecAnswer

if TYPE_CHECKING:
    from app.window import MainWindow


def place_of(source: Source | None) -> CodecPlace | None:
    """How an open source's URL names a codec server; None where its engine has none, or it is not open."""
    if source is None or source.info is None:
        return None
    try:
        return bridge.load_engine(source.info.engine).codec
    except UsageError:  # a bridge that no engine registered
        return None


def why_not(source: Source | None) -> str:
    """Why a source's codec server cannot be set now, "" when it can."""
    if source is None or source.info is None:
        return "no open source is chosen"
    return "" if place_of(source) is not None else "this source's engine has no codec servers"


def ask(window: MainWindow, key: str) -> None:
    """Asks for a source's codec server and opens the source again with it."""
    source = window.sources.get(key)
    reason = why_not(source)
    place = place_of(source)
    if source is None or source.info is None or place is None:
        raise UsageError(f"A codec server cannot be set: {reason}.")
    location = source.info.location
    address = place.of(location)

    def answer(found: CodecAnswer) -> None:
        _set(window, key, place, location, found)

    def show(can_remember: bool) -> None:
        dialog = AskCodec(window, address, place.doc, can_remember, answer)
        window.codec_dialog = dialog
        dialog.open()

    def look() -> None:
        found = secrets.keyring_available()
        window.deliver(lambda: show(found))

    window.sources.in_thread("playhead-keyring", look)


def _set(window: MainWindow, key: str, place: CodecPlace, location: str, found: CodecAnswer) -> None:
    old = place.of(location)
    url = place.put(location, found.address)
    codec = place.of(url)
    if codec == old and not found.token:
        return
    token = found.token or None
    if token and not codec:
        raise UsageError("A bearer token needs a codec server.", "Give its address.")
    if token and found.remember:
        window.sources.in_thread("playhead-keyring", secrets.remember_token, codec, token)
    try:
        window.sources.set_codec(key, url, token)
    except PlayheadError as error:
        window.report(error)
