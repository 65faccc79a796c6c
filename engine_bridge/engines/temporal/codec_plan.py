"""What an action sends into a run whose payloads are encoded: encoded likewise, or not without being told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine_bridge.actions import args as arguments
from engine_bridge.actions.model import Change, Param, ParamType
from engine_bridge.engines.temporal import codec
from engine_bridge.engines.temporal.actions_facts import RunFacts
from engine_bridge.errors import UsageError

if TYPE_CHECKING:
    from engine_bridge.engines.temporal.plan_base import Draft, Look

NAME: Final = "unencrypted"
_SECRET: Final = ("encrypted", "encoded")


def _open(look: Look) -> str:
    """How the run's own payloads are hidden where no codec server is set to do the same; "" otherwise."""
    if look.reads.codec.server is not None or not isinstance(look.facts, RunFacts):
        return ""
    found = look.reads.hides(look.run.ref)
    return found if found in _SECRET else ""


def params(look: Look) -> tuple[Param, ...]:
    """Whether to send readable payloads into a run whose own are not: asked for only there."""
    found = _open(look)
    if not found:
        return ()
    doc = f"The run's payloads are {found}, and no codec server is set: what you send can be read by whoever reads it."
    return (
        Param(
            name=NAME,
            title="Send unencrypted",
            type=ParamType.BOOLEAN,
            required=False,
            default=False,
            doc=doc,
        ),
    )


def told(look: Look, draft: Draft, *, sends: bool = True) -> Draft:
    """The draft with what becomes of its payloads. Raises UsageError where that must be said first."""
    if not sends:
        return draft
    server = look.reads.codec.server
    if server is not None:
        change = Change(
            what="payloads", before="json/plain", after=f"encoded by the codec server {server.name}"
        )
        return msgspec.structs.replace(draft, changes=(*draft.changes, change))
    found = _open(look)
    if not found:
        return draft
    if not arguments.boolean(look.args, NAME):
        raise UsageError(
            f"The run's payloads are {found}: this would be sent unencrypted.",
            f"Set a codec server for this source, or say {NAME}=true.",
        )
    warning = f"Sent unencrypted, into a run whose payloads are {found}."
    return msgspec.structs.replace(draft, warnings=(*draft.warnings, warning))


def payloads(look: Look, several: Any) -> Any:
    """A ``Payloads`` message as it is sent. Raises CodecError while sending; a plan shows it as it is."""
    reads = look.reads
    return codec.sent(reads.codec, several, reads.cancel) if reads.sending else several


def failure(look: Look, failure: Any) -> Any:
    """A ``Failure`` message as it is sent: its message goes where SDKs put what they encode of failures."""
    from temporalio.api.common.v1 import Payload, Payloads

    if look.reads.codec.server is None:
        return failure
    data = msgspec.json.encode({"message": failure.message, "stack_trace": ""})
    inside = Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=data)])
    failure.encoded_attributes.CopyFrom(payloads(look, inside).payloads[0])
    failure.message = "Encoded failure"
    return failure
