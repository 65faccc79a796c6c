"""The scheme of temporalio's encryption sample: AES-GCM over the serialized payload, a nonce before it.

For both sides of the tests: workers (as a PayloadCodec) and codec servers (in protobuf JSON).
"""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY: Final = b"test-key-test-key-test-key-test!"
KEY_ID: Final = "test-key-id"
ENCRYPTED: Final = "binary/encrypted"


def encrypted(data: bytes, key: bytes = KEY) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, data, None)


def decrypted(data: bytes, key: bytes = KEY) -> bytes:
    """Raises cryptography's InvalidTag for another key."""
    return AESGCM(key).decrypt(data[:12], data[12:], None)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of this machine's loopback and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "codec of a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    paths = folder / "codec.pem", folder / "codec.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain, private = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, private, plain))
    return paths


def wire(encoding: str, data: bytes, **metadata: bytes) -> dict[str, Any]:
    """A payload in protobuf JSON."""
    words = {"encoding": encoding.encode(), **metadata}
    return {
        "metadata": {name: base64.b64encode(value).decode() for name, value in words.items()},
        "data": base64.b64encode(data).decode(),
    }


def serialized(payload: dict[str, Any]) -> bytes:
    """A payload as protobuf bytes."""
    found = b""
    for name, value in payload["metadata"].items():
        pair = _delimited(1, name.encode()) + _delimited(2, base64.b64decode(value))
        found += _delimited(1, pair)
    return found + _delimited(2, base64.b64decode(payload.get("data", "")))


def _delimited(number: int, data: bytes) -> bytes:
    length, size = bytearray(), len(data)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2]) + bytes(length) + bytes([size]) + data


def hidden(payload: dict[str, Any], key: bytes = KEY) -> dict[str, Any]:
    """A payload as workers store it."""
    data = encrypted(serialized(payload), key)
    return wire(ENCRYPTED, data, **{"encryption-key-id": KEY_ID.encode()})
