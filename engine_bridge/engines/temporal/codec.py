"""Payloads that a codec encoded, made readable: compressed ones here, all others by the source's codec server.

What was decoded is kept in memory alone, and no more of it than ``KEPT`` bytes.
"""

from __future__ import annotations

import base64
import json
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from engine_bridge.bridge import Decoding
from engine_bridge.cancel import CancelToken
from engine_bridge.engines.temporal import codec_url, payloads
from engine_bridge.engines.temporal.codec_http import CodecError, CodecServer, failed
from engine_bridge.engines.temporal.payloads import Stored
from engine_bridge.engines.temporal.protobuf import WireError, fields
from engine_bridge.errors import CancelledError, PlayheadError
from engine_bridge.format import plain, size

KEPT: Final = 32 << 20
INFLATED: Final = 64 << 20
"""Bytes that a compressed payload may become."""
_BATCH: Final = 100
_BATCH_BYTES: Final = 4 << 20
_TRIES: Final = 40
_DEEPEST: Final = 4
_ONE_BY_ONE: Final = frozenset({400, 409, 413, 422, 500, 501, 502, 503})

Wire = dict[str, Any]
"""A payload in protobuf JSON."""


class Codec:
    """Decodes the payloads of one source. Thread-safe. ``server`` None: only what is compressed."""

    def __init__(self, server: CodecServer | None = None) -> None:
        self.server = server
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, Wire] = OrderedDict()
        self._bytes = 0

    def decode(self, several: Sequence[Wire], cancel: CancelToken) -> list[Decoding]:
        """Each payload decoded, or why it is not; in their order. Raises CancelledError alone."""
        found = [self._inflated(one) for one in several]
        asked = {i: one for i, one in enumerate(found) if isinstance(one, dict) and _hidden(one)}
        if self.server is not None:
            for i, answer in zip(asked, self._answers(list(asked.values()), cancel), strict=True):
                found[i] = self._inflated(answer) if isinstance(answer, dict) else answer
        return [self._told(answer, asked=i in asked) for i, answer in enumerate(found)]

    def encode(self, several: list[Wire], cancel: CancelToken) -> list[Wire]:
        """Payloads as workers are sent them. Raises CodecError: then nothing may be sent."""
        if self.server is None:
            return several
        found: list[Wire] = []
        for part in _batches(several):
            found += self.server.ask("encode", part, cancel)
        if any(payloads.of_standard(one) is None for one in found):
            raise failed(f"The codec server {self.server.name} answered with what is no payload.")
        return found

    def _told(self, after: Wire | CodecError, *, asked: bool) -> Decoding:
        if isinstance(after, CodecError):
            return Decoding(error=after.message, hint=after.hint, detail=after.detail)
        stored = payloads.of_standard(after)
        if stored is None:
            return Decoding(error="What the codec server answered is no payload.")
        if not stored.opaque:
            by = self.server.name if asked and self.server is not None else ""
            return Decoding(data=stored.data, encoding=stored.encoding, type=stored.type, by=by)
        encoding = plain(stored.encoding or "", 80)
        if self.server is None:
            words = f"It is {stored.opaque} ({encoding})."
            return Decoding(
                error=words,
                hint="A codec server of yours can decode it: add ?codec=https://… to the source's address.",
                needs_codec=True,
            )
        return Decoding(
            error=f"The codec server {self.server.name} leaves it {stored.opaque} ({encoding}).",
            hint="It may not know this encoding, or not this namespace's key.",
        )

    # -- the server ---------------------------------------------------------------------------------------

    def _answers(self, wires: list[Wire], cancel: CancelToken) -> list[Wire | CodecError]:
        keys = [_key(one) for one in wires]
        answers: dict[bytes, Wire | CodecError] = {
            key: kept for key in keys if (kept := self._find(key)) is not None
        }
        missing = {key: one for key, one in zip(keys, wires, strict=True) if key not in answers}
        fresh = self._asked(list(missing.values()), cancel)
        for key, answer in zip(missing, fresh, strict=True):
            answers[key] = answer
            if isinstance(answer, dict):
                self._keep(key, answer)
        return [answers[key] for key in keys]

    def _asked(self, wires: list[Wire], cancel: CancelToken) -> list[Wire | CodecError]:
        answers: list[Wire | CodecError] = []
        tries, down = _TRIES, None
        todo = _batches(wires)
        while todo:
            part = todo.pop(0)
            if down is not None or self.server is None:
                answers += [down or failed("No codec server is set.")] * len(part)
                continue
            try:
                answers += self.server.ask("decode", part, cancel)
            except CodecError as error:
                tries -= 1
                # One payload that it cannot decode makes it refuse all of them: the others are asked for apart.
                if len(part) > 1 and tries > 0 and error.status in _ONE_BY_ONE:
                    half = len(part) // 2
                    todo[:0] = [part[:half], part[half:]]
                    continue
                answers += [error] * len(part)
                down = error if error.status not in _ONE_BY_ONE or tries <= 0 else None
        return answers

    def _find(self, key: bytes) -> Wire | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: bytes, answer: Wire) -> None:
        with self._lock:
            self._bytes += _length(answer) - (_length(self._kept.pop(key)) if key in self._kept else 0)
            self._kept[key] = answer
            while self._bytes > KEPT:
                self._bytes -= _length(self._kept.popitem(last=False)[1])

    def forget(self) -> None:
        """Drops what was decoded."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    # -- compressed here ----------------------------------------------------------------------------------

    def _inflated(self, wire: Wire) -> Wire | CodecError:
        """What a payload of the compressing codec holds: a whole payload of its own, zlib."""
        for _ in range(_DEEPEST):
            stored = payloads.of_standard(wire)
            if stored is None or not _is_zlib(stored):
                return wire
            inner = inflated(stored.data)
            if isinstance(inner, str):
                return failed(f"It is compressed ({plain(stored.encoding or '', 80)}), and {inner}.")
            wire = inner
        return failed("It is compressed too many times over.")


def inflated(data: bytes, most: int = INFLATED) -> Wire | str:
    """The payload in zlib or gzip bytes, or what is wrong with them."""
    stream = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        plain_ = stream.decompress(data, most)
    except zlib.error:
        return "its bytes are broken"
    if stream.unconsumed_tail:
        return f"it becomes more than {size(most)}"
    if not stream.eof:
        return "its end is missing"
    return message(plain_) or "what is inside is no payload"


def message(data: bytes) -> Wire | None:
    """A serialized ``Payload`` in protobuf JSON; None for bytes that are none."""
    metadata: dict[str, str] = {}
    content = b""
    try:
        for number, wire, start, end in fields(data):
            if wire != 2:
                return None
            if number == 1:
                pair = {n: data[s:e] for n, _, s, e in fields(data, start, end)}
                metadata[pair.get(1, b"").decode()] = base64.b64encode(pair.get(2, b"")).decode()
            elif number == 2:
                content = data[start:end]
    except (WireError, UnicodeDecodeError):
        return None
    return {"metadata": metadata, "data": base64.b64encode(content).decode()} if metadata else None


def _is_zlib(stored: Stored) -> bool:
    name = (stored.encoding or "").lower()
    return stored.opaque == "compressed" and ("zlib" in name or "gzip" in name)


def _hidden(wire: Wire) -> bool:
    stored = payloads.of_standard(wire)
    return stored is not None and bool(stored.opaque)


def _batches(several: list[Wire]) -> list[list[Wire]]:
    found: list[list[Wire]] = []
    room = 0
    for one in several:
        room -= _length(one)
        if not found or room < 0 or len(found[-1]) >= _BATCH:
            found.append([])
            room = _BATCH_BYTES - _length(one)
        found[-1].append(one)
    return found


def _length(wire: Wire) -> int:
    return len(wire.get("data") or "") + 200


def _key(wire: Wire) -> bytes:
    import hashlib

    return hashlib.blake2b(json.dumps(wire, sort_keys=True).encode(), digest_size=20).digest()


def decoded(
    codec: Codec, keys: Sequence[str], raw: Callable[[str], list[Any]], cancel: CancelToken
) -> tuple[Decoding, ...]:
    """What keys name, decoded together. ``raw`` answers the payloads of a key as they are written."""
    several: list[list[Wire] | PlayheadError] = []
    for key in keys:
        try:
            several.append([payloads.standard(one) for one in raw(key)])
        except CancelledError:
            raise
        except PlayheadError as error:
            several.append(error)
    answers = iter(codec.decode([one for part in several if isinstance(part, list) for one in part], cancel))
    return tuple(
        _joined(part, [next(answers) for _ in part])
        if isinstance(part, list)
        else Decoding(error=part.message, hint=part.hint)
        for part in several
    )


def _joined(wires: list[Wire], parts: list[Decoding]) -> Decoding:
    """Arguments as one payload; those that stay as they are stand beside the decoded ones."""
    if len(parts) == 1:
        return parts[0]
    bad = next((part for part in parts if part.data is None), None)
    if not parts or all(part.data is None for part in parts):
        return bad or Decoding(error="This payload is empty.")
    shown = [
        payloads.of_standard(wire) or Stored(None, b"")
        if part.data is None
        else Stored(part.encoding, part.data, part.type)
        for wire, part in zip(wires, parts, strict=True)
    ]
    one = payloads.combined(shown)
    by = next((part.by for part in parts if part.by), "")
    made = Decoding(data=b"" if one is None else one.data, encoding=payloads.JSON, by=by)
    return made if bad is None else msgspec.structs.replace(made, error=bad.error, hint=bad.hint)


def sent(codec: Codec, several: Any, cancel: CancelToken) -> Any:
    """A ``Payloads`` message as workers are sent it. Raises CodecError: then nothing may be sent."""
    from google.protobuf.json_format import MessageToDict, ParseDict

    if codec.server is None or not several.payloads:
        return several
    found = codec.encode([MessageToDict(one) for one in several.payloads], cancel)
    return ParseDict({"payloads": found}, type(several)(), ignore_unknown_fields=True)


def received(codec: Codec, payload: Any, cancel: CancelToken) -> tuple[Stored, str]:
    """A ``Payload`` message, decoded where it is hidden and can be; and why it is not."""
    from google.protobuf.json_format import MessageToDict

    stored = payloads.payload(MessageToDict(payload))
    if not stored.opaque:
        return stored, ""
    [found] = codec.decode([MessageToDict(payload)], cancel)
    if found.data is None:
        return stored, f"{found.error} {found.hint}".strip()
    return Stored(found.encoding, found.data, found.type), ""


def codec_at(endpoint: str, namespace: str, token: str | None) -> Codec:
    """The codec of a source; ``endpoint`` "": none is set."""
    return Codec(CodecServer(endpoint, namespace, token) if endpoint else None)


def notices(codec: Codec) -> tuple[str, ...]:
    """What must be said of a source's codec server."""
    server = codec.server
    if server is None or codec_url.private(server.endpoint):
        return ()
    return (
        f"The codec server {server.name} is asked over plain HTTP: what it decodes can be read on the way.",
    )
