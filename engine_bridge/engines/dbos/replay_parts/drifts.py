"""Runner part: what differs from the history while dbos passes in silence."""

from __future__ import annotations

from typing import Any

from engine_bridge.engines.dbos.replay_parts.alike import alike
from engine_bridge.engines.dbos.replay_parts.walk import Walk
from engine_bridge.replay.runners.pictures import picture

SLACK_S = 0.02
LATE_S = 10.0
LATE_PART = 0.05
DRIFTS = 50
_INTERNAL = "_dbos_"
_OPTIONS = (
    ("priority", "priority"),
    ("queue_partition_key", "partition key"),
    ("workflow_timeout_ms", "timeout"),
)
_NULL_TOPIC = "__null__topic__"


class Drifts:
    """Compares what the code gives with what was recorded. ``stored`` is dbos' module of serialisation."""

    def __init__(self, stored: Any) -> None:
        self.stored = stored
        self.serializer: Any = None

    def loads(self, text: Any, serialization: Any) -> Any:
        """A stored value, with the project's own serialiser where it has one."""
        return self.stored.deserialize_value(text, serialization, self.serializer)

    def loads_error(self, text: Any, serialization: Any) -> Any:
        """A stored error."""
        return self.stored.deserialize_exception(text, serialization, self.serializer)

    def value(
        self, walk: Walk, fid: int, what: str, row: dict[str, Any] | None, key: str, value: Any
    ) -> None:
        """An event or a piece of a stream that the code writes."""
        if row is None:
            return
        if row["key"] != key:
            walk.drifted(f"{what} key", row["key"], key, fid)
            return
        serialization = row.get("serialization")
        recorded = self.loads(row["value"], serialization)
        # As it would come back: a serialiser may change types.
        text, name = self.stored.serialize_value_as(value, serialization, self.serializer)
        given = self.loads(text, name)
        if not alike(recorded, given):
            walk.drifted(f"{what} {key}", picture(recorded), picture(given), fid)

    def sleep(self, walk: Walk, fid: int, seconds: float, what: str = "sleep") -> None:
        """How long the code asks to sleep or to wait, against the recorded wake-up."""
        row, wake = walk.recorded.steps.get(fid), walk.recorded.wake_ns(fid)
        began = (row or {}).get("started_at_epoch_ms")
        if wake is None or began is None:
            return
        held = wake / 1e9 - began / 1e3
        # The wake-up is reckoned after the start was taken: never earlier, and later by what lay between.
        if seconds > held + SLACK_S or seconds < held - max(LATE_S, held * LATE_PART):
            walk.drifted(what, round(held, 3), seconds, fid, "seconds; the recorded wake-up counts")

    def topic(self, walk: Walk, fid: int, topic: str | None) -> None:
        """The topic that a recv asks for, against that of the message it consumed."""
        held, given = walk.recorded.topics.get(fid), topic or _NULL_TOPIC
        if held is not None and held != given:
            one, other = (None if name == _NULL_TOPIC else name for name in (held, given))
            walk.drifted("topic", one, other, fid)

    def child(self, walk: Walk, fid: int, asked: dict[str, Any]) -> None:
        """A child's arguments and how it is started: ``name``, ``args``, ``kwargs``, ``bound`` (whether ``args`` lack
        the instance), ``queue``, ``id``, ``options``.
        """
        row = walk.recorded.steps.get(fid) or {}
        child = walk.recorded.children.get(row.get("child_workflow_id") or "")
        if row.get("function_name") != asked["name"]:
            return
        held = row.get("child_workflow_id")
        # What a fork copied has the ids of the run that it was forked from.
        if asked["id"] and held and asked["id"] != held and not walk.recorded.row.get("forked_from"):
            walk.drifted("child id", held, asked["id"], fid)
        if child is not None:
            # Of a debounced child the last call's arguments are kept, which need not be this run's.
            if walk.recorded.name(fid - 1) != "DBOS.debounce_delayed_workflow":
                self._inputs(walk, fid, child, asked)
            self._queue(walk, fid, child, asked)

    def _inputs(self, walk: Walk, fid: int, child: dict[str, Any], asked: dict[str, Any]) -> None:
        if child.get("inputs") is None:
            return
        held = self._held(child)
        own = child.get("class_name") and not asked["bound"]
        args = asked["args"][1:] if own else asked["args"]
        text, name = self._stored_args(args, asked["kwargs"], child.get("serialization"))
        given = dict(self.stored.deserialize_args(text, name, self.serializer))
        if alike(held, given):
            return
        other = self._holder(walk, asked["name"], given)
        note = f"step {other} of the history got this input: the order changed" if other else ""
        walk.drifted("order" if other else "input", picture(held), picture(given), fid, note)

    def _held(self, child: dict[str, Any]) -> dict[str, Any]:
        return dict(
            self.stored.deserialize_args(child["inputs"], child.get("serialization"), self.serializer)
        )

    def _stored_args(self, args: Any, kwargs: Any, serialization: Any) -> tuple[str, str]:
        format_ = self.stored.WorkflowSerializationFormat
        chosen = {"portable_json": format_.PORTABLE, "py_pickle": format_.NATIVE}.get(serialization)
        text, name = self.stored.serialize_args(args, kwargs, chosen, self.serializer)
        return str(text), str(name)

    def _holder(self, walk: Walk, name: str, given: dict[str, Any]) -> int:
        """The step whose child got these arguments; 0 when there is none (or too much differs to look)."""
        if len(walk.drift) > DRIFTS:
            return 0
        for fid, row in walk.recorded.steps.items():
            child = walk.recorded.children.get(row.get("child_workflow_id") or "")
            known = row["function_name"] == name and child is not None and child.get("inputs") is not None
            if known and alike(self._held(child or {}), given):
                return fid
        return 0

    @staticmethod
    def _queue(walk: Walk, fid: int, child: dict[str, Any], asked: dict[str, Any]) -> None:
        held = child.get("queue_name")
        # A recovered or resumed child is moved to a queue of dbos' own, a cancelled one to none.
        moved = (held or "").startswith(_INTERNAL) or child.get("status") == "CANCELLED"
        if not moved and held != asked["queue"]:
            walk.drifted("queue", held, asked["queue"], fid)
        for column, what in _OPTIONS:
            given = asked["options"].get(column)
            if column == "priority":
                given = given or 0
            if column in child and (child[column] or 0) != (given or 0) and not moved:
                walk.drifted(what, child[column], given, fid)
