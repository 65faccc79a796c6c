"""Runner part: queries, asked behind each workflow task of a replay of their own: what was told stays as it is."""

from __future__ import annotations

import json
from typing import Any

from engine_bridge.engines.temporal.replay_parts.contents import SHOWN
from engine_bridge.engines.temporal.replay_parts.ending import exception_words
from engine_bridge.engines.temporal.replay_parts.walk import Walk
from engine_bridge.replay.runners.channel import Stop
from engine_bridge.replay.runners.failures import failure
from engine_bridge.replay.runners.loop import Recorder
from engine_bridge.replay.runners.pictures import picture

TEXT = 16_000
STACK_QUERY, STACK_OF = "__stack_trace", "Stack for <"


class Asking:
    """Some questions about one run, whose first replay is ``walk``."""

    def __init__(self, questions: list[dict[str, Any]], recorder: Recorder, walk: Walk) -> None:
        self._questions = questions
        self._recorder = recorder
        self._recorded = walk.recorded
        self._marks = walk.marks
        self._last: dict[int, tuple[Any, str]] = {}
        self._over = False

    def answered(self, started: int) -> bool:
        """Whether the history has the answer to a workflow task."""
        task = self._recorded.tasks.get(started)
        return task is not None and task.completed > 0

    def behind(self, instance: Any, activation: Any) -> None:
        """Asks all of them, of an instance of the SDK that has just answered a workflow task."""
        done = activation.history_length
        self._recorder.progress(done, len(self._recorded.raw), self._recorded.share(done))
        n, position = self._marks.get(
            activation.history_length, (self._recorder.n - 1, activation.history_length)
        )
        for number, question in enumerate(self._questions):
            if self._over or self._recorder.cancelled:
                return
            self._recorder.enter()
            answer = self._answer(instance, activation, number, question)
            if self._last.get(number) != answer:
                self._last[number] = answer
                self._recorder.answer(question, n, position, *answer)

    def _answer(
        self, instance: Any, activation: Any, number: int, question: dict[str, Any]
    ) -> tuple[Any, str]:
        """The value and the error of one answer; neither can be raised."""
        try:
            asked = _activation(activation, str(number), question)
            commands = instance.activate(asked).successful.commands
        except BaseException as error:  # noqa: BLE001 - sys.exit in a query; the instance is of no use any more
            self._over = not isinstance(error, ValueError)
            return None, failure(error, self._recorder.files)["error"]
        found = next((c.respond_to_query for c in commands if c.HasField("respond_to_query")), None)
        if found is None:
            stopped = Stop.first
            words = f"It {stopped.values.get('what', 'was stopped')}." if stopped else "It gave no answer."
            Stop.made, Stop.first = 0, None
            return None, words
        if found.HasField("failed"):
            return None, exception_words(found.failed)
        value = answer_value(found.succeeded.response)
        return (_without_own(value) if question["name"] == STACK_QUERY else value), ""


def _activation(behind: Any, query_id: str, question: dict[str, Any]) -> Any:
    """An activation that asks one query where another one has just been answered."""
    values = json.loads(question.get("args") or "[]")
    made = type(behind)()
    made.CopyFrom(behind)
    del made.jobs[:]
    query = made.jobs.add().query_workflow
    query.query_id, query.query_type = query_id, question["name"]
    for value in values if type(values) is list else [values]:
        query.arguments.add(data=json.dumps(value).encode()).metadata["encoding"] = b"json/plain"
    return made


def answer_value(payload: Any) -> Any:
    """An answer as a picture; a text whole, within bounds."""
    encoding = payload.metadata.get("encoding", b"").decode("utf-8", "replace")
    if encoding == "binary/null":
        return None
    if "json" not in encoding or len(payload.data) > SHOWN:
        return picture({"encoding": encoding, "bytes": len(payload.data)})
    try:
        value = json.loads(payload.data)
    except (ValueError, RecursionError):
        return picture(payload.data)
    if type(value) is not str:
        return picture(value)
    return value if len(value) <= TEXT else {"t": "str", "n": len(value), "r": value[:TEXT]}


def _without_own(value: Any) -> Any:
    """The SDK's stacks of all tasks, without that of the query itself, in an order that does not change by itself."""
    if type(value) is not str:
        return value
    stacks = [
        STACK_OF + one.strip()
        for one in value.split(STACK_OF)[1:]
        if "'query: " not in one.partition(" coro=")[0]
    ]
    return "\n\n".join(sorted(stacks))
