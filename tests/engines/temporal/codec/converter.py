"""The data converter of workers whose payloads and failures are encrypted. Imported by worker processes only."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import temporalio.converter
from temporalio.api.common.v1 import Payload
from temporalio.converter import DefaultFailureConverterWithEncodedAttributes, PayloadCodec

from tests.engines.temporal.codec.crypt import ENCRYPTED, KEY_ID, decrypted, encrypted


class EncryptionCodec(PayloadCodec):
    """temporalio's encryption sample."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload(
                metadata={"encoding": ENCRYPTED.encode(), "encryption-key-id": KEY_ID.encode()},
                data=encrypted(payload.SerializeToString()),
            )
            for payload in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload.FromString(decrypted(payload.data))
            if payload.metadata.get("encoding") == ENCRYPTED.encode()
            else payload
            for payload in payloads
        ]


converter = dataclasses.replace(
    temporalio.converter.default(),
    payload_codec=EncryptionCodec(),
    failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
)
