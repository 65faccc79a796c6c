"""Sending a message to a run."""

from __future__ import annotations

from typing import Any, Final

from engine_bridge.actions.model import Change, Param, ParamType, PlanItem
from engine_bridge.engines.dbos import plan_args, plan_read
from engine_bridge.engines.dbos.actions_facts import NULL_TOPIC
from engine_bridge.engines.dbos.plan_base import Draft, Look, call, finish, fresh_id
from engine_bridge.engines.dbos.plan_values import CannotError, as_text
from engine_bridge.errors import UsageError

_TOPIC: Final = Param(
    name="topic", title="Topic", required=False, doc="What the run passes to recv; leave it empty for none."
)
_MESSAGE: Final = Param(
    name="message",
    title="Message",
    type=ParamType.JSON,
    doc="Sent as portable JSON, which every DBOS application reads.",
)


def params(look: Look) -> tuple[Param, ...]:
    """Topic and message, prefilled from the last same message that another run of this workflow took."""
    waiting = plan_read.waiting_step(look.tables, look.reads, look.run.id)
    rows = plan_read.consumed_messages(look.tables, look.reads, look.run.name, look.run.id)
    row = next((row for row in rows if waiting is not None and row[4] == waiting), rows[0] if rows else None)
    if row is None:
        return (_TOPIC, _MESSAGE)
    return _prefilled(row, waiting)


def _prefilled(row: Any, waiting: int | None) -> tuple[Param, ...]:
    topic, text, encoding, donor, step = row
    same = f"step {step}, as this one waits at" if waiting is not None and step == waiting else f"step {step}"
    source = f"run {donor}, taken by {same if step is not None else 'it'}"
    shown = "" if topic == NULL_TOPIC else topic
    first = Param(name="topic", title="Topic", required=False, default=shown, doc=_TOPIC.doc, source=source)
    try:
        value, lost = as_text(text, encoding)
    except CannotError as error:
        return first, Param(
            name="message",
            title="Message",
            type=ParamType.JSON,
            doc=f"{_MESSAGE.doc} That of {donor} is not shown: {error}.",
        )
    doc = f"{_MESSAGE.doc} Types lost: {', '.join(lost)}." if lost else _MESSAGE.doc
    message = Param(
        name="message", title="Message", type=ParamType.JSON, default=value, doc=doc, source=source
    )
    return first, message


def plan(look: Look) -> PlanItem:
    run, topic = look.run, plan_args.text(look.args, "topic")
    if "message" not in look.args:
        raise UsageError("Give the message.", 'As JSON: "yes", 1, {"approved": true}, null.')
    value = plan_args.json_value(look.args, "message")
    key = fresh_id()
    waiting = plan_read.waiting_step(look.tables, look.reads, run.id) if run.status == "PENDING" else None
    sent = call("send", run.id, value, topic, key).removesuffix(")")
    return finish(
        look,
        Draft(
            title=f"Send {f'the signal {topic}' if topic else 'a signal without a topic'} to {run.id}",
            python=(f"{sent}, serialization_type=WorkflowSerializationFormat.PORTABLE)",),
            imports=("DBOSClient", "WorkflowSerializationFormat"),
            sql=look.place.sql.signal(run.id, topic, plan_args.json_text(value), key),
            preconditions=("status",),
            changes=(
                Change(what="messages not taken", before=str(run.unconsumed_messages), after=_after(look)),
            ),
            irreversible="A message cannot be taken back once the run has it.",
            race="The run may take it at any moment after.",
            fresh=key,
            side_effects=_side_effects(waiting),
            warnings=(*_warnings(look, value, waiting), *_unread(look, topic)),
            dedupes=True,
        ),
    )


def _after(look: Look) -> str:
    return f"{look.run.unconsumed_messages + 1}, until the run takes it"


def _side_effects(waiting: int | None) -> tuple[str, ...]:
    return () if waiting is None else (f"The run seems to wait at step {waiting} and would go on.",)


def _unread(look: Look, topic: str | None) -> tuple[str, ...]:
    unread = plan_read.unread_on(look.tables, look.reads, look.run.id, topic or NULL_TOPIC)
    if not unread:
        return ()
    return (f"On this topic {unread} not taken yet: the run takes the oldest first.",)


def _warnings(look: Look, value: Any, waiting: int | None) -> list[str]:
    found = []
    if value is None:
        found.append(
            "null is what recv answers when it times out: the run cannot tell this message from that."
        )
    if look.run.status == "PENDING" and waiting is None:
        found.append(
            "Nothing shows that the run waits for a message now: it is kept until the run asks for it."
        )
    if look.run.status not in ("PENDING", "ENQUEUED", "DELAYED"):
        found.append(f"The run is {look.run.status}: nothing takes the message before it is resumed.")
    return found
