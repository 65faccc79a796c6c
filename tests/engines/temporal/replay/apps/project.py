"""What a project brings besides its workflows: a codec, an interceptor, arguments of a Replayer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import temporalio.converter
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec
from temporalio.worker import ExecuteWorkflowInput, Interceptor, WorkflowInboundInterceptor

SEEN: list[str] = []


class Backwards(PayloadCodec):
    """Payloads turned round, as one that encrypts them would do it."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [turned(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload.FromString(p.data[::-1]) if p.metadata["encoding"] == b"binary/backwards" else p
            for p in payloads
        ]


def turned(payload: Payload) -> Payload:
    """One payload as the codec stores it."""
    return Payload(metadata={"encoding": b"binary/backwards"}, data=payload.SerializeToString()[::-1])


converter = dataclasses.replace(temporalio.converter.default(), payload_codec=Backwards())


class Breaking(Backwards):
    """As with another key."""

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        raise ValueError("another key")


breaking = dataclasses.replace(temporalio.converter.default(), payload_codec=Breaking())


def make_converter() -> temporalio.converter.DataConverter:
    return converter


class Louder(Interceptor):
    def workflow_interceptor_class(self, input: Any) -> type[WorkflowInboundInterceptor]:
        return Shouting


class Shouting(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        return f"{await super().execute_workflow(input)}!"


def arguments() -> dict[str, Any]:
    return {"data_converter": converter, "interceptors": [Louder()]}
