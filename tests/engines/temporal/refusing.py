"""A server of gRPC that refuses every call with a status: HTTP/2 frames by hand (RFC 9113)."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final

from tests.engines.temporal.listener import Listener

_PREFACE: Final = 24
_HEAD: Final = 9
_HEADERS, _SETTINGS, _PING = 1, 4, 6
_ACK, _END_STREAM_AND_HEADERS = 0x1, 0x5
_STATUS_200: Final = b"\x88"  # an indexed field of HPACK's static table


class Refusing(Listener):
    """``status`` and ``message`` are gRPC's."""

    def __init__(self, status: int, message: str) -> None:
        fields = {"content-type": "application/grpc", "grpc-status": str(status), "grpc-message": message}
        self._answer = _STATUS_200 + b"".join(_field(name, value) for name, value in fields.items())
        super().__init__()

    def talk(self, client: socket.socket) -> None:
        self.open.add(client)
        with suppress(OSError), client, client.makefile("rb") as stream:
            stream.read(_PREFACE)
            client.sendall(_frame(_SETTINGS, 0, 0, b""))
            while len(head := stream.read(_HEAD)) == _HEAD:
                body = stream.read(int.from_bytes(head[:3]))
                kind, flags, number = head[3], head[4], int.from_bytes(head[5:])
                if kind == _HEADERS:
                    client.sendall(_frame(_HEADERS, _END_STREAM_AND_HEADERS, number, self._answer))
                elif kind in (_SETTINGS, _PING) and not flags & _ACK:
                    client.sendall(_frame(kind, _ACK, 0, body if kind == _PING else b""))


def _field(name: str, value: str) -> bytes:
    """A header field as HPACK's literal without indexing: lengths below 127, no Huffman code."""
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + body
